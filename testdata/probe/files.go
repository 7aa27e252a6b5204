package main

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// change FILE tries every way to change an existing file or to put another in its
// place, without making an effort to leave it usable. One success is a success.
func change(args []string) error {
	path := args[0]
	other := filepath.Join(os.TempDir(), "probe-change")
	// In the same folder, so that a rename can work.
	beside := path + ".probe"
	fresh := func() error { return os.WriteFile(beside, []byte("evil\n"), 0o600) }
	open := func(flags int) func() error {
		return func() error {
			fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o600)
			if err != nil {
				return err
			}
			defer func() { _ = unix.Close(fd) }()
			if flags&unix.O_ACCMODE == unix.O_RDONLY {
				return nil
			}
			_, err = unix.Write(fd, []byte("evil\n"))
			return err
		}
	}
	ways := []struct {
		name string
		do   func() error
	}{
		{"append", open(unix.O_WRONLY | unix.O_APPEND)},
		{"write", open(unix.O_RDWR)},
		{"open to truncate", open(unix.O_RDONLY | unix.O_TRUNC)},
		{"open or make", open(unix.O_WRONLY | unix.O_CREAT | unix.O_TRUNC)},
		{"openat2", func() error {
			fd, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{Flags: unix.O_WRONLY | unix.O_CREAT, Mode: 0o600})
			if err != nil {
				return err
			}
			return unix.Close(fd)
		}},
		{"open again", func() error { return reopen(path, unix.O_PATH) }},
		{"open again what was opened to read", func() error { return reopen(path, unix.O_RDONLY) }},
		{"map", func() error {
			fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer func() { _ = unix.Close(fd) }()
			data, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			if err != nil {
				return err
			}
			return unix.Munmap(data)
		}},
		{"truncate", func() error { return unix.Truncate(path, 0) }},
		{"chmod", func() error { return unix.Chmod(path, 0o777) }},
		{"set times", func() error { return unix.Utimes(path, nil) }},
		{"set attribute", func() error { return unix.Setxattr(path, "user.probe", []byte("x"), 0) }},
		{"link", func() error { return unix.Link(path, beside) }},
		{"link by descriptor", func() error {
			fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer func() { _ = unix.Close(fd) }()
			return unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(fd), unix.AT_FDCWD, beside, unix.AT_SYMLINK_FOLLOW)
		}},
		{"exchange", func() error {
			if err := fresh(); err != nil {
				return err
			}
			return unix.Renameat2(unix.AT_FDCWD, beside, unix.AT_FDCWD, path, unix.RENAME_EXCHANGE)
		}},
		{"rename over", func() error {
			if err := fresh(); err != nil {
				return err
			}
			return unix.Rename(beside, path)
		}},
		{"link a nameless file", func() error { return linkNameless(path) }},
		{"rename away", func() error { return unix.Rename(path, beside) }},
		{"rename away and leave a whiteout", func() error {
			return unix.Renameat2(unix.AT_FDCWD, path, unix.AT_FDCWD, beside, unix.RENAME_WHITEOUT)
		}},
		{"unlink", func() error { return unix.Unlink(path) }},
		{"rmdir", func() error { return unix.Rmdir(path) }},
		{"make a link", func() error { return unix.Symlink(other, path) }},
		{"make a folder", func() error { return unix.Mkdir(path, 0o700) }},
		{"make a pipe", func() error { return unix.Mkfifo(path, 0o600) }},
	}
	var last error = unix.ENOSYS
	worked := false
	for _, way := range ways {
		if err := way.do(); err != nil {
			last = err
			continue
		}
		worked = true
		fmt.Printf("worked: %s\n", way.name)
	}
	_ = os.Remove(beside)
	if worked {
		return nil
	}
	return last
}

