package cmd

import (
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/fence"
	"github.com/srt-sh/srt/shellinit"
)

// statusByHand is how install ends when the user has to write the lines.
const statusByHand = 3

type installFlags struct {
	Shell  string `placeholder:"SHELL" help:"The shell, zsh, bash or fish. By default that of $$SHELL."`
	DryRun bool   `help:"Show what would be changed, and change nothing."`
	Yes    bool   `help:"Do not ask."`
}

type installVerb struct{ installFlags }

type uninstallVerb struct{ installFlags }

// Run writes the line that starts the integration into the shell's start-up file.
func (v *installVerb) Run(t streams) error {
	values, err := shellValues(shellGit())
	if values.Srt == "" {
		return err
	}
	if err != nil {
		t.warn(err.Error())
	}
	shell, err := v.shell()
	if err != nil {
		return err
	}
	home, _, _ := core.Options{}.Roots()
	file := shellinit.StartFile(shell, home, os.Getenv)
	srt := values.Srt
	// The start-up files of fish are read before those that set its PATH.
	if onPath(srt) && shell != "fish" {
		srt = ""
	}
	block := shellinit.Block(shell, srt)
	change, err := shellinit.Install(file, block)
	if errors.Is(err, shellinit.ErrChanged) {
		return usageError{text: sayFenceChanged(file), hint: hintFenceChanged, status: statusFailed}
	}
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	if change.Same() {
		t.answer(sayFenceThere(file))
		return nil
	}
	if change.ReadOnly() {
		t.warn(sayFenceReadOnly(file))
		t.text(block)
		return exitError(statusByHand)
	}
	done, err := v.change(t, change)
	if done {
		t.answer(sayInstalled(file))
	}
	return err
}

// Run takes it out again, with the shims if no shell needs them any more.
func (v *uninstallVerb) Run(t streams) error {
	home, _, err := core.Options{}.Roots()
	if home == "" {
		return err //nolint:wrapcheck // says what to do
	}
	shells := shellinit.Shells()
	if v.Shell != "" {
		shell, err := v.shell()
		if err != nil {
			return err
		}
		shells = []string{shell}
	}
	removed := false
	var failed error
	for _, shell := range shells {
		file := shellinit.StartFile(shell, home, os.Getenv)
		change, err := shellinit.Uninstall(file)
		switch {
		case errors.Is(err, shellinit.ErrChanged):
			failed = usageError{text: sayFenceChanged(file), hint: hintFenceByHand, status: statusFailed}
			continue
		case err != nil:
			return err //nolint:wrapcheck // names the file
		case change.Same():
			continue
		case change.ReadOnly():
			failed = usageError{text: sayFenceKept(file), hint: hintFenceByHand, status: statusByHand}
			continue
		}
		done, err := v.change(t, change)
		if err != nil {
			return err
		}
		if done {
			removed = true
			t.answer(sayUninstalled(file))
		}
	}
	needed := slices.ContainsFunc(shellinit.Shells(), func(shell string) bool {
		return shellinit.Installed(shellinit.StartFile(shell, home, os.Getenv))
	})
	if !needed && !v.DryRun {
		n, err := shellinit.RemoveShims(shellinit.ShimDir(home, os.Getenv))
		if err != nil {
			return err //nolint:wrapcheck // names the file
		}
		if n > 0 {
			removed = true
			t.answer(sayShimsRemoved(n))
		}
	}
	switch {
	case failed != nil:
		return failed
	case removed:
		t.answer(sayOpenShells)
	case !needed:
		t.answer(sayNothingInstalled)
	}
	return nil
}

// shell is the shell that is meant.
func (v *installFlags) shell() (string, error) {
	shell := v.Shell
	if shell == "" {
		shell = filepath.Base(os.Getenv("SHELL"))
	}
	if !slices.Contains(shellinit.Shells(), shell) {
		return "", usageError{text: sayNoShell(shell), hint: hintShell}
	}
	return shell, nil
}

// change shows a change, asks, and makes it. It reports whether it was made.
func (v *installFlags) change(t streams, c *fence.Change) (bool, error) {
	t.text(c.Diff())
	if v.DryRun {
		return false, nil
	}
	if !v.Yes {
		if !t.canAsk() {
			return false, usageError{text: sayCannotAsk, hint: hintYes, status: statusFailed}
		}
		if !t.ask(askWrite(c.File)) {
			return false, exitError(statusFailed)
		}
	}
	if err := c.Write(); err != nil {
		return false, err //nolint:wrapcheck // names the file
	}
	return true, nil
}

// onPath reports whether the name srt leads to a file.
func onPath(srt string) bool {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.Join(dir, "srt") == srt {
			return true
		}
	}
	return false
}
