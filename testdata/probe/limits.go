package main

import (
	"os"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// deep DIR N [FILE] goes down N folders "aaaa" from DIR, one at a time, makes those
// that are not there, and then FILE in the last one. No path of the way is longer
// than a name.
func deep(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if err := os.Chdir(args[0]); err != nil {
		return err
	}
	for range n {
		err := unix.Chdir("aaaa")
		if err == unix.ENOENT {
			if err = unix.Mkdir("aaaa", 0o755); err == nil {
				err = unix.Chdir("aaaa")
			}
		}
		if err != nil {
			return err
		}
	}
	if len(args) > 2 {
		fd, err := unix.Open(args[2], unix.O_CREAT|unix.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	}
	return nil
}

// wide DIR N gives DIR N entries, every twentieth a folder and the others names of a
// few empty files, which are sooner made.
func wide(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for i := range n {
		path := args[0] + "/" + strconv.Itoa(i)
		switch {
		case i%20 == 0:
			err = unix.Mkdir(path, 0o755)
		case i%10000 == 1:
			err = unix.Mknod(path, unix.S_IFREG|0o644, 0)
		default:
			err = unix.Link(args[0]+"/"+strconv.Itoa(i/10000*10000+1), path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// osthreads N has N threads at once. The runtime gives up when it gets no more.
func osthreads(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	var ready, done sync.WaitGroup
	done.Add(1)
	for range n {
		ready.Add(1)
		go func() {
			runtime.LockOSThread()
			ready.Done()
			done.Wait()
		}()
	}
	ready.Wait()
	done.Done()
	return nil
}
