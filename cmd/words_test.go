package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/event"
	"github.com/srt-sh/srt/sandbox"
)

// spoken runs a function with streams and returns what it wrote to them.
func spoken(t *testing.T, f func(streams)) (out, errw string) {
	t.Helper()
	dir := t.TempDir()
	var files [2]*os.File
	for i, name := range []string{"out", "err"} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		files[i] = f
	}
	f(streams{in: nil, out: files[0], err: files[1]})
	var text [2]string
	for i, f := range files {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		text[i] = string(data)
	}
	return text[0], text[1]
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":            "plain",
		"żółć 漢字 é":        "żółć 漢字 é",
		"a\x1b[31mb":       `a\x1b[31mb`,
		"a\nb\tc\rd\x00":   `a\nb\tc\rd\x00`,
		"\x7f":             `\x7f`,
		"\u009b31m":        `\u009b31m`,
		"\x9b31m":          `\x9b31m`,
		"a\u202eb\u2066c":  `a\u202eb\u2066c`,
		"\u200f\u061c":     `\u200f\u061c`,
		"soft\u00adhyphen": `soft\u00adhyphen`,
		"\u2028\u2029":     `\u2028\u2029`,
		"\U000e0041":       `\U000e0041`,
		"\xff\xfe":         `\xff\xfe`,
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

// harmless reports what may not reach a terminal in one line of text.
func harmless(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("no UTF-8: %q", s)
	}
	for _, r := range s {
		switch {
		case r < 0x20, r >= 0x7f && r < 0xa0, r == 0x61c, r == 0x200e, r == 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff:
			return fmt.Errorf("%U in %q", r, s)
		}
	}
	return nil
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"\x1b]0;x\x07", "\u202e", "\x9b", "a\nb", "\xf0\x90", "é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		if err := harmless(got); err != nil {
			t.Fatal(err)
		}
		if clean(got) != got {
			t.Fatalf("clean(%q) is not clean", s)
		}
		if harmless(s) == nil && !strings.ContainsFunc(s, unclean) && got != s {
			t.Fatalf("clean(%q) = %q", s, got)
		}
	})
}

