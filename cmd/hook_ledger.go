package cmd

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/hooks"
)

// hookHome is the home folder of who asks, and this program's lasting path. Within a
// sandbox nothing can be installed, nor tried.
func hookHome() (home, srt string, err error) {
	if core.Inside() {
		return "", "", usageError{text: sayHookInside, status: statusFailed}
	}
	home, _, err = core.Options{}.Roots()
	if home == "" {
		return "", "", err //nolint:wrapcheck // says what to do
	}
	srt, err = ownPath()
	return home, srt, err
}

// hookInstall installs a guard.
func (t streams) hookInstall(g hooks.Guard, f hookFlags) error {
	tool := g.Tool
	entries, err := g.Entries()
	if err != nil {
		return usageError{text: err.Error(), status: statusFailed}
	}
	plan, err := hooks.LedgerOf(tool, g.Home, os.Getenv).Install(entries)
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	if plan.Empty() && len(plan.Left) == 0 {
		t.answer(sayToolThere(tool))
		return nil
	}
	done, err := t.hookApply(plan, f)
	if done && err == nil {
		t.answer(sayToolInstalled(tool))
	}
	return err
}

// hookUninstall takes out all that was installed for a tool.
func (t streams) hookUninstall(tool, home string, f hookFlags) error {
	plan, err := hooks.LedgerOf(tool, home, os.Getenv).Uninstall()
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	if plan.Empty() && len(plan.Left) == 0 {
		t.answer(sayNothingInstalled)
		return nil
	}
	done, err := t.hookApply(plan, f)
	if done {
		t.answer(sayToolUninstalled(tool))
	}
	return err
}

// hookApply shows a plan, asks, and makes it, and says what is left as it is. It
// reports whether it was made. Something left is a failure.
func (t streams) hookApply(plan *hooks.Plan, f hookFlags) (bool, error) {
	for _, left := range plan.Left {
		t.warn(sayHookLeft(left))
	}
	if file := plan.ReadOnly(); file != "" && !f.DryRun {
		t.text(plan.Diff())
		return false, usageError{text: sayHookReadOnly(file), hint: hintHookReadOnly, status: statusByHand}
	}
	if plan.Diff() != "" || f.DryRun {
		if ok, err := f.agree(t, plan.Diff(), askHook); !ok || err != nil {
			return false, err
		}
	}
	if err := plan.Apply(); err != nil {
		return false, err //nolint:wrapcheck // names the file
	}
	if len(plan.Left) > 0 {
		return true, exitError(statusFailed)
	}
	return true, nil
}

// hookEnv is the environment of processes that no interactive shell starts.
type hookEnv struct {
	name    string
	environ []string
}

// hookRows tries each shim of a guard, in the environment that login shells give to
// what they start. It tells which environments these are.
func (t streams) hookRows(g hooks.Guard) ([]hookRow, []hookEnv, error) {
	entries, err := hooks.LedgerOf(g.Tool, g.Home, os.Getenv).Entries()
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // names the file
	}
	if len(entries) == 0 {
		return []hookRow{{"installed", sayNotInstalled(g.Tool), rowBad}}, nil, nil
	}
	var rows []hookRow
	var envs []hookEnv
	for _, shell := range []string{"sh", "bash", "zsh", "fish"} {
		if _, err := core.FindProgram(shell); err != nil {
			continue
		}
		environ, err := hooks.LoginEnviron(context.Background(), shell, g.Home)
		if err != nil {
			rows = append(rows, hookRow{shell, sayProbeFailed(err), rowBad})
			continue
		}
		envs = append(envs, hookEnv{"login " + shell, environ})
	}
	for _, env := range append(slices.Clone(envs), hookEnv{"here", os.Environ()}) {
		var own []hookRow // one for each outcome, with the names that had it
		for _, name := range g.Names {
			if _, err := hooks.LookPath(name, env.environ); err != nil {
				continue // it is not installed
			}
			one, err := g.Try(context.Background(), name, env.environ)
			row := tried(name, one, err)
			if i := slices.IndexFunc(own, func(r hookRow) bool { return r.text == row.text }); i >= 0 {
				own[i].name += ", " + name
				continue
			}
			own = append(own, row)
		}
		for _, row := range own {
			if env.name == "here" && row.state == rowBad {
				// Only a new login has it.
				row.text, row.state = row.text+"; "+sayAfterLogin, rowNote
			}
			rows = append(rows, hookRow{env.name, row.name + ": " + row.text, row.state})
		}
	}
	return rows, envs, nil
}

// hookRow is a line of a status: what holds, or does not.
type hookRow struct {
	name, text string
	state      rowState
}

// rowState says what a line is about.
type rowState uint8

const (
	rowNote rowState = iota // what is good to know
	rowGood                 // a guard that holds
	rowBad                  // one that does not
)

// hookStatus prints a screen, and fails unless all of it holds.
func (t streams) hookStatus(rows []hookRow) error {
	var failed error
	for _, r := range rows {
		mark := "      "
		switch r.state {
		case rowGood:
			mark = "ok    "
		case rowBad:
			mark, failed = "no    ", exitError(statusFailed)
		case rowNote:
		}
		t.answer(mark + pad(r.name, 22) + r.text)
	}
	return failed
}

// tried turns what a probe has found into a line.
func tried(name string, t hooks.Tried, err error) hookRow {
	if err == nil && !t.Ran {
		err = errors.New(sayProbeSilent(t.Output))
	}
	switch {
	case err != nil:
		return hookRow{name, sayProbeFailed(err), rowBad}
	case t.Escaped:
		return hookRow{name, sayProbeEscaped, rowBad}
	}
	return hookRow{name, sayProbeHeld, rowGood}
}
