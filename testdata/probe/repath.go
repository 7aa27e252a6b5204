package main

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// repath N A B makes files A and B (names of the same length) by N calls whose path a
// thread changes from the one to the other and back all the time. It says how often a call
// worked.
func repath(args []string) error {
	var n int
	if _, err := fmt.Sscan(args[0], &n); err != nil {
		return err
	}
	a, b := args[1], args[2]
	if len(a) != len(b) {
		return errors.New("the names differ in length")
	}
	path := append([]byte(a), 0)
	var stop atomic.Bool
	var changer sync.WaitGroup
	changer.Go(func() {
		for !stop.Load() {
			copy(path, b) // that this races is what it is for
			copy(path, a)
		}
	})
	worked := 0
	at := unix.AT_FDCWD
	for range n {
		fd, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(at), uintptr(unsafe.Pointer(&path[0])), unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o600, 0, 0)
		if errno == 0 {
			worked++
			_ = unix.Close(int(fd))
		}
	}
	stop.Store(true)
	changer.Wait()
	fmt.Printf("%d of %d worked\n", worked, n)
	return nil
}
