package cmd

import (
	"strconv"
	"strings"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/hooks"
)

// What srt says of git and its hooks.
const (
	sayYourSettings = "your settings"
	hintGitPlain    = "command git runs git without srt"
	hintGitInside   = "command git runs git without srt, and what it says there"
)

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
