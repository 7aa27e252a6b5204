package launch

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// wayOut says what a standard stream is, if the command could reach with it what
// the sandbox keeps from it: a folder stays open on the tree outside, and a socket
// keeps the network that it was made in. Of these only a unix socket that is
// connected or listens cannot be turned to another address.
func wayOut(f *os.File) string {
	info, err := f.Stat()
	if err != nil {
		return "" // closed, as far as can be told
	}
	switch {
	case info.IsDir():
		return "a folder"
	case info.Mode()&os.ModeSocket == 0:
		return ""
	}
	fd := int(f.Fd())
	family, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || family != unix.AF_UNIX {
		return "a network socket (put a pipe in between)"
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_STREAM && kind != unix.SOCK_SEQPACKET {
		return "a datagram socket (put a pipe in between)"
	}
	if listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err == nil && listening != 0 {
		return ""
	}
	// One whose other end is gone was connected, too, and stays so.
	if _, err := unix.Getpeername(fd); errors.Is(err, unix.ENOTCONN) {
		return "a socket that is not connected"
	}
	return ""
}

// blockDevice tells of a disk that is open for reading only.
func blockDevice(f *os.File) bool {
	var stat unix.Stat_t
	if unix.Fstat(int(f.Fd()), &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFBLK {
		return false
	}
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return err != nil || flags&unix.O_ACCMODE == unix.O_RDONLY
}
