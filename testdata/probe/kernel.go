package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Probes of terminals, system calls and the way srt is started.

var sysNumbers = map[string]uintptr{
	"adjtimex": unix.SYS_ADJTIMEX, "capset": unix.SYS_CAPSET, "clock_settime": unix.SYS_CLOCK_SETTIME, "close_range": unix.SYS_CLOSE_RANGE,
	"fanotify_init": unix.SYS_FANOTIFY_INIT, "kcmp": unix.SYS_KCMP, "landlock_create_ruleset": unix.SYS_LANDLOCK_CREATE_RULESET,
	"landlock_restrict_self": unix.SYS_LANDLOCK_RESTRICT_SELF, "lookup_dcookie": unix.SYS_LOOKUP_DCOOKIE,
	"mount": unix.SYS_MOUNT, "mount_setattr": unix.SYS_MOUNT_SETATTR, "move_mount": unix.SYS_MOVE_MOUNT, "move_pages": unix.SYS_MOVE_PAGES,
	"fsconfig": unix.SYS_FSCONFIG, "fsmount": unix.SYS_FSMOUNT, "fspick": unix.SYS_FSPICK, "fsopen": unix.SYS_FSOPEN, "open_tree": unix.SYS_OPEN_TREE,
	"open_tree_attr": unix.SYS_OPEN_TREE_ATTR, "openat2": unix.SYS_OPENAT2, "pidfd_getfd": unix.SYS_PIDFD_GETFD, "prctl": unix.SYS_PRCTL,
	"process_vm_readv": unix.SYS_PROCESS_VM_READV, "io_uring_enter": unix.SYS_IO_URING_ENTER, "io_uring_register": unix.SYS_IO_URING_REGISTER,
	"seccomp": unix.SYS_SECCOMP, "settimeofday": unix.SYS_SETTIMEOFDAY, "syslog": unix.SYS_SYSLOG, "umount2": unix.SYS_UMOUNT2,
	"pivot_root": unix.SYS_PIVOT_ROOT, "chroot": unix.SYS_CHROOT, "setns": unix.SYS_SETNS, "unshare": unix.SYS_UNSHARE, "vhangup": unix.SYS_VHANGUP,
	"keyctl": unix.SYS_KEYCTL, "fsync": unix.SYS_FSYNC, "chdir": unix.SYS_CHDIR, "openat": unix.SYS_OPENAT,
}

func sysNumber(name string) (uintptr, bool) {
	number, ok := sysNumbers[name]
	if !ok {
		number, ok = oldSysNumbers[name]
	}
	return number, ok
}

// sys CALL [ARG]... makes a system call: numbers, "buf" for zeroes, "buf1" for a one in
// front of them, or "s:TEXT".
func sys(args []string) error {
	number, ok := sysNumber(args[0])
	if !ok {
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		number = uintptr(n)
	}
	var raw [6]uintptr
	keep := make([][]byte, 0, len(args))
	for i, arg := range args[1:] {
		switch {
		case arg == "buf", arg == "buf1":
			b := make([]byte, 8192)
			if arg == "buf1" {
				b[0] = 1
			}
			keep = append(keep, b)
			raw[i] = uintptr(pointer(b))
		case strings.HasPrefix(arg, "s:"):
			b := append([]byte(arg[2:]), 0)
			keep = append(keep, b)
			raw[i] = uintptr(pointer(b))
		default:
			n, err := strconv.ParseInt(arg, 0, 64)
			if err != nil {
				return err
			}
			raw[i] = uintptr(n)
		}
	}
	_, _, errno := unix.Syscall6(number, raw[0], raw[1], raw[2], raw[3], raw[4], raw[5])
	runtime.KeepAlive(keep)
	return result(errno)
}

// ioctl FD REQUEST asks for it with a buffer of zeroes.
func ioctl(args []string) error {
	request, err := strconv.ParseUint(args[1], 0, 64)
	if err != nil {
		return err
	}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(number(args[0])), uintptr(request), uintptr(pointer(make([]byte, 8192))))
	return result(errno)
}

// families prints every family and type of which a socket can be made, alone and as
// a pair, other than with protocol numbers.
func allFamilies([]string) error {
	for family := range 64 {
		for _, kind := range []int{1, 2, 3, 4, 5, 6, 10} {
			if fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0); err == nil {
				fmt.Println("socket", family, kind)
				_ = unix.Close(fd)
			}
			if fds, err := unix.Socketpair(family, kind|unix.SOCK_CLOEXEC, 0); err == nil {
				fmt.Println("pair", family, kind)
				_, _ = unix.Close(fds[0]), unix.Close(fds[1])
			}
		}
	}
	return nil
}

