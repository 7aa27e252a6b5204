package sandbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/sandbox/stage"
)

// Unix sockets by path. The first filter lets the command make unix sockets of streams
// and packets, which have to be connected before they are of use, and the second has srt
// asked about each connect and bind. Of these srt lets none through: it takes a copy of
// the caller's own socket, makes the call itself with the address that it has read once,
// and hands back the result. So whatever is changed meanwhile, the memory, the
// descriptor, or what a path leads to, the socket is connected to what was looked at or
// to nothing. Sockets of datagrams, which can be given an address with each message, are
// not to be had.
//
// Paths are resolved as they are outside, since it is there that the listed ones are
// meant; what is hidden from reading can be listed too. Calls on internet sockets are
// made in the same way: a descriptor that was looked at could be another by the time
// that the kernel would go on.

// maxAddress is the longest address, sizeof(struct sockaddr_storage).
const maxAddress = 128

// mediate makes a connect or a bind for its caller, and answers.
func (ob *observer) mediate(n notification, act stage.Act) {
	defer ob.busy.Add(-1)
	m := &mediator{observer: ob, n: n, act: act}
	r := response{id: n.id}
	if err := m.do(); err != nil {
		errno := unix.EPERM
		_ = errors.As(err, &errno)
		r.error = -int32(errno)
	}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(ob.fd), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&r))) //nolint:gosec // the call takes a pointer
	if errno == 0 && m.refused != nil {
		ob.add(m.refused)
	}
}

// mediator makes one call.
type mediator struct {
	*observer
	n       notification
	act     stage.Act
	refused *candidate // what is to be told, nil if nothing
}

// do gives the error that the caller gets. Those that are none of the kernel's become
// EPERM.
func (m *mediator) do() error {
	address, err := m.address()
	if err != nil {
		return err
	}
	sock, err := m.socket()
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(sock) }()
	dir := ""
	if name, ok := unixName(address); ok && !strings.HasPrefix(name, "/") {
		if dir, err = readlink("/proc/" + strconv.Itoa(int(m.n.pid)) + "/cwd"); err != nil {
			return unix.ENOENT
		}
	}
	// Until here another process could have got the number of the caller's.
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(m.fd), notifIDValid, uintptr(unsafe.Pointer(&m.n.id))); errno != 0 { //nolint:gosec // the call takes a pointer
		return unix.EPERM
	}
	domain, err := unix.GetsockoptInt(sock, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return err //nolint:wrapcheck // the caller's own
	}
	switch domain {
	case unix.AF_UNIX:
		return m.unix(sock, address, dir)
	case unix.AF_INET, unix.AF_INET6:
		// srt could take ports that need a capability.
		if m.act == stage.Bind && len(address) >= 4 {
			if port := binary.BigEndian.Uint16(address[2:]); port != 0 && port < 1024 {
				return unix.EACCES
			}
		}
	}
	return m.call(sock, address)
}

// address reads the address once.
func (m *mediator) address() ([]byte, error) {
	length := int32(m.n.arguments[2]) //nolint:gosec // the kernel takes as many bits
	if length < 0 || length > maxAddress {
		return nil, unix.EINVAL
	}
	address := make([]byte, length)
	for done := 0; done < len(address); {
		local := unix.Iovec{Base: &address[done]}
		local.SetLen(len(address) - done)
		remote := unix.RemoteIovec{Base: uintptr(m.n.arguments[1]) + uintptr(done), Len: len(address) - done}
		n, err := unix.ProcessVMReadv(int(m.n.pid), []unix.Iovec{local}, []unix.RemoteIovec{remote}, 0)
		if err != nil || n <= 0 {
			return nil, unix.EFAULT
		}
		done += n
	}
	return address, nil
}

