package cmd

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/hooks"
)

type gitAdoptVerb struct {
	hookFlags
	Command []string `arg:"" optional:"" passthrough:"partial" help:"What installs the hooks; without, what husky, lefthook and pre-commit are told by the files that are there."`
}

// Run has the managers install their hooks in a sandbox, into a stand-in for the
// repository, shows what they have installed there, and does the same outside.
func (v *gitAdoptVerb) Run(t streams) error {
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
	managers := hooks.Managers(r.Tree)
	if command := afterDashes(v.Command); len(command) > 0 {
		managers = []hooks.Manager{{Name: command[0], Args: command}}
	}
	if len(managers) == 0 {
		return usageError{text: sayNoManager(r.Tree), hint: hintAdopt, status: statusFailed}
	}
	if len(managers) > 1 {
		return usageError{text: sayManyManagers(managers), hint: hintAdopt, status: statusFailed}
	}
	scratch, err := g.MakeScratch(r, managers[0])
	if err != nil {
		return err //nolint:wrapcheck // says what it means
	}
	defer scratch.Close()
	global, err := g.LookInstalled(g.ConfigFile(nil))
	if err != nil {
		return gitError(err)
	}
	m := managers[0]
	o := t.options(&runLine{command: m.Args})
	o.Dir, o.Preset, o.Unasked, o.Stdout = scratch.Dir, hookPreset, true, t.err
	o.Flags.AllowWrite = scratch.Opens()
	o.Environ = slices.Clone(g.Environ)
	if global.Own {
		// Managers refuse to install hooks beside a core.hooksPath of the user.
		o.Environ = append(slices.DeleteFunc(o.Environ, func(entry string) bool { return strings.HasPrefix(entry, "GIT_CONFIG_GLOBAL=") }), "GIT_CONFIG_GLOBAL=/dev/null")
	}
	h := newHandler(&o)
	report, err := core.Run(context.Background(), o)
	h.stop()
	if err != nil {
		return err //nolint:wrapcheck // says what it means
	}
	if report.Code != 0 {
		return usageError{text: sayManagerFailed(m.Name, report.Code), status: statusFailed}
	}
	adoption, err := g.Adoption(scratch)
	if err != nil {
		return usageError{text: sayNotAdopted(err), status: statusFailed}
	}
	if adoption.Empty() {
		t.answer(sayNothingToAdopt)
		return nil
	}
	ok, err := v.agree(t, adoption.Diff(), askAdopt)
	if !ok || err != nil {
		return err
	}
	if err := adoption.Write(); err != nil {
		return err //nolint:wrapcheck // names the file
	}
	t.answer(sayAdopted)
	return nil
}

// adoptHint says that a package manager has just failed to install hooks: the managers of
// hooks themselves end well then.
func (t streams) adoptHint(words []string) {
	if !installs(words) {
		return
	}
	g, err := theGit(os.Environ())
	if err != nil {
		return
	}
	r, err := g.Repository()
	if err != nil {
		return // git itself will say so
	}
	if name := g.Waiting(r); name != "" {
		t.hint(hintWaiting(name))
	}
}

// installs reports whether a command is one with which hooks are installed.
func installs(words []string) bool {
	if len(words) == 0 {
		return false
	}
	first := ""
	if len(words) > 1 {
		first = words[1]
	}
	switch filepath.Base(words[0]) {
	case "npm", "pnpm", "bun", "yarn":
		return slices.Contains([]string{"install", "i", "ci", "add", "run", "rebuild"}, first) || first == "" && filepath.Base(words[0]) == "yarn"
	case "npx", "pnpx", "bunx":
		return first == "husky" || first == "lefthook"
	case "husky", "lefthook":
		return true
	}
	return false
}
