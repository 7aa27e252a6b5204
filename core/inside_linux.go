package core

import (
	"os"

	"golang.org/x/sys/unix"
)

// Inside reports whether this process runs in a sandbox of srt. The variable alone,
// which anybody can set, is not enough: the kernel must say too that a system call
// filter holds and that no program gains rights (prctl(2)).
func Inside() bool {
	if os.Getenv("SRT_ACTIVE") == "" {
		return false
	}
	privs, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	if err != nil || privs != 1 {
		return false
	}
	mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	return err == nil && mode == unix.SECCOMP_MODE_FILTER
}
