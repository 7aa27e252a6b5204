package stage

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// devices are those of the host that do no harm.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

// devLinks are the usual names in /dev that lead elsewhere.
var devLinks = [][2]string{
	{"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"},
	{"fd", "/proc/self/fd"},
	{"ptmx", "pts/ptmx"},
}

// newDev makes a /dev with the harmless devices, terminals of its own and private
// shared memory. Bubblewrap could, but reads the table of mounts for each device.
// shm are the options of the latter.
func newDev(shm [][2]string) (tree, error) {
	dev, err := newTmpfs("0755", tinyTmpfs...)
	if err != nil {
		return tree{}, err
	}
	for _, name := range devices {
		if err := dev.putDevice(name, "/dev/"+name); err != nil && !errors.Is(err, unix.ENOENT) {
			return tree{}, err
		}
	}
	for _, link := range devLinks {
		if err := unix.Symlinkat(link[1], dev.fd, link[0]); err != nil {
			return tree{}, os.NewSyscallError("symlinkat", err)
		}
	}
	pts, err := newFS("devpts", [][2]string{{"ptmxmode", "0666"}, {"mode", "0620"}}, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return tree{}, err
	}
	memory, err := newTmpfs("1777", shm...)
	if err != nil {
		return tree{}, err
	}
	if err := errors.Join(dev.putDir("pts", pts), dev.putDir("shm", memory)); err != nil {
		return tree{}, err
	}
	// The terminal that the command runs on lies in the host's /dev/pts; ttyname(3)
	// finds it under this name.
	for fd := range 3 {
		path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		if err != nil || !strings.HasPrefix(path, "/dev/pts/") {
			continue
		}
		if err := dev.putDevice("console", path); err != nil {
			return tree{}, err
		}
		break
	}
	if err := setattr(dev.fd, "", unix.MOUNT_ATTR_NOSUID); err != nil {
		return tree{}, err
	}
	err = unix.MountSetattr(dev.fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	return dev, os.NewSyscallError("mount_setattr", err)
}

// putDevice mounts a device of the host into a tree.
func (t tree) putDevice(name, path string) error {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("open_tree", err)
	}
	if err := unix.Mknodat(t.fd, name, unix.S_IFREG|0o444, 0); err != nil {
		return os.NewSyscallError("mknodat", err)
	}
	return t.put(name, tree{fd: fd})
}

// putDir mounts a file system into a tree.
func (t tree) putDir(name string, source tree) error {
	if err := unix.Mkdirat(t.fd, name, 0o755); err != nil {
		return os.NewSyscallError("mkdirat", err)
	}
	return t.put(name, source)
}

func (t tree) put(name string, source tree) error {
	defer func() { _ = unix.Close(source.fd) }()
	return os.NewSyscallError("move_mount", unix.MoveMount(source.fd, "", t.fd, name, unix.MOVE_MOUNT_F_EMPTY_PATH))
}
