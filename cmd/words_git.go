package cmd

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/hooks"
	"github.com/srt-sh/srt/shellinit"
)

// What srt says of git and its hooks.
const (
	sayYourSettings = "your settings"
	hintGitPlain    = "command git runs git without srt"
	hintGitInside   = "srt hook git review shows it, and lets it run outside if you say so"

	sayGitFree        = "run without a sandbox in this shell"
	hintGitFunction   = "srt init --git=hooks in the start-up file has them guarded"
	sayHookInside     = "this is a sandbox: hooks are installed from outside"
	hintHookScope     = "srt hook git install --local is for this repository, --global for all of yours, --shim for programs that find git on the PATH"
	sayTried          = "holds, tried with a hook that writes outside"
	sayNone           = "none"
	sayNoGitFunction  = "no function git in this shell, as far as its function srt would tell"
	sayGitNotCaught   = "git by its full path where nothing is installed, libraries of git"
	hintAdopt         = "srt hook git adopt -- COMMAND runs what installs them"
	sayNothingToAdopt = "nothing to adopt: all hooks are there as they would be installed"
	askAdopt          = "install this?"
	sayAdopted        = "installed; the hooks run in a sandbox by way of srt git"

	askAccept   = "let git run this outside of a sandbox, as it is now?"
	sayAccepted = "accepted, as long as neither the settings nor the files that they name change"
)

func sayNoManager(tree string) string {
	return "no husky, lefthook or pre-commit is set up in " + tree
}

func sayManyManagers(managers []hooks.Manager) string {
	var names []string
	for _, m := range managers {
		names = append(names, m.Name)
	}
	return "more than one manager of hooks is set up: " + strings.Join(names, ", ")
}

func sayManagerFailed(name string, code int) string {
	return fmt.Sprintf("%s ended with status %d in its sandbox, so nothing is adopted", name, code)
}

func hintWaiting(name string) string {
	return "the hooks of " + name + " are not installed, since a sandbox may not: srt hook git adopt shows them and installs them from outside"
}
func sayNotAdopted(err error) string { return "nothing is adopted: " + err.Error() }

func sayTryFailed(err error) string { return "DOES NOT HOLD: " + err.Error() }
func sayNoRepository(dir string) string {
	return dir + " is in no repository"
}
func sayHookThere(file string) string      { return file + " has it already" }
func sayHookInstalled(file string) string  { return "written: " + file }
func sayConfigReadOnly(file string) string { return file + " is read-only: change it where it is made" }

func hintShimPath(dir string) string {
	return "put " + dir + " first on the PATH, in the start-up file of your login shell for programs of the desktop; or name " + filepath.Join(dir, "git") + " in their settings, as git.path"
}

func sayShimNotFirst(shim, first string) string {
	return shim + " is not found: " + first + " comes first on the PATH"
}

func sayHooksPath(file, path string) string {
	return "core.hooksPath is " + path + ", by " + file
}

func sayHookForeign(file, path string) string {
	if path == "" {
		return "somebody has taken core.hooksPath of srt out of " + file
	}
	return "somebody has set core.hooksPath in " + file + " to " + path + " since, which stays"
}

func sayGlobalPassed(path string) string {
	return "core.hooksPath of this repository, " + path + ", passes the global one by: srt hook git install --local"
}

func sayHookState(h hooks.HookState) string {
	switch h.State {
	case hooks.SeenNew:
		return h.Name + ", has not run yet: " + h.File
	case hooks.SeenChanged:
		return h.Name + ", has changed since it last ran: " + h.File
	case hooks.SeenSame:
	}
	return h.Name + ", as it last ran: " + h.File
}

func sayRuns(s core.GitSetting) string {
	return s.Key + " = " + s.Value + " (" + s.File + ":" + strconv.Itoa(s.Line) + ")"
}

func sayReviewed(hooks, runs int) string {
	return fmt.Sprintf("nothing new; hooks as they last ran: %d, settings accepted: %d", hooks, runs)
}

// sayGitFunction says what the function of git does with it.
func sayGitFunction(values shellinit.Values) string {
	switch {
	case slices.Contains(values.Whole, "git"):
		return "each command is routed, as a rule of yours says"
	case values.Git == shellinit.GitAll:
		return "each command goes to srt git: hooks and what a repository has git run are in a sandbox"
	case values.Git == shellinit.GitOff:
		return sayGitFree + ": " + hintGitFunction
	}
	return "commands that may run hooks go to srt git: hooks are in a sandbox; status, diff, log and the like run as ever"
}

// sayGitInside names what a repository's configuration has git run.
func sayGitInside(runs []core.GitSetting) string {
	var keys []string
	for _, s := range runs {
		keys = appendNew(keys, s.Key+" ("+s.File+":"+strconv.Itoa(s.Line)+")")
	}
	more := ""
	if len(keys) > 3 {
		keys, more = keys[:3], " and more"
	}
	return "srt: git runs in a sandbox, for what its repository has it run: " + strings.Join(keys, ", ") + more
}

func sayHookRuns(name, file string, state hooks.SeenState) string {
	what := "runs for the first time"
	if state == hooks.SeenChanged {
		what = "has changed since it last ran"
	}
	return "srt: the hook " + name + " " + what + ", in a sandbox: " + file
}
