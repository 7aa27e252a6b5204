package core

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Inside reports whether this process runs in a sandbox of srt. The variable, which
// anybody can set, is only a reason to look. The kernel must say that a filter of system
// calls holds, that no program gains rights and that CAP_SYS_ADMIN is lost for good
// (prctl(2)), and that this is a user namespace with one user in it
// (user_namespaces(7)) whose network has no route out.
func Inside() bool {
	if os.Getenv("SRT_ACTIVE") == "" {
		return false
	}
	for _, fact := range []struct {
		option int
		arg    uintptr
		want   int
	}{
		{unix.PR_GET_NO_NEW_PRIVS, 0, 1},
		{unix.PR_GET_SECCOMP, 0, unix.SECCOMP_MODE_FILTER},
		{unix.PR_CAPBSET_READ, unix.CAP_SYS_ADMIN, 0},
	} {
		if got, err := unix.PrctlRetInt(fact.option, fact.arg, 0, 0, 0); err != nil || got != fact.want {
			return false
		}
	}
	users, err := os.ReadFile("/proc/self/uid_map")
	if fields := strings.Fields(string(users)); err != nil || len(fields) != 3 || fields[2] != "1" {
		return false
	}
	routes, err := os.ReadFile("/proc/net/route")
	if err != nil || strings.Count(string(routes), "\n") > 1 { // the header
		return false
	}
	routes, err = os.ReadFile("/proc/net/ipv6_route")
	for line := range strings.Lines(string(routes)) {
		if !strings.HasSuffix(line, " lo\n") {
			return false
		}
	}
	return err == nil || errors.Is(err, fs.ErrNotExist)
}
