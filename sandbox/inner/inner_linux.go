package inner

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/sandbox/stage"
)

// Version is that of the kernel's Landlock, 0 where there is none.
func Version() (int, error) {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno == unix.ENOSYS || errno == unix.EOPNOTSUPP {
		return 0, nil
	}
	if errno != 0 {
		return 0, fmt.Errorf("asking for the version of Landlock: %w", errno)
	}
	return int(version), nil
}

// Enter puts the calling thread, and so what it becomes, behind the wall. The thread
// must be locked. After an error it may stand behind a part of it, and must not go on.
func Enter(r Rules) error {
	version, err := Version()
	if err != nil {
		return err
	}
	return r.enter(version)
}

// least is the version of Landlock below which files could not be renamed.
const least = 2

// lacks says what a version of Landlock cannot do that the rules need.
func (r *Rules) lacks(version int) stage.Older {
	return stage.Older{
		Truncate: version < 3 && !r.OpenFiles,
		Connect:  version < 4 && r.Ports != nil,
		Sockets:  r.Ports != nil && socketsByPath(),
		Signal:   version < 6,
	}
}

// socketsByPath reports whether srt connects the sockets of this sandbox: there, only
// unix sockets of datagrams are refused.
func socketsByPath() bool {
	stream, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	_ = unix.Close(stream)
	datagram, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(datagram)
	}
	return err != nil
}

// Rights on files, by landlock(7).
const (
	// onFile are those that a file can have.
	onFile = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	// writing are all that change something.
	writing = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_REFER | unix.LANDLOCK_ACCESS_FS_TRUNCATE
)

// enter is Enter with a version of Landlock that the kernel has at least.
func (r *Rules) enter(version int) error {
	if version < least {
		return ErrNoLandlock
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("setting no_new_privs: %w", err)
	}
	var attr unix.LandlockRulesetAttr
	if !r.OpenFiles {
		attr.Handled_access_fs = writing
		if r.Closed != "" {
			attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_READ_FILE
		}
		if version < 3 {
			attr.Handled_access_fs &^= unix.LANDLOCK_ACCESS_FS_TRUNCATE
		}
	}
	if version >= 4 && r.Ports != nil {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if version >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	if attr == (unix.LandlockRulesetAttr{}) {
		// A domain has to restrict something to be one. Nobody here can make block devices.
		attr.Handled_access_fs = unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), sizeOf(version), 0) //nolint:gosec // the call takes a pointer
	if errno != 0 {
		return fmt.Errorf("making a Landlock ruleset: %w", errno)
	}
	set := ruleset{fd: int(fd), handled: attr.Handled_access_fs}
	defer func() { _ = unix.Close(set.fd) }()
	if err := r.fill(&set, attr.Handled_access_net != 0); err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno == unix.E2BIG {
		return ErrTooDeep
	} else if errno != 0 {
		return fmt.Errorf("entering a Landlock domain: %w", errno)
	}
	arch, err := stage.ArchOf(runtime.GOARCH)
	if err != nil {
		return err //nolint:wrapcheck // says what it means
	}
	code, err := stage.OlderFilter(arch, r.lacks(version))
	if err != nil || code == nil {
		return err //nolint:wrapcheck // likewise
	}
	return stage.Install(code) //nolint:wrapcheck // likewise
}

// sizeOf is how much of the attributes a version knows: it refuses what is more, unless
// it is zero.
func sizeOf(version int) uintptr {
	var attr unix.LandlockRulesetAttr
	switch {
	case version < 4:
		return unsafe.Offsetof(attr.Handled_access_net)
	case version < 6:
		return unsafe.Offsetof(attr.Scoped)
	}
	return unsafe.Sizeof(attr)
}

