package sandbox

import (
	"slices"
	"testing"
)

func TestPlanLimits(t *testing.T) {
	all := Limits{Memory: 1 << 30, Processes: 100, CPU: 2}
	for _, c := range []struct {
		name        string
		limits      Limits
		facts       facts
		controllers []string
		want        map[string]string
		weak        []string
		rlimit      rlimits
	}{
		{name: "nothing asked for", facts: facts{release: "6.1"}, controllers: []string{"memory"}},
		{
			name: "a cgroup for all", limits: all, facts: facts{root: true, release: "5.15.0-generic"},
			controllers: []string{"memory", "pids", "cpu"},
			want:        map[string]string{"memory": byCgroup, "processes": byCgroup, "cpu": byCgroup},
		},
		{
			name: "a cgroup without cpu", limits: all, facts: facts{release: "6.1"},
			controllers: []string{"memory", "pids"},
			want:        map[string]string{"memory": byCgroup, "processes": byCgroup, "cpu": notEnforced}, weak: []string{"cpu"},
		},
		{
			name: "an ordinary user without cgroups", limits: all, facts: facts{release: "6.1.0"},
			want: map[string]string{"memory": byAS, "processes": byNproc, "cpu": notEnforced}, weak: []string{"memory", "cpu"},
			rlimit: rlimits{memory: 1 << 30, processes: 101},
		},
		{
			name: "an old kernel", limits: Limits{Processes: 100}, facts: facts{release: "5.13.19"},
			want: map[string]string{"processes": byNprocUser}, weak: []string{"processes"}, rlimit: rlimits{processes: 101},
		},
		{
			name: "root", limits: Limits{Processes: 100}, facts: facts{root: true, release: "6.14"},
			want: map[string]string{"processes": byPidMax}, weak: []string{"processes"}, rlimit: rlimits{pidMax: 401},
		},
		{
			// There pid_max is the whole system's.
			name: "root on an older kernel", limits: Limits{Processes: 100}, facts: facts{root: true, release: "6.13.9"},
			want: map[string]string{"processes": notEnforced}, weak: []string{"processes"},
		},
		{
			name: "root on a kernel without a version", limits: Limits{Processes: 100}, facts: facts{root: true},
			want: map[string]string{"processes": notEnforced}, weak: []string{"processes"},
		},
	} {
		plan := planLimits(c.limits, c.facts, func(want []string) *cgroupPlace {
			if have := common(want, c.controllers); have != nil {
				return &cgroupPlace{controllers: have}
			}
			return nil
		})
		got := map[string]string{}
		for _, m := range plan.Measures {
			got[m.Name] = m.Detail
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: measures %v, want %v", c.name, got, c.want)
		}
		for name, detail := range c.want {
			if got[name] != detail {
				t.Errorf("%s: %s: %q, want %q", c.name, name, got[name], detail)
			}
		}
		var weak []string
		for _, m := range plan.Measures {
			if m.Lacking() {
				weak = append(weak, m.Name)
			}
		}
		if !slices.Equal(weak, c.weak) {
			t.Errorf("%s: lacking %v, want %v", c.name, weak, c.weak)
		}
		if plan.rlimit != c.rlimit {
			t.Errorf("%s: rlimits %+v, want %+v", c.name, plan.rlimit, c.rlimit)
		}
	}
}

func TestCPUMax(t *testing.T) {
	for processors, want := range map[float64]string{2: "200000 100000", 0.5: "50000 100000", 0.001: "1000 100000"} {
		if got := cpuMax(processors); got != want {
			t.Errorf("cpuMax(%v) = %q, want %q", processors, got, want)
		}
	}
}
