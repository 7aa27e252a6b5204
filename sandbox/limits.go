package sandbox

import (
	"slices"
	"strconv"
	"strings"
)

// Limits bounds what all processes of a sandbox use together. 0 is no limit.
type Limits struct {
	Memory    uint64  // bytes
	Processes int     // the command's own processes and threads at once
	CPU       float64 // processors' worth of time
}

// The names of limits, as in the Measures of a LimitPlan and in [Sandbox.Reached].
const (
	LimitMemory    = "memory"
	LimitProcesses = "processes"
	LimitCPU       = "cpu"
)

// LimitPlan says how limits will be enforced on this system.
type LimitPlan struct {
	Limits   Limits
	Measures []Measure // one for each limit that is set

	place  *cgroupPlace // nil: no cgroup is used
	rlimit rlimits
}

// rlimits are what stands in where there is no cgroup; 0 is no limit.
type rlimits struct {
	memory    uint64 // of each process, RLIMIT_AS
	processes int    // in the user namespace, RLIMIT_NPROC
	pidMax    int    // of the PID namespace, /proc/sys/kernel/pid_max
}

// facts are what the choice of an enforcement rests on.
type facts struct {
	root    bool   // user 0 of the system, whom RLIMIT_NPROC does not hold for
	release string // of the kernel
}

// Details of measures.
const (
	byCgroup     = "cgroup v2"
	byAS         = "by rlimit, for each process and not for all (weaker)"
	byNproc      = "by rlimit, counted for the sandbox alone"
	byNprocUser  = "by rlimit, counted with all else that this user runs (weaker)"
	byPidMax     = "by the PID namespace, and up to 300 more (weaker)"
	notEnforced  = "cannot be enforced here"
	reservedPIDs = 300 // RESERVED_PIDS of the kernel: numbers below are not given out twice
)

// planLimits chooses the enforcement of each limit. find looks for a place for a
// cgroup with some of the controllers that it is given.
func planLimits(l Limits, f facts, find func(controllers []string) *cgroupPlace) *LimitPlan {
	p := &LimitPlan{Limits: l}
	var want []string
	for _, c := range []struct {
		set        bool
		controller string
	}{{l.Memory > 0, "memory"}, {l.Processes > 0, "pids"}, {l.CPU > 0, "cpu"}} {
		if c.set {
			want = append(want, c.controller)
		}
	}
	if len(want) == 0 {
		return p
	}
	p.place = find(want)
	add := func(name, detail string, inForce bool) {
		p.Measures = append(p.Measures, Measure{Name: name, InForce: inForce, Weaker: strings.HasSuffix(detail, "(weaker)"), Detail: detail})
	}
	switch {
	case l.Memory == 0:
	case p.place.has("memory"):
		add(LimitMemory, byCgroup, true)
	default:
		p.rlimit.memory = l.Memory
		add(LimitMemory, byAS, true)
	}
	switch {
	case l.Processes == 0:
	case p.place.has("pids"):
		add(LimitProcesses, byCgroup, true)
	case !f.root:
		// Bubblewrap's first process counts too.
		p.rlimit.processes = l.Processes + 1
		if AtLeast(f.release, 5, 14) {
			add(LimitProcesses, byNproc, true)
		} else {
			add(LimitProcesses, byNprocUser, true)
		}
	case AtLeast(f.release, 6, 14):
		// Before, the value was that of the whole system.
		p.rlimit.pidMax = l.Processes + reservedPIDs + 1
		add(LimitProcesses, byPidMax, true)
	default:
		add(LimitProcesses, notEnforced, false)
	}
	switch {
	case l.CPU == 0:
	case p.place.has("cpu"):
		add(LimitCPU, byCgroup, true)
	default:
		add(LimitCPU, notEnforced, false)
	}
	return p
}

// AtLeast compares the version that a text begins with, such as the release of a kernel.
func AtLeast(version string, major, minor int) bool {
	first, rest, _ := strings.Cut(version, ".")
	second := rest
	if end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		second = rest[:end]
	}
	a, err := strconv.Atoi(first)
	if err != nil {
		return false
	}
	b, err := strconv.Atoi(second)
	return err == nil && (a > major || a == major && b >= minor)
}

func (p *cgroupPlace) has(controller string) bool {
	if p == nil {
		return false
	}
	return slices.Contains(p.controllers, controller)
}

func common(want, have []string) []string {
	var both []string
	for _, w := range want {
		if slices.Contains(have, w) {
			both = append(both, w)
		}
	}
	return both
}

// cpuMax spells a limit for the file cpu.max: microseconds of a tenth of a second.
func cpuMax(processors float64) string {
	const period = 100_000
	return strconv.Itoa(max(1000, int(processors*period))) + " " + strconv.Itoa(period)
}
