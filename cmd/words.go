package cmd

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/event"
	"github.com/srt-sh/srt/core/policy"
	"github.com/srt-sh/srt/shellinit"
)

// Every sentence that srt prints about itself is in this file. The rules:
//
//   - words go to standard error, answers that were asked for to standard output;
//   - one line each, "srt: " first, no capital after it, no full stop; an error is
//     "srt: error: ", a doubt "srt: warning: ", and where a next step is known
//     "srt: hint: " follows;
//   - nothing is printed when all went well;
//   - whatever comes from outside goes through clean on its way out;
//   - what the npm tool says in words that scripts look for is said in its words.

const (
	hintHelp     = "srt --help shows what there is"
	sayNoCommand = "Error: No command specified. Use -c <command> or provide command arguments."
)

// Answers.
const (
	sayByNameOnly   = "by its name only"
	sayNoProxy      = "no HTTPS_PROXY is set: ssh-proxy is what ssh runs inside of a sandbox"
	sayRead         = "read"
	sayUntrusted    = "untrusted"
	sayNotRead      = "not read"
	sayNotThere     = "not there"
	sayAllLayers    = "all layers together"
	sayElseNoHost   = "no other host"
	sayElseReadOnly = "all else can be read, and not written"
	sayFilesOpen    = "every file rule is lifted"
	sayTmpDefault   = "a quarter of the memory for TMPDIR and for /dev/shm (built-in)"
)

// Words of the shell integration.
const (
	sayRouteNothing = "route needs a command"

	sayInside           = "this shell is in a sandbox of srt: all that it runs is held"
	sayNotActive        = "not active: srt install puts it into the start-up file of your shell"
	sayNotCaught        = "full paths, sudo, programs that do not have this PATH"
	sayNothingInstalled = "nothing to remove"
	sayOpenShells       = "shells that are open go on until srt deactivate"
	sayCannotAsk        = "nothing was changed: without a terminal nobody can be asked"
	hintYes             = "--yes changes it, --dry-run shows it"
	hintShell           = "name it: --shell zsh, bash or fish"
	hintFenceChanged    = "remove them, and srt install writes new ones"
	hintFenceByHand     = "remove them by hand, from # >>> srt >>> to # <<< srt <<<"
	hintRouteLoop       = "another folder of the PATH leads back to srt: run the program by its full path"
)

// What srt doctor says of the integration.
const (
	sayHereInactive  = "not active, as far as its function srt would tell"
	sayNoForeign     = "no function or alias leads past srt"
	sayNeverCaught   = "full paths, sudo, cron and services, programs of the desktop, functions of your own that use a full path"
	fixShellSettings = "srt config shows more; until then the names that they add are left out"
	fixNoShell       = "srt init zsh, bash or fish is for one of those"
	fixNewShell      = "open a new shell"
	fixOn            = "srt on"
	fixShimsForeign  = "remove them, and open a new shell"
)

func fixInstall(shell string) string   { return "srt install --shell " + shell }
func fixReinstall(shell string) string { return "srt uninstall, and then srt install --shell " + shell }

func fixAnew(shell string) string {
	if shell == "fish" {
		return "srt deactivate; srt init fish | source"
	}
	return `srt deactivate; eval "$(srt init ` + shell + `)"`
}

func sayStartGone(file, srt string) string { return file + " starts " + srt + ", which is gone" }
func sayStartNotOnPath(file string) string {
	return file + " starts the srt on the PATH, where this one is not"
}
func sayStartOwn(file string) string       { return file + " has a line with srt init" }
func sayHereGone(shell, srt string) string { return shell + " calls " + srt + ", which is gone" }
func sayHereOther(shell, srt, self string) string {
	return shell + " calls " + srt + ", and this is " + self
}
func sayShimsNotOn(dir string) string { return dir + " is not on the PATH" }
func sayShimsFound(dir string) string { return "they come before the programs: " + dir }
func sayBefore(dir string, names []string) string {
	return dir + " comes before them with " + someOf(names)
}

func fixOrder(active bool) string {
	if active {
		return "the next prompt puts the shims first; a script that changes the PATH has to put its folder behind them"
	}
	return "the shell integration keeps the shims first: start it as the last in the start-up file"
}

func sayShimsGone(names []string, target string) string {
	return someOf(names) + " lead to " + target + ", which is gone: the programs behind them run without a sandbox"
}

func sayShimsOther(names []string, target string) string {
	return someOf(names) + " lead to another program, " + target
}

