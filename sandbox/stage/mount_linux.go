package stage

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The stage makes the mounts itself, rather than bubblewrap by arguments:
// bubblewrap reads the whole mount table for each of them (200 take 65 ms, 1,000
// more than a second), takes at most 9,000 words of arguments, and before version
// 0.10 looks paths up again, so that they could be swapped between the check and
// the mount. Here everything is opened once, without following a symlink, and
// mounted by descriptor. Bubblewrap then takes over the finished tree. It needs
// mount_setattr(2) of Linux 5.12.

const (
	attrReadOnly = unix.MOUNT_ATTR_RDONLY | attrPlain
	attrPlain    = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
)

// mount makes the mounts of the order in the stage's own mount namespace.
func (o *Order) mount() error {
	// What is mounted here must not show anywhere else.
	private := unix.MountAttr{Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &private); err != nil {
		return fmt.Errorf("making mounts private (Linux 5.12 or newer is needed): %w", err)
	}
	if !o.Writable {
		if err := o.narrowInputs(); err != nil {
			return err
		}
	}
	// Before anything changes, take hold of everything that is wanted as it is.
	sources := make([]tree, len(o.Mounts))
	for i, m := range o.Mounts {
		if m.Kind != Writable && !m.Reveal {
			continue
		}
		var err error
		if sources[i], err = cloneTree(m.Path); err != nil {
			return err
		}
	}
	dev, err := newDev(o.writableTmpfs())
	if err != nil {
		return fmt.Errorf("making the devices: %w", err)
	}
	if o.Buried {
		if err := pin(o.Pins, attrReadOnly); err != nil {
			return err
		}
	}
	proc, err := cloneTree("/proc")
	if err != nil {
		return err
	}
	base := uint64(attrPlain)
	if !o.Writable {
		base = attrReadOnly
	}
	if err := setattr(unix.AT_FDCWD, "/", base); err != nil {
		return fmt.Errorf("changing the mount flags of everything: %w", err)
	}
	// Programs write to files of their own in /proc.
	if err := errors.Join(proc.attach("/proc"), dev.attach("/dev")); err != nil {
		return err
	}
	if err := o.coverKernel(); err != nil {
		return err
	}
	var tmpfs []Mount
	var places places
	defer places.forget()
	for i, m := range o.Mounts {
		if places.dir == m.Path || strings.HasPrefix(places.dir, m.Path+"/") {
			places.forget()
		}
		if m.Reveal {
			if err := makeMountPoint(m); err != nil {
				return err
			}
		}
		var err error
		switch m.Kind {
		case Writable:
			err = sources[i].mount(m, attrPlain)
		case ReadOnly:
			if m.Reveal {
				err = sources[i].mount(m, attrReadOnly)
			} else {
				err = places.remount(m.Path, attrReadOnly)
			}
		case HideDir:
			var t tree
			if t, err = newTmpfs("0700", hiddenTmpfs(m)...); err == nil {
				err = t.attach(m.Path)
				tmpfs = append(tmpfs, m)
			}
		case HideFile:
			var t tree
			if t, err = cloneTree("/dev/null"); err == nil {
				// On a mount without devices it cannot be opened: "Permission denied".
				t.ino = 0
				err = t.mount(m, attrReadOnly)
			}
		case Private:
			var t tree
			if t, err = newTmpfs("0700", o.writableTmpfs()...); err == nil {
				err = t.attach(m.Path)
			}
		case Pin:
			err = errors.New("bug: a pin among the mounts")
		}
		if err != nil {
			return err
		}
	}
	for _, m := range tmpfs {
		if err := seal(m); err != nil {
			return fmt.Errorf("closing the hidden folder %q: %w", m.Path, err)
		}
	}
	if !o.Buried {
		if err := pin(o.Pins, attrPlain); err != nil {
			return err
		}
	}
	if err := o.makeFiles(); err != nil {
		return err
	}
	// Whoever made the cgroup of the sandbox may write to it, the command too.
	for _, path := range o.Limits.Cgroups {
		if err := remount(path, attrReadOnly); err != nil && !outOfReach(err) {
			return err
		}
	}
	return nil
}

// makeFiles makes the files of the order. They lie in a folder of this sandbox alone.
func (o *Order) makeFiles() error {
	for _, f := range o.Files {
		if err := os.MkdirAll(f.Path[:strings.LastIndexByte(f.Path, '/')], 0o700); err != nil {
			return fmt.Errorf("making a file of the sandbox: %w", err)
		}
		if err := os.WriteFile(f.Path, []byte(f.Data), 0o400); err != nil {
			return fmt.Errorf("making a file of the sandbox: %w", err)
		}
	}
	return nil
}

