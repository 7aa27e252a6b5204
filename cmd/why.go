package cmd

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/event"
	"github.com/srt-sh/srt/core/policy"
)

type whyVerb struct {
	ruleFlags
	JSON  bool     `help:"Print JSON."`
	Words []string `arg:"" optional:"" passthrough:"partial" name:"what" help:"A number of srt violations, a path, or a host; then -- and a command, by default the last one that something was blocked of in this folder."`
}

// answer is the decision about one act.
type answer struct {
	Act    string `json:"act"` // connect, read, write or unix
	Target string `json:"target"`
	Allow  bool   `json:"allow"`
	Rule   string `json:"rule,omitempty"`
	File   string `json:"file,omitempty"` // as settings name their place
	Line   int    `json:"line,omitempty"`
	Reason string `json:"reason,omitempty"`
	Hint   string `json:"hint,omitempty"` // the setting that would allow it
	Change string `json:"change,omitempty"`
}

// Run explains a decision.
func (v *whyVerb) Run(t streams, c *tree) error {
	subject, command := v.Words, []string(nil)
	if i := slices.Index(v.Words, "--"); i >= 0 {
		subject, command = v.Words[:i], v.Words[i+1:]
	}
	if len(subject) > 1 {
		return usageError{text: sayWhyOne, hint: hintVerbHelp("why")}
	}
	what := ""
	if len(subject) == 1 {
		what = subject[0]
	}
	var found *event.Violation
	if n, err := strconv.Atoi(what); what == "" || err == nil {
		if found, err = findViolation(what, n); err != nil {
			return err
		}
	}
	o, err := v.options(t, c, command, found)
	if err != nil {
		return err
	}
	d, err := core.Decide(o)
	if err != nil {
		return err //nolint:wrapcheck // says what it means
	}
	var answers []answer
	if found != nil {
		answers = []answer{answerOf(string(found.Kind), found.Target, d.Allows(found.Event()))}
		if !found.Kind.Blocked() {
			answers[0].Change = cmpKeep(found)
		}
	} else if answers, err = subjectAnswers(d, what); err != nil {
		return err
	}
	if v.JSON {
		for _, a := range answers {
			text, err := json.Marshal(a)
			if err != nil {
				return fmt.Errorf("bug: %w", err)
			}
			fmt.Fprintln(t, cleanJSON(string(text)))
		}
		return nil
	}
	if found != nil {
		t.answer(pad(sayWhyEvent, whyWidth) + strings.TrimPrefix(blockedLine([]event.Event{found.Event()}), "srt: "))
	}
	t.answer(pad(sayWhyRules, whyWidth) + whyRules(d))
	for _, a := range answers {
		for _, line := range whyLines(a) {
			t.answer(line)
		}
	}
	return nil
}

// options are those of the command that is asked about: that of the line, else that of
// the event, else the last one in this folder of which something was blocked.
func (v *whyVerb) options(t streams, c *tree, command []string, found *event.Violation) (core.Options, error) {
	line := c.runLine(v.ruleFlags, command)
	own := !isZero(line)
	if len(command) > 0 || own {
		o := t.options(&line)
		o.Warnf = nil
		return o, nil
	}
	if found == nil {
		last, err := lastRun()
		if err != nil {
			return core.Options{}, err
		}
		if len(last) == 0 || last[0].Clipped {
			o := t.options(&line)
			o.Warnf = nil
			return o, nil
		}
		found = last[0]
	}
	return t.optionsOf(found)
}

func isZero(line runLine) bool {
	return line.settings == nil && line.preset == nil && line.line == "" && !line.noProject && !line.yes && len(line.command) == 0 &&
		len(slices.Concat(line.flags.AllowDomain, line.flags.DenyDomain, line.flags.AllowRead, line.flags.DenyRead, line.flags.AllowWrite, line.flags.DenyWrite, line.flags.AllowWeaker, line.flags.Limit)) == 0
}

// optionsOf are those of the run that an event belongs to.
func (t streams) optionsOf(v *event.Violation) (core.Options, error) {
	if v.Clipped {
		return core.Options{}, usageError{text: sayClipped(v.N), status: statusFailed}
	}
	p, err := scan(slices.Concat(v.Options, []string{"--"}, v.Command))
	if err != nil || p.verb != "run" && p.verb != "" {
		return core.Options{}, usageError{text: sayNotRepeatable(v.N), status: statusFailed}
	}
	o := t.options(&p.run)
	o.Dir, o.Warnf = v.Dir, nil
	return o, nil
}