func sayShimsForeign(names []string, dir string) string {
	return someOf(names) + " in " + dir + " are not of srt"
}
func sayShimsMissing(names []string) string { return "none for " + someOf(names) }
func sayShimsGood(srt string) string        { return "all lead to " + srt }

// fixShims says what makes shims anew. What no name stands for any more is not made.
func fixShims(shell string, names []string, values shellinit.Values) string {
	for _, name := range names {
		if !slices.Contains(values.Names, name) {
			return "rm " + filepath.Join(values.Shims, name)
		}
	}
	return "srt init " + shell + " >/dev/null makes them anew"
}

func sayAlias(kind, text string) string { return kind + " leads past srt: " + text }
func fixFunction(name string) string {
	return "remove it, or see that it calls " + name + " as command " + name + ", which the shims catch"
}
func fixAlias(name string) string { return "unalias " + name }

// someOf lists names, but no more than a line has room for.
func someOf(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, " ")
	}
	return strings.Join(names[:most], " ") + fmt.Sprintf(" and %d more", len(names)-most)
}

func sayShellOn(shell string) string  { return shell + ", on" }
func sayShellOff(shell string) string { return shell + ", off: srt on" }

func sayShimsFirst(dir string, first bool) string {
	if first {
		return "the shims come first: " + dir
	}
	return "the shims do not come first: " + dir
}

func sayStartFile(file string, has bool) string {
	if has {
		return file + " has the lines of srt install"
	}
	return file + " does not have the lines of srt install"
}

func sayForeign(what string) string     { return what + " comes before the function of srt" }
func sayInstalled(file string) string   { return "written to " + file + ": it holds in new shells" }
func sayUninstalled(file string) string { return "removed from " + file }
func sayFenceThere(file string) string  { return file + " has it already" }
func sayShimsRemoved(n int) string      { return fmt.Sprintf("removed %d shims", n) }
func sayNoShell(shell string) string {
	if shell == "" {
		return "SHELL is not set"
	}
	return fmt.Sprintf("there is no integration for the shell %q", shell)
}

func sayFenceChanged(file string) string {
	return "the lines of srt in " + file + " were changed, and are left as they are"
}
func sayFenceKept(file string) string { return file + " is read-only, and keeps the lines of srt" }
func sayFenceReadOnly(file string) string {
	return file + " is read-only: add these lines where it is made"
}
func askWrite(file string) string { return "change " + file + "?" }

func sayRouteLoop(name, program string) string {
	return fmt.Sprintf("%q leads back to srt again and again, by %q", name, program)
}

func sayFine(name string) string   { return name + ": no mistakes" }
func sayAbsent(name string) string { return name + " does not exist" }
func sayPort(port string) string   { return fmt.Sprintf("%q is no port", port) }

// sayOwnPreset tells of a preset of the user.
func sayOwnPreset(file string, replaces bool) string {
	if replaces {
		return "yours, " + file + ", in place of the built-in one"
	}
	return "yours, " + file
}

func sayAdds(rule, origin string) string { return rule + " is allowed too, by " + origin }
func sayHidden(n int) string             { return fmt.Sprintf("%d stores of credentials hidden (built-in)", n) }

func sayAgeless(tool string) string { return "does not reach " + tool }

func sayPlaces(n int) string {
	return fmt.Sprintf("and %d places in the home folder and the system", n)
}
func sayFix(fix string) string        { return "fix: " + fix }
func hintVerbHelp(verb string) string { return "srt " + verb + " --help shows what there is" }
func ruleLine(key string, r policy.Rule) string {
	return pad(key, 16) + r.String()
}

func presetLine(x *core.Explanation, o core.Options) string {
	switch {
	case x.Preset == "" && o.Preset == "" && o.Settings != "":
		return "none, since --settings is given"
	case x.Preset == "" && o.Preset == "" && o.Line != "":
		return "none, since it is a shell line"
	case x.Preset == "" && x.Matched != "":
		return "none, for " + x.Matched
	case x.Preset == "":
		return "none"
	case x.Matched != "":
		return x.Preset + ", for " + x.Matched
	}
	return x.Preset + ", by name"
}

