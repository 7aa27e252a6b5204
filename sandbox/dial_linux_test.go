package sandbox

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What was sent arrives though both sides have said that they end, and the socket is used
// again only then.
func TestDialedIsDelivered(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // on the loopback interface
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDialer([]int{fd})
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("it listens at %v", l.Addr())
	}
	const size = 256 << 10 // more than the other side takes before it reads
	for range 2 {
		conn, err := d.dial(t.Context(), uint16(addr.Port))
		if err != nil {
			t.Fatal(err)
		}
		other, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		near, lent := conn.(*lentConn)
		far, tcp := other.(*net.TCPConn)
		if !lent || !tcp {
			t.Fatalf("a %T and a %T", conn, other)
		}
		if err := far.CloseWrite(); err != nil { // as nc -N does at the end of its input
			t.Fatal(err)
		}
		if err := near.SetWriteBuffer(size * 2); err != nil {
			t.Fatal(err)
		}
		if _, err := near.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if err := near.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if n, err := near.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Fatalf("%d bytes, %v", n, err)
		}
		_ = near.Close()
		time.Sleep(50 * time.Millisecond)
		if n, err := io.Copy(io.Discard, far); n != size || err != nil {
			t.Errorf("%d bytes of %d, %v", n, size, err)
		}
		_ = far.Close()
	}
}

// Where nobody listens, the kernel may choose that very port for this end.
func TestDialedIsNotTheDialer(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDialer([]int{fd})
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	self, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	own, ok := self.(*unix.SockaddrInet4)
	if !ok {
		t.Fatalf("it is at %v", self)
	}
	if _, err := d.dial(t.Context(), uint16(own.Port)); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("%v", err)
	}
}
