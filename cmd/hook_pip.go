package cmd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/event"
	"github.com/srt-sh/srt/hooks"
)

type hookPipVerb struct {
	Install   pipInstallVerb   `cmd:"" help:"Put shims on the PATH of login shells and desktops, and have pip run itself by way of srt."`
	Uninstall pipUninstallVerb `cmd:"" help:"Take that back, and leave what somebody else has changed."`
	Status    pipStatusVerb    `cmd:"" help:"Show what is guarded, and try it out."`
}

type pipInstallVerb struct{ hookFlags }

type pipUninstallVerb struct{ hookFlags }

type pipStatusVerb struct{}

func pipGuard(home, srt string) hooks.Guard {
	return hooks.Guard{Tool: "pip", Home: home, Srt: srt, Names: hooks.PipNames(), Getenv: os.Getenv}
}

// Run installs the guard.
func (v *pipInstallVerb) Run(t streams) error {
	home, srt, err := hookHome()
	if err != nil {
		return err
	}
	return t.hookInstall(pipGuard(home, srt), v.hookFlags)
}

// Run removes it.
func (v *pipUninstallVerb) Run(t streams) error {
	home, _, err := hookHome()
	if err != nil {
		return err
	}
	return t.hookUninstall("pip", home, v.hookFlags)
}

// Run tries the guard.
func (*pipStatusVerb) Run(t streams) error {
	home, srt, err := hookHome()
	if err != nil {
		return err
	}
	g := pipGuard(home, srt)
	rows, envs, err := t.hookRows(g)
	if err != nil {
		return err
	}
	// What starts pip by another name or a full path.
	if len(envs) > 0 && runtime.GOOS == "linux" {
		rows = append(rows, tryPip(envs[0])...)
	}
	rows = append(rows, hookRow{"not caught", sayPipNotCaught, rowNote})
	return t.hookStatus(rows)
}

// tryPip has pip build a package, whose build writes outside, as scripts start it.
func tryPip(env hookEnv) []hookRow {
	python, err := hooks.LookPath("python3", env.environ)
	if err != nil {
		return []hookRow{{"python -m pip", err.Error(), rowNote}}
	}
	probe := func(environ []string) (hooks.Tried, error) {
		return hooks.Probe{Environ: environ, Prepare: func(work, write string) ([]string, error) {
			return hooks.PipProbe(python, work, write)
		}}.Try(context.Background())
	}
	one, err := probe(env.environ)
	if errors.Is(err, hooks.ErrNoPip) {
		return []hookRow{{"python -m pip", sayNoPip(python), rowNote}}
	}
	rows := []hookRow{tried("python -m pip", one, err)}
	// pip.conf alone, for what has no such environment: cron, services.
	two, err := probe(slices.DeleteFunc(slices.Clone(env.environ), func(e string) bool { return strings.HasPrefix(e, "PIP_PYTHON=") }))
	return append(rows, tried("the same, by pip.conf", two, err))
}

// pipPython runs pip in the place of the Python that pip was told to run itself with.
func (t streams) pipPython(args []string) int {
	python, err := hooks.PipInterpreter(args, os.Environ())
	if err != nil {
		return t.fail(usageError{text: err.Error(), hint: hintPipPython})
	}
	argv := append([]string{python}, args...)
	if core.Inside() {
		return t.exec(python, argv, os.Environ())
	}
	o := t.options(&runLine{command: argv})
	o.As = append([]string{"pip"}, args[1:]...)
	o.Environ = os.Environ()
	if dir := hooks.VirtualEnv(python); dir != "" {
		// As an active one is: it is what pip is to write.
		o.Environ = append(slices.DeleteFunc(o.Environ, func(e string) bool { return strings.HasPrefix(e, "VIRTUAL_ENV=") }), "VIRTUAL_ENV="+filepath.Clean(dir))
	}
	return t.runWith(o, sayYourSettings, false)
}

// failBuild says why a build did not run.
func (t streams) failBuild(err error) int {
	if errors.Is(err, core.ErrScriptWall) {
		return t.fail(usageError{text: err.Error(), hint: hintBuildWall})
	}
	return t.fail(err)
}

// telling are the events that tell something: that a pip behind another preset does not
// read what the guard alone has put into pip's settings does not.
func telling(events []event.Event) []event.Event {
	home, _, _ := core.Options{}.Roots()
	return slices.DeleteFunc(events, func(e event.Event) bool {
		return e.Kind == event.Read && filepath.Base(e.Target) == "pip.conf" && hooks.OnlyGuard(e.Target, home, os.Getenv)
	})
}
