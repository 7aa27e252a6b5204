// Probe tries one thing that a sandbox should allow or refuse, and says what the
// kernel answered. The test scripts run it inside and outside.
//
// It prints one line "NAME: ANSWER": ok, or the name of the error. Its exit
// status is 0 when the thing worked and 1 when it did not.
//
// It is not part of srt: no script language, compiler or library of the host is
// needed to ask the kernel a precise question.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var probes = map[string]func(args []string) error{
	"args":            args,
	"ask":             ask,
	"change":          change,
	"connect":         connect,
	"daemon":          daemon,
	"deep":            deep,
	"fds":             fds,
	"fdsend":          fdsend,
	"fdtake":          fdtake,
	"fdwrite":         fdwrite,
	"filecap":         filecap,
	"flood":           flood,
	"hello":           hello,
	"internet":        internet,
	"internet-inside": internetInside,
	"keyhost":         keyhost,
	"keys":            keys,
	"listen":          listen,
	"maxrss":          maxrss,
	"osthreads":       osthreads,
	"out":             out,
	"pairbind":        pairBind,
	"passfd":          passFD,
	"race":            race,
	"rename":          rename,
	"repath":          repath,
	"serve":           serve,
	"shm":             shm,
	"sleep":           sleep,
	"socket":          socket,
	"syscall":         call,
	"threads":         threads,
	"tioclinux":       func([]string) error { return terminal(unix.TIOCLINUX) },
	"tiocsti":         tiocsti,
	"tunnels":         tunnels,
	"unix":            unixConnect,
	"unixbind":        unixBind,
	"unixrace":        unixRace,
	"unixserve":       unixServe,
	"unixtry":         unixTry,
	"unpin":           unpin,
	"wide":            wide,
	"winsize":         winsize,

	// kernel.go
	"elf32":       elf32,
	"families":    allFamilies,
	"fault":       fault,
	"filecaps":    fileCaps,
	"filecaps-of": fileCapsOf,
	"ioctl":       ioctl,
	"killall":     killAll,
	"landlock":    landlock,
	"pairsend":    pairSend,
	"protocols":   allProtocols,
	"setid":       setID,
	"sys":         sys,
	"taskstate":   taskState,
	"tracer":      tracer,
	"turn":        turn,
	"newroot":     newRoot,
	"vm":          vm,
	"withdgram":   withDgram,
	"withpty":     withPty,
	"withsocket":  withSocket,
}

func main() {
	if len(os.Args) < 2 || probes[os.Args[1]] == nil {
		names := make([]string, 0, len(probes))
		for name := range probes {
			names = append(names, name)
		}
		sort.Strings(names)
		fmt.Fprintln(os.Stderr, "usage: probe", strings.Join(names, "|"), "[ARG]...")
		os.Exit(2)
	}
	if err := probes[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Printf("%s: %s\n", strings.Join(os.Args[1:], " "), name(err))
		os.Exit(1)
	}
	fmt.Printf("%s: ok\n", strings.Join(os.Args[1:], " "))
}

// name is the kernel's name of an error where there is one.
func name(err error) string {
	for e := err; e != nil; {
		if errno, ok := e.(syscall.Errno); ok { //nolint:errorlint // unwrapped by hand, to see each link
			if n := unix.ErrnoName(errno); n != "" {
				return n
			}
		}
		u, ok := e.(interface{ Unwrap() error })
		if !ok {
			break
		}
		e = u.Unwrap()
	}
	return err.Error()
}

// args prints each argument quoted: what arrived is what was sent.
func args(args []string) error {
	for _, arg := range args {
		fmt.Printf("%q\n", arg)
	}
	return nil
}

// sleep MARK SECONDS waits. MARK makes it findable in a process list.
func sleep(args []string) error {
	seconds, err := strconv.ParseFloat(args[1], 64)
	if err != nil {
		return err
	}
	time.Sleep(time.Duration(seconds * float64(time.Second)))
	return nil
}

// daemon MARK starts a sleeper in a session of its own and leaves it behind.
func daemon(args []string) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = os.StartProcess("/proc/self/exe", []string{"probe", "sleep", args[0], "60"},
		&os.ProcAttr{Files: []*os.File{null, null, null}, Sys: &syscall.SysProcAttr{Setsid: true}})
	return err
}

var families = map[string]int{
	"unix": unix.AF_UNIX, "inet": unix.AF_INET, "inet6": unix.AF_INET6, "netlink": unix.AF_NETLINK,
	"packet": unix.AF_PACKET, "vsock": unix.AF_VSOCK, "alg": unix.AF_ALG, "bluetooth": unix.AF_BLUETOOTH,
}

// socket FAMILY [TYPE [PROTOCOL]] makes a socket. FAMILY pair is socketpair(2);
// a trailing "high" sets a bit above the low 32 of the family.
func socket(args []string) error {
	if args[0] == "pair" {
		_, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		return err
	}
	kind, protocol := unix.SOCK_STREAM, 0
	if args[0] == "netlink" || args[0] == "packet" {
		kind = unix.SOCK_RAW
	}
	if args[0] == "alg" {
		kind = unix.SOCK_SEQPACKET
	}
	high := uintptr(0)
	for i, arg := range args[1:] {
		if arg == "high" {
			high = 1 << 32
			continue
		}
		n, err := strconv.Atoi(arg)
		if err != nil {
			return err
		}
		if i == 0 {
			kind = n
		} else {
			protocol = n
		}
	}
	family, ok := families[args[0]]
	if !ok {
		return fmt.Errorf("no family %q", args[0])
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SOCKET, uintptr(family)|high, uintptr(kind), uintptr(protocol))
	return result(errno)
}

