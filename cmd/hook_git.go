package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/hooks"
	"github.com/srt-sh/srt/shellinit"
)

type hookGitVerb struct {
	Install   gitInstallVerb   `cmd:"" help:"Guard the hooks of this repository, of all, or of what finds git on the PATH."`
	Uninstall gitUninstallVerb `cmd:"" help:"Take that back, and leave what somebody else has changed."`
	Status    gitStatusVerb    `cmd:"" help:"Show what is guarded, and try it out."`
	Review    gitReviewVerb    `cmd:"" help:"Show what has changed in hooks since they last ran, and what the repository has git run."`
	Adopt     gitAdoptVerb     `cmd:"" help:"Install the hooks that a manager of hooks could not install from inside a sandbox."`
}

type gitScopeFlags struct {
	Local  bool `xor:"scope" help:"In this repository: core.hooksPath of its configuration."`
	Global bool `xor:"scope" help:"In all of your repositories: core.hooksPath of your configuration."`
	Shim   bool `xor:"scope" help:"For what finds git on the PATH: a link to srt in the folder of the shims."`
}

type gitInstallVerb struct {
	gitScopeFlags
	hookFlags
}

type gitUninstallVerb struct {
	gitScopeFlags
	hookFlags
}

// gitHere is the world of git for a verb, with git itself and links that last.
func gitHere() (hooks.Git, *core.GitRepository, error) {
	g, err := theGit(os.Environ())
	if err != nil {
		return g, nil, err
	}
	if g.Views.Srt, err = ownPath(); err != nil {
		return g, nil, err
	}
	if g.Program, err = core.FindProgram("git"); err != nil {
		return g, nil, err //nolint:wrapcheck // says what is missing
	}
	r, err := g.Repository()
	if err != nil {
		return g, nil, gitError(err)
	}
	return g, r, nil
}

// Run installs one guard.
func (v *gitInstallVerb) Run(t streams) error {
	if core.Inside() {
		return usageError{text: sayHookInside, status: statusFailed}
	}
	g, r, err := gitHere()
	if err != nil {
		return err
	}
	switch {
	case v.Shim:
		return v.shim(t)
	case v.Global:
		return v.config(t, g, nil)
	case r == nil:
		return usageError{text: sayNoRepository(g.Dir), hint: hintHookScope, status: statusFailed}
	}
	return v.config(t, g, r)
}

// config points git to a view by a configuration file.
func (v *gitInstallVerb) config(t streams, g hooks.Git, r *core.GitRepository) error {
	more, err := g.MoreHooks(r)
	if err != nil {
		return gitError(err)
	}
	file := g.ConfigFile(r)
	change, err := g.PlanInstall(file, g.Views.Dir(hooks.FullNames(more)))
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	if change.Same() {
		// Somebody may have changed the folder.
		if _, err := g.Views.View(hooks.FullNames(more)); err != nil {
			return err //nolint:wrapcheck // says what it means
		}
		t.answer(sayHookThere(file))
		return nil
	}
	if change.ReadOnly() {
		t.text(change.Diff())
		t.warn(sayConfigReadOnly(file))
		return exitError(statusByHand)
	}
	ok, err := v.agree(t, change.Diff(), askWrite(file))
	if !ok || err != nil {
		return err
	}
	// The folder first: with the setting alone git would run no hooks at all.
	if _, err := g.Views.View(hooks.FullNames(more)); err != nil {
		return err //nolint:wrapcheck // says what it means
	}
	if err := change.Write(); err != nil {
		return err //nolint:wrapcheck // names the file
	}
	t.answer(sayHookInstalled(file))
	return nil
}

// shim makes the link.
func (v *gitInstallVerb) shim(t streams) error {
	values, err := shellValues(shellGit())
	if values.Srt == "" {
		return err
	}
	file := shellinit.GitShim(values.Shims)
	if shellinit.HasGitShim(values) {
		t.answer(sayHookThere(file))
		return t.shimFound(values)
	}
	ok, err := v.agree(t, "+ "+file+" -> "+values.Srt+"\n", askWrite(file))
	if !ok || err != nil {
		return err
	}
	if err := shellinit.MakeGitShim(values); err != nil {
		return err //nolint:wrapcheck // names the file
	}
	t.answer(sayHookInstalled(file))
	return t.shimFound(values)
}

