package cmd

import (
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
	hintGitInside   = "command git runs git without srt, and what it says there"
)

// sayGitFunction says what the function of git does with it.
func sayGitFunction(values shellinit.Values) string {
	switch {
	case slices.Contains(values.Whole, "git"):
		return "each command is routed, as a rule of yours says"
	case values.Git == shellinit.GitAll:
		return "each command goes to srt git: hooks and what a repository has git run are in a sandbox"
	case values.Git == shellinit.GitOff:
		return "is not guarded: srt init --git=hooks"
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
