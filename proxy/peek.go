package proxy

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// peeker looks at the next byte of a connection without waiting for it and
// without taking it.
type peeker struct {
	raw  syscall.RawConn
	look func(fd uintptr) // made once: it would be allocated for each look
	n    int
	err  error
}

// newPeeker returns nil if conn has no descriptor of its own to look at.
func newPeeker(conn net.Conn) *peeker {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	p := &peeker{raw: raw}
	p.look = func(fd uintptr) {
		var b [1]byte
		for {
			p.n, _, p.err = unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
			if !errors.Is(p.err, unix.EINTR) {
				return
			}
		}
	}
	return p
}

// byteWaits reports whether there is a byte, and an error if there can be none
// any more; neither means that there may be one later.
func (p *peeker) byteWaits() (waits bool, err error) {
	// Control, not Read: Read would fail on a read deadline that has passed.
	if err := p.raw.Control(p.look); err != nil {
		return false, err
	}
	switch {
	case errors.Is(p.err, unix.EAGAIN):
		return false, nil
	case p.err != nil:
		return false, p.err
	case p.n == 0:
		return false, net.ErrClosed
	}
	return true, nil
}

// quiet reports whether an idle connection has neither ended nor received
// anything. Bytes that nobody asked for must not become the answer to the next
// request. Connections that cannot be asked are not quiet, and so not reused.
func (u *upstream) quiet() bool {
	if u.peek == nil {
		return false
	}
	waits, err := u.peek.byteWaits()
	return !waits && err == nil
}

// gone reports whether the peer has closed its side and everything that it
// sent has been read.
func gone(conn net.Conn) bool {
	p := newPeeker(conn)
	if p == nil {
		return false
	}
	_, err := p.byteWaits()
	return err != nil
}
