package cmd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/shellinit"
)

// shellMeasures say how the shell integration stands: in the start-up file, in the shell
// that asks, and in the shims. None is needed to run a command.
func shellMeasures(here session) []core.Measure {
	if core.Inside() {
		return []core.Measure{{Name: "shell integration", OK: true, Detail: sayInside}}
	}
	values, err := shellValues(shellGit())
	if values.Srt == "" {
		return []core.Measure{{Name: "shell integration", Detail: err.Error()}}
	}
	shell := here.shell
	if name := os.Getenv("SHELL"); shell == "" && name != "" {
		shell = filepath.Base(name)
	}
	var measures []core.Measure
	if err != nil {
		measures = append(measures, core.Measure{Name: "shell settings", Detail: err.Error(), Fix: fixShellSettings})
	}
	if !slices.Contains(shellinit.Shells(), shell) {
		return append(measures, core.Measure{Name: "shell start-up file", Detail: sayNoShell(shell), Fix: fixNoShell})
	}
	home, _, _ := core.Options{}.Roots() // shellValues has found it
	start := shellinit.LookStartup(shell, home, os.Getenv)
	measures = append(measures, startMeasure(shell, start, values.Srt), sessionMeasure(here, start.Set(), values.Srt), pathMeasure(here, values))
	// Before the first start there are none, which the lines above say.
	if _, err := os.Lstat(values.Shims); err == nil {
		measures = append(measures, shimsMeasure(shell, values))
	}
	if here.shell != "" {
		measures = append(measures, gitMeasure(values))
		measures = append(measures, foreignMeasures(here.foreign, values)...)
	}
	return measures
}

// startMeasure is about the start-up file.
func startMeasure(shell string, start shellinit.Startup, srt string) core.Measure {
	m := core.Measure{Name: "shell start-up file"}
	switch {
	case !start.Set():
		m.Detail, m.Fix = sayStartFile(start.File, false), fixInstall(shell)
	case start.Changed:
		m.Detail, m.Fix = sayFenceChanged(start.File), hintFenceChanged
	case start.Srt != "" && !isProgram(start.Srt):
		m.Detail, m.Fix = sayStartGone(start.File, start.Srt), fixReinstall(shell)
	case start.Srt == "" && start.Fence && !onPath(srt):
		m.Detail, m.Fix = sayStartNotOnPath(start.File), fixReinstall(shell)
	case start.Own:
		m.OK, m.Detail = true, sayStartOwn(start.File)
	default:
		m.OK, m.Detail = true, sayStartFile(start.File, true)
	}
	return m
}

// sessionMeasure is about the shell that asks.
func sessionMeasure(here session, starts bool, srt string) core.Measure {
	m := core.Measure{Name: "this shell"}
	switch {
	case here.shell == "" && starts:
		m.Detail, m.Fix = sayHereInactive, fixNewShell
	case here.shell == "":
		m.Detail = sayHereInactive // srt install comes first, as the line above says
	case here.state != "on":
		m.Detail, m.Fix = here.shell+", off", fixOn
	case here.srt != "" && !isProgram(here.srt):
		m.Detail, m.Fix = sayHereGone(here.shell, here.srt), fixAnew(here.shell)
	case here.srt != "" && !sameProgram(here.srt, srt):
		m.Detail, m.Fix = sayHereOther(here.shell, here.srt, srt), fixAnew(here.shell)
	default:
		m.OK, m.Detail = true, sayShellOn(here.shell)
	}
	return m
}

// pathMeasure is about what comes before the shims.
func pathMeasure(here session, values shellinit.Values) core.Measure {
	m := core.Measure{Name: "shims on the PATH"}
	on, before := shellinit.CheckPath(values, os.Getenv("PATH"))
	switch {
	case !on && here.state == "off":
		m.Detail, m.Fix = sayShimsNotOn(values.Shims), fixOn
	case !on:
		m.Detail = sayShimsNotOn(values.Shims) // as the lines above say
	case len(before) > 0:
		var list []string
		for _, b := range before {
			list = append(list, sayBefore(b.Dir, b.Names))
		}
		m.Detail, m.Fix = strings.Join(list, "; "), fixOrder(here.state == "on")
	default:
		m.OK, m.Detail = true, sayShimsFound(values.Shims)
	}
	return m
}

// gitMeasure is about the function of git.
func gitMeasure(values shellinit.Values) core.Measure {
	m := core.Measure{Name: "hooks of git", OK: true, Detail: sayGitFunction(values)}
	if values.Git == shellinit.GitOff && !slices.Contains(values.Whole, "git") {
		m.OK, m.Detail, m.Fix = false, sayGitFree, hintGitFunction
	}
	return m
}

// shimsMeasure is about the shims themselves.
func shimsMeasure(shell string, values shellinit.Values) core.Measure {
	m := core.Measure{Name: "shims"}
	f := shellinit.CheckShims(values)
	switch {
	case len(f.Gone) > 0:
		m.Detail, m.Fix = sayShimsGone(f.Gone, f.Target), fixShims(shell, f.Gone, values)
	case len(f.Other) > 0:
		m.Detail, m.Fix = sayShimsOther(f.Other, f.Target), fixShims(shell, f.Other, values)
	case len(f.Foreign) > 0:
		m.Detail, m.Fix = sayShimsForeign(f.Foreign, values.Shims), fixShimsForeign
	case len(f.Missing) > 0:
		m.Detail, m.Fix = sayShimsMissing(f.Missing), fixShims(shell, f.Missing, values)
	default:
		m.OK, m.Detail = true, sayShimsGood(values.Srt)
	}
	return m
}

// foreignMeasures are about what the shell runs before it comes to a function or a shim.
func foreignMeasures(foreign []string, values shellinit.Values) []core.Measure {
	const name = "your own commands"
	var measures []core.Measure
	for _, what := range foreign {
		kind, text, _ := strings.Cut(what, "=")
		if function, ok := strings.CutPrefix(kind, "function "); ok {
			measures = append(measures, core.Measure{Name: name, Detail: sayForeign(kind), Fix: fixFunction(function)})
			continue
		}
		if !values.AliasHolds(unquoteAlias(text)) {
			measures = append(measures, core.Measure{Name: name, Detail: sayAlias(kind, text), Fix: fixAlias(strings.TrimPrefix(kind, "alias "))})
		}
	}
	if measures == nil {
		measures = []core.Measure{{Name: name, OK: true, Detail: sayNoForeign}}
	}
	return measures
}

// unquoteAlias takes off the quotes in which bash shows the text of an alias.
func unquoteAlias(text string) string {
	if rest, ok := strings.CutPrefix(text, "'"); ok {
		return strings.ReplaceAll(strings.TrimSuffix(rest, "'"), `'\''`, "'")
	}
	return text
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func sameProgram(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
