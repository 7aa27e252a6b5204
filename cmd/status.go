package cmd

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/shellinit"
)

// The integration's function srt tells srt status what it knows of its shell.
const (
	shellVariable   = "_SRT_SHELL"   // its name and its state, "zsh on"
	foreignVariable = "_SRT_FOREIGN" // whose functions and aliases stand in front, a line each
)

type statusVerb struct{}

// Run says on one screen what holds in this shell. It fails if something that should
// hold does not.
func (*statusVerb) Run(t streams) error {
	if core.Inside() {
		t.answer(sayInside)
		return nil
	}
	values, err := shellValues()
	if values.Srt == "" {
		return err
	}
	if err != nil {
		t.warn(err.Error())
	}
	home, _, _ := core.Options{}.Roots()
	good := true
	row := func(name, text string, ok bool) {
		good = good && ok
		t.answer(pad(name, 12) + text)
	}
	shell, state, known := strings.Cut(os.Getenv(shellVariable), " ")
	switch {
	case !known:
		row("shell", sayNotActive, false)
	case state != "on":
		row("shell", sayShellOff(shell), false)
	default:
		row("shell", sayShellOn(shell), true)
	}
	list := filepath.SplitList(os.Getenv("PATH"))
	first := len(list) > 0 && list[0] == values.Shims
	row("PATH", sayShimsFirst(values.Shims, first), first)
	for _, shell := range shellinit.Shells() {
		file := shellinit.StartFile(shell, home, os.Getenv)
		row(shell, sayStartFile(file, shellinit.Installed(file)), true)
	}
	row("names", strings.Join(values.Names, " "), true)
	for line := range strings.Lines(os.Getenv(foreignVariable)) {
		row("yours", sayForeign(strings.TrimSpace(line)), true)
	}
	row("not caught", sayNotCaught, true)
	if !good {
		return exitError(statusFailed)
	}
	return nil
}
