package core

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"syscall"

	"github.com/srt-sh/srt/sandbox"
)

// pnpmLocks are folders in /tmp, whatever TMPDIR says, in which pnpm 12 keeps its runs
// apart that use one store or one project.
var pnpmLocks = []string{"/tmp/pnpm-store-operation-locks-", "/tmp/pnpm-dir-locks-", "/tmp/pnpm-modules-swaps-", "/tmp/pnpm-verify-deps-install-locks-"}

// lockPnpm lets pnpm write there. The folders are made if they are not there, as
// pnpm does, so that nobody else puts a link in their place; one that is not this user's
// stays closed.
func (e *engine) lockPnpm() {
	if !slices.Contains(e.parts, "pnpm") || e.spec.OpenFiles {
		return
	}
	for _, prefix := range pnpmLocks {
		dir := prefix + strconv.Itoa(os.Getuid())
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			continue
		}
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() {
			continue
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Getuid() {
			continue
		}
		e.spec.Rules = append(e.spec.Rules, sandbox.PathRule{Op: sandbox.AllowWrite, Path: dir, Cache: true, Reason: "pnpm keeps its locks there"})
	}
}