// findViolation finds one by its number; without, the last of what was blocked here.
func findViolation(what string, n int) (*event.Violation, error) {
	if what == "" {
		last, err := lastRun()
		if err != nil {
			return nil, err
		}
		if len(last) == 0 {
			return nil, usageError{text: sayNothingHere, hint: hintViolations, status: statusFailed}
		}
		return last[len(last)-1], nil
	}
	all, err := core.Violations(core.Options{})
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file
	}
	if n < 1 || n > len(all) {
		return nil, usageError{text: sayNoViolation(n), hint: hintViolations, status: statusFailed}
	}
	return all[n-1], nil
}

// lastRun gives what was blocked in the last run of this folder, or of the repository
// around it, that something was blocked in.
func lastRun() ([]*event.Violation, error) {
	all, err := core.Violations(core.Options{})
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file
	}
	_, here, err := core.Options{}.Roots()
	if err != nil {
		return nil, err //nolint:wrapcheck // says what to do
	}
	tree := treeOf(here)
	var run []*event.Violation
	id := ""
	for _, v := range slices.Backward(all) {
		if id == "" && v.Kind.Blocked() && (v.Dir == here || tree != "" && treeOf(v.Dir) == tree) {
			id = v.Run
		}
		if id != "" && v.Run == id {
			run = append(run, v)
		}
	}
	slices.Reverse(run)
	return run, nil
}

// treeOf is the work tree that a folder lies in, "" if it lies in none.
func treeOf(dir string) string {
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		if dir == "/" || dir == "." {
			return ""
		}
	}
}

// subjectAnswers decides about a path or a host.
func subjectAnswers(d *core.Decided, what string) ([]answer, error) {
	if host, port, ok := hostOf(what); ok {
		return []answer{answerOf("connect", net.JoinHostPort(host, strconv.Itoa(int(port))), d.Host(host, port))}, nil
	}
	place, err := d.Place(what)
	if err != nil {
		return nil, usageError{text: err.Error(), status: statusFailed}
	}
	write := answerOf("write", place, d.Write(place))
	if sensitive := d.Config.Sensitive(place); !write.Allow && write.Rule == "" && write.Hint == "" && sensitive != "" {
		write.Change = sayNotLightly(sensitive)
	}
	return []answer{answerOf("read", place, d.Read(place)), write}, nil
}

// hostOf reads a host, with a port or without, or a URL. What is there as a file, and
// what has a slash or begins with a dot or a tilde, is a path.
func hostOf(what string) (host string, port uint16, ok bool) {
	if u, err := url.Parse(what); err == nil && u.Host != "" && u.Scheme != "" {
		port = map[string]uint16{"http": 80, "ws": 80, "ssh": 22, "git": 9418, "ftp": 21}[u.Scheme]
		if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
			port = uint16(n)
		} else if port == 0 {
			port = 443
		}
		return u.Hostname(), port, true
	}
	if what == "" || strings.Contains(what, "/") || what[0] == '.' || what[0] == '~' {
		return "", 0, false
	}
	if _, err := os.Lstat(what); err == nil {
		return "", 0, false
	}
	host, port = what, 443
	if h, p, err := net.SplitHostPort(what); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return "", 0, false
		}
		host, port = h, uint16(n)
	}
	canon, err := policy.CanonicalHost(host)
	return host, port, err == nil && (strings.ContainsAny(canon, ".:") || canon == "localhost")
}

func answerOf(act, target string, d policy.Decision) answer {
	a := answer{Act: act, Target: target, Allow: d.Allow, Reason: d.Reason, Hint: d.Hint, Change: whyChange(d)}
	if d.Rule != nil {
		a.Rule = d.Rule.Text
		a.File, a.Line = d.Rule.Origin.File, d.Rule.Origin.Line
		if a.File == "" {
			a.File = d.Rule.Origin.String()
		}
	}
	return a
}

func cmpKeep(v *event.Violation) string {
	if v.Keep != "" {
		return sayKeepWith(v.Keep)
	}
	return ""
}