// chosenLines say what makes the shell integration put a command into a sandbox. With
// options that choose, that is no question.
func chosenLines(x *core.Explanation, o core.Options) []string {
	switch {
	case o.Preset != "" || o.Settings != "" || o.Line != "":
		return nil
	case x.Held:
		return []string{x.Rule + ", whose preset would count if the file were trusted"}
	case x.Rule != "" && x.Rule != x.Matched:
		return []string{x.Rule + ", which names no preset"}
	case x.Rule != "":
		return []string{x.Rule}
	case x.Matched != "":
		return []string{x.Matched + ", of the preset"}
	}
	if filepath.Base(x.Args[0]) == "git" {
		return []string{"none: the shell integration runs it as srt git does, with its hooks in a sandbox"}
	}
	return []string{"none: the shell integration runs it without a sandbox"}
}

// kernelLines say what holds the command.
func kernelLines(x *core.Explanation) []string {
	bwrap := x.Bwrap
	if bwrap == "" {
		bwrap = "not there"
	}
	sockets := "refused"
	if list := x.Config.Network.AllowUnixSockets; len(list) > 0 {
		names := make([]string, 0, len(list))
		for _, rule := range list {
			names = append(names, clean(rule.Text))
		}
		sockets = "those of streams, at " + strings.Join(names, ", ")
	}
	if x.Config.Network.AllowAllUnixSockets.Value {
		sockets = "allowed by " + x.Config.Network.AllowAllUnixSockets.Origin.String()
	}
	nested := "refused"
	if x.Config.AllowNestedUserNamespaces.Value {
		nested = "allowed by " + x.Config.AllowNestedUserNamespaces.Origin.String()
	}
	return []string{
		pad("bubblewrap", 26) + bwrap,
		pad("namespaces", 26) + "user, mount, pid, ipc, uts, network",
		pad("network", 26) + "no route; the proxy is all that can be reached",
		pad("capabilities", 26) + "none, and no way to get any",
		pad("system call filter", 26) + "on",
		pad("unix sockets", 26) + sockets,
		pad("nested user namespaces", 26) + nested,
	}
}

// limitLines say how far each limit is enforced.
func limitLines(x *core.Explanation) []string {
	var lines []string
	temp := false
	for _, l := range x.Limits {
		lines = append(lines, pad(l.Name+" "+l.Value, 26)+l.Measure.Detail+", by "+l.Origin.String())
		temp = temp || l.Name == "tmp"
	}
	if !temp {
		lines = append(lines, pad("tmp", 26)+sayTmpDefault)
	}
	for _, r := range x.Config.AllowWeaker {
		lines = append(lines, pad("allow_weaker "+r.Text, 26)+"accepts the weaker form, by "+r.Origin.String())
	}
	return lines
}

// Trust.
const (
	sayTrustsNothing = "this is no terminal, so nothing is asked and nothing is trusted"
	sayNotTrusted    = "nothing was trusted"
	hintTrustYes     = "srt trust --yes trusts without a question"
	hintTrustList    = "srt trust --list shows what is trusted"
	hintNoProject    = "the names are .srt.toml, .sandbox/settings.json and .srt.local.toml, from the root of the repository to this folder"
)

func sayNoFolder(dir string) string { return dir + " is not a folder" }
func sayNoProject(dir string) string {
	return "no settings that a repository brings along are read in " + dir
}
func sayNothingTrusted(dir string) string { return "nothing is trusted of " + dir }
func sayOpensNothing(shown string) string {
	return shown + " opens nothing, so all of it counts as it is"
}
func sayAsksFor(shown string) string { return shown + " asks for" }
func sayLine(line int) string        { return fmt.Sprintf("line %d", line) }
func sayBrokenRecord(name string) string {
	return name + " is no record of trust that can be used, and counts for nothing"
}

func sayTrustQuestion(files int) string {
	if files > 1 {
		return "trust them as they are?"
	}
	return "trust it as it is?"
}

func sayTrustState(s config.TrustState) string {
	switch s {
	case config.TrustSame:
		return "same"
	case config.TrustChanged:
		return "changed"
	case config.TrustGone:
	}
	return "gone"
}

