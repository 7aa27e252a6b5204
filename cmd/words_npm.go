package cmd

import (
	"fmt"
	"strings"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/policy"
	"github.com/srt-sh/srt/hooks"
)

// What srt says of npm and the scripts that it starts.
const (
	hintScriptWall   = "srt hook npm status shows what this system can do; srt hook npm uninstall goes without"
	hintScriptFolder = "no honest package does that: look at the one that it lies in"

	askNpmInstall      = "write this?"
	askNpmUninstall    = "take this out?"
	sayNpmSame         = "there is nothing to do"
	sayNpmInstalled    = "written: it holds for what starts after the next login, and behind srt at once"
	sayNpmUninstalled  = "removed"
	sayNpmNotInstalled = "not guarded: scripts have what npm has"
	hintNpmInstall     = "srt hook npm install makes srt the shell of scripts"
	hintNpmWhole       = "npm itself runs in a sandbox with srt npm …, or behind the shell integration"
	sayNpmKernel       = "has all that the inner wall needs"
	sayNpmHere         = "this shell"
	sayNpmNotHere      = "not told, until the next login; behind srt it holds"
	sayNpmTried        = "holds, tried with scripts that write outside of their package"
	sayNpmNone         = "neither npm nor pnpm is on the PATH, so that nothing could be tried"
	sayNpmWhole        = "covered whole, where srt starts them; yarn 1 uses the guard for yarn run only, yarn 4 and bun have no shell to replace"
	sayNpmNotCaught    = "npm and pnpm themselves, with .pnpmfile.cjs; pnpm exec; npm --script-shell; what has another environment"
)

func sayScriptWall(event string, err error) string {
	if event == "" {
		return err.Error()
	}
	return "script " + policy.Quote(event) + ": " + err.Error()
}

func sayNpmCannot(err error) string      { return "scripts cannot be kept in here: " + err.Error() }
func sayNpmWeaker(what string) string    { return "weaker: " + what }
func sayNpmLogin(shell string) string    { return "a login " + shell }
func sayNpmLoginNot(shell string) string { return "a login " + shell + " does not tell npm" }
func sayLeft(l hooks.Left) string        { return l.File + ": " + l.Why + "; it stays as it is" }

func hintNpmHere(names []string, shell string) string {
	var words []string
	for _, name := range names {
		words = append(words, name+"="+policy.Quote(shell))
	}
	return "for this shell: export " + strings.Join(words, " ")
}

func hintNpmUnset(names []string) string {
	return "open shells have the variables still: unset " + strings.Join(names, " ")
}

func sayUndoing(u core.Undoing) string {
	text := fmt.Sprintf("%s:%d: %s: %s", u.File, u.Line, u.Text, u.What)
	if u.Held {
		text += "; behind srt it does not count"
	}
	return text
}