// protocols prints the protocols of which internet and netlink sockets can be made.
func allProtocols([]string) error {
	for _, family := range []int{unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK} {
		for _, kind := range []int{1, 2, 3, 5, 6} {
			for protocol := range 300 {
				if fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol); err == nil {
					fmt.Println("protocol", family, kind, protocol)
					_ = unix.Close(fd)
				}
			}
		}
	}
	return nil
}

// pairsend PATH sends to a unix socket from one of a pair, for all kinds of pairs and
// ways to say where to.
func pairSend(args []string) error {
	var last error = unix.EPERM
	worked := false
	to := &unix.SockaddrUnix{Name: args[0]}
	for _, kind := range []int{unix.SOCK_DGRAM, unix.SOCK_RAW, unix.SOCK_STREAM, unix.SOCK_SEQPACKET} {
		for _, how := range []string{"sendto", "sendmsg", "connect", "again", "bound"} {
			fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				last = err
				continue
			}
			switch how {
			case "sendto":
				err = unix.Sendto(fds[0], []byte("sent"), 0, to)
			case "sendmsg":
				err = unix.Sendmsg(fds[0], []byte("sent"), nil, to, 0)
			case "connect":
				err = unix.Connect(fds[0], to)
			case "again": // when the other end is gone and this one shut down
				_, _ = unix.Close(fds[1]), unix.Shutdown(fds[0], unix.SHUT_RDWR)
				_, _, _ = unix.Syscall(unix.SYS_CONNECT, uintptr(fds[0]), uintptr(pointer(make([]byte, 16))), 16)
				err = unix.Connect(fds[0], to)
			case "bound":
				_ = unix.Bind(fds[0], &unix.SockaddrUnix{Name: fmt.Sprintf("bound-%d", kind)})
				if err = unix.Listen(fds[0], 1); err != nil {
					err = unix.Connect(fds[0], to)
				}
			}
			// To say with sendto where to is passed over by streams.
			if err == nil && (kind == unix.SOCK_DGRAM || kind == unix.SOCK_RAW || how != "sendto" && how != "sendmsg") {
				fmt.Println("pair of type", kind, how)
				worked = true
			}
		}
	}
	if worked {
		return nil
	}
	return last
}

// run starts a program and waits for it, with a standard input.
func run(stdin *os.File, args []string) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Println("ended:", err)
	}
}

// withdgram PATH COMMAND... runs it beside a service that takes datagrams at PATH, and
// says whether any came.
func withDgram(args []string) error {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: args[0], Net: "unixgram"})
	if err != nil {
		return err
	}
	run(os.Stdin, args[1:])
	return said(conn)
}

// said waits shortly for a packet: what a program sent is there when it has ended.
func said(conn net.Conn) error {
	b := make([]byte, 64)
	_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	n, err := conn.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		fmt.Println("nothing came")
		return nil
	}
	fmt.Printf("came %q\n", b[:n])
	return err
}

// turn PORT|PATH makes standard input, a socket, talk to another address.
func turn(args []string) error {
	var to unix.Sockaddr = &unix.SockaddrUnix{Name: args[0]}
	if port, err := strconv.Atoi(args[0]); err == nil {
		to = &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
	}
	kind, err := unix.GetsockoptInt(0, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return err
	}
	if kind == unix.SOCK_DGRAM && unix.Sendto(0, []byte("turned"), 0, to) == nil {
		return nil
	}
	// To no address: ends the connection of a TCP socket, or its listening.
	_, _, _ = unix.Syscall(unix.SYS_CONNECT, 0, uintptr(pointer(make([]byte, 16))), 16)
	if err := unix.Connect(0, to); err != nil {
		return err
	}
	_, err = unix.Write(0, []byte("turned"))
	return err
}

func portOf(l net.Listener) int {
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0
	}
	return addr.Port
}

