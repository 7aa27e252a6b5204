package stage

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// A descriptor belongs to the mount that its file was opened by, which for those that
// the command inherits is one outside. Opening /proc/self/fd/0 again asks that mount,
// so that a file which the caller gave to be read could be written. Files that are
// given for reading are therefore opened anew, on a read-only mount of their own.

// maxCopied bounds what is copied of a file that cannot be opened anew.
const maxCopied = 64 << 20

// narrowInputs opens the standard descriptors anew that are regular files and open for
// reading. It must come before any mount changes what their names lead to.
func (o *Order) narrowInputs() error {
	var fds []int
	names := []byte{inputsWord}
	for fd := range 3 {
		var stat unix.Stat_t
		if unix.Fstat(fd, &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFREG || stat.Nlink == 0 {
			continue // one without a name leads nowhere
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_ACCMODE != unix.O_RDONLY && flags&unix.O_PATH == 0 {
			continue
		}
		again, err := openAgain(fd, stat)
		if err != nil {
			return fmt.Errorf("giving descriptor %d, a file, for reading only: %w", fd, err)
		}
		at, err := unix.Seek(fd, 0, unix.SEEK_CUR)
		if err == nil {
			_, err = unix.Seek(again, at, unix.SEEK_SET)
		}
		if err == nil {
			err = unix.Dup3(again, fd, 0)
		}
		_ = unix.Close(again)
		if err != nil {
			return fmt.Errorf("giving descriptor %d, a file, for reading only: %w", fd, err)
		}
		fds, names = append(fds, fd), append(names, byte(fd))
	}
	if len(fds) == 0 {
		return nil
	}
	// The caller goes on where the command stopped: srt sees to it.
	if err := unix.Sendmsg(Socket, names, unix.UnixRights(fds...), nil, 0); err != nil {
		return fmt.Errorf("passing the inputs to srt: %w", err)
	}
	return nil
}

// inputsWord begins the message that has the opened inputs, followed by their numbers.
const inputsWord = 'I'

// Inputs gives the numbers of the inputs of a message, nil for any other message.
func Inputs(message []byte) []int {
	if len(message) == 0 || message[0] != inputsWord {
		return nil
	}
	var out []int
	for _, b := range message[1:] {
		out = append(out, int(b))
	}
	return out
}

// openAgain opens the file of a descriptor on a read-only mount. One that is not where
// its name says, as those in /proc are not, is copied.
func openAgain(fd int, stat unix.Stat_t) (int, error) {
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return -1, fmt.Errorf("finding its name: %w", err)
	}
	if t, err := cloneTree(path); err == nil {
		defer func() { _ = unix.Close(t.fd) }()
		if t.dev == stat.Dev && t.ino == stat.Ino {
			if err := setattr(t.fd, "", attrReadOnly); err != nil {
				return -1, err
			}
			again, err := unix.Open("/proc/self/fd/"+strconv.Itoa(t.fd), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
			if err == nil {
				return again, nil
			}
		}
	}
	return copyOf(fd)
}

// copyOf puts what can be read by a descriptor into a memory file.
func copyOf(fd int) (int, error) {
	again, err := unix.MemfdCreate("srt-input", unix.MFD_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("memfd_create", err)
	}
	buf := make([]byte, 64<<10)
	for at := int64(0); ; {
		n, err := unix.Pread(fd, buf, at)
		if err == nil && n == 0 {
			return again, nil
		}
		if err == nil {
			_, err = unix.Pwrite(again, buf[:n], at)
		}
		at += int64(n)
		if err == nil && at > maxCopied {
			err = errors.New("it is too large to be copied, and not found by its name")
		}
		if err != nil {
			_ = unix.Close(again)
			return -1, fmt.Errorf("copying it: %w", err)
		}
	}
}