// outOfReach tells of errors of a path that the command could not get at either: it
// is not there, or hidden.
func outOfReach(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EACCES)
}

// kernelPaths change the whole system. Root may write them even without a
// capability, since they belong to it.
var kernelPaths = []string{"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi", "/proc/scsi", "/sys"}

// coverKernel makes the switches of the kernel read-only. To other users they are.
func (o *Order) coverKernel() error {
	if !o.Nested {
		// Besides the filter, the kernel's own limit.
		if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
			return fmt.Errorf("limiting user namespaces: %w", err)
		}
	}
	if n := o.Limits.PIDMax; n > 0 {
		if err := os.WriteFile("/proc/sys/kernel/pid_max", []byte(strconv.Itoa(n)), 0); err != nil {
			return fmt.Errorf("limiting processes: %w", err)
		}
	}
	if os.Getuid() != 0 {
		return nil
	}
	for _, path := range kernelPaths {
		if path == "/sys" && !o.Writable {
			continue // it is read-only with everything else, and has many mounts
		}
		if err := remount(path, attrReadOnly); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}

// tree is a mount that is not attached anywhere yet, and what it is a mount of.
type tree struct {
	fd       int
	dev, ino uint64
}

// openPath opens a path as a place only, and fails if any symlink lies on it.
func openPath(path string) (int, error) {
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC, // with O_NOFOLLOW a last symlink would be let through
		Resolve: unix.RESOLVE_NO_SYMLINKS,
	})
	if errors.Is(err, unix.ELOOP) {
		return -1, fmt.Errorf("opening %q: it became a symlink while starting", path)
	}
	if err != nil {
		return -1, fmt.Errorf("opening %q: %w", path, err)
	}
	return fd, nil
}

// cloneTree makes a copy of the mounts at and below a path.
func cloneTree(path string) (tree, error) {
	place, err := openPath(path)
	if err != nil {
		return tree{}, err
	}
	defer func() { _ = unix.Close(place) }()
	var stat unix.Stat_t
	if err := unix.Fstat(place, &stat); err != nil {
		return tree{}, fmt.Errorf("looking at %q: %w", path, err)
	}
	fd, err := unix.OpenTree(place, "", unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return tree{}, fmt.Errorf("cloning the mount of %q: %w", path, err)
	}
	return tree{fd: fd, dev: stat.Dev, ino: stat.Ino}, nil
}

func setattr(fd int, path string, attr uint64) error {
	flags := uint(unix.AT_RECURSIVE)
	if path == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	if err := unix.MountSetattr(fd, path, flags, &unix.MountAttr{Attr_set: attr}); err != nil {
		return os.NewSyscallError("mount_setattr", err)
	}
	return nil
}

// mount attaches the tree at its own place, or at the mount point of a revealed
// one. The place must still be what was cloned.
func (t tree) mount(m Mount, attr uint64) error {
	if err := setattr(t.fd, "", attr); err != nil {
		return fmt.Errorf("mounting %q: %w", m.Path, err)
	}
	if m.Reveal {
		t.ino = 0
	}
	return t.attach(m.Path)
}

// attach puts the tree on a path and closes it. A process with threads waits for
// the whole kernel whenever its table of descriptors grows, so they must be few.
func (t tree) attach(path string) error {
	place, err := openPath(path)
	if err != nil {
		return err
	}
	defer func() {
		_ = unix.Close(place)
		_ = unix.Close(t.fd)
	}()
	if t.ino != 0 {
		var stat unix.Stat_t
		if err := unix.Fstat(place, &stat); err != nil || stat.Ino != t.ino || stat.Dev != t.dev {
			return fmt.Errorf("mounting %q: something else was put there while starting", path)
		}
	}
	if err := unix.MoveMount(t.fd, "", place, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH); err != nil {
		return fmt.Errorf("mounting %q: %w", path, err)
	}
	return nil
}

// pin mounts folders on themselves: the kernel refuses to rename or remove a
// mount point of the namespace, even where another mount covers it.
func pin(mounts []Mount, attr uint64) error {
	for _, m := range mounts {
		if err := remount(m.Path, attr); err != nil {
			return err
		}
	}
	return nil
}

// remount mounts a path on itself, with other flags. Only the folder that it is in
// is opened as a place: neither call follows a symlink in the last component.
func remount(path string, attr uint64) error {
	dir, err := openPath(parent(path))
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(dir) }()
	return remountAt(dir, path, attr)
}