// reopen opens a file again for writing by way of a descriptor that cannot write.
func reopen(path string, flags int) error {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	again, err := unix.Open("/proc/self/fd/"+strconv.Itoa(fd), unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Close(again)
}

// linkNameless makes a file without a name beside path and gives it that name.
func linkNameless(path string) error {
	fd, err := unix.Open(filepath.Dir(path), unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	if _, err := unix.Write(fd, []byte("evil\n")); err != nil {
		return err
	}
	return unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(fd), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
}

// rename FROM TO [exchange|whiteout] renames, and does not copy where that is refused,
// as mv does.
func rename(args []string) error {
	flags := uint(0)
	if len(args) > 2 {
		flags = map[string]uint{"exchange": unix.RENAME_EXCHANGE, "whiteout": unix.RENAME_WHITEOUT}[args[2]]
	}
	return unix.Renameat2(unix.AT_FDCWD, args[0], unix.AT_FDCWD, args[1], flags)
}

// race N A B PROGRAM [ARG]... runs PROGRAM N times while A and B, names in one folder,
// change places all the time. It says how often PROGRAM succeeded and how often they
// changed places.
func race(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	a, b := args[1], args[2]
	var stop atomic.Bool
	var swaps int
	var swapper sync.WaitGroup
	swapper.Go(func() {
		for !stop.Load() {
			if unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE) == nil {
				swaps++
			}
		}
	})
	var good atomic.Int64
	todo := make(chan struct{})
	var runners sync.WaitGroup
	for range 3 {
		runners.Go(func() {
			for range todo {
				cmd := exec.Command(args[3], args[4:]...)
				if cmd.Run() == nil {
					good.Add(1)
				}
			}
		})
	}
	for range n {
		todo <- struct{}{}
	}
	close(todo)
	runners.Wait()
	stop.Store(true)
	swapper.Wait()
	if swaps < n {
		return fmt.Errorf("only %d changes in %d runs", swaps, n)
	}
	fmt.Printf("%d of %d ran\n", good.Load(), n)
	return nil
}

// fdsend SOCKET FILE passes FILE, open for reading and writing, to whoever connects,
// once.
func fdsend(args []string) error {
	l, err := net.Listen("unix", args[0])
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	file, err := os.OpenFile(args[1], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return errors.New("not a unix socket")
	}
	_, _, err = unixConn.WriteMsgUnix([]byte("x"), unix.UnixRights(int(file.Fd())), nil)
	return err
}

// fdtake SOCKET takes a descriptor from there and writes to it.
func fdtake(args []string) error {
	conn, err := net.Dial("unix", args[0])
	if err != nil {
		return err
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return errors.New("not a unix socket")
	}
	rights := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unixConn.ReadMsgUnix(make([]byte, 1), rights)
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) == 0 {
		return errors.Join(errors.New("no descriptor came"), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fds[0]), "taken")
	text, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	fmt.Printf("read %q\n", text)
	_, err = file.WriteString("evil\n")
	return err
}

// filecap FILE gives FILE a capability, in each form and by each call there is.
func filecap(args []string) error {
	path := args[0]
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o755)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	const name = "security.capability"
	word := func(list ...uint32) []byte {
		var out []byte
		for _, w := range list {
			out = append(out, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
		}
		return out
	}
	const admin = 1 << unix.CAP_SYS_ADMIN
	// Revision 2 holds in the first user namespace, 3 in that of a root user.
	forms := [][]byte{word(0x02000001, admin, 0, 0, 0), word(0x03000001, admin, 0, 0, 0, 0)}
	var last error
	for _, data := range forms {
		for _, set := range []func() error{
			func() error { return unix.Setxattr(path, name, data, 0) },
			func() error { return unix.Lsetxattr(path, name, data, 0) },
			func() error { return unix.Fsetxattr(fd, name, data, 0) },
			func() error { return setxattrat(path, name, data) },
		} {
			err := set()
			if err == nil {
				return nil
			}
			last = err
		}
	}
	return last
}

