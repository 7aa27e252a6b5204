package sandbox

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/sandbox/stage"
)

// PlanLimits finds out how limits can be enforced here. It changes nothing.
func PlanLimits(l Limits) *LimitPlan {
	if l == (Limits{}) {
		return &LimitPlan{}
	}
	var name unix.Utsname
	_ = unix.Uname(&name) // without a release, nothing new is relied on
	f := facts{root: isSystemRoot(), release: unix.ByteSliceToString(name.Release[:])}
	return planLimits(l, f, func(controllers []string) *cgroupPlace {
		fs, err := systemCgroups()
		if err != nil {
			return nil
		}
		return fs.find(controllers)
	})
}

// isSystemRoot reports whether this is, or may be, user 0 of the system: the kernel
// exempts that one from RLIMIT_NPROC, in whatever namespace it is.
func isSystemRoot() bool {
	if os.Getuid() != 0 {
		return false
	}
	text, err := os.ReadFile("/proc/self/uid_map")
	fields := strings.Fields(string(text))
	return err != nil || len(fields) < 2 || fields[0] != "0" || fields[1] == "0"
}

// order is what the stage does about the limits.
func (p *LimitPlan) order() stage.Limits {
	if p == nil {
		return stage.Limits{}
	}
	o := stage.Limits{Memory: p.rlimit.memory, Processes: p.rlimit.processes, PIDMax: p.rlimit.pidMax}
	if p.place != nil {
		o.Cgroups = p.place.mounts
	}
	return o
}
