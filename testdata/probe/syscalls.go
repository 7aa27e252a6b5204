package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func pointer(b []byte) unsafe.Pointer { return unsafe.Pointer(&b[0]) }

// call NAME makes one system call that a sandbox has no use for, with arguments
// that would do nothing or that fail late.
func call(args []string) error {
	runtime.LockOSThread()
	do := calls[args[0]]
	if do == nil {
		return fmt.Errorf("no call %q", args[0])
	}
	return do()
}

func raw(nr, a, b, c, d uintptr) error {
	_, _, errno := unix.RawSyscall6(nr, a, b, c, d, 0, 0)
	return result(errno)
}

var calls = map[string]func() error{
	"add_key": func() error {
		_, err := unix.AddKey("user", "srt-call", []byte("x"), userKeyring)
		return err
	},
	"bpf":      func() error { return raw(unix.SYS_BPF, 0, uintptr(pointer(make([]byte, 128))), 72, 0) },
	"chroot":   func() error { return unix.Chroot("/") },
	"clone3":   clone3,
	"fork":     fork,
	"fsopen":   func() error { _, err := unix.Fsopen("tmpfs", 0); return err },
	"getfd":    getfd,
	"int80":    int80,
	"io_uring": func() error { return raw(unix.SYS_IO_URING_SETUP, 4, uintptr(pointer(make([]byte, 256))), 0, 0) },
	"keyctl":   func() error { _, err := unix.KeyctlGetKeyringID(userKeyring, false); return err },
	"mem":      mem,
	"mount":    func() error { return unix.Mount("none", "/tmp", "tmpfs", 0, "") },
	"move_mount": func() error {
		return raw(unix.SYS_MOVE_MOUNT, ^uintptr(0), uintptr(pointer([]byte("\x00"))), ^uintptr(0), uintptr(pointer([]byte("\x00"))))
	},
	"open_by_handle_at": func() error {
		handle := unix.NewFileHandle(1, []byte{2, 0, 0, 0, 0, 0, 0, 0})
		_, err := unix.OpenByHandleAt(unix.AT_FDCWD, handle, unix.O_RDONLY)
		return err
	},
	"open_tree": func() error {
		_, err := unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLONE)
		return err
	},
	"perf_event_open": func() error {
		_, err := unix.PerfEventOpen(&unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{}))}, 0, -1, -1, 0)
		return err
	},
	"pivot_root":  func() error { return unix.PivotRoot("/", "/tmp") },
	"ptrace":      ptrace,
	"request_key": func() error { _, err := unix.RequestKey("user", "srt-call", "", userKeyring); return err },
	"setns": func() error {
		fd, err := unix.Open("/proc/1/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		return unix.Setns(fd, unix.CLONE_NEWNET)
	},
	"setuid-bit": func() error {
		f, err := os.Create("probe-setuid")
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if err := unix.Fchmod(int(f.Fd()), 0o4755); err != nil {
			return err
		}
		return nil
	},
	"umount":      func() error { return unix.Unmount("/proc", unix.MNT_DETACH) },
	"unshare":     func() error { return unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS) },
	"userns":      userns,
	"userfaultfd": func() error { return raw(unix.SYS_USERFAULTFD, 1, 0, 0, 0) },
	"x32":         func() error { return raw(unix.SYS_GETPID|0x40000000, 0, 0, 0, 0) },
	// TCP Fast Open connects without connect(2); multipath TCP is another protocol.
	"fastopen": func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		return unix.Sendto(fd, []byte("x"), unix.MSG_FASTOPEN, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{192, 0, 2, 1}})
	},
}

// fork starts a child in no new namespace: the twin of userns.
func fork() error { return start(0) }

// userns starts a child in a new user namespace by clone(2).
func userns() error { return start(syscall.CLONE_NEWUSER) }

func start(flags uintptr) error {
	process, err := os.StartProcess("/proc/self/exe", []string{"probe", "args"}, &os.ProcAttr{Sys: &syscall.SysProcAttr{Cloneflags: flags}})
	if err != nil {
		return err
	}
	_, err = process.Wait()
	return err
}

// clone3 asks for a new user namespace in the form whose flags a filter cannot see.
func clone3() error {
	var args struct{ flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls uint64 }
	args.flags, args.exitSignal = unix.CLONE_NEWUSER, uint64(unix.SIGCHLD)
	pid, _, errno := unix.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args), 0)
	if errno == 0 && pid == 0 {
		for {
			_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
	return result(errno)
}

// ptrace attaches to every process that is not ours.
func ptrace() error {
	return eachOther(func(pid int) error {
		return raw(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid), 0, 0)
	})
}

// getfd takes a descriptor from any process that is neither ours nor our parent.
func getfd() error {
	return eachOther(func(pid int) error {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return err
		}
		for n := range 16 {
			if _, err = unix.PidfdGetfd(fd, n, 0); err == nil {
				return nil
			}
		}
		return err
	})
}

// mem opens the memory of such a process for writing.
func mem() error {
	return eachOther(func(pid int) error {
		f, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return f.Close()
	})
}

// eachOther tries do on every process but ourselves and our parent. One success
// is a success; with nobody to try it on the answer is ESRCH.
func eachOther(do func(pid int) error) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	var last error = unix.ESRCH
	for _, entry := range entries {
		pid := number(entry.Name())
		if pid <= 0 || pid == os.Getpid() || pid == os.Getppid() {
			continue
		}
		err := do(pid)
		if err == nil {
			fmt.Println("reached process", pid)
			return nil
		}
		if !errors.Is(err, unix.ESRCH) {
			last = err
		}
	}
	return last
}
