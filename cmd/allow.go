package cmd

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"syscall"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/event"
)

type allowVerb struct {
	Last    bool `help:"Allow all that was blocked of the last command in this folder."`
	User    bool `help:"Write it to your settings, for all commands. This is the default."`
	Project bool `help:"Write it to .srt.toml of this repository or folder, and trust that."`
	Once    bool `help:"Write nothing, and run the command again with it."`
	Yes     bool `help:"Do not ask."`
	DryRun  bool `help:"Show what would be changed, and change nothing."`
	Force   bool `help:"Allow also what should not be opened lightly."`
	N       int  `arg:"" optional:"" name:"n" help:"A number of srt violations."`
}

// Run allows what was blocked.
func (v *allowVerb) Run(t streams) error {
	if v.User && (v.Project || v.Once) || v.Project && v.Once {
		return usageError{text: sayAllowOne}
	}
	events, err := v.events()
	if err != nil {
		return err
	}
	o, err := t.optionsOf(events[0])
	if err != nil {
		return err
	}
	d, err := core.Decide(o)
	if err != nil {
		return err //nolint:wrapcheck // says what it means
	}
	proposals := v.proposals(t, d, events)
	if len(proposals) == 0 {
		return usageError{text: sayAllowNothing, status: statusFailed}
	}
	if v.Once {
		return v.once(t, events[0], proposals)
	}
	return v.write(t, o, events, proposals)
}

// events are those to allow, of one run.
func (v *allowVerb) events() ([]*event.Violation, error) {
	switch {
	case v.Last == (v.N != 0):
		return nil, usageError{text: sayAllowWhat, hint: hintViolations}
	case v.Last:
		last, err := lastRun()
		if err == nil && len(last) == 0 {
			err = usageError{text: sayNothingHere, hint: hintViolations, status: statusFailed}
		}
		last = slices.DeleteFunc(last, func(x *event.Violation) bool { return !x.Kind.Blocked() })
		return last, err
	}
	found, err := findViolation("n", v.N)
	return []*event.Violation{found}, err
}

// proposals finds the rules, and says what is left out and why.
func (v *allowVerb) proposals(t streams, d *core.Decided, events []*event.Violation) []core.Proposal {
	var list []core.Proposal
	careful := false
	for _, e := range events {
		p := d.Propose(e.Event())
		switch {
		case e.Clipped:
			t.warn(sayLeftOut(p, sayClipped(e.N)))
		case p.Already:
			t.print("srt: " + sayLeftOut(p, sayAllowedByNow))
		case p.Never != "":
			t.warn(sayLeftOut(p, p.Never))
		case p.Careful != "" && !v.Force:
			careful = true
			t.warn(sayLeftOut(p, p.Careful))
		default:
			list = append(list, p)
		}
	}
	if careful {
		t.hint(hintForce)
	}
	return core.Smallest(list)
}

// once runs the command again with options that allow it.
func (v *allowVerb) once(t streams, of *event.Violation, proposals []core.Proposal) error {
	args := slices.Clone(of.Options)
	for _, p := range proposals {
		if p.Flag == "" {
			return usageError{text: sayOnceSocket, status: statusFailed}
		}
		args = append(args, p.Flag)
	}
	args = slices.Concat(args, []string{"--"}, of.Command)
	line := "srt " + shellWords(args)
	if _, here, err := (core.Options{}).Roots(); err == nil && here != of.Dir {
		line = "cd " + shellWords([]string{of.Dir}) + " && " + line
	}
	t.answer(line)
	if v.DryRun {
		return nil
	}
	if !v.Yes {
		if !t.canAsk() {
			return usageError{text: sayAllowAsk, hint: hintAllowYes, status: statusFailed}
		}
		if !t.ask(sayOnceAsk) {
			return exitError(statusFailed)
		}
	}
	if err := makePlaces(proposals); err != nil {
		return err
	}
	p, err := scan(args)
	if err != nil {
		return err
	}
	o := t.options(&p.run)
	o.Dir = of.Dir
	return exitError(t.runWith(o, sayYourSettings, true))
}