func FuzzSummary(f *testing.F) {
	f.Add("evil\x1b.example:443", "host is not on the \nallow list", "\u202erule", `allowed_domains = ["x"]`)
	f.Fuzz(func(t *testing.T, target, reason, rule, hint string) {
		_, text := spoken(t, func(s streams) {
			s.summary(event.Report{Events: []event.Event{{Kind: event.Connect, Target: target, Reason: reason, Rule: rule, Hint: hint, Count: 2}}}, "your settings", true)
		})
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if len(lines) > 2 {
			t.Fatalf("%d lines: %q", len(lines), text)
		}
		for _, line := range lines {
			if err := harmless(line); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestSummary(t *testing.T) {
	connect := func(host string, count int) event.Event {
		return event.Event{
			Kind: event.Connect, Target: host + ":443", Reason: "host is not on the allow list",
			Hint: `allowed_domains = ["` + host + `"]`, Count: count,
		}
	}
	many := event.Report{Dropped: 7}
	for i := range 9 {
		many.Events = append(many.Events, connect(fmt.Sprintf("h%d.example", i), 9-i))
	}
	for _, c := range []struct {
		name   string
		report event.Report
		file   string
		want   string
	}{
		{name: "one", report: event.Report{Events: []event.Event{connect("a.example", 1)}}, want: `
srt: blocked connect a.example:443: host is not on the allow list
srt: hint: allow with allowed_domains = ["a.example"] in your settings, or once with srt run --allow-domain a.example
`},
		{name: "logged", report: event.Report{Logged: true, Events: []event.Event{connect("a.example", 1), {
			Kind: event.Write, Target: "/h/.cache/x", Reason: "the path is outside of what may be written", Program: "node", Hint: `allow_write = ["/h/.cache/x"]`, Count: 2,
		}, {
			Kind: event.Unix, Target: "/run/x.sock", Reason: "no", Count: 1,
		}}}, want: `
srt: blocked connect a.example:443: host is not on the allow list
srt: blocked write /h/.cache/x by node: the path is outside of what may be written (2 times)
srt: blocked unix /run/x.sock: no
srt: hint: srt allow --last
`},
		{name: "settings", file: "s.json", report: event.Report{Events: []event.Event{connect("a.example", 3)}}, want: `
srt: blocked connect a.example:443: host is not on the allow list (3 times)
srt: hint: allow with allowed_domains = ["a.example"] in s.json
`},
		{name: "no hint, a rule", report: event.Report{Events: []event.Event{{
			Kind: event.Connect, Target: "b.example:22", Reason: "host is on the deny list", Rule: `"*:22" of ~/x:3`, Count: 1,
		}}}, want: `
srt: blocked connect b.example:22: host is on the deny list, by "*:22" of ~/x:3
`},
		{name: "changed", report: event.Report{Events: []event.Event{{
			Kind: event.Changed, Target: "/p/.git/hooks", Reason: "a protected path was changed while the command ran", Count: 1,
		}}}, want: `
srt: changed /p/.git/hooks: a protected path was changed while the command ran
`},
		{name: "blocked and changed", report: event.Report{Events: []event.Event{connect("a.example", 1), {
			Kind: event.Later, Target: "/w/.npmrc", Reason: "package managers follow it", Keep: `deny_write = ["/w/.npmrc"]`, Count: 1,
		}}}, want: `
srt: blocked connect a.example:443: host is not on the allow list
srt: changed /w/.npmrc: package managers follow it
srt: hint: allow with allowed_domains = ["a.example"] in your settings, or once with srt run --allow-domain a.example
srt: hint: keep as they are with deny_write = ["/w/.npmrc"] in your settings
`},
		{name: "five", report: event.Report{Events: many.Events[:5]}, want: `
srt: blocked connect h0.example:443: host is not on the allow list (9 times)
srt: blocked connect h1.example:443: host is not on the allow list (8 times)
srt: blocked connect h2.example:443: host is not on the allow list (7 times)
srt: blocked connect h3.example:443: host is not on the allow list (6 times)
srt: blocked connect h4.example:443: host is not on the allow list (5 times)
srt: hint: allow with allowed_domains = ["h0.example", "h1.example", "h2.example", "h3.example", "h4.example"] in your settings, or once with srt run --allow-domain h0.example --allow-domain h1.example --allow-domain h2.example --allow-domain h3.example --allow-domain h4.example
`},
		{name: "many", report: many, want: `
srt: blocked connect h0.example:443: host is not on the allow list (9 times)
srt: blocked connect h1.example:443: host is not on the allow list (8 times)
srt: blocked connect h2.example:443: host is not on the allow list (7 times)
srt: blocked connect h3.example:443: host is not on the allow list (6 times)
srt: and 22 more
srt: hint: allow with allowed_domains = ["h0.example", "h1.example", "h2.example", "h3.example"] in your settings, or once with srt run --allow-domain h0.example --allow-domain h1.example --allow-domain h2.example --allow-domain h3.example
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			where := c.file
			if where == "" {
				where = "your settings"
			}
			out, text := spoken(t, func(s streams) { s.summary(c.report, where, c.file == "") })
			if out != "" || text != strings.TrimPrefix(c.want, "\n") {
				t.Errorf("got\n%s%s\nwant%s", out, text, c.want)
			}
		})
	}
}

func TestFail(t *testing.T) {
	t.Setenv("SANDBOX_RUNTIME", "")
	for _, c := range []struct {
		name string
		err  error
		code int
		want string // a prefix
	}{
		{"plain", fmt.Errorf("%s", "disk.\nfull.\nfull"), 125, "srt: error: disk; full\n"},
		{
			"refused", &config.RefusedError{Reason: "/a\x1b.json does not exist.", Lost: "the rules --settings asked for"}, 1,
			"Error: /a\\x1b.json does not exist.\nRefusing to run with the built-in defaults, which would drop the rules --settings asked for.\n",
		},
		{
			"config", fmt.Errorf("loading: %w", &config.Error{File: "f.toml", Line: 2, Key: "network.x", Msg: "unknown key", Hint: "did you mean y?"}), 125,
			"srt: error: loading: f.toml:2: network.x: unknown key\nsrt: hint: did you mean y?\n",
		},
		{"not found", &core.CommandError{Code: 127, Err: errors.New(`"x": command not found`)}, 127, "srt: error: \"x\": command not found\n"},
		{"no bwrap", sandbox.ErrNoBwrap, 125, "srt: error: bubblewrap (bwrap) is not installed\n"},
		{"elsewhere", sandbox.ErrUnsupported, 125, "srt: error: no sandbox on this system yet: Linux only\nsrt: hint: srt needs Linux 5.12 or newer\n"},
		{"usage", usageError{text: "unknown option --x", hint: hintHelp}, 125, "srt: error: unknown option --x\nsrt: hint: srt --help shows what there is\n"},
		{"no command", usageError{text: sayNoCommand, status: 1}, 1, "Error: No command specified. Use -c <command> or provide command arguments.\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code := 0
			_, text := spoken(t, func(s streams) { code = s.fail(c.err) })
			if code != c.code || !strings.HasPrefix(text, c.want) {
				t.Errorf("status %d, want %d\ngot\n%s\nwant\n%s", code, c.code, text, c.want)
			}
		})
	}
}

// In a sandbox there is no second one: the words say what to do instead.
func TestFailNested(t *testing.T) {
	t.Setenv("SANDBOX_RUNTIME", "1")
	_, text := spoken(t, func(s streams) { s.fail(fmt.Errorf("%w: EPERM", sandbox.ErrNoUserns)) })
	if !strings.Contains(text, "\nsrt: hint: this is inside a sandbox already") {
		t.Error(text)
	}
}

// Many changes that matter little do not push out the one that matters.
func TestSummaryGroupsChanges(t *testing.T) {
	var events []event.Event
	for i := range 9 {
		events = append(events, event.Event{Kind: event.Later, Target: fmt.Sprintf("/w/%d/.nvmrc", i), Reason: "it chooses", Count: 1, Keep: "deny_write = [\"x\"]"})
	}
	events = append(events, event.Event{Kind: event.Later, Target: "/w/a.pth", Reason: "Python runs it", Count: 1})
	lines := summaryLines(events)
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	want := "srt: changed /w/0/.nvmrc, /w/1/.nvmrc, /w/2/.nvmrc, /w/3/.nvmrc, /w/4/.nvmrc, /w/5/.nvmrc and 3 more: it chooses"
	if got := blockedLine(lines[0]); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := blockedLine(lines[1]); got != "srt: changed /w/a.pth: Python runs it" {
		t.Errorf("%q", got)
	}

	// Nor do many blocked connections.
	report := event.Report{Dropped: 1}
	for i := range 20 {
		report.Events = append(report.Events, event.Event{Kind: event.Connect, Target: fmt.Sprintf("h%d:443", i), Reason: "no", Count: 1})
	}
	report.Events = append(report.Events, events...)
	_, text := spoken(t, func(s streams) { s.summary(report, "your settings", true) })
	if !strings.Contains(text, "srt: changed /w/a.pth: Python runs it\n") || !strings.Contains(text, "srt: and 17 more\n") {
		t.Errorf("%s", text)
	}
}
