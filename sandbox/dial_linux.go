package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dialer connects to what listens inside. A socket keeps the network that it was made
// in, so the stage has made some, and nothing of srt has to stay inside. After each
// connection a socket is taken apart, by connecting it to no address, and used again.
type dialer struct {
	pools [2]socketPool // of IPv4 and of IPv6

	mu     sync.Mutex // held while a socket goes back, and while all are closed
	closed bool
}

type socketPool struct {
	free chan int
	any  bool // the kernel has the family
}

// dialWait bounds connecting to a port inside, whose queue may be full.
const dialWait = 5 * time.Second

func newDialer(fds []int) (*dialer, error) {
	d := &dialer{}
	for i := range d.pools {
		d.pools[i].free = make(chan int, len(fds))
	}
	for i, fd := range fds {
		domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
		if err != nil {
			for _, fd := range fds[i:] {
				_ = unix.Close(fd)
			}
			d.close()
			return nil, fmt.Errorf("looking at a socket of the sandbox: %w", err)
		}
		p := &d.pools[0]
		if domain == unix.AF_INET6 {
			p = &d.pools[1]
		}
		p.any = true
		p.free <- fd
	}
	return d, nil
}

// dial connects to a port of the loopback interface inside.
func (d *dialer) dial(ctx context.Context, port uint16) (net.Conn, error) {
	conn, err := d.connect(ctx, &d.pools[0], &unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}})
	if errors.Is(err, unix.ECONNREFUSED) && d.pools[1].any {
		conn, err = d.connect(ctx, &d.pools[1], &unix.SockaddrInet6{Port: int(port), Addr: [16]byte{15: 1}})
	}
	if err != nil {
		return nil, fmt.Errorf("connecting to port %d in the sandbox: %w", port, err)
	}
	return conn, nil
}

func (d *dialer) connect(ctx context.Context, p *socketPool, to unix.Sockaddr) (net.Conn, error) {
	var fd int
	select {
	case fd = <-p.free:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	conn, err := connectSocket(fd, to)
	if err != nil {
		d.giveBack(p, fd)
		return nil, err
	}
	return &lentConn{TCPConn: conn, giveBack: sync.OnceFunc(func() {
		if endUnheard(fd) {
			go d.deliver(p, fd)
			return
		}
		d.giveBack(p, fd)
	})}, nil
}

// delivery bounds how long a socket that was closed waits for who listens inside to take
// more of what was sent.
const delivery = time.Minute

// deliver gives a socket back when what was sent has arrived, since to take it apart
// drops the rest, as closing it would not.
func (d *dialer) deliver(p *socketPool, fd int) {
	left, until := -1, time.Now().Add(delivery)
	for endUnheard(fd) && time.Now().Before(until) && !d.isClosed() {
		if n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ); err == nil && n != left {
			left, until = n, time.Now().Add(delivery)
		}
		time.Sleep(10 * time.Millisecond)
	}
	d.giveBack(p, fd)
}

// endUnheard reports whether the other side has not acknowledged the end of what was sent.
func endUnheard(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && (info.State == unix.BPF_TCP_FIN_WAIT1 || info.State == unix.BPF_TCP_CLOSING || info.State == unix.BPF_TCP_LAST_ACK)
}

func (d *dialer) isClosed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

// giveBack makes a socket as it was and lets it be used again.
func (d *dialer) giveBack(p *socketPool, fd int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_ = unix.Close(fd)
		return
	}
	_ = disconnect(fd) // one that cannot be is refused by the next connect
	p.free <- fd
}

// close closes the sockets, those that are lent when they come back.
func (d *dialer) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for i := range d.pools {
		for len(d.pools[i].free) > 0 {
			_ = unix.Close(<-d.pools[i].free)
		}
	}
}

// lentConn is a connection of a socket that goes back to its pool.
type lentConn struct {
	*net.TCPConn
	giveBack func()
}

func (c *lentConn) Close() error {
	err := c.TCPConn.Close()
	c.giveBack()
	return err //nolint:wrapcheck // as the connection says
}

// connectSocket connects a socket and gives a connection that has a duplicate of it.
func connectSocket(fd int, to unix.Sockaddr) (*net.TCPConn, error) {
	err := unix.Connect(fd, to)
	if errors.Is(err, unix.EINPROGRESS) {
		err = finishConnect(fd)
	}
	if err == nil && toItself(fd) {
		err = unix.ECONNREFUSED
	}
	if err != nil {
		return nil, os.NewSyscallError("connect", err)
	}
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	f := os.NewFile(uintptr(own), "socket")
	defer f.Close() //nolint:errcheck // FileConn has duplicated it
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it means
	}
	return conn.(*net.TCPConn), nil //nolint:errcheck,forcetypeassert // the stage makes no other
}

// toItself reports whether a socket has been connected to itself: nobody listens on the
// port, and the kernel has chosen it for this end too.
func toItself(fd int) bool {
	local, err := unix.Getsockname(fd)
	remote, remoteErr := unix.Getpeername(fd)
	return err == nil && remoteErr == nil && reflect.DeepEqual(local, remote)
}

// finishConnect waits for a connection that is being made.
func finishConnect(fd int) error {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}} //nolint:gosec // a descriptor
	for until := time.Now().Add(dialWait); ; {
		left := time.Until(until)
		n, err := unix.Poll(fds, int(left.Milliseconds()))
		if errors.Is(err, unix.EINTR) && left > 0 {
			continue
		}
		if err != nil {
			return err //nolint:wrapcheck // the caller names the call
		}
		if n == 0 {
			return unix.ETIMEDOUT
		}
		break
	}
	number, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && number != 0 {
		err = unix.Errno(number)
	}
	return err //nolint:wrapcheck // the caller names the call
}

// disconnect makes a TCP socket what it was before it was connected, as connect(2)
// says of AF_UNSPEC.
func disconnect(fd int) error {
	addr := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&addr)), unsafe.Sizeof(addr)) //nolint:gosec // connect(2) takes a pointer
	if errno != 0 {
		return errno
	}
	return nil
}
