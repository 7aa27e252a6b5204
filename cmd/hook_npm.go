package cmd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/hooks"
)

type hookNpmVerb struct {
	Install   npmInstallVerb   `cmd:"" help:"Have npm and pnpm start the scripts of packages by srt, wherever they are started."`
	Uninstall npmUninstallVerb `cmd:"" help:"Take that back, and leave what somebody else has changed."`
	Status    npmStatusVerb    `cmd:"" help:"Show what is guarded, and try it out."`
}

type npmInstallVerb struct{ hookFlags }

type npmUninstallVerb struct{ hookFlags }

type npmStatusVerb struct{}

// npmHere is the guard for this user.
func npmHere() (hooks.Npm, error) {
	home, _, err := core.Options{}.Roots()
	if home == "" {
		return hooks.Npm{}, err //nolint:wrapcheck // says what to do
	}
	srt, err := ownPath()
	return hooks.Npm{Home: home, Getenv: os.Getenv, Srt: srt}, err
}

// Run tells npm and pnpm.
func (v *npmInstallVerb) Run(t streams) error {
	n, err := npmGuard()
	if err != nil {
		return err
	}
	if _, err := core.ScriptMeasures(); err != nil {
		return usageError{text: sayNpmCannot(err), hint: hintNpmWhole, status: statusFailed}
	}
	plan, err := n.PlanInstall()
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	done, err := v.carryOut(t, plan, askNpmInstall)
	if done {
		t.answer(sayNpmInstalled)
		t.hint(hintNpmHere(core.ScriptVariables(), n.Shell()))
	}
	return err
}

// Run takes it back.
func (v *npmUninstallVerb) Run(t streams) error {
	n, err := npmGuard()
	if err != nil {
		return err
	}
	plan, err := n.PlanUninstall()
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	done, err := v.carryOut(t, plan, askNpmUninstall)
	if done {
		t.answer(sayNpmUninstalled)
		t.hint(hintNpmUnset(core.ScriptVariables()))
	}
	return err
}

// npmGuard is npmHere for what changes something.
func npmGuard() (hooks.Npm, error) {
	if core.Inside() {
		return hooks.Npm{}, usageError{text: sayHookInside, status: statusFailed}
	}
	return npmHere()
}

// carryOut shows a plan, asks, and carries it out. It reports whether it did.
func (v hookFlags) carryOut(t streams, plan *hooks.Plan, question string) (bool, error) {
	for _, left := range plan.Left {
		t.warn(sayLeft(left))
	}
	if plan.Empty() {
		t.answer(sayNpmSame)
		return false, nil
	}
	if file := plan.ReadOnly(); file != "" {
		t.text(plan.Diff())
		t.warn(sayConfigReadOnly(file))
		return false, exitError(statusByHand)
	}
	ok, err := v.agree(t, plan.Diff(), question)
	if !ok || err != nil {
		return false, err
	}
	return true, plan.Apply() //nolint:wrapcheck // names the file
}

// Run says what is guarded, and tries it out: scripts that npm and pnpm start write
// where they may not.
func (*npmStatusVerb) Run(t streams) error {
	if core.Inside() {
		t.answer(sayInside)
		return nil
	}
	n, err := npmHere()
	if err != nil {
		return err
	}
	good := true
	row := func(name, text string, ok bool) {
		good = good && ok
		t.answer(pad(name, 12) + text)
	}
	files, err := n.Files()
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	told := n.Told(os.Environ())
	if len(files) == 0 && !told {
		row("npm", sayNpmNotInstalled, false)
		t.hint(hintNpmInstall)
		t.npmRest(row)
		return exitError(statusFailed)
	}
	if err := n.CheckShell(); err != nil {
		row("shell", n.Shell()+": "+err.Error(), false)
		if errors.Is(err, hooks.ErrShellGone) {
			t.hint(hintNpmInstall)
		}
	} else {
		row("shell", n.Shell(), true)
	}
	switch weaker, err := core.ScriptMeasures(); {
	case err != nil:
		row("kernel", err.Error(), false)
	case weaker == nil:
		row("kernel", sayNpmKernel, true)
	default:
		for _, text := range weaker {
			row("kernel", sayNpmWeaker(text), true)
		}
	}
	plan, err := n.PlanInstall()
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	for _, left := range plan.Left {
		row("changed", sayLeft(left), false)
	}
	if told {
		t.tryNpm(n, sayNpmHere, os.Environ(), row)
	} else {
		row("this shell", sayNpmNotHere, true)
	}
	if len(files) > 0 {
		shell := filepath.Base(os.Getenv("SHELL"))
		if !slices.Contains([]string{"bash", "zsh", "fish"}, shell) {
			shell = "sh"
		}
		environ, err := hooks.LoginEnviron(context.Background(), shell, n.Home)
		switch {
		case err != nil:
			row("login", err.Error(), false)
		case !n.Told(environ):
			row("login", sayNpmLoginNot(shell), false)
		default:
			// Interactive shells may add the folder of node.
			path := "PATH=" + getenvIn(environ, "PATH") + ":" + os.Getenv("PATH")
			environ = append(slices.DeleteFunc(environ, func(entry string) bool { return strings.HasPrefix(entry, "PATH=") }), path)
			t.tryNpm(n, sayNpmLogin(shell), environ, row)
		}
	}
	t.npmRest(row)
	if !good {
		return exitError(statusFailed)
	}
	return nil
}

// getenvIn is the value of a variable of an environment.
func getenvIn(environ []string, name string) string {
	for _, entry := range environ {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
}

// tryNpm tries the tools out that an environment has. An environment without any guards
// nothing.
func (t streams) tryNpm(n hooks.Npm, where string, environ []string, row func(name, text string, ok bool)) {
	found := false
	for _, tool := range []string{"npm", "pnpm"} {
		program := core.FindProgramIn(tool, environ)
		if program == "" {
			continue
		}
		found = true
		if err := n.Try(context.Background(), program, environ); err != nil {
			row(tool, where+": "+sayTryFailed(err), false)
		} else {
			row(tool, where+": "+sayNpmTried, true)
		}
	}
	if !found {
		row("npm", where+": "+sayNpmNone, false)
	}
}

// npmRest says what the guard is not about, and what the project here does to it.
func (t streams) npmRest(row func(name, text string, ok bool)) {
	undoings, err := core.Undoings(core.Options{})
	if err != nil {
		row("project", err.Error(), false)
	}
	for _, u := range undoings {
		row("project", sayUndoing(u), u.Held)
	}
	row("yarn, bun", sayNpmWhole, true)
	row("not caught", sayNpmNotCaught, true)
}