// withsocket KIND COMMAND... runs it with a socket as standard input, of KIND tcp (a
// connected one), tcplisten, udp, unixdgram or unix (one of each that is not
// connected). TO among its words stands for the address of another service, and it is
// said whether that one was reached.
func withSocket(args []string) error {
	dir, err := os.MkdirTemp(".", "s")
	if err != nil {
		return err
	}
	var to string
	var packets net.Conn
	var streams net.Listener
	var stdin int
	switch args[0] {
	case "tcp", "tcplisten":
		if streams, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
			return err
		}
		_, to, _ = net.SplitHostPort(streams.Addr().String())
		first, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		if stdin, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		if args[0] == "tcplisten" {
			err = errors.Join(unix.Bind(stdin, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(stdin, 1))
		} else {
			err = unix.Connect(stdin, &unix.SockaddrInet4{Port: portOf(first), Addr: [4]byte{127, 0, 0, 1}})
		}
		if err != nil {
			return err
		}
	case "udp":
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return err
		}
		packets = conn
		_, to, _ = net.SplitHostPort(conn.LocalAddr().String())
		if stdin, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
	case "unixdgram":
		to = filepath.Join(dir, "d")
		if packets, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: to, Net: "unixgram"}); err != nil {
			return err
		}
		if stdin, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
	case "unix":
		to = filepath.Join(dir, "s")
		if streams, err = net.Listen("unix", to); err != nil {
			return err
		}
		if stdin, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
	default:
		return fmt.Errorf("no kind %q", args[0])
	}
	words := make([]string, 0, len(args))
	for _, word := range args[1:] {
		words = append(words, strings.ReplaceAll(word, "TO", to))
	}
	run(os.NewFile(uintptr(stdin), "socket"), words)
	if packets != nil {
		return said(packets)
	}
	if l, ok := streams.(interface{ SetDeadline(time.Time) error }); ok {
		_ = l.SetDeadline(time.Now().Add(50 * time.Millisecond))
	}
	if _, err := streams.Accept(); err == nil {
		fmt.Println("came a connection")
	} else {
		fmt.Println("nothing came")
	}
	return nil
}

// withpty COMMAND... runs it with TTY among its words replaced by a terminal of
// another program, and says what arrived there.
func withPty(args []string) error {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		return err
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return err
	}
	// An open end, so that the other does not fail.
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	words := make([]string, 0, len(args))
	for _, word := range args {
		words = append(words, strings.NewReplacer("TTY", slave.Name(), "MINOR", strconv.Itoa(n)).Replace(word))
	}
	run(os.Stdin, words)
	fd := int(master.Fd()) // sets it to wait
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	b := make([]byte, 64)
	if got, err := unix.Read(fd, b); err == nil && got > 0 {
		fmt.Printf("came %q\n", b[:got])
		return nil
	}
	fmt.Println("nothing came")
	return nil
}

// setid tries each call that can give a file a setuid bit, in the working folder.
func setID([]string) error {
	const mode = 0o6755
	file := func(name string) int {
		fd, err := unix.Open(name, unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o755)
		if err != nil {
			panic(err)
		}
		return fd
	}
	ways := map[string]func(name string) error{
		"fchmodat":  func(n string) error { file(n); return unix.Fchmodat(unix.AT_FDCWD, n, mode, 0) },
		"fchmod":    func(n string) error { return unix.Fchmod(file(n), mode) },
		"fchmodat2": func(n string) error { file(n); return unix.Fchmodat(unix.AT_FDCWD, n, mode, unix.AT_SYMLINK_NOFOLLOW) },
		"procfd": func(n string) error {
			return unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", file(n)), mode)
		},
		"openat": func(n string) error {
			_, err := unix.Open(n, unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, mode)
			return err
		},
		"high": func(n string) error {
			b := append([]byte(n), 0)
			_, _, errno := unix.Syscall6(unix.SYS_OPENAT, ^uintptr(99), uintptr(pointer(b)), unix.O_CREAT|unix.O_RDWR, 1<<32|mode, 0, 0)
			return result(errno)
		},
		"tmpfile": func(n string) error {
			fd, err := unix.Open(".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, mode)
			if err != nil {
				return err
			}
			return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, n, unix.AT_SYMLINK_FOLLOW)
		},
		"openat2": func(n string) error {
			_, err := unix.Openat2(unix.AT_FDCWD, n, &unix.OpenHow{Flags: unix.O_CREAT | unix.O_RDWR | unix.O_CLOEXEC, Mode: mode})
			return err
		},
		"mknodat": func(n string) error { return unix.Mknodat(unix.AT_FDCWD, n, unix.S_IFREG|mode, 0) },
		"fifo":    func(n string) error { return unix.Mknodat(unix.AT_FDCWD, n, unix.S_IFIFO|mode, 0) },
		"umask": func(n string) error {
			unix.Umask(0)
			_, err := unix.Open(n, unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC|unix.O_EXCL, mode|0o777)
			return err
		},
	}
	maps.Copy(ways, oldSetID)
	worked := 0
	for how, do := range ways {
		err := do("setid-" + how)
		info, statErr := os.Stat("setid-" + how)
		if statErr == nil && info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 {
			fmt.Println("setuid by", how)
			worked++
		} else if err == nil {
			fmt.Println("no bit after", how)
		}
	}
	if worked == 0 {
		return unix.EPERM
	}
	return nil
}

