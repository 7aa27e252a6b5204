package launch

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWaysOut(t *testing.T) {
	file := func(fd int, err error) *os.File {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fd), "stream")
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	socket := func(family, kind int) *os.File {
		t.Helper()
		return file(unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0))
	}
	two := func(kind int) (*os.File, *os.File) {
		t.Helper()
		fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
		return file(fds[0], err), file(fds[1], err)
	}
	stream, _ := two(unix.SOCK_STREAM)
	packets, _ := two(unix.SOCK_SEQPACKET)
	datagrams, _ := two(unix.SOCK_DGRAM)
	alone, other := two(unix.SOCK_STREAM)
	_ = other.Close()
	listening := socket(unix.AF_UNIX, unix.SOCK_STREAM)
	if err := unix.Bind(int(listening.Fd()), &unix.SockaddrUnix{Name: "@srt-ways-out"}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(int(listening.Fd()), 1); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		file *os.File
		out  bool
	}{
		{"a file", file(unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)), false},
		{"a folder", file(unix.Open("/", unix.O_RDONLY|unix.O_CLOEXEC, 0)), true},
		{"a stream", stream, false},
		{"a stream whose other end is closed", alone, false},
		{"packets in order", packets, false},
		{"datagrams", datagrams, true},
		{"a listening unix socket", listening, false},
		{"a unix socket without a peer", socket(unix.AF_UNIX, unix.SOCK_STREAM), true},
		{"TCP", socket(unix.AF_INET, unix.SOCK_STREAM), true},
		{"UDP", socket(unix.AF_INET6, unix.SOCK_DGRAM), true},
		{"netlink", socket(unix.AF_NETLINK, unix.SOCK_RAW), true},
	} {
		if got := wayOut(c.file); (got != "") != c.out {
			t.Errorf("%s: %q", c.what, got)
		}
	}
}
