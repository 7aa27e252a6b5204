package stage

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Name is the first argument of the stage.
const Name = "srt-stage"

// Descriptors that the stage is started with.
const (
	Socket      = 3 // its end of the socket pair
	FirstFilter = 4 // the first filter, which bubblewrap reads
	Exe         = 5 // this program, which bubblewrap starts as the stage

	// FirstFree is the lowest that may be something else.
	FirstFree = 6
)

// socket is where the socket is now: a command may want its number.
var socket = Socket //nolint:gochecknoglobals // descriptors belong to the process

// The stage is this program again, and takes over before main: whoever imports
// the package need not know of it, and the packages of which it has no use, most
// of what a start costs, are not initialized (initialization goes by import path
// among those that are ready, and this package needs few).
func init() { //nolint:gochecknoinits // see above
	if isStage() {
		syscall.Exit(run())
	}
}

// isStage reports whether this process is the stage.
func isStage() bool {
	if len(os.Args) < 2 || os.Args[1] != Name {
		return false
	}
	kind, err := unix.GetsockoptInt(Socket, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && kind == unix.SOCK_SEQPACKET
}

// run is the life of the stage. It returns only on failure, with an exit status;
// what went wrong has then been told to srt.
func run() int {
	// Capabilities and filters belong to a thread: everything happens on this one.
	runtime.LockOSThread()
	endQuietly()
	if err := stage(); err != nil {
		word := "E" + err.Error()
		if number, ok := errors.AsType[execError](err); ok {
			word = "X" + strconv.Itoa(int(number))
		}
		_ = unix.Sendmsg(socket, []byte(word), nil, nil, 0)
	}
	return 125
}

// endQuietly lets SIGQUIT end this process without a word. It comes from the terminal,
// and the runtime would print what its goroutines do.
func endQuietly() {
	// struct sigaction of rt_sigaction(2): SIG_DFL, no flags.
	var byDefault [4]uint64
	const setSize = 8
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGQUIT), uintptr(unsafe.Pointer(&byDefault)), 0, setSize, 0, 0) //nolint:gosec // the call takes a pointer
}

// execError is why the kernel does not start the command.
type execError syscall.Errno

func (e execError) Error() string { return syscall.Errno(e).Error() }

func stage() error {
	unix.CloseOnExec(Socket)
	if err := sendListeners(os.Args[2:]); err != nil {
		return err
	}
	order, err := receiveOrder()
	if err != nil || order == nil {
		return err // without an order srt ended or gave up
	}
	if err := order.sendSockets(); err != nil {
		return err
	}
	if err := order.mount(); err != nil {
		return err
	}
	return order.exec()
}

// sendSockets makes what the order wants besides: listeners, and sockets with which
// srt connects to what listens inside. Those pass as IPv4 and IPv6 in turn.
func (o *Order) sendSockets() error {
	if len(o.Listen) > 0 {
		if err := sendListeners(o.Listen); err != nil {
			return err
		}
	}
	if o.Sockets == 0 {
		return nil
	}
	var fds []int
	defer func() {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}()
	for range o.Sockets {
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
			if family == unix.AF_INET6 && errors.Is(err, unix.EAFNOSUPPORT) {
				continue
			}
			if err != nil {
				return fmt.Errorf("making a socket in the sandbox: %w", err)
			}
			fds = append(fds, fd)
		}
	}
	if err := unix.Sendmsg(Socket, []byte("C"), unix.UnixRights(fds...), nil, 0); err != nil {
		return fmt.Errorf("passing sockets to srt: %w", err)
	}
	return nil
}

// sendListeners makes the listening sockets and passes them to srt: a socket
// keeps the namespace that it was made in, so srt accepts from outside.
func sendListeners(addrs []string) error {
	var fds []int
	for _, addr := range addrs {
		fd, err := listen(addr)
		// A kernel without IPv6 has no ::1.
		if strings.HasPrefix(addr, "6:") && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL)) {
			continue
		}
		if err != nil {
			return fmt.Errorf("listening on port %s in the sandbox: %w", addr[2:], err)
		}
		fds = append(fds, fd)
	}
	if err := unix.Sendmsg(Socket, []byte("L"), unix.UnixRights(fds...), nil, 0); err != nil {
		return fmt.Errorf("passing the listeners to srt: %w", err)
	}
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
	return nil
}