// filecaps FILE gives it the capability to become any user, by each of the calls.
func fileCaps(args []string) error {
	value := binary.LittleEndian.AppendUint32(nil, 0x02000001)
	value = binary.LittleEndian.AppendUint32(value, 1<<unix.CAP_SETUID)
	value = append(value, make([]byte, 12)...)
	const attr = "security.capability"
	f, err := os.OpenFile(args[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	path, key := append([]byte(args[0]), 0), append([]byte(attr), 0)
	holder := struct {
		value       uint64
		size, flags uint32
	}{uint64(uintptr(pointer(value))), uint32(len(value)), 0}
	_, _, errno := unix.Syscall6(unix.SYS_SETXATTRAT, ^uintptr(99), uintptr(pointer(path)), 0, uintptr(pointer(key)), uintptr(unsafe.Pointer(&holder)), unsafe.Sizeof(holder))
	worked, last := errno == 0, error(errno)
	for _, err := range []error{
		unix.Setxattr(args[0], attr, value, 0), unix.Lsetxattr(args[0], attr, value, 0), unix.Fsetxattr(int(f.Fd()), attr, value, 0),
	} {
		if err == nil {
			worked = true
		} else {
			last = err
		}
	}
	if worked {
		return nil
	}
	return last
}

// filecaps-of FILE prints the names of its attributes.
func fileCapsOf(args []string) error {
	b := make([]byte, 4096)
	n, err := unix.Listxattr(args[0], b)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	fmt.Printf("%q\n", b[:max(n, 0)])
	return err
}

// tracer runs a child that makes an internet socket, and turns the call into one for a
// unix socket after it has been made.
func tracer([]string) error {
	runtime.LockOSThread()
	cmd := exec.Command("/proc/self/exe", "socket", "inet")
	cmd.Stdout = os.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	var status unix.WaitStatus
	pid := cmd.Process.Pid
	if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
		return err
	}
	if err := unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_EXITKILL); err != nil {
		return err
	}
	turned := 0
	if err := unix.PtraceSyscall(pid, 0); err != nil {
		return err
	}
	for {
		tid, err := unix.Wait4(-1, &status, unix.WALL, nil)
		if err != nil {
			return err
		}
		if tid == pid && (status.Exited() || status.Signaled()) {
			fmt.Println("calls turned:", turned)
			if status.ExitStatus() != 0 {
				return unix.EPERM
			}
			return nil
		}
		if status.Exited() || status.Signaled() {
			continue
		}
		signal := 0
		if s := status.StopSignal(); s != unix.SIGTRAP && s != unix.SIGSTOP {
			signal = int(s)
		} else if turnSocket(tid) {
			turned++
		}
		_ = unix.PtraceSyscall(tid, signal)
	}
}

// vm [PID] reads and writes the memory of every process that is not ours, or of one.
func vm(args []string) error {
	if len(args) > 0 {
		return vmOf(number(args[0]))
	}
	return eachOther(vmOf)
}

func vmOf(pid int) error {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	start := uint64(0x400000)
	if err == nil {
		low, _, _ := strings.Cut(string(maps), "-")
		if start, err = strconv.ParseUint(low, 16, 64); err != nil {
			return err
		}
	}
	b := []byte{0}
	local := unix.Iovec{Base: &b[0], Len: 1}
	remote := []unix.RemoteIovec{{Base: uintptr(start), Len: 1}}
	_, err = unix.ProcessVMReadv(pid, []unix.Iovec{local}, remote, 0)
	if err != nil && !errors.Is(err, unix.EPERM) {
		_, err = unix.ProcessVMWritev(pid, []unix.Iovec{local}, remote, 0)
	}
	return err
}