// sayOpens says what an entry of a repository's file does when it is trusted.
func sayOpens(h config.Held) string {
	key := h.Origin.Key
	if !strings.HasSuffix(h.Origin.File, ".toml") {
		key = config.Snake(key)
	}
	switch key {
	case "filesystem.allow_write", "filesystem.allow_cache":
		return "it and all beneath it can be written"
	case "filesystem.allow_read":
		return "it and all beneath it can be read, even if it is hidden"
	case "filesystem.disabled":
		return "everything can be read and written"
	case "filesystem.allow_git_config":
		return "the configuration of repositories can be written, and git runs what it says"
	case "network.allowed_domains":
		return "connections to it"
	case "network.forward_loopback":
		return "the command reaches this port of this machine"
	case "network.listen":
		return "this machine reaches the command on this port"
	case "network.allow_unix_sockets", "network.allow_all_unix_sockets":
		return "connections to programs of this machine"
	case "network.parent_proxy", "network.mitm_proxy", "network.http_proxy_port", "network.socks_proxy_port":
		return "connections go by way of it"
	case "network.tls_terminate":
		return "what is inside of TLS is looked into"
	case "permissions.allow":
		return "it can be read, written or reached"
	case "environment.keep":
		return "the command gets the variable, even if it is hidden"
	case "command.match":
		return "your shells send it through srt in this folder"
	case "command.preset":
		return "the command gets what the preset opens"
	case "ignore_violations", "report.files":
		return "what is blocked is not told"
	case "bwrap_path":
		return "this program makes the sandbox"
	case "allow_weaker":
		return "a weaker form of the protection will do"
	case "git.safe_directories":
		return "git works in folders that belong to others"
	case "credentials.files", "credentials.env_vars", "credentials.aws_pairs":
		return "hosts get what it stands for"
	}
	if strings.HasPrefix(key, "limits.") {
		return "more than the limit in force"
	}
	return "a protection less"
}

func measureLine(m core.Measure) string {
	state := "ok"
	switch {
	case m.OK:
	case m.Needed:
		state = "FAIL"
	case m.Weaker:
		state = "weak"
	default:
		state = "no"
	}
	line := pad(state, 6) + pad(m.Name, 26)
	return strings.TrimRight(line+m.Detail, " ")
}

// usage is how a verb is typed.
func usage(verb string) string {
	switch verb {
	case "":
		return `srt runs a command in a sandbox that the kernel enforces.

Usage: srt [OPTION]… [--] COMMAND [WORD]…
       srt [OPTION]… -c LINE
       srt [OPTION]… VERB …

Options end at the first word that is none. Behind -- or run, the name of a verb is
a program.
`
	case "run", "explain":
		return "Usage: srt " + verb + " [OPTION]… [--] COMMAND [WORD]…\n       srt [OPTION]… " + verb + " -c LINE\n"
	case "route":
		verb += " [--] COMMAND [WORD]…"
	case "config check":
		verb += " [FILE]"
	case "trust":
		verb = "trust [--yes] [DIR]\n       srt trust --list"
	case "untrust":
		verb += " [DIR]"
	case "preset show":
		verb += " NAME"
	case "why":
		verb = "why [OPTION]… [N|PATH|HOST] [-- COMMAND [WORD]…]"
	case "events":
		verb = "events export --otlp URL [--since TIME] [--follow]"
	case "events export":
		verb += " --otlp URL [--since TIME] [--follow]"
	case "learn":
		verb = "learn [OPTION]… [--output FILE] [--write] [--yes] [--] COMMAND [WORD]…"
	case "allow":
		verb = "allow [--user|--project|--once] N|--last"
	case "install", "uninstall":
		verb += " [--shell zsh|bash|fish] [--dry-run] [--yes]"
	case "init":
		verb += " [--git=hooks|all|off] zsh|bash|fish"
	case "git":
		verb += " [WORD]…"
	case "hook git install", "hook git uninstall":
		verb += " [--local|--global|--shim] [--dry-run] [--yes]"
	case "hook git review":
		verb += " [--dry-run] [--yes]"
	case "hook git adopt":
		verb += " [--dry-run] [--yes] [-- COMMAND [WORD]…]"
	case "hook pip install", "hook pip uninstall", "hook make uninstall":
		verb += " [--dry-run] [--yes]"
	case "hook make install":
		verb += " [--recipes] [--dry-run] [--yes]"
	case "hook", "hook git", "hook pip", "hook make":
		verb += " VERB"
	case "completion":
		verb += " bash|zsh|fish"
	case "config", "preset":
		verb += " VERB"
	}
	return "Usage: srt " + verb + "\n"
}

// pad fills text up to a width, with one space at least.
func pad(text string, width int) string {
	n := utf8.RuneCountInString(text)
	return text + strings.Repeat(" ", max(1, width-n))
}

// answer prints one line of what was asked for.
func (t streams) answer(line string) { fmt.Fprintln(t, clean(line)) }