// Addresses spells ports of the loopback interface as listen reads them.
func Addresses(ports []uint16) []string {
	var out []string
	for _, port := range ports {
		out = append(out, fmt.Sprintf("4:%d", port), fmt.Sprintf("6:%d", port))
	}
	return out
}

// listen opens a listening socket on a port of the loopback interface, "4:3128"
// for IPv4 or "6:3128" for IPv6. (Package net would cost the stage its start.)
func listen(addr string) (int, error) {
	family, portText, _ := strings.Cut(addr, ":")
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return -1, fmt.Errorf("bug: %w", err)
	}
	domain, sa := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}})
	if family == "6" {
		domain, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: int(port), Addr: [16]byte{15: 1}}
	}
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.Bind(fd, sa),
		unix.Listen(fd, unix.SOMAXCONN),
	)
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// receiveOrder waits for srt's order; nil when srt closed the socket instead.
func receiveOrder() (*Order, error) {
	var payload [1]byte
	rights := make([]byte, unix.CmsgSpace(4))
	var n, rn int
	for {
		var err error
		n, rn, _, _, err = unix.Recvmsg(Socket, payload[:], rights, unix.MSG_CMSG_CLOEXEC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("waiting for srt: %w", err)
		}
		break
	}
	if n == 0 {
		return nil, nil
	}
	fds, err := ParseRights(rights[:rn])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("bug: the order has %d descriptors: %w", len(fds), err)
	}
	data, err := readAll(fds[0])
	if err != nil {
		return nil, err
	}
	_ = unix.Close(fds[0])
	o := &Order{}
	return o, o.decode(data)
}

// ParseRights gives the descriptors that came with a message, as recvmsg(2) wrote
// its control part.
func ParseRights(data []byte) ([]int, error) {
	messages, err := unix.ParseSocketControlMessage(data)
	if err != nil {
		return nil, fmt.Errorf("reading control message: %w", err)
	}
	var fds []int
	for _, m := range messages {
		got, err := unix.ParseUnixRights(&m)
		if err != nil {
			return nil, fmt.Errorf("reading passed descriptors: %w", err)
		}
		fds = append(fds, got...)
	}
	return fds, nil
}

func readAll(fd int) ([]byte, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	data := make([]byte, stat.Size)
	for off := 0; off < len(data); {
		n, err := unix.Pread(fd, data[off:], int64(off))
		if err != nil || n == 0 {
			return nil, fmt.Errorf("reading a memory file: %w", cmpErr(err, fs.ErrInvalid))
		}
		off += n
	}
	return data, nil
}

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// exec gives up the stage's powers and becomes the command.
func (o *Order) exec() error {
	if err := unix.Chdir(o.Dir); err != nil {
		return fmt.Errorf("changing to the working folder %q: %w", o.Dir, err)
	}
	if err := o.dropCapabilities(); err != nil {
		return err
	}
	if err := isolate(o.Nested); err != nil {
		return err
	}
	// Everything but what is listed closes on exec.
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("closing descriptors: %w", err)
	}
	if err := o.keep(); err != nil {
		return err
	}
	if err := checkRoutes(); err != nil {
		return notAsItShould(err)
	}
	if err := o.lastFilter(); err != nil {
		return err
	}
	if err := o.checkState(); err != nil {
		return notAsItShould(err)
	}
	// Last, since they would hold for this program's own threads and memory too.
	if err := o.Limits.set(); err != nil {
		return err
	}
	err := syscall.Exec(o.Program, o.Args, o.Env)
	if errors.Is(err, syscall.ENOEXEC) && isText(o.Program) {
		// A script without a first line that names its shell, as execvp(3) has it.
		err = syscall.Exec("/bin/sh", append([]string{"sh", o.Program}, o.Args[1:]...), o.Env)
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return execError(number)
	}
	return err
}

// keep lets the command inherit its descriptors, each under its number.
func (o *Order) keep() error {
	for _, k := range o.Keep {
		if k.As == socket {
			moved, err := unix.FcntlInt(uintptr(socket), unix.F_DUPFD_CLOEXEC, FirstFree)
			if err != nil {
				return fmt.Errorf("keeping descriptor %d: %w", k.As, err)
			}
			socket = moved
		}
	}
	for _, k := range o.Keep {
		var err error
		if k.At == k.As {
			_, err = unix.FcntlInt(uintptr(k.At), unix.F_SETFD, 0)
		} else {
			err = unix.Dup3(k.At, k.As, 0)
		}
		if err != nil {
			return fmt.Errorf("keeping descriptor %d: %w", k.As, err)
		}
	}
	return nil
}