// fault CALL ANSWER COMMAND... runs it where a system call does nothing and answers an
// error number, 0 for none: what a kernel or container without it may do.
func fault(args []string) error {
	runtime.LockOSThread()
	nr, ok := sysNumber(args[0])
	if !ok {
		return fmt.Errorf("no call %q", args[0])
	}
	answer, err := strconv.ParseUint(args[1], 10, 16)
	if err != nil {
		return err
	}
	path, err := lookPath(args[2])
	if err != nil {
		return err
	}
	const load, equal, end = 0x20, 0x15, 0x06
	filter := []unix.SockFilter{
		{Code: load, K: 0},
		{Code: equal, K: uint32(nr), Jf: 1},
		{Code: end, K: unix.SECCOMP_RET_ERRNO | uint32(answer)},
		{Code: end, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0); err != nil {
		return err
	}
	return syscall.Exec(path, args[2:], os.Environ())
}

// killall kills everything that it may, in each way, but not itself. It wants to be
// nearly alone: this is not to be tried outside.
func killAll([]string) error {
	if found, _ := filepath.Glob("/proc/[0-9]*"); len(found) > 8 {
		return errors.New("too many processes for a sandbox")
	}
	_ = unix.Kill(-1, unix.SIGKILL)
	return eachOther(func(pid int) error {
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		}
		return unix.Kill(pid, unix.SIGKILL)
	})
}

// taskstate prints the state of each thread of the process that has to do with what it
// may do, each different line once.
func taskState([]string) error {
	const threads = 8
	there, done := make(chan bool), make(chan bool)
	for range threads {
		go func() { runtime.LockOSThread(); there <- true; <-done }()
	}
	for range threads {
		<-there
	}
	files, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			name, _, _ := strings.Cut(line, ":")
			if strings.HasPrefix(name, "Cap") || name == "NoNewPrivs" || name == "Seccomp" {
				seen[strings.Join(strings.Fields(line), " ")] = true
			}
		}
	}
	for line := range seen {
		fmt.Println(line)
	}
	if len(files) < threads {
		return errors.New("too few threads")
	}
	close(done)
	return nil
}

// elf32 FILE MADE writes a program for 32-bit x86 that makes the file MADE.
func elf32(args []string) error {
	const base = 0x08048000
	code := []byte{
		0xb8, 8, 0, 0, 0, // mov eax, creat
		0xbb, 0, 0, 0, 0, // mov ebx, the name
		0xb9, 0xa4, 1, 0, 0, // mov ecx, 0644
		0xcd, 0x80, // int 0x80
		0xb8, 1, 0, 0, 0, // mov eax, exit
		0x31, 0xdb, // xor ebx, ebx
		0xcd, 0x80,
	}
	binary.LittleEndian.PutUint32(code[6:], uint32(base+84+len(code)))
	code = append(append(code, args[1]...), 0)
	size := uint32(84 + len(code))
	out := []byte{0x7f, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0}
	for _, v := range []uint32{1, base + 84, 52, 0, 0, 52 | 32<<16, 1, 0} { // the rest of the header
		out = binary.LittleEndian.AppendUint32(out, v)
	}
	for _, v := range []uint32{1, 0, base, base, size, size, 5, 4096} { // one segment
		out = binary.LittleEndian.AppendUint32(out, v)
	}
	return os.WriteFile(args[0], append(out, code...), 0o755)
}

// landlock VERSION asks for at least that one.
func landlock(args []string) error {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno == 0 && int(version) < number(args[0]) {
		return fmt.Errorf("version %d", version)
	}
	return result(errno)
}

// newroot FOLDER, in a mount namespace of its own, makes a copy of its mounts the root,
// lets go of the old one, and looks whether what was mounted there holds no more.
func newRoot(args []string) error {
	if err := unix.Mount("none", "/mnt", "tmpfs", 0, ""); err != nil {
		return err
	}
	if err := errors.Join(os.Mkdir("/mnt/n", 0o700), unix.Mount(args[0], "/mnt/n", "", unix.MS_BIND|unix.MS_REC, "")); err != nil {
		return err
	}
	if err := errors.Join(os.Chdir("/mnt/n"), os.Mkdir("old", 0o700), unix.PivotRoot(".", "old"), os.Chdir("/"), unix.Unmount("/old", unix.MNT_DETACH)); err != nil {
		return err
	}
	_ = os.Remove("/old")
	if text, err := os.ReadFile("/hidden/secret"); err == nil {
		fmt.Printf("%s", text)
	}
	for _, name := range []string{"/.git/hooks", "/.git", "/hidden", "/sub"} {
		_ = unix.Unmount(name, unix.MNT_DETACH)
		if err := os.Rename(name, name+"-moved"); err == nil {
			fmt.Println("moved", name)
		}
	}
	_ = os.MkdirAll("/.git/hooks", 0o755)
	_ = os.WriteFile("/.git/hooks/uncovered", nil, 0o755)
	_ = os.WriteFile("/sub/made", nil, 0o644)
	return os.WriteFile("/reached", nil, 0o644)
}
