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

type hookMakeVerb struct {
	Install   makeInstallVerb   `cmd:"" help:"Put shims on the PATH of login shells and desktops."`
	Uninstall makeUninstallVerb `cmd:"" help:"Take that back, and leave what somebody else has changed."`
	Status    makeStatusVerb    `cmd:"" help:"Show what is guarded, and try it out."`
}

type makeInstallVerb struct {
	Recipes bool `help:"Put each recipe into a sandbox too, where make is started by its full path: MAKEFLAGS."`
	hookFlags
}

type makeUninstallVerb struct{ hookFlags }

type makeStatusVerb struct{}

func makeGuard(home, srt string) hooks.Guard {
	return hooks.Guard{Tool: "make", Home: home, Srt: srt, Names: hooks.MakeNames(), Getenv: os.Getenv}
}

// Run installs the guard.
func (v *makeInstallVerb) Run(t streams) error {
	home, srt, err := hookHome()
	if err != nil {
		return err
	}
	g := makeGuard(home, srt)
	g.Recipes = v.Recipes
	return t.hookInstall(g, v.hookFlags)
}

// Run removes it.
func (v *makeUninstallVerb) Run(t streams) error {
	home, _, err := hookHome()
	if err != nil {
		return err
	}
	return t.hookUninstall("make", home, v.hookFlags)
}

// Run tries the guard.
func (*makeStatusVerb) Run(t streams) error {
	home, srt, err := hookHome()
	if err != nil {
		return err
	}
	g := makeGuard(home, srt)
	rows, envs, err := t.hookRows(g)
	if err != nil {
		return err
	}
	entries, err := hooks.LedgerOf("make", home, os.Getenv).Entries()
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	recipes := slices.ContainsFunc(entries, func(e hooks.Entry) bool { return filepath.Base(e.File) == hooks.RecipeShell })
	if program, err := core.FindProgram("make"); err == nil && recipes {
		for _, env := range envs {
			one, err := hooks.Probe{Environ: env.environ, Prepare: func(work, write string) ([]string, error) {
				text := "all:\n\t@" + strings.ReplaceAll(write, "$", "$$") + "\n"
				return []string{program}, os.WriteFile(filepath.Join(work, "Makefile"), []byte(text), 0o600)
			}}.Try(context.Background())
			row := tried(env.name, one, err)
			row.text = sayEachRecipe + row.text
			rows = append(rows, row)
		}
	}
	not := sayMakeNotCaught
	if recipes {
		not = sayRecipesNotCaught
	}
	rows = append(rows, hookRow{"not caught", not, rowNote})
	return t.hookStatus(rows)
}

// whole lets what runs in a sandbox as a whole go without what the guards add: a sandbox
// for each recipe of make, a second start of pip.
func whole(argv []string) {
	if filepath.Base(os.Getenv("PIP_PYTHON")) == hooks.PipPython && hooks.PlainPip(argv) {
		_ = os.Setenv("_PIP_RUNNING_IN_SUBPROCESS", "1") // pip's own word for it
	}
	if flags, found := hooks.WithoutRecipeShell(os.Getenv("MAKEFLAGS")); found {
		_ = os.Setenv("MAKEFLAGS", flags) // of a name that is one
	}
}

// recipe runs a recipe in the place of the shell that make was told to use.
func (t streams) recipe(args []string) int {
	argv, err := hooks.RecipeCommand(args)
	if err != nil {
		return t.fail(usageError{text: sayRecipeShell(err), hint: hintRecipeShell})
	}
	if core.Inside() {
		return t.become(argv)
	}
	whole(nil)
	o := t.options(&runLine{command: argv})
	o.As = []string{"make"}
	o.Keep = inherited(argv, os.Getenv("MAKEFLAGS"), 0)
	return t.runWith(o, sayYourSettings, false)
}
