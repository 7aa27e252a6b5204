package cmd

import (
	"os"
	"slices"
	"strings"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/hooks"
)

type gitVerb struct {
	Words []string `arg:"" optional:"" passthrough:"all" name:"word" help:"What git is to do."`
}

// Run is never called, as that of bareVerb.
func (*gitVerb) Run() error { return errRunForm }

// The presets of git and of its hooks.
const (
	gitPreset  = "git"
	hookPreset = "git-hooks"
)

// git runs git with its hooks behind a view, in the place of this process; or all of it
// in a sandbox, where the repository's own configuration says what git runs.
func (t streams) git(words []string) int {
	argv := append([]string{"git"}, words...)
	if core.Inside() {
		return t.become(argv)
	}
	program, err := core.FindProgram("git")
	if err != nil {
		return t.fail(err)
	}
	g, err := theGit(os.Environ())
	if err != nil {
		return t.fail(err)
	}
	g.Program = program
	plan, err := g.Plan(words)
	if err != nil {
		return t.fail(gitError(err))
	}
	runs, err := g.Views.Seen().Unaccepted(plan, g.Home)
	if err != nil {
		return t.fail(gitError(err))
	}
	if len(runs) == 0 {
		err := os.Unsetenv(hooks.NamedVariable)
		if err == nil && plan.Named != "" {
			err = os.Setenv(hooks.NamedVariable, plan.Named)
		}
		if err != nil {
			return t.fail(err)
		}
		return t.replace(program, append([]string{"git"}, plan.Args...))
	}
	t.print(sayGitInside(runs))
	t.hint(hintGitInside)
	o := t.options(&runLine{command: argv})
	o.Preset, o.Unasked, o.Trees = gitPreset, true, plan.Trees()
	return t.runWith(o, sayYourSettings, false)
}

// theGit is the world of git here.
func theGit(environ []string) (hooks.Git, error) {
	home, dir, err := core.Options{}.Roots()
	if err != nil {
		return hooks.Git{}, err //nolint:wrapcheck // says what to do
	}
	// Not the one on the PATH: where git runs is not where the user types.
	srt, err := os.Executable()
	if err != nil {
		return hooks.Git{}, err //nolint:wrapcheck // cannot be
	}
	return hooks.Git{
		Home: home, Dir: dir, Environ: environ,
		Views: hooks.Views{Base: hooks.ViewBase(home, os.Getenv), Srt: srt},
	}, nil
}

// gitHook runs the hook that a file of a view stands for, in a sandbox. args are the name
// of that file and the arguments of the hook.
func (t streams) gitHook(views hooks.Views, args []string) int {
	g, err := theGit(slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, depthVariable+"=") && strings.HasSuffix(entry, " git") // of replace
	}))
	if err != nil {
		return t.fail(err)
	}
	g.Views.Base = views.Base
	if g.Program, err = core.FindProgram("git"); err != nil {
		return t.fail(err)
	}
	h, err := g.Hook(args)
	if err != nil {
		return t.fail(gitError(err))
	}
	if h.File == "" {
		return statusOK
	}
	if core.Inside() {
		return t.exec(h.Args[0], h.Args, h.Environ)
	}
	t.announce(g, h)
	o := t.options(&runLine{command: h.Args})
	o.Environ, o.Preset, o.Unasked, o.Trees = h.Environ, hookPreset, true, h.Trees()
	return t.runWith(o, sayYourSettings, false)
}

// announce tells once of a hook that has not run before, or not as it is now.
func (t streams) announce(g hooks.Git, h *hooks.GitHook) {
	tree := ""
	if h.Repository != nil {
		tree = h.Repository.Tree
	}
	sources, err := hooks.Sources(h.File, tree)
	if err != nil {
		t.warn(err.Error()) // it may still run: a program need not be readable
		return
	}
	seen := g.Views.Seen()
	state, _ := seen.Compare(h.File, sources)
	if state == hooks.SeenSame {
		return
	}
	t.print(sayHookRuns(h.Name, h.File, state))
	if err := seen.Record(h.File, sources); err != nil {
		t.warn(err.Error())
	}
}

// gitError adds what to do if srt cannot tell what git would run.
func gitError(err error) error {
	return usageError{text: err.Error(), hint: hintGitPlain}
}
