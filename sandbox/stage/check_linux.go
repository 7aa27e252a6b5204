package stage

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// checkNamespaces compares the namespaces with srt's.
func (o *Order) checkNamespaces() error {
	if len(o.Outside) != len(Namespaces) {
		return fmt.Errorf("bug: %d namespaces to compare", len(o.Outside))
	}
	for _, kind := range Namespaces {
		name, err := os.Readlink("/proc/self/ns/" + kind)
		if err != nil {
			return fmt.Errorf("looking at its namespaces: %w", err)
		}
		if slices.Contains(o.Outside, name) {
			return fmt.Errorf("it has no %s namespace of its own", kind)
		}
	}
	return nil
}

// checkFilters makes a call that the first filter refuses, and one that the second
// does: without them both would fail with another error, or not at all.
func (o *Order) checkFilters() error {
	if _, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("the system call filter lets through what it should not (socket: %w)", orNothing(err))
	}
	if _, err := unix.Openat2(unix.AT_FDCWD, "/", &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC}); !errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("the second system call filter is not in force (openat2: %w)", orNothing(err))
	}
	if o.Nested {
		return nil
	}
	if err := unix.Setns(-1, 0); !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("the second system call filter is not in force (setns: %w)", orNothing(err))
	}
	return nil
}

// checkPrivileges looks at what this thread could do, now and after an exec. (The same
// stands in /proc/thread-self/status, which takes ten times as long.)
func (o *Order) checkPrivileges() error {
	if n, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil || n != 1 {
		return fmt.Errorf("no_new_privs is not set (%d, %w)", n, orNothing(err))
	}
	if n, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0); err != nil || n != unix.SECCOMP_MODE_FILTER {
		return fmt.Errorf("no system call filter is in force (%d, %w)", n, orNothing(err))
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if err := unix.Capget(&header, &have[0]); err != nil {
		return fmt.Errorf("looking at its capabilities: %w", err)
	}
	var want [2]unix.CapUserData
	if o.keepSetfcap() {
		bit := uint32(1) << unix.CAP_SETFCAP
		want[0] = unix.CapUserData{Effective: bit, Permitted: bit, Inheritable: bit}
	}
	if have != want {
		return fmt.Errorf("it has capabilities: %x", have)
	}
	for c := range uintptr(64) {
		n, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			break // the kernel has no more
		}
		if err != nil || n != 0 && (c != unix.CAP_SETFCAP || !o.keepSetfcap()) {
			return fmt.Errorf("capability %d is left to get (%w)", c, orNothing(err))
		}
	}
	// Ambient ones are always both permitted and inheritable, see capabilities(7).
	if o.keepSetfcap() {
		if n, err := unix.PrctlRetInt(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_IS_SET, unix.CAP_SETFCAP, 0, 0); err != nil || n != 0 {
			return fmt.Errorf("a capability is ambient (%w)", orNothing(err))
		}
	}
	return nil
}

func orNothing(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}

// checkMounts looks at every mount that denies something.
func (o *Order) checkMounts() error {
	if !o.Writable {
		if err := wantReadOnly("/"); err != nil {
			return err
		}
	}
	for _, path := range o.Limits.Cgroups {
		if err := wantReadOnly(path); err != nil && !outOfReach(err) {
			return err
		}
	}
	for _, m := range o.Mounts {
		var err error
		switch m.Kind {
		case ReadOnly:
			err = wantReadOnly(m.Path)
		case HideDir:
			err = wantHidden(m.Path)
		case HideFile:
			err = wantClosed(m.Path)
		case Private:
			err = wantKind(m.Path, unix.TMPFS_MAGIC)
		case Writable, Pin: // they deny nothing that could be seen here
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func wantReadOnly(path string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return fmt.Errorf("looking at the mount of %q: %w", path, err)
	}
	if fs.Flags&unix.ST_RDONLY == 0 {
		return fmt.Errorf("%q is not read-only", path)
	}
	return nil
}

func wantKind(path string, magic int64) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return fmt.Errorf("looking at the mount of %q: %w", path, err)
	}
	if fs.Type != magic {
		return fmt.Errorf("nothing is mounted on %q", path)
	}
	return nil
}

func wantHidden(path string) error {
	if err := wantKind(path, unix.TMPFS_MAGIC); err != nil {
		return err
	}
	return wantReadOnly(path)
}

// wantClosed looks for the null device, where it cannot be opened.
func wantClosed(path string) error {
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil {
		return fmt.Errorf("looking at %q: %w", path, err)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return fmt.Errorf("looking at the mount of %q: %w", path, err)
	}
	if stat.Rdev != unix.Mkdev(1, 3) || fs.Flags&unix.ST_NODEV == 0 {
		return fmt.Errorf("%q is not hidden", path)
	}
	return nil
}