// connect ADDRESS [udp] reaches ADDRESS without any proxy.
func connect(args []string) error {
	if len(args) > 1 && args[1] == "udp" {
		conn, err := net.DialTimeout("udp", args[0], 2*time.Second)
		if err != nil {
			return err
		}
		if _, err := conn.Write([]byte("probe\n")); err != nil {
			return err
		}
		return nil
	}
	conn, err := net.DialTimeout("tcp", args[0], 2*time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

// listen binds a port of the loopback interface and reaches itself there.
func listen([]string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		conn, err := l.Accept()
		if err == nil {
			_, _ = io.WriteString(conn, "hello\n")
			_ = conn.Close()
		}
	}()
	conn, err := net.DialTimeout("tcp", l.Addr().String(), 2*time.Second)
	if err != nil {
		return err
	}
	_, err = io.ReadAll(conn)
	return err
}

// unix PATH connects to a socket; a leading @ names an abstract one.
func unixConnect(args []string) error {
	conn, err := net.DialTimeout("unix", args[0], 2*time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

// fds lists the open descriptors by number and what they are.
func fds([]string) error {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return err
	}
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	sort.Strings(names)
	for _, n := range names {
		target, err := os.Readlink("/proc/self/fd/" + n)
		// The folder itself and the runtime's own descriptors were not inherited.
		if err != nil || strings.HasSuffix(target, "/fd") || strings.HasPrefix(target, "anon_inode:") ||
			strings.HasPrefix(target, "/sys/fs/cgroup/") || number(n) == int(dir.Fd()) {
			continue
		}
		fmt.Printf("fd %s %s\n", n, target)
	}
	return nil
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// fdwrite FD NAME makes the file NAME below the directory open at FD.
func fdwrite(args []string) error {
	fd, err := unix.Openat(number(args[0]), args[1], unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func tiocsti(args []string) error {
	request := uint(unix.TIOCSTI)
	if len(args) > 0 && args[0] == "high" {
		request |= 1 << 32
	}
	return terminal(request)
}

// terminal asks the terminal to take a character as if it had been typed.
func terminal(request uint) error {
	char := []byte{'#', 0}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, 0, uintptr(request), uintptr(pointer(char)))
	return result(errno)
}

// winsize prints the terminal's size, and again when it changes.
func winsize([]string) error {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	for i := range 2 {
		size, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
		if err != nil {
			return err
		}
		fmt.Printf("size %dx%d\n", size.Row, size.Col)
		if i == 0 {
			select {
			case <-changed:
			case <-time.After(10 * time.Second):
				return fmt.Errorf("no change of size")
			}
		}
	}
	return nil
}

const (
	sessionKeyring = -3
	userKeyring    = -4
)

// keyhost COMMAND... plants a key in a new session keyring, runs COMMAND, and
// says whether the key is as it was.
func keyhost(args []string) error {
	runtime.LockOSThread() // the keyring is the thread's, and of what it starts
	// No name makes an anonymous keyring; the empty name is an error.
	if err := raw(unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0); err != nil {
		return err
	}
	key, err := unix.AddKey("user", "srt-probe", []byte("secret"), sessionKeyring)
	if err != nil {
		return err
	}
	if err := unix.KeyctlSetperm(key, 0x3f3f0000); err != nil {
		return err
	}
	path, err := lookPath(args[0])
	if err != nil {
		return err
	}
	process, err := os.StartProcess(path, args, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return err
	}
	if _, err := process.Wait(); err != nil {
		return err
	}
	value := make([]byte, 64)
	n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, key, value, 0)
	if err != nil {
		return err
	}
	fmt.Printf("host key is %q\n", value[:n])
	if _, err := unix.KeyctlSearch(sessionKeyring, "user", "srt-planted", 0); err == nil {
		fmt.Println("a key was planted")
	}
	return nil
}

// keys reads and replaces the key of keyhost, and plants one.
func keys([]string) error {
	found := false
	for _, ring := range []int{sessionKeyring, userKeyring} {
		key, err := unix.KeyctlSearch(ring, "user", "srt-probe", 0)
		if err != nil {
			fmt.Println("search:", name(err))
			continue
		}
		found = true
		value := make([]byte, 64)
		if n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, key, value, 0); err == nil {
			fmt.Printf("read %q\n", value[:n])
		}
		_, _ = unix.KeyctlBuffer(unix.KEYCTL_UPDATE, key, []byte("changed"), 0)
	}
	if _, err := unix.AddKey("user", "srt-planted", []byte("x"), sessionKeyring); err == nil {
		found = true
	}
	if !found {
		return unix.EPERM
	}
	return nil
}

// threads opens FILE for writing from many threads at once: a filter put on one
// thread only would let some of them through.
func threads(args []string) error {
	errs := make(chan error)
	for range 16 {
		go func() {
			f, err := os.OpenFile(args[0], os.O_CREATE|os.O_WRONLY, 0o644)
			if err == nil {
				err = f.Close()
			}
			errs <- err
		}()
	}
	var last error
	for range 16 {
		if err := <-errs; err != nil {
			last = err
		}
	}
	return last
}

func lookPath(file string) (string, error) {
	if strings.Contains(file, "/") {
		return file, nil
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(dir, file)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 && !info.IsDir() {
			return path, nil
		}
	}
	return "", fmt.Errorf("no program %q", file)
}

func result(errno syscall.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}
