package core

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/policy"
	"github.com/srt-sh/srt/sandbox"
)

// Explanation is what [Run] would do.
type Explanation struct {
	Args    []string
	Program string // the file that Args[0] stands for
	Dir     string
	Preset  string // the preset in force, "" if there is none
	Matched string // the rule that chose it, "" if it was named
	Rule    string // the first [[command]] rule that fits and where it stands, "" if none does or a preset was named
	Held    bool   // the file of that rule is not trusted, so that its preset does not count
	Config  *config.Config
	Policy  *policy.Policy
	Plan    *sandbox.Plan
	Limits  []Limit
	Bwrap   string   // bubblewrap, "" if there is none
	Dropped []string // variables that the command does not get
	Set     []string // variables that it gets or that change, without their values
	Ageless string   // the tool of the preset that guard.min_release_age does not reach, "" if there is none
}

// Explain decides all that Run decides, and starts nothing.
func Explain(o Options) (*Explanation, error) {
	e, err := open(o)
	if err != nil {
		return nil, err
	}
	if err := e.decide(); err != nil {
		return nil, err
	}
	x := &Explanation{
		Args: e.o.Args, Program: inDir(e.o.Dir, e.program), Dir: e.o.Dir, Matched: e.matched,
		Config: e.cfg, Policy: e.policy.Load(), Plan: e.plan, Limits: e.limits, Dropped: e.dropped, Ageless: e.ageless,
	}
	if e.preset != nil {
		x.Preset = e.preset.Name
	}
	if e.rule != nil {
		x.Rule, x.Held = e.rule.String(), e.rule.Held
	}
	// What is missing here does not keep the rest from being explained.
	x.Bwrap, _ = findBwrap(e.cfg)
	before := newEnvironment(e.o.Environ)
	for _, entry := range e.spec.Env {
		name, value, _ := strings.Cut(entry, "=")
		if old, known := before.values[name]; !known || old != value {
			x.Set = append(x.Set, name)
		}
	}
	return x, nil
}

// Wrapped is a command line that runs another one in a sandbox.
type Wrapped struct {
	Args []string // of the program to start instead
	Env  []string // its environment
	Dir  string
}

// Cmd makes a process of it that has not started, with no streams yet.
func (w *Wrapped) Cmd(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, w.Args[0], w.Args[1:]...)
	cmd.Env, cmd.Dir = w.Env, w.Dir
	return cmd
}

// Wrap gives the command line of the srt program at path that runs the command
// of o in a sandbox, for those who start processes by other means than [Run]. It
// checks that the settings can be used and the command can be found. Args, Line,
// Dir, Environ, Settings, NoProject, Preset, Flags and Yes count; the home folder is that of
// Environ.
func Wrap(path string, o Options) (*Wrapped, error) {
	o.Home = ""
	e, err := open(o)
	if err != nil {
		return nil, err
	}
	if err := e.decide(); err != nil {
		return nil, err
	}
	return &Wrapped{
		Args: slices.Concat([]string{path}, runWords(o), []string{"--"}, e.o.Args),
		Env:  e.o.Environ, Dir: e.o.Dir,
	}, nil
}

// runWords are the words of srt that run a command as o says.
func runWords(o Options) []string {
	var args []string
	if o.Settings != "" {
		args = append(args, "--settings", o.Settings)
	}
	args = append(args, "run")
	if o.Preset != "" {
		args = append(args, "--preset", o.Preset)
	}
	if o.Line != "" && o.Preset == "" {
		args = append(args, "--preset", "none") // none applies to a line by itself
	}
	for _, list := range []struct {
		flag   string
		values []string
	}{
		{"--allow-write", o.Flags.AllowWrite},
		{"--deny-write", o.Flags.DenyWrite},
		{"--allow-read", o.Flags.AllowRead},
		{"--deny-read", o.Flags.DenyRead},
		{"--allow-domain", o.Flags.AllowDomain},
		{"--deny-domain", o.Flags.DenyDomain},
		{"--limit", o.Flags.Limit},
		{"--allow-weaker", o.Flags.AllowWeaker},
	} {
		for _, value := range list.values {
			args = append(args, fmt.Sprintf("%s=%s", list.flag, value))
		}
	}
	if o.NoProject {
		args = append(args, "--no-project")
	}
	if o.Yes {
		args = append(args, "--yes")
	}
	return args
}