// text prints what was asked for, line by line.
func (t streams) text(text string) {
	for line := range strings.Lines(text) {
		fmt.Fprint(t, cleanText(strings.TrimSuffix(line, "\n"))+"\n")
	}
}

func sayUnknownOption(name string) string { return "unknown option " + name }
func sayValueMissing(name string) string  { return "option " + name + " needs a value" }
func sayEmptyValue(name string) string    { return "the value of option " + name + " is empty" }
func sayNoValue(name string) string       { return "option " + name + " takes no value" }
func hintJoined(name, value string) string {
	return "write " + name + "=" + value + " if you mean that"
}

func hintRunOption(name string) string {
	return name + " is an option of run: srt run " + name + " … -- COMMAND"
}

func sayControlNumber(value string) string {
	return fmt.Sprintf("option --control-fd %q is invalid: it must be the number of a descriptor, >= 3", value)
}

// sayControlUnusable is the npm tool's sentence.
func sayControlUnusable(fd int, why string) string {
	return fmt.Sprintf("Error: --control-fd %d is not usable: %s. Refusing to run the command without the control channel it asks for.", fd, why)
}

// print writes one line to standard error.
func (t streams) print(line string) {
	fmt.Fprintln(t.err, clean(line))
}

func (t streams) hint(text string)              { t.print("srt: hint: " + text) }
func (t streams) warnf(format string, a ...any) { t.warn(fmt.Sprintf(format, a...)) }
func (t streams) debugf(format string, a ...any) {
	t.print("[SandboxDebug] " + fmt.Sprintf(format, a...))
}

func (t streams) warn(text string) {
	if strings.HasPrefix(text, "Invalid config on ") {
		t.print(text) // the npm tool's sentence
		return
	}
	t.print("srt: warning: " + text)
}

// error says what went wrong, without the full stop that some messages end in.
// Joined errors, a line each, become one line.
func (t streams) error(text string) {
	var parts []string
	for part := range strings.SplitSeq(text, "\n") {
		if !strings.HasSuffix(part, "..") {
			part = strings.TrimSuffix(part, ".")
		}
		parts = appendNew(parts, part)
	}
	t.print("srt: error: " + strings.Join(parts, "; "))
}

// fail says what went wrong and what to do about it, and returns the exit status.
func (t streams) fail(err error) int {
	if e, ok := errors.AsType[*config.RefusedError](err); ok {
		first := "Error: " + e.Reason
		t.print(first)
		t.print(strings.TrimPrefix(e.Error(), first+"\n"))
		return statusFailed
	}
	status, hint := statusRefused, ""
	text := err.Error()
	if e, ok := errors.AsType[usageError](err); ok {
		hint = e.hint
		if e.status != 0 {
			status = e.status
		}
		if strings.HasPrefix(e.text, "Error: ") {
			t.print(e.text)
			return status
		}
	} else if e, ok := errors.AsType[*core.CommandError](err); ok {
		status = e.Code
	} else if e, ok := errors.AsType[*config.Error](err); ok {
		hint = e.Hint
	} else if _, ok := errors.AsType[*core.ControlError](err); ok {
		status = statusFailed // as the npm tool
	} else {
		hint = core.NextStep(err)
	}
	t.error(text)
	if hint != "" {
		t.hint(hint)
	}
	return status
}

// How many lines the summary of a run has at most, its hints aside: those of what was
// blocked, and those of what has changed. A command makes as many of the former as
// it likes, and must not push the latter out by that.
const (
	maxSummary = 5
	maxChanges = 40
)