// socket takes a copy of the caller's socket.
func (m *mediator) socket() (int, error) {
	const thread = unix.O_EXCL // PIDFD_THREAD, of Linux 6.9: a thread may have descriptors of its own
	pid, err := unix.PidfdOpen(int(m.n.pid), thread)
	if errors.Is(err, unix.EINVAL) {
		pid, err = unix.PidfdOpen(processOf(int(m.n.pid)), 0)
	}
	if err != nil {
		return -1, unix.EPERM
	}
	defer func() { _ = unix.Close(pid) }()
	sock, err := unix.PidfdGetfd(pid, int(int32(m.n.arguments[0])), 0) //nolint:gosec // the kernel takes as many bits
	if err != nil {
		return -1, err //nolint:wrapcheck // the caller's own: EBADF
	}
	return sock, nil
}

// call makes the call with the address that was read.
func (m *mediator) call(sock int, address []byte) error {
	number := uintptr(unix.SYS_CONNECT)
	if m.act == stage.Bind {
		number = unix.SYS_BIND
	}
	var at unsafe.Pointer
	if len(address) > 0 {
		at = unsafe.Pointer(&address[0]) //nolint:gosec // the call takes a pointer
	}
	if _, _, errno := unix.Syscall(number, uintptr(sock), uintptr(at), uintptr(len(address))); errno != 0 {
		return errno
	}
	return nil
}

// unixName gives the path of an address, as far as it is one of a unix socket: not for
// those without a name and abstract ones.
func unixName(address []byte) (string, bool) {
	if len(address) < 3 || binary.NativeEndian.Uint16(address) != unix.AF_UNIX || address[2] == 0 {
		return "", false
	}
	name, _, _ := bytes.Cut(address[2:], []byte{0})
	return string(name), true
}

// unix connects a unix socket, if it may be.
func (m *mediator) unix(sock int, address []byte, dir string) error {
	kind, err := unix.GetsockoptInt(sock, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_STREAM && kind != unix.SOCK_SEQPACKET || m.act != stage.Connect {
		return unix.EPERM
	}
	name, ok := unixName(address)
	if !ok {
		return unix.EPERM
	}
	if !strings.HasPrefix(name, "/") {
		name = dir + "/" + name
	}
	// What is opened here is what is connected to: nothing looks up the path again.
	file, err := unix.Openat2(unix.AT_FDCWD, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		if m.Connect(Socket{Path: path.Clean(name)}) {
			return err //nolint:wrapcheck // such as that it is not there
		}
		return unix.EPERM
	}
	defer func() { _ = unix.Close(file) }()
	place, ok := placeOf(file)
	var stat unix.Stat_t
	if err := unix.Fstat(file, &stat); !ok || err != nil {
		return unix.EPERM
	}
	isSocket := stat.Mode&unix.S_IFMT == unix.S_IFSOCK
	if !m.Connect(Socket{Path: place, Dev: stat.Dev, Ino: stat.Ino}) {
		if isSocket {
			m.tell(place)
		}
		return unix.EPERM
	}
	if !isSocket {
		return unix.ECONNREFUSED
	}
	again := binary.NativeEndian.AppendUint16(nil, unix.AF_UNIX)
	again = append(again, "/proc/self/fd/"+strconv.Itoa(file)+"\x00"...)
	return m.call(sock, again)
}

// tell has a refused connection told.
func (m *mediator) tell(place string) {
	by := (&looker{observer: m.observer, n: m.n}).who()
	m.refused = &candidate{act: stage.Connect, Attempt: Attempt{
		Time: time.Now(), Call: "connect", Path: place, Socket: true, PID: by.pid, Program: by.name, Args: by.args, Count: 1,
	}}
}

// processOf gives the process that a thread is of.
func processOf(thread int) int {
	status, _ := os.ReadFile("/proc/" + strconv.Itoa(thread) + "/status")
	_, rest, _ := strings.Cut(string(status), "\nTgid:\t")
	text, _, _ := strings.Cut(rest, "\n")
	pid, _ := strconv.Atoi(text)
	return pid
}

// SocketAt says what is at a path now, if there is something.
func SocketAt(path string) (Socket, bool) {
	var stat unix.Stat_t
	if unix.Lstat(path, &stat) != nil {
		return Socket{}, false
	}
	return Socket{Path: path, Dev: stat.Dev, Ino: stat.Ino}, true
}