// isText reports whether a file that is no program may be a script, as shells
// find it out: a program for another machine has a NUL in its first line.
func isText(path string) bool {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return true // the shell says why it cannot be read
	}
	defer func() { _ = unix.Close(fd) }()
	var first [128]byte
	n, _ := unix.Read(fd, first[:])
	line, _, _ := bytes.Cut(first[:max(n, 0)], []byte{'\n'})
	return bytes.IndexByte(line, 0) < 0
}

// Capabilities are those that the stage needs, in the namespaces of the sandbox:
// for its mounts, for the limit of user namespaces, and to give up the rest; the
// last one it may keep.
var Capabilities = []struct {
	Name   string
	Number uintptr
}{
	{"CAP_SYS_ADMIN", unix.CAP_SYS_ADMIN},
	{"CAP_SYS_RESOURCE", unix.CAP_SYS_RESOURCE},
	{"CAP_SETPCAP", unix.CAP_SETPCAP},
	{"CAP_SETFCAP", unix.CAP_SETFCAP},
}

// dropCapabilities empties all five sets of this thread. One stays for root where
// user namespaces are allowed: without it root cannot be mapped into a new one
// (Linux 5.12), and outside of one it does nothing here.
func (o *Order) dropCapabilities() error {
	kept := uintptr(0)
	if o.keepSetfcap() {
		kept = unix.CAP_SETFCAP
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clearing ambient capabilities: %w", err)
	}
	for _, c := range Capabilities {
		if c.Number == kept {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c.Number, 0, 0, 0); err != nil {
			return fmt.Errorf("dropping %s: %w", c.Name, err)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if kept != 0 {
		bit := uint32(1) << kept
		sets[0] = unix.CapUserData{Effective: bit, Permitted: bit, Inheritable: bit}
	}
	if err := unix.Capset(&header, &sets[0]); err != nil {
		return fmt.Errorf("dropping capabilities: %w", err)
	}
	return nil
}

func (o *Order) keepSetfcap() bool { return o.Nested && os.Getuid() == 0 }

// Install puts this thread under one more filter of system calls.
func Install(code []bpf.RawInstruction) error {
	_, err := installFilter(code, 0)
	return err
}

// installFilter puts a filter in force for this thread and what it becomes.
func installFilter(code []bpf.RawInstruction, flags uintptr) (uintptr, error) {
	filter := make([]unix.SockFilter, len(code))
	for i, c := range code {
		filter[i] = unix.SockFilter{Code: c.Op, Jt: c.Jt, Jf: c.Jf, K: c.K}
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}                                                 //nolint:gosec // some hundred instructions
	got, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog))) //nolint:gosec // seccomp(2) takes a pointer
	if errno != 0 {
		return 0, fmt.Errorf("installing the system call filter: %w", errno)
	}
	return got, nil
}

// Namespaces are those that the command has for itself, as in /proc/self/ns.
var Namespaces = []string{"user", "mnt", "pid", "net", "ipc", "uts"}

// checkState looks from inside whether what was promised is so: it must hold for
// the command, which is the next thing that this thread becomes.
func (o *Order) checkState() error {
	if err := o.checkNamespaces(); err != nil {
		return err
	}
	if err := o.checkFilters(); err != nil {
		return err
	}
	if err := o.checkMounts(); err != nil {
		return err
	}
	return o.checkPrivileges()
}

func notAsItShould(err error) error {
	return fmt.Errorf("the sandbox is not what it should be: %w", err)
}

// checkRoutes looks for a way out of the network. It opens a file, which may be watched
// afterwards.
func checkRoutes() error {
	// The loopback interface has its routes in a table of its own.
	routes, err := os.ReadFile("/proc/net/route")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the routes: %w", err)
	}
	if n := bytes.Count(routes, []byte{'\n'}); n > 1 {
		return fmt.Errorf("there are %d routes out", n-1)
	}
	return nil
}
