package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/preset"
	"github.com/srt-sh/srt/shellinit"
)

type initVerb struct {
	Names bool   `hidden:"" help:"Make the shims, and print the names alone: what a running shell asks for."`
	Shell string `arg:"" enum:"zsh,bash" help:"The shell: zsh or bash."`
}

// Run prints the integration of a shell, which its start-up file evaluates. Within a
// sandbox, where commands are held already, that is nothing.
func (v *initVerb) Run(t streams) error {
	if core.Inside() {
		return nil
	}
	values, err := t.shellValues()
	if err != nil {
		return err
	}
	if err := shellinit.MakeShims(values); err != nil {
		return err //nolint:wrapcheck // names the file
	}
	script, err := "", error(nil)
	if v.Names {
		script, err = shellinit.Reply(values)
	} else {
		script, err = shellinit.Script(v.Shell, values)
	}
	if err != nil {
		return err //nolint:wrapcheck // says what is wrong with which path
	}
	// As it is: what the shell reads must not be made fit for a terminal.
	if _, err := t.Write([]byte(script)); err != nil {
		return err
	}
	return nil
}

// shellValues are what the integration is filled in with.
func (t streams) shellValues() (shellinit.Values, error) {
	srt, err := ownPath()
	if err != nil {
		return shellinit.Values{}, err
	}
	o, err := layers("")
	if o.Home == "" {
		return shellinit.Values{}, err
	}
	values := shellinit.Values{Srt: srt, Shims: shellinit.ShimDir(o.Home, os.Getenv)}
	// Settings that cannot be used must not leave the shell without the integration: a
	// repository that the shell starts in may have some. What they name is not known
	// then, and srt route refuses to run anything.
	set, err := preset.Open(core.PresetEnv(o.Home, o.Dir, os.Getenv))
	if err != nil {
		t.warn(err.Error())
		if set, err = preset.Open(preset.Env{}); err != nil {
			return shellinit.Values{}, err //nolint:wrapcheck // reads no file
		}
	}
	rules, err := config.Commands(o)
	if err != nil {
		t.warn(err.Error())
		o.NoProject = true
		rules, _ = config.Commands(o) // the same, or none
	}
	values.SetNames(set.List(), rules, os.Getenv("PATH"))
	return values, nil
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
