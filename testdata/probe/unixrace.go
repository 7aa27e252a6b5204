package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// unixrace N DIR A B connects N times to the unix socket A, while threads change the
// address to B and back, a link in DIR that leads to it, and the descriptor from one of an
// internet socket. Twins of B must not be reached: it says how often each was.
func unixRace(args []string) error {
	var n int
	if _, err := fmt.Sscan(args[0], &n); err != nil {
		return err
	}
	dir, a, b := args[1], args[2], args[3]
	if err := errors.Join(os.Symlink(a, dir+"/one"), os.Symlink(b, dir+"/two")); err != nil {
		return err
	}
	inet, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	var stop atomic.Bool
	var changers sync.WaitGroup
	forever := func(do func()) {
		changers.Go(func() {
			for !stop.Load() {
				do()
			}
		})
	}
	forever(func() { _ = unix.Renameat2(unix.AT_FDCWD, dir+"/one", unix.AT_FDCWD, dir+"/two", unix.RENAME_EXCHANGE) })
	type address struct {
		family uint16
		path   [108]byte
	}
	names := [3]address{{family: unix.AF_UNIX}, {family: unix.AF_UNIX}, {family: unix.AF_UNIX}}
	copy(names[0].path[:], a)
	copy(names[1].path[:], b)
	copy(names[2].path[:], dir+"/one")
	shared := names[0]
	forever(func() { shared = names[1]; shared = names[0] }) // that this races is what it is for
	const at = 50
	reached := map[string]int{}
	for i := range n {
		sock, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		target := &shared
		if i%3 == 1 {
			target = &names[2]
		}
		if i%3 == 2 {
			target = &names[1] // by a descriptor that is an internet socket's half of the time
		}
		_ = unix.Dup3(inet, at, unix.O_CLOEXEC)
		var swap sync.WaitGroup
		swap.Go(func() { _ = unix.Dup3(sock, at, unix.O_CLOEXEC) })
		fd := sock
		if i%3 == 2 {
			fd = at
		}
		_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(target)), unsafe.Sizeof(*target))
		swap.Wait()
		if errno == 0 {
			if peer, err := unix.Getpeername(fd); err == nil {
				if name, ok := peer.(*unix.SockaddrUnix); ok {
					reached[name.Name]++
				}
			}
		}
		_ = unix.Close(sock)
	}
	stop.Store(true)
	changers.Wait()
	fmt.Printf("A %v B %d\n", reached[a] > 0, reached[b])
	return nil
}
