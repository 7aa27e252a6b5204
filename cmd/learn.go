package cmd

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/event"
)

type learnVerb struct {
	ruleFlags
	Output  string   `short:"o" placeholder:"FILE" help:"Write the rules to FILE, which --settings takes."`
	Write   bool     `help:"Write them to .srt.toml of this repository or folder, and trust that."`
	Command []string `arg:"" optional:"" passthrough:"partial" name:"command" help:"The command and its words."`
}

// mostRounds is how often a command is run: each time it may get further.
const mostRounds = 10

// Run runs a command, again and again with what it was refused, as far as the user
// agrees, and proposes the rules.
func (v *learnVerb) Run(t streams, c *tree) error {
	line := c.runLine(v.ruleFlags, afterDashes(v.Command))
	if line.line == "" && len(line.command) == 0 {
		return usageError{text: sayNoCommand, status: statusFailed}
	}
	o := t.options(&line)
	o.NoLog, o.Yes = true, false // --yes is for what is learnt
	var rules, left []core.Proposal
	status := statusOK
	for round := 1; ; round++ {
		now := o.With(rules)
		report, err := learnRound(now)
		if err != nil {
			return err
		}
		status = report.Code
		d, err := core.Decide(now)
		if err != nil {
			return err //nolint:wrapcheck // says what it means
		}
		more, others := d.Learn(report.Events)
		if left = others; len(more) == 0 {
			break
		}
		rules = core.Smallest(append(rules, more...))
		if round == mostRounds {
			t.warn(sayLearnEnds(mostRounds))
			break
		}
		for _, p := range more {
			t.print(sayLearnt(p))
		}
		if !v.Yes && (!t.canAsk() || !t.ask(sayLearnAsk)) {
			t.print(sayLearnStops)
			break
		}
		if err := makeFolders(more); err != nil {
			return err
		}
	}
	for _, p := range left {
		t.warn(sayLeftOut(p, p.Never+p.Careful))
	}
	if err := v.propose(t, o, rules); err != nil {
		return err
	}
	return exitError(status)
}

// learnRound runs the command once.
func learnRound(o core.Options) (event.Report, error) {
	h := newHandler(&o)
	defer h.stop()
	report, err := core.Run(context.Background(), o)
	if err == nil && h.fatal() != 0 {
		return report, exitError(128 + int(h.fatal()))
	}
	return report, err //nolint:wrapcheck // says what it means
}

// propose shows the rules as a change of the settings of this folder, and writes them
// where they are wanted.
func (v *learnVerb) propose(t streams, o core.Options, rules []core.Proposal) error {
	if len(rules) == 0 {
		t.print(sayLearntNothing)
		return nil
	}
	additions := make([]config.Addition, len(rules))
	for i, p := range rules {
		additions[i] = p.Addition
	}
	if v.Output != "" {
		text, err := config.Add([]byte(sayLearntFrom(o.Args, o.Line)), additions)
		if err != nil {
			return err //nolint:wrapcheck // names the list
		}
		if err := os.WriteFile(v.Output, text, 0o644); err != nil { //nolint:gosec // settings hold no secrets
			return err //nolint:wrapcheck // names the file
		}
	}
	from, err := layers("")
	if err != nil {
		return err
	}
	change, err := config.ChangeProject(from, additions)
	if err != nil {
		if v.Output != "" && !v.Write {
			return nil // there is a file with the rules
		}
		return err //nolint:wrapcheck // names the file
	}
	t.text(config.Diff(change.Shown, change.Old, change.New))
	if !v.Write {
		return nil
	}
	if !v.Yes {
		if !t.canAsk() {
			return usageError{text: sayAllowAsk, hint: hintAllowYes, status: statusFailed}
		}
		if !t.ask(sayAllowQuestion(change, true)) {
			return usageError{text: sayNotAllowed, status: statusFailed}
		}
	}
	if err := makeFolders(rules); err != nil {
		return err
	}
	return change.Write(from) //nolint:wrapcheck // names the file
}

// makeFolders makes the caches that are opened, which have to be there for that.
func makeFolders(rules []core.Proposal) error {
	for _, p := range rules {
		if p.Make == "" || !p.MakeDir {
			continue
		}
		if _, err := os.Lstat(p.Make); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.MkdirAll(p.Make, 0o755); err != nil { //nolint:gosec // as the tool would
			return err //nolint:wrapcheck // names the folder
		}
	}
	return nil
}

// words are those that a line or a command is shown by.
func lineWords(args []string, line string) []string {
	if line != "" {
		return []string{"-c", line}
	}
	return slices.Clone(args)
}