func (r *Rules) fill(set *ruleset, net bool) error {
	if net {
		for _, port := range r.Ports {
			if err := set.connect(port); err != nil {
				return err
			}
		}
	}
	if r.OpenFiles {
		return nil
	}
	for _, path := range r.Write {
		if err := set.allow(path, set.handled); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	// Devices, a folder for shared memory among them, and what a program tells the kernel
	// of itself; of other processes there is nothing to write without tracing them.
	if err := set.allow("/dev", set.handled&onFile); err != nil {
		return err
	}
	if err := set.allow("/proc", set.handled&onFile); err != nil {
		return err
	}
	if err := set.allow("/dev/shm", set.handled); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for stream := range 3 {
		if err := set.stream(stream); err != nil {
			return err
		}
	}
	if r.Closed != "" {
		return set.around(r.Closed)
	}
	return nil
}

// ruleset is one that is being filled, with the rights on files that it is about.
type ruleset struct {
	fd      int
	handled uint64
}

// allow gives rights on a path and what is beneath.
func (s *ruleset) allow(path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "opening", Path: path, Err: err}
	}
	defer func() { _ = unix.Close(fd) }()
	return s.allowFD(fd, rights)
}

func (s *ruleset) allowFD(fd int, rights uint64) error {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
	case unix.S_IFLNK:
		return nil // what it leads to has a path of its own
	default:
		rights &= onFile
	}
	if rights == 0 {
		return nil
	}
	// struct landlock_path_beneath_attr, which is packed.
	rule := binary.NativeEndian.AppendUint64(nil, rights)
	rule = binary.NativeEndian.AppendUint32(rule, uint32(fd)) //nolint:gosec // a descriptor
	return s.add(unix.LANDLOCK_RULE_PATH_BENEATH, rule)
}

// connect allows connections to a port.
func (s *ruleset) connect(port uint16) error {
	const rulePort = 2 // LANDLOCK_RULE_NET_PORT, with a struct landlock_net_port_attr
	rule := binary.NativeEndian.AppendUint64(nil, unix.LANDLOCK_ACCESS_NET_CONNECT_TCP)
	rule = binary.NativeEndian.AppendUint64(rule, uint64(port))
	return s.add(rulePort, rule)
}

func (s *ruleset) add(kind uintptr, rule []byte) error {
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(s.fd), kind, uintptr(unsafe.Pointer(&rule[0])), 0, 0, 0) //nolint:gosec // the call takes a pointer
	if errno != 0 {
		return fmt.Errorf("adding a Landlock rule: %w", errno)
	}
	return nil
}

// stream lets what is open already be opened anew by its name in /proc, as /dev/stdout
// is, in the way in which it is open.
func (s *ruleset) stream(fd int) error {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil || stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil // closed, or no file
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	rights := s.handled & unix.LANDLOCK_ACCESS_FS_READ_FILE
	if mode := flags & unix.O_ACCMODE; mode == unix.O_RDWR {
		rights = s.handled
	} else if mode == unix.O_WRONLY {
		rights = s.handled &^ unix.LANDLOCK_ACCESS_FS_READ_FILE
	}
	place, err := unix.Open("/proc/self/fd/"+strconv.Itoa(fd), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil // then it cannot be opened anew by anybody
	}
	defer func() { _ = unix.Close(place) }()
	return s.allowFD(place, rights)
}

// around allows reading everywhere but in a folder: what lies beside it and beside
// each folder on the way.
func (s *ruleset) around(closed string) error {
	way := "/"
	for name := range strings.SplitSeq(strings.Trim(filepath.Clean(closed), "/"), "/") {
		entries, err := os.ReadDir(way)
		if err != nil {
			return err //nolint:wrapcheck // names the folder
		}
		for _, e := range entries {
			if e.Name() == name || e.Type()&fs.ModeSymlink != 0 {
				continue
			}
			err := s.allow(filepath.Join(way, e.Name()), unix.LANDLOCK_ACCESS_FS_READ_FILE)
			// What is gone or closed meanwhile nobody reads.
			if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
				return err
			}
		}
		way = filepath.Join(way, name)
	}
	return nil
}
