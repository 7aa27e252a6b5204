//go:build !linux

package sandbox

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

func openFolder(dir string) (int, error) {
	folder, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return folder, nil
}

func makeNode(node, uint32) error { return errors.ErrUnsupported }

func unnamedFile(int) (int, error) { return -1, errors.ErrUnsupported }

func nameFile(int, node) error { return errors.ErrUnsupported }