// shimFound says what to do where the shim is not found first.
func (t streams) shimFound(values shellinit.Values) error {
	if first := firstOnPath("git"); first != shellinit.GitShim(values.Shims) {
		t.hint(hintShimPath(values.Shims))
	}
	return nil
}

// firstOnPath is the file that a name on the PATH leads to, "" if there is none.
func firstOnPath(name string) string {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && unix.Access(file, unix.X_OK) == nil { //nolint:gosec // the user's PATH
			return file
		}
	}
	return ""
}

// Run removes the guards that are meant, all that there are if none is named.
func (v *gitUninstallVerb) Run(t streams) error {
	if core.Inside() {
		return usageError{text: sayHookInside, status: statusFailed}
	}
	g, r, err := gitHere()
	if err != nil {
		return err
	}
	all := !v.Local && !v.Global && !v.Shim
	removed := false
	var files []string
	if v.Local || all && r != nil {
		if r == nil {
			return usageError{text: sayNoRepository(g.Dir), status: statusFailed}
		}
		files = append(files, g.ConfigFile(r))
	}
	if v.Global || all {
		files = append(files, g.ConfigFile(nil))
	}
	for _, file := range files {
		done, err := v.config(t, g, file)
		if err != nil {
			return err
		}
		removed = removed || done
	}
	if v.Shim || all {
		done, err := v.shim(t)
		if err != nil {
			return err
		}
		removed = removed || done
	}
	if !removed {
		t.answer(sayNothingInstalled)
	}
	return nil
}

// config takes srt out of a configuration file, and reports whether there was anything.
func (v *gitUninstallVerb) config(t streams, g hooks.Git, file string) (bool, error) {
	change, err := g.PlanUninstall(file)
	if err != nil {
		return false, err //nolint:wrapcheck // names the file
	}
	if change.Same() {
		return false, nil
	}
	if change.ReadOnly() {
		t.text(change.Diff())
		t.warn(sayConfigReadOnly(file))
		return true, exitError(statusByHand)
	}
	ok, err := v.agree(t, change.Diff(), askWrite(file))
	if !ok || err != nil {
		return true, err
	}
	if err := change.Write(); err != nil {
		return true, err //nolint:wrapcheck // names the file
	}
	if change.Foreign != "" {
		t.warn(sayHookForeign(file, change.Foreign))
	}
	t.answer(sayUninstalled(file))
	return true, nil
}

