package core

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/event"
	"github.com/srt-sh/srt/core/policy"
	"github.com/srt-sh/srt/sandbox"
)

// observer has what the mounts refuse recorded.
func (e *engine) observer() sandbox.Observer {
	return sandbox.Observer{
		Attempt: e.attempted,
		Dropped: e.events.Drop,
		Connect: e.mayConnect,
		Lost: func(err error) {
			e.o.Logf("what files the command is refused cannot be told: %v", err)
		},
	}
}

// attempted records what was tried with a file, if it is the policy that refuses it.
func (e *engine) attempted(a sandbox.Attempt) {
	if a.Socket {
		if !e.ignored(a) {
			e.events.Add(e.socketEvent(a))
		}
		return
	}
	ev, ok := fileEvent(e.files, a)
	if !ok || harmless(a, e.o.Home) || e.ignored(a) {
		return
	}
	e.events.Add(ev)
}

// fileEvent tells what the policy says of an attempt; it is not ok if that allows it.
func fileEvent(pol *policy.Policy, a sandbox.Attempt) (ev event.Event, ok bool) {
	decide, kind := pol.Read, event.Read
	if a.Write {
		decide, kind = pol.Write, event.Write
	}
	d := decide(a.Path)
	if d.Allow && !a.OnWay {
		return ev, false
	}
	ev = event.Event{
		Time: a.Time, Kind: kind, Target: a.Path, Reason: d.Reason, Hint: d.Hint, Count: a.Count,
		PID: a.PID, Program: a.Program, Call: a.Call,
	}
	switch {
	case d.Allow:
		ev.Reason = "a protected file lies in it"
	case d.Rule == nil:
	case d.Rule.Origin.Key == "protected":
		// What opens a protected name is not to be had by following a hint.
		ev.Rule, ev.Hint = "the protected name "+strconv.Quote(d.Rule.Text), ""
	default:
		ev.Rule = strconv.Quote(d.Rule.Text) + " of " + d.Rule.Origin.String()
	}
	return ev, true
}

// harmless knows what programs try by the way at every start, and do without. It only
// keeps silent about what is refused all the same, so it may go by what a process says
// of itself.
func harmless(a sandbox.Attempt, home string) bool {
	base := path.Base(a.Path)
	says := func(words ...string) bool {
		return slices.ContainsFunc(a.Args[min(1, len(a.Args)):], func(arg string) bool { return slices.Contains(words, path.Base(arg)) })
	}
	switch {
	case a.Write && strings.Contains(a.Path+"/", "/__pycache__/"):
		return true // Python keeps what it has compiled beside its libraries
	case a.Program == "git" && a.Write && base == "index.lock":
		// Those that only look write down what they have seen of the files, if they can.
		return says("status", "diff", "describe", "show", "log", "blame", "stash")
	case a.Program == "go" && a.Write:
		// It counts what is used, in a folder that it makes with all above it.
		telemetry := home + "/.config/go/telemetry"
		return strings.HasPrefix(a.Path, telemetry) || strings.HasPrefix(telemetry, a.Path+"/")
	case !a.Write && strings.HasPrefix(a.Path, home+"/"):
		// Their own settings, which hold tokens. What a package has them run does not say so.
		switch base {
		case ".npmrc":
			return says("npm", "npx", "npm-cli.js", "npx-cli.js", "pnpm", "pnpm.cjs", "yarn", "yarn.js")
		case "pip.conf", ".pypirc":
			return says("pip", "pip3", "pipx", "poetry", "twine")
		case ".curlrc", ".wgetrc", ".gemrc", ".viminfo", ".lesshst":
			return slices.Contains([]string{"curl", "wget", "ruby", "vim", "less"}, strings.TrimSuffix(a.Program, ".basic"))
		}
	}
	return false
}

// ignored reports whether the settings leave it out (ignoreViolations).
func (e *engine) ignored(a sandbox.Attempt) bool {
	if len(e.cfg.IgnoreViolations) == 0 {
		return false
	}
	command := e.o.Line
	if command == "" {
		command = strings.Join(e.o.Args, " ")
	}
	return ignores(e.cfg.IgnoreViolations, command, "deny "+a.Call+" "+a.Path)
}

// ignores reports whether a rule leaves out the line of a command's.
func ignores(rules []config.IgnoreRule, command, line string) bool {
	for _, r := range rules {
		if r.Command != "*" && !strings.Contains(command, r.Command) {
			continue
		}
		for _, part := range r.Parts {
			if strings.Contains(line, part) {
				return true
			}
		}
	}
	return false
}