// summary says what was blocked. where names the settings that would allow it,
// once says whether an option of run would too.
func (t streams) summary(r event.Report, where string, once bool) {
	var shown, cut [][]event.Event
	lines := summaryLines(r.Events)
	blocked := 0
	for _, l := range lines {
		if l[0].Kind.Blocked() {
			blocked++
		}
	}
	forBlocked, forChanges := maxSummary, maxChanges // lines that there is room for
	if blocked > maxSummary || r.Dropped > 0 {
		forBlocked-- // for the line that says how many more
	}
	for _, l := range lines {
		room := &forChanges
		if l[0].Kind.Blocked() {
			room = &forBlocked
		}
		if *room > 0 {
			*room--
			shown = append(shown, l)
		} else {
			cut = append(cut, l)
		}
	}
	more := r.Dropped
	for _, l := range cut {
		for _, e := range l {
			more += e.Count
		}
	}
	var hosts, hints, keeps []string
	for _, l := range shown {
		t.print(blockedLine(l))
		for _, e := range l[:min(len(l), maxNames)] {
			if entry, ok := strings.CutPrefix(e.Hint, "allowed_domains = ["); ok {
				hosts = appendNew(hosts, strings.TrimSuffix(entry, "]"))
			} else if e.Hint != "" {
				hints = appendNew(hints, e.Hint)
			}
			if e.Keep != "" {
				keeps = appendNew(keeps, strings.TrimSuffix(strings.TrimPrefix(e.Keep, "deny_write = ["), "]"))
			}
		}
	}
	if more > 0 {
		t.print(fmt.Sprintf("srt: and %d more", more))
	}
	if r.Logged && where == sayYourSettings {
		known := len(hosts)
		hosts = nil
		hints = slices.DeleteFunc(hints, func(hint string) bool {
			if !core.Allowable(hint) {
				return false
			}
			known++
			return true
		})
		if known > 0 {
			t.hint(hintAllowLast)
		}
	}
	if len(hosts) > 0 {
		hints = append([]string{"allowed_domains = [" + strings.Join(hosts, ", ") + "]"}, hints...)
	}
	if len(hints) > 0 {
		text := "allow with " + strings.Join(hints, " and ") + " in " + where
		if len(hosts) > 0 && once {
			text += ", or once with srt run --allow-domain " + strings.ReplaceAll(strings.Join(hosts, " --allow-domain "), `"`, "")
		}
		t.hint(text)
	}
	if len(keeps) > 0 {
		t.hint("keep as they are with deny_write = [" + strings.Join(keeps, ", ") + "] in " + where)
	}
}

// maxNames is how many names a line of the summary has at most.
const maxNames = 6

// summaryLines groups the changes that have the same reason: a command that makes many
// of them must not push others out of the summary.
func summaryLines(events []event.Event) [][]event.Event {
	var lines [][]event.Event
	at := map[string]int{} // by reason
	for _, e := range events {
		i, known := at[e.Reason]
		if e.Kind == event.Later && known {
			lines[i] = append(lines[i], e)
			continue
		}
		if e.Kind == event.Later {
			at[e.Reason] = len(lines)
		}
		lines = append(lines, []event.Event{e})
	}
	return lines
}

func blockedLine(events []event.Event) string {
	home, _, _ := core.Options{}.Roots() // without one, paths are told whole
	e := events[0]
	target := tilde(e.Target, home)
	line := "srt: blocked " + string(e.Kind) + " " + target
	switch e.Kind {
	case event.Changed, event.Later:
		line = "srt: changed " + target
	case event.Limit:
		line = "srt: limit " + e.Target
	case event.Write, event.Read:
		if e.Program != "" {
			line += " by " + e.Program
		}
	case event.Connect, event.Unix, event.More:
	}
	for _, other := range events[1:min(len(events), maxNames)] {
		line += ", " + tilde(other.Target, home)
	}
	if n := len(events) - maxNames; n > 0 {
		line += fmt.Sprintf(" and %d more", n)
	}
	line += ": " + e.Reason
	if e.Rule != "" {
		line += ", by " + e.Rule
	}
	if e.Count > 1 {
		line += fmt.Sprintf(" (%d times)", e.Count)
	}
	return line
}

// tilde spells a path in the home folder as users do; what is no path stays as it is.
func tilde(target, home string) string {
	if rest, ok := strings.CutPrefix(target, home+"/"); ok && home != "" && home != "/" {
		return "~/" + rest
	}
	return target
}

func appendNew(list []string, entry string) []string {
	if slices.Contains(list, entry) {
		return list
	}
	return append(list, entry)
}

// clean makes text from outside safe for a terminal and for the one line that it
// is part of: control characters, characters that turn the direction of text or
// end a line, and what is no UTF-8 are spelled out.
func clean(s string) string {
	if !strings.ContainsFunc(s, unclean) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !unclean(r):
			b.WriteString(s[i : i+size])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += size
	}
	return b.String()
}

// cleanText is clean for text that may hold tabs.
func cleanText(s string) string {
	parts := strings.Split(s, "\t")
	for i := range parts {
		parts[i] = clean(parts[i])
	}
	return strings.Join(parts, "\t")
}

// unclean reports whether a character may not be printed: controls (C0, DEL and
// C1), formatting characters (Cf, among them those that turn the direction), and
// separators of lines and paragraphs.
func unclean(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0xa0 && unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}