func remountAt(dir int, path string, attr uint64) error {
	name := path[strings.LastIndexByte(path, '/')+1:]
	fd, err := unix.OpenTree(dir, name, unix.AT_SYMLINK_NOFOLLOW|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return fmt.Errorf("cloning the mount of %q: %w", path, err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := setattr(fd, "", attr); err != nil {
		return fmt.Errorf("mounting %q: %w", path, err)
	}
	if err := unix.MoveMount(fd, "", dir, name, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mounting %q: %w", path, err)
	}
	return nil
}

// places keeps the folder of the last mount open: most follow another one in the
// same folder. A mount on that folder itself, or above it, makes it stale.
type places struct {
	dir string
	fd  int
}

func (p *places) remount(path string, attr uint64) error {
	if dir := parent(path); p.dir != dir {
		p.forget()
		fd, err := openPath(dir)
		if err != nil {
			return err
		}
		p.dir, p.fd = dir, fd
	}
	return remountAt(p.fd, path, attr)
}

func (p *places) forget() {
	if p.dir != "" {
		_ = unix.Close(p.fd)
		p.dir = ""
	}
}

// newTmpfs makes an empty file system in memory, with further options of tmpfs(5).
func newTmpfs(mode string, options ...[2]string) (tree, error) {
	return newFS("tmpfs", append([][2]string{{"mode", mode}}, options...), attrPlain)
}

// The most that a file system in memory may take is half of the memory unless it is
// told otherwise, and there are several.
var tinyTmpfs = [][2]string{{"size", "64k"}, {"nr_inodes", "64"}} //nolint:gochecknoglobals // a constant

// writableTmpfs are the options of one that the command can write.
func (o *Order) writableTmpfs() [][2]string {
	if o.TempSize == 0 {
		return [][2]string{{"size", "25%"}}
	}
	const perFile = 4 << 10
	return [][2]string{
		{"size", strconv.FormatUint(o.TempSize, 10)},
		{"nr_inodes", strconv.FormatUint(max(o.TempSize/perFile, 1024), 10)},
	}
}

// hiddenTmpfs are those of one that is closed once the mount points in it are made.
func hiddenTmpfs(m Mount) [][2]string {
	if m.Open {
		return [][2]string{{"size", "64k"}}
	}
	return tinyTmpfs
}

// newFS makes a file system of a kind that user namespaces may mount.
func newFS(kind string, options [][2]string, attr int) (tree, error) {
	fsfd, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return tree{}, os.NewSyscallError("fsopen", err)
	}
	defer func() { _ = unix.Close(fsfd) }()
	for _, o := range options {
		if err := unix.FsconfigSetString(fsfd, o[0], o[1]); err != nil {
			return tree{}, os.NewSyscallError("fsconfig", err)
		}
	}
	if err := unix.FsconfigCreate(fsfd); err != nil {
		return tree{}, os.NewSyscallError("fsconfig", err)
	}
	fd, err := unix.Fsmount(fsfd, unix.FSMOUNT_CLOEXEC, attr)
	if err != nil {
		return tree{}, os.NewSyscallError("fsmount", err)
	}
	return tree{fd: fd}, nil
}

// seal closes a hidden folder once the mount points in it are made: it cannot be
// listed, nor passed unless something in it is revealed.
func seal(m Mount) error {
	place, err := openPath(m.Path)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(place) }()
	mode := uint32(0)
	if m.Open {
		mode = 0o111
	}
	// fchmod(2) does not take a descriptor that is only a place.
	if err := unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", place), mode); err != nil {
		return os.NewSyscallError("chmod", err)
	}
	err = unix.MountSetattr(place, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: attrReadOnly})
	return os.NewSyscallError("mount_setattr", err)
}

// makeMountPoint makes the way to a revealed path within a hidden folder.
func makeMountPoint(m Mount) error {
	dir := m.Path
	if !m.Dir {
		dir = parent(m.Path)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // shows only the names of what is revealed
		return fmt.Errorf("making the mount point of %q: %w", m.Path, err)
	}
	if m.Dir {
		return nil
	}
	f, err := os.OpenFile(m.Path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("making the mount point of %q: %w", m.Path, err)
	}
	return f.Close()
}

// parent is the folder that holds an absolute path.
func parent(path string) string {
	i := strings.LastIndexByte(path, '/')
	if i <= 0 {
		return "/"
	}
	return path[:i]
}
