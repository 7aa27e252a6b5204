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
	shellVariable   = "_SRT_SHELL"   // its name, its state and the srt that it calls, "zsh on /usr/bin/srt"
	foreignVariable = "_SRT_FOREIGN" // what stands before its functions, a line each: "function npm", "alias npm=sudo npm"
)

// gitVariable is what the function of git sends to srt git, as shellinit has it.
const gitVariable = "_SRT_GIT"

// shellGit is that of the shell that asks, or what it would be by default.
func shellGit() string {
	if git := os.Getenv(gitVariable); git == shellinit.GitAll || git == shellinit.GitOff {
		return git
	}
	return shellinit.GitHooks
}

// session is what the shell that asks has told of itself.
type session struct {
	shell, state, srt string // "" if nothing was told
	foreign           []string
}

func theSession() session {
	var s session
	var rest string
	s.shell, rest, _ = strings.Cut(os.Getenv(shellVariable), " ")
	s.state, s.srt, _ = strings.Cut(rest, " ")
	for line := range strings.Lines(os.Getenv(foreignVariable)) {
		s.foreign = append(s.foreign, strings.TrimSpace(line))
	}
	return s
}

type statusVerb struct{}

// Run says on one screen what holds in this shell. It fails if something that should
// hold does not.
func (*statusVerb) Run(t streams) error {
	if core.Inside() {
		t.answer(sayInside)
		return nil
	}
	values, err := shellValues(shellGit())
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
	here := theSession()
	switch {
	case here.shell == "":
		row("shell", sayNotActive, false)
	case here.state != "on":
		row("shell", sayShellOff(here.shell), false)
	default:
		row("shell", sayShellOn(here.shell), true)
	}
	list := filepath.SplitList(os.Getenv("PATH"))
	first := len(list) > 0 && list[0] == values.Shims
	row("PATH", sayShimsFirst(values.Shims, first), first)
	for _, shell := range shellinit.Shells() {
		file := shellinit.StartFile(shell, home, os.Getenv)
		row(shell, sayStartFile(file, shellinit.Installed(file)), true)
	}
	if here.shell != "" {
		row("git", sayGitFunction(values), true)
	}
	row("names", strings.Join(values.Names, " "), true)
	for _, line := range here.foreign {
		what, _, _ := strings.Cut(line, "=")
		row("yours", sayForeign(what), true)
	}
	row("not caught", sayNotCaught, true)
	if !good {
		return exitError(statusFailed)
	}
	return nil
}
