package core

import (
	"fmt"
	"strings"
	"time"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/event"
	"github.com/srt-sh/srt/core/policy"
	"github.com/srt-sh/srt/sandbox"
)

// Limit is one limit of a run: what it says, where it is set, and how far this
// system enforces it.
type Limit struct {
	Name    string // "memory"
	Value   string // "4GiB"
	Origin  policy.Origin
	Measure sandbox.Measure
}

// killAfter is how long a command has to end by itself when its time is up.
const killAfter = 5 * time.Second

// Details of measures that srt itself takes.
const (
	byTimer = "a timer of srt: SIGTERM to the command, SIGKILL to all 5 s later"
	byTmpfs = "the size of the private TMPDIR, and of /dev/shm"
)

// planLimits finds out how the limits of some settings can be enforced here.
func planLimits(l *config.Limits) (*sandbox.LimitPlan, []Limit) {
	plan := sandbox.PlanLimits(sandbox.Limits{
		Memory: l.Memory.Value, Processes: l.Processes.Value, CPU: l.CPU.Value,
	})
	var limits []Limit
	for _, m := range plan.Measures {
		limit := Limit{Name: m.Name, Measure: m}
		switch m.Name {
		case sandbox.LimitMemory:
			limit.Value, limit.Origin = config.FormatSize(l.Memory.Value), l.Memory.Origin
		case sandbox.LimitProcesses:
			limit.Value, limit.Origin = fmt.Sprint(l.Processes.Value), l.Processes.Origin
		case sandbox.LimitCPU:
			limit.Value, limit.Origin = config.FormatCPU(l.CPU.Value), l.CPU.Origin
		}
		limits = append(limits, limit)
	}
	if l.Time.Set {
		limits = append(limits, Limit{
			Name: "time", Value: config.FormatDuration(l.Time.Value), Origin: l.Time.Origin,
			Measure: sandbox.Measure{Name: "time", InForce: true, Detail: byTimer},
		})
	}
	if l.Tmp.Set {
		limits = append(limits, Limit{
			Name: "tmp", Value: config.FormatSize(l.Tmp.Value), Origin: l.Tmp.Origin,
			Measure: sandbox.Measure{Name: "tmp", InForce: true, Detail: byTmpfs},
		})
	}
	return plan, limits
}

// WeakerError says that something that the settings ask for can be had in a weaker
// form only, or not at all, and that nobody has accepted that.
type WeakerError struct {
	Name string // what allow_weaker would have to name
	What string // what is lacking, and where it is asked for
}

func (e *WeakerError) Error() string { return e.What }

// acceptWeaker refuses measures that are not fully in force, unless the settings
// accept that under a name of config.WeakerNames.
func acceptWeaker(cfg *config.Config, name string, lacking []string) error {
	if len(lacking) == 0 || cfg.AllowsWeaker(name) != nil {
		return nil
	}
	return &WeakerError{Name: name, What: strings.Join(lacking, "; ")}
}

// nextStep says how to get the full form, or to accept the weaker one.
func (e *WeakerError) nextStep() string {
	accept := "accept that by srt run --allow-weaker " + e.Name + ", or allow_weaker = [\"" + e.Name + "\"] in your settings"
	if e.Name == "limits" {
		return hintDelegate + "; or " + accept
	}
	return accept
}

const hintDelegate = "start srt where it may make cgroups, such as by systemd-run --user --scope -p Delegate=yes srt …"

// refuseWeakLimits refuses limits that are not, or only in part, enforced here.
func (e *engine) refuseWeakLimits() error {
	var lacking []string
	for _, l := range e.limits {
		if l.Measure.Lacking() {
			how := l.Measure.Detail
			if l.Measure.InForce {
				how = "only enforced " + how
			}
			lacking = append(lacking, fmt.Sprintf("limit %s %s (%s): %s", l.Name, l.Value, l.Origin, how))
		}
	}
	return acceptWeaker(e.cfg, "limits", lacking)
}

// limitReached records that a limit was enforced with force.
func (e *engine) limitReached(name, what string) {
	for _, l := range e.limits {
		if l.Name == name {
			e.events.Add(event.Event{
				Kind: event.Limit, Target: l.Name + " " + l.Value, Reason: what,
				Rule: "the limit of " + l.Origin.String(),
			})
		}
	}
}

// reachedWords say what the kernel did about each limit that it can tell of.
func reachedWords(name string) string {
	if name == sandbox.LimitMemory {
		return "the command was killed for using more"
	}
	return "the command was refused more"
}
