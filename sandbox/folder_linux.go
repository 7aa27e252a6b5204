package sandbox

import (
	"errors"
	"io/fs"
	"strconv"

	"golang.org/x/sys/unix"
)

// openFolder opens a folder, and fails with ELOOP if a symlink lies on the way.
func openFolder(dir string) (int, error) {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
	folder, err := unix.Openat2(unix.AT_FDCWD, dir, &how)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // as in a sandbox
		folder, err = unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		var stat unix.Stat_t
		if errors.Is(err, unix.ENOTDIR) && unix.Lstat(dir, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFLNK {
			err = unix.ELOOP
		}
	}
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return folder, nil
}

// makeNode makes a file or a socket.
func makeNode(at node, mode uint32) error {
	return unix.Mknodat(at.folder, at.name, mode, 0) //nolint:wrapcheck // the caller names the path
}

// unnamedFile makes a file in a folder that has no name yet.
func unnamedFile(folder int) (int, error) {
	return unix.Openat(folder, ".", unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o644) //nolint:wrapcheck // the caller does without
}

// nameFile gives such a file its name.
func nameFile(f int, at node) error {
	return unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(f), at.folder, at.name, unix.AT_SYMLINK_FOLLOW) //nolint:wrapcheck // the caller names the path
}
