package sandbox

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// unnamedFile makes a file in a folder that has no name yet.
func unnamedFile(dir string) (*os.File, error) {
	return os.OpenFile(dir, unix.O_TMPFILE|os.O_WRONLY, 0o644) //nolint:gosec,wrapcheck // as git makes its files
}

// nameFile gives such a file its name.
func nameFile(f *os.File, path string) error {
	return unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(int(f.Fd())), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW) //nolint:wrapcheck // the caller names the path
}