// shim removes the link, if it is srt's.
func (v *gitUninstallVerb) shim(t streams) (bool, error) {
	values, err := shellValues(shellGit())
	if values.Srt == "" {
		return false, err
	}
	file := shellinit.GitShim(values.Shims)
	target, err := os.Readlink(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || !strings.HasPrefix(filepath.Base(target), "srt") {
		t.warn(sayShimsForeign([]string{"git"}, values.Shims))
		return false, nil //nolint:nilerr // it is left, and said
	}
	ok, err := v.agree(t, "- "+file+" -> "+target+"\n", askWrite(file))
	if !ok || err != nil {
		return true, err
	}
	if err := os.Remove(file); err != nil {
		return true, fmt.Errorf("removing the shim: %w", err)
	}
	t.answer(sayUninstalled(file))
	return true, nil
}

type gitStatusVerb struct{}

// Run says what is guarded, and tries it out: a hook in a repository made for it is to
// write where it may not.
func (*gitStatusVerb) Run(t streams) error {
	if core.Inside() {
		t.answer(sayInside)
		return nil
	}
	g, r, err := gitHere()
	if err != nil {
		return err
	}
	values, err := shellValues(shellGit())
	if values.Srt == "" {
		return err
	}
	here := theSession()
	good, guarded := true, false
	row := func(name, text string, ok bool) {
		good = good && ok
		t.answer(pad(name, 12) + text)
	}
	// try tells whether a way to start git holds, which is what a guard is worth.
	try := func(name, text, git, hooksPath string) {
		guarded = true
		if err := g.Try(git, hooksPath); err != nil {
			row(name, text+": "+sayTryFailed(err), false)
			return
		}
		row(name, text+": "+sayTried, true)
	}
	if here.shell != "" && here.state == "on" && values.Git != shellinit.GitOff {
		try("shell", sayGitFunction(values), "", "")
	} else {
		row("shell", sayNoGitFunction, true)
	}
	switch shim := shellinit.GitShim(values.Shims); {
	case !shellinit.HasGitShim(values):
		row("shim", sayNone, true)
	case firstOnPath("git") != shim:
		row("shim", sayShimNotFirst(shim, firstOnPath("git")), false)
	default:
		try("shim", shim, shim, "")
	}
	global, err := g.LookInstalled(g.ConfigFile(nil))
	if err != nil {
		return gitError(err)
	}
	installed := func(name string, in hooks.Installed) {
		switch {
		case in.Left:
			row(name, sayHookForeign(in.File, in.Path), false)
		case in.Own:
			try(name, in.File, g.Program, in.Path)
		case in.Path != "":
			row(name, sayHooksPath(in.File, in.Path), true)
		default:
			row(name, sayNone, true)
		}
	}
	installed("global", global)
	if r != nil {
		local, err := g.LookInstalled(g.ConfigFile(r))
		if err != nil {
			return gitError(err)
		}
		installed("local", local)
		if global.Own && !local.Own && local.Path != "" {
			row("", sayGlobalPassed(local.Path), false)
		}
		list, err := g.Hooks(r)
		if err != nil {
			return gitError(err)
		}
		for _, h := range list {
			row("hook", sayHookState(h), true)
		}
		plan, err := g.Plan([]string{"status"})
		if err != nil {
			return gitError(err)
		}
		for _, s := range plan.Runs {
			row("runs", sayRuns(s), true)
		}
	}
	row("not caught", sayGitNotCaught, true)
	if !guarded {
		t.hint(hintHookScope)
	}
	if !good || !guarded {
		return exitError(statusFailed)
	}
	return nil
}

type gitReviewVerb struct{ hookFlags }

// Run shows hooks that are new or have changed since they last ran, and what the
// repository's configuration has git run, and asks whether that may be outside of a
// sandbox.
func (v *gitReviewVerb) Run(t streams) error {
	if core.Inside() {
		return usageError{text: sayHookInside, status: statusFailed}
	}
	g, r, err := gitHere()
	if err != nil {
		return err
	}
	if r == nil {
		return usageError{text: sayNoRepository(g.Dir), status: statusFailed}
	}
	list, err := g.Hooks(r)
	if err != nil {
		return gitError(err)
	}
	changed := 0
	for _, h := range list {
		if h.State == hooks.SeenSame {
			continue
		}
		changed++
		t.answer(sayHookState(h))
		for _, text := range h.Diffs() {
			t.text(text)
		}
	}
	plan, err := g.Plan([]string{"status"})
	if err != nil {
		return gitError(err)
	}
	seen := g.Views.Seen()
	runs, err := seen.Unaccepted(plan, g.Home)
	if err != nil {
		return gitError(err)
	}
	if changed > 0 && !v.DryRun {
		for _, h := range list {
			if err := seen.Record(h.File, h.Sources); err != nil {
				return err //nolint:wrapcheck // names the file
			}
		}
	}
	if changed == 0 && len(runs) == 0 {
		t.answer(sayReviewed(len(list), len(plan.Runs)))
		return nil
	}
	if len(runs) == 0 {
		return nil
	}
	var text strings.Builder
	for _, s := range runs {
		text.WriteString(sayRuns(s) + "\n")
	}
	ok, err := v.agree(t, text.String(), askAccept)
	if !ok || err != nil {
		return err
	}
	if err := seen.Accept(plan, g.Home); err != nil {
		return err //nolint:wrapcheck // names the file
	}
	t.answer(sayAccepted)
	return nil
}