// setxattrat is setxattrat(2) of Linux 6.13.
func setxattrat(path, name string, data []byte) error {
	cpath, err := unix.BytePtrFromString(path)
	if err != nil {
		return err
	}
	cname, err := unix.BytePtrFromString(name)
	if err != nil {
		return err
	}
	arg := struct {
		value       uint64
		size, flags uint32
	}{uint64(uintptr(unsafe.Pointer(&data[0]))), uint32(len(data)), 0}
	at := unix.AT_FDCWD
	_, _, errno := unix.Syscall6(463, uintptr(at), uintptr(unsafe.Pointer(cpath)), 0, uintptr(unsafe.Pointer(cname)), uintptr(unsafe.Pointer(&arg)), unsafe.Sizeof(arg))
	return result(errno)
}

// shm put|get NAME leaves a mark in a shared memory segment, or looks for it. The
// segment goes when get has found it.
func shm(args []string) error {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(args[1]))
	key := int(hash.Sum32() & 0x7fffffff)
	flags := 0o600
	if args[0] == "put" {
		flags |= unix.IPC_CREAT
	}
	id, err := unix.SysvShmGet(key, 4096, flags)
	if err != nil {
		return err
	}
	if args[0] == "get" {
		_, err = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	}
	return err
}

// unpin DIR NAME HOW moves NAME in DIR away by means of a user namespace of its own,
// in which DIR is mounted at another place: what holds NAME where it is may be left
// behind.
func unpin(args []string) error {
	dir, name, how := args[0], args[1], args[2]
	if os.Getenv("PROBE_UNPIN") == "" {
		cmd := exec.Command("/proc/self/exe", append([]string{"unpin"}, args...)...)
		cmd.Env = append(os.Environ(), "PROBE_UNPIN=1")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		return cmd.Run()
	}
	step := func(what string, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}
	top := "/tmp"
	if strings.HasPrefix(dir, "/tmp") {
		top = "/mnt"
	}
	if err := step("mount", unix.Mount("probe", top, "tmpfs", 0, "")); err != nil {
		return err
	}
	at := top + "/n"
	for _, d := range []string{at, top + "/up", top + "/work"} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return err
		}
	}
	var err error
	switch how {
	case "rbind":
		err = unix.Mount(dir, at, "", unix.MS_BIND|unix.MS_REC, "")
	case "bind":
		err = unix.Mount(dir, at, "", unix.MS_BIND, "")
	case "tree":
		var fd int
		if fd, err = unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE); err == nil {
			err = unix.MoveMount(fd, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH)
		}
	case "move":
		err = unix.Mount(dir, at, "", unix.MS_MOVE, "")
	case "overlay":
		// Renames of a layer's folders happen in the layer below.
		if err = os.Mkdir(dir+"/probe-work", 0o700); err == nil {
			err = unix.Mount("probe", at, "overlay", 0, "lowerdir="+top+"/up,upperdir="+dir+",workdir="+dir+"/probe-work,userxattr")
		}
	case "umount":
		err = unix.Unmount(filepath.Join(dir, name, "hooks"), unix.MNT_DETACH)
		at = dir
	case "here":
		at = dir
	default:
		return fmt.Errorf("no way %q", how)
	}
	if err := step(how, err); err != nil {
		return err
	}
	if how == "rbind" || how == "bind" || how == "tree" || how == "move" {
		if err := unix.Chdir(at); err != nil {
			return err
		}
		if err := os.Mkdir("probe-old", 0o700); err != nil {
			return err
		}
		if err := step("pivot_root", unix.PivotRoot(".", "probe-old")); err != nil {
			return err
		}
		if err := unix.Chdir("/"); err != nil {
			return err
		}
		if err := step("umount", unix.Unmount("/probe-old", unix.MNT_DETACH)); err != nil {
			return err
		}
		_ = os.Remove("/probe-old")
		at = "/"
	}
	from := filepath.Join(at, name)
	if err := step("rename", unix.Rename(from, from+".moved")); err != nil {
		return err
	}
	return os.MkdirAll(filepath.Join(from, "hooks"), 0o700)
}
