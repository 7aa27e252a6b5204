package cmd

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/srt-sh/srt/core"
)

// isScriptShell reports whether srt was started as the shell of npm's scripts.
func isScriptShell(args []string) bool {
	return len(args) > 0 && filepath.Base(args[0]) == core.ScriptShell
}

// script runs a script of a package, with the words that npm gives to its shell: behind
// an inner wall in a sandbox of srt's, in a sandbox of its own outside.
func (t streams) script(words []string) int {
	if core.Inside() {
		return t.failScript(core.ExecScript(words))
	}
	o, err := core.ScriptRun(t.options(&runLine{command: []string{"sh"}}), words)
	if err != nil {
		return t.failScript(err)
	}
	return t.runWith(o, "your settings", false)
}

// failScript says why a script did not run.
func (t streams) failScript(err error) int {
	if errors.Is(err, core.ErrScriptWall) {
		hint := hintScriptWall
		if errors.Is(err, core.ErrScriptFolder) {
			hint = hintScriptFolder
		}
		event := os.Getenv("npm_lifecycle_event")
		return t.fail(usageError{text: sayScriptWall(event, err), hint: hint})
	}
	return t.fail(err)
}
