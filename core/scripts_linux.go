package core

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/sandbox/inner"
)

// realWorkingDir is where the kernel says that this process is; PWD is anybody's word.
func realWorkingDir() (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Getcwd(buf)
	if err != nil {
		return "", os.NewSyscallError("getcwd", err)
	}
	dir := unix.ByteSliceToString(buf[:n])
	if dir == "" || dir[0] != '/' {
		return "", fmt.Errorf("the working folder is out of reach (%q)", dir)
	}
	return dir, nil
}

// becomeScript enters the wall and becomes the shell.
func becomeScript(rules inner.Rules, shell string, args, environ []string) error {
	// The wall holds for this thread, which is the one that becomes the shell.
	runtime.LockOSThread()
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("%w: closing descriptors: %w", ErrScriptWall, err)
	}
	if err := inner.Enter(rules); err != nil {
		return fmt.Errorf("%w: %w", ErrScriptWall, err)
	}
	err := syscall.Exec(shell, args, environ)
	code := 126
	if errors.Is(err, syscall.ENOENT) {
		code = 127
	}
	return &CommandError{Code: code, Err: &os.PathError{Op: "running", Path: shell, Err: err}}
}
