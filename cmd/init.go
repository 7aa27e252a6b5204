package cmd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/preset"
	"github.com/srt-sh/srt/hooks"
	"github.com/srt-sh/srt/shellinit"
)

type initVerb struct {
	Git   string `enum:"hooks,all,off" default:"hooks" placeholder:"WHAT" help:"What the function of git sends to srt git: hooks, all or off. By default what may run hooks."`
	Names bool   `hidden:"" help:"Make the shims, and print the names alone: what a running shell asks for."`
	Shell string `arg:"" enum:"zsh,bash,fish" help:"The shell: zsh, bash or fish."`
}

// Run prints the integration of a shell, which its start-up file evaluates. Within a
// sandbox, where commands are held already, that is nothing.
func (v *initVerb) Run(t streams) error {
	if core.Inside() {
		return nil
	}
	values, err := shellValues(v.Git)
	if values.Srt == "" || err != nil && v.Names {
		return err // a running shell keeps the names that it has
	}
	if err != nil {
		t.warn(err.Error())
	}
	// The functions hold without the shims.
	if err := shellinit.MakeShims(values); err != nil {
		t.warn(err.Error())
	}
	text := shellinit.Reply
	if !v.Names {
		text = func(values shellinit.Values) (string, error) { return shellinit.Script(v.Shell, values) }
	}
	script, err := text(values)
	if err != nil {
		return err //nolint:wrapcheck // says what is wrong with which path
	}
	// As it is: what the shell reads must not be made fit for a terminal.
	if _, err := t.Write([]byte(script)); err != nil {
		return err
	}
	return nil
}

// shellValues are what the integration is filled in with. Settings that cannot be used
// must not leave a shell without it, since a repository that the shell starts in may
// have some: an error with values says what is wrong with them, and the names are the
// others. srt route then refuses to run anything. git says what goes to srt git.
func shellValues(git string) (values shellinit.Values, err error) {
	srt, err := ownPath()
	if err != nil {
		return values, err
	}
	o, err := layers("")
	if o.Home == "" {
		return values, err
	}
	values = shellinit.Values{Srt: srt, Shims: shellinit.ShimDir(o.Home, os.Getenv), Git: git, Reads: hooks.ReadCommands()}
	set, err := preset.Open(core.PresetEnv(o.Home, o.Dir, os.Getenv))
	if err != nil {
		set, _ = preset.Open(preset.Env{}) // the built-in ones, which no file can spoil
	}
	rules, wrong := config.Commands(o)
	if wrong != nil {
		o.NoProject = true
		rules, _ = config.Commands(o) // the same, or none
	}
	values.SetNames(set.List(), rules, os.Getenv("PATH"))
	return values, errors.Join(err, wrong)
}

// ownPath is where srt can be found from now on: the name on the PATH if that is this
// program, since an upgrade may well change what it leads to.
func ownPath() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding srt's own file: %w", err)
	}
	found, err := exec.LookPath("srt")
	if err == nil && filepath.IsAbs(found) && !strings.Contains(found, ":") {
		a, errA := os.Stat(self)
		b, errB := os.Stat(found)
		if errA == nil && errB == nil && os.SameFile(a, b) {
			return found, nil
		}
	}
	return self, nil
}
