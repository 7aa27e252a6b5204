package main

import "golang.org/x/sys/unix"

// oldSysNumbers are of calls that newer architectures do not have.
var oldSysNumbers = map[string]uintptr{
	"iopl": unix.SYS_IOPL, "ioperm": unix.SYS_IOPERM, "modify_ldt": unix.SYS_MODIFY_LDT, "uselib": unix.SYS_USELIB,
}

// oldSetID are the calls that newer architectures do not have.
var oldSetID = map[string]func(name string) error{
	"chmod": func(n string) error {
		fd, err := unix.Open(n, unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o755)
		if err != nil {
			return err
		}
		_ = unix.Close(fd)
		return raw(unix.SYS_CHMOD, uintptr(pointer(append([]byte(n), 0))), 0o6755, 0, 0)
	},
	"open": func(n string) error {
		return raw(unix.SYS_OPEN, uintptr(pointer(append([]byte(n), 0))), unix.O_CREAT|unix.O_RDWR, 0o6755, 0)
	},
	"creat": func(n string) error {
		return raw(unix.SYS_CREAT, uintptr(pointer(append([]byte(n), 0))), 0o6755, 0, 0)
	},
	"mknod": func(n string) error {
		return raw(unix.SYS_MKNOD, uintptr(pointer(append([]byte(n), 0))), unix.S_IFREG|0o6755, 0, 0)
	},
}

// turnSocket makes the call that a thread stopped in one for a unix socket.
func turnSocket(tid int) bool {
	var regs unix.PtraceRegs
	if unix.PtraceGetRegs(tid, &regs) != nil || regs.Orig_rax != unix.SYS_SOCKET || regs.Rdi != unix.AF_INET {
		return false
	}
	regs.Rdi = unix.AF_UNIX
	return unix.PtraceSetRegs(tid, &regs) == nil
}
