package stage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// isolate puts this thread, and so the command, into a Landlock domain, which keeps
// it from tracing, reading and writing processes outside of it. The only one of
// these that it sees is the first process of the sandbox, bubblewrap: that one has
// the command's user and would let itself be taken over. landlock(7), "Ptrace
// restrictions".
//
// A domain has to restrict something. Version 6 (Linux 6.12) has abstract unix
// sockets, none of which are in reach anyway. Before, it is the making of block
// devices, which takes a capability that is not there, at the price that mounts are
// refused: so not where the command may make namespaces. Version 1 would refuse
// renames between folders. So does every domain that does not speak of them, once
// another one about files is put on top, as the inner wall of scripts is: hence they are
// spoken of, and allowed.
//
// The command is in the process group of its caller, whom a signal to the group would
// reach, past the PID namespace. Version 6 keeps it inside. Where there is a terminal it
// must not: a program that stops its group, as editors do, means the caller's part of
// it too, or the shell would wait for ever.
//
// Without Landlock the command can take over that process, which gains it nothing
// but the second filter's calls: it is in the same namespaces and has no capability.
func isolate(nested bool) error {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno == unix.ENOSYS || errno == unix.EOPNOTSUPP {
		return nil
	}
	if errno != 0 {
		return fmt.Errorf("asking for the version of Landlock: %w", errno)
	}
	var attr unix.LandlockRulesetAttr
	switch {
	case version >= 6:
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
		if !hasTerminal() {
			attr.Scoped |= unix.LANDLOCK_SCOPE_SIGNAL
		}
		if !nested {
			attr.Handled_access_fs = unix.LANDLOCK_ACCESS_FS_REFER
		}
	case version >= 2 && !nested:
		attr.Handled_access_fs = unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK | unix.LANDLOCK_ACCESS_FS_REFER
	default:
		return nil
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0) //nolint:gosec // the call takes a pointer
	if errno != 0 {
		return fmt.Errorf("making a Landlock ruleset: %w", errno)
	}
	defer func() { _ = unix.Close(int(fd)) }()
	if attr.Handled_access_fs != 0 {
		if err := allowRefer(int(fd)); err != nil {
			return err
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return fmt.Errorf("entering a Landlock domain: %w", errno)
	}
	return nil
}

// hasTerminal reports whether the session has a controlling terminal.
func hasTerminal() bool {
	fd, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return !errors.Is(err, unix.ENXIO)
	}
	_ = unix.Close(fd)
	return true
}

// allowRefer allows renames and links between folders everywhere.
func allowRefer(ruleset int) error {
	root, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening /: %w", err)
	}
	defer func() { _ = unix.Close(root) }()
	// struct landlock_path_beneath_attr, which is packed.
	rule := binary.NativeEndian.AppendUint64(nil, unix.LANDLOCK_ACCESS_FS_REFER)
	rule = binary.NativeEndian.AppendUint32(rule, uint32(root))                                                                                             //nolint:gosec // a descriptor
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule[0])), 0, 0, 0) //nolint:gosec // the call takes a pointer
	if errno != 0 {
		return fmt.Errorf("adding a Landlock rule: %w", errno)
	}
	return nil
}