// write puts the rules into a settings file.
func (v *allowVerb) write(t streams, o core.Options, events []*event.Violation, proposals []core.Proposal) error {
	from, err := layers(o.Settings)
	if err != nil {
		return err
	}
	from.Dir = o.Dir
	if o.Settings != "" {
		return usageError{text: sayAllowSettings(o.Settings), hint: hintAllowSettings, status: statusFailed}
	}
	change := config.ChangeUser
	if v.Project {
		change = config.ChangeProject
	}
	plan := func() (*config.Change, error) {
		additions := make([]config.Addition, len(proposals))
		for i, p := range proposals {
			additions[i] = p.Addition
		}
		return change(from, additions)
	}
	c, err := plan()
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	// What the rules would do is asked of what decides.
	then := o
	then.Contents = map[string][]byte{c.File: c.New}
	d, err := core.Decide(then)
	if err != nil {
		return err //nolint:wrapcheck // says what it means
	}
	left := slices.DeleteFunc(slices.Clone(proposals), func(p core.Proposal) bool {
		dec := d.Allows(p.Event)
		if !dec.Allow {
			t.warn(sayLeftOut(p, sayStillDenied(dec)))
		}
		return !dec.Allow
	})
	if len(left) == 0 {
		return usageError{text: sayAllowNothing, status: statusFailed}
	}
	if len(left) < len(proposals) {
		proposals = left
		if c, err = plan(); err != nil {
			return err //nolint:wrapcheck // names the file
		}
	}
	t.text(config.Diff(c.Shown, c.Old, c.New))
	for _, p := range proposals {
		if p.Make != "" {
			t.answer(sayMakes(p))
		}
	}
	if v.DryRun {
		return nil
	}
	if !v.Yes {
		if !t.canAsk() {
			return usageError{text: sayAllowAsk, hint: hintAllowYes, status: statusFailed}
		}
		if !t.ask(sayAllowQuestion(c, v.Project)) {
			return usageError{text: sayNotAllowed, status: statusFailed}
		}
	}
	if err := makePlaces(proposals); err != nil {
		return err
	}
	if err := c.Write(from); err != nil {
		return err //nolint:wrapcheck // names the file
	}
	if told := tellRunning(events); told > 0 {
		t.print(sayTold(told))
	}
	t.hint(sayUndo(c))
	return nil
}

// makePlaces makes what has to be there for a rule to hold.
func makePlaces(proposals []core.Proposal) error {
	for _, p := range proposals {
		switch {
		case p.Make == "":
		case p.MakeDir:
			if err := os.Mkdir(p.Make, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
				return err //nolint:wrapcheck // names the folder
			}
		default:
			f, err := os.OpenFile(p.Make, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if errors.Is(err, fs.ErrExist) {
				continue
			}
			if err != nil {
				return err //nolint:wrapcheck // names the file
			}
			if err := f.Close(); err != nil {
				return err //nolint:wrapcheck // likewise
			}
		}
	}
	return nil
}

// tellRunning has the runs that were refused something of it read their settings again,
// as far as they go on, and counts them. A process that is not srt, or not that run any
// more, is left alone.
func tellRunning(events []*event.Violation) int {
	all, err := core.Violations(core.Options{})
	if err != nil {
		return 0
	}
	self, err := os.Stat("/proc/self/exe")
	if err != nil {
		return 0
	}
	var runs []string
	for _, x := range all {
		if x.Kind == event.Connect && !slices.Contains(runs, x.Run) && slices.ContainsFunc(events, func(e *event.Violation) bool { return e.Kind == x.Kind && e.Target == x.Target }) {
			runs = append(runs, x.Run)
		}
	}
	told := 0
	for _, run := range runs {
		pid := event.RunningPID(run)
		if pid == 0 || pid == os.Getpid() {
			continue
		}
		if exe, err := os.Stat(procExe(pid)); err != nil || !os.SameFile(self, exe) {
			continue
		}
		if syscall.Kill(pid, syscall.SIGHUP) == nil {
			told++
		}
	}
	return told
}

// procExe is the file that a process runs.
func procExe(pid int) string { return "/proc/" + strconv.Itoa(pid) + "/exe" }
