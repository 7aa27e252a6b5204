package cmd

import (
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/srt-sh/srt/cmd/early"
	"github.com/srt-sh/srt/core/config"
)

func TestScan(t *testing.T) {
	for _, c := range []struct {
		args []string
		want parsed
	}{
		{args: nil},
		{args: []string{"--"}, want: parsed{run: runLine{command: []string{}}}},
		{args: []string{"curl", "-s", "URL"}, want: parsed{run: runLine{command: []string{"curl", "-s", "URL"}}}},
		{args: []string{"bash", "-c", "x"}, want: parsed{run: runLine{command: []string{"bash", "-c", "x"}}}},
		{args: []string{"node", "--version"}, want: parsed{run: runLine{command: []string{"node", "--version"}}}},
		{args: []string{"ls", "-d"}, want: parsed{run: runLine{command: []string{"ls", "-d"}}}},
		{args: []string{"echo hi"}, want: parsed{run: runLine{command: []string{"echo hi"}}}},
		{args: []string{""}, want: parsed{run: runLine{command: []string{""}}}},
		{args: []string{"-"}, want: parsed{run: runLine{command: []string{"-"}}}},
		{args: []string{"-d", "--", "run"}, want: parsed{run: runLine{global: global{debug: true}, command: []string{"run"}}}},
		{args: []string{"--", "--bind"}, want: parsed{run: runLine{command: []string{"--bind"}}}},
		{args: []string{"--", "--", "true"}, want: parsed{run: runLine{command: []string{"--", "true"}}}},
		{args: []string{"echo", "--", "x"}, want: parsed{run: runLine{command: []string{"echo", "--", "x"}}}},
		{args: []string{"run", "--", "init"}, want: parsed{verb: "run", run: runLine{command: []string{"init"}}}},
		{args: []string{"run", "run"}, want: parsed{verb: "run", run: runLine{command: []string{"run"}}}},
		{args: []string{"run", "check", "one"}, want: parsed{verb: "run", run: runLine{command: []string{"check", "one"}}}},
		{args: []string{"run", "--", "probe", "--", "x"}, want: parsed{verb: "run", run: runLine{command: []string{"probe", "--", "x"}}}},
		{args: []string{"-s", "F", "true"}, want: parsed{run: runLine{global: global{settings: new("F")}, command: []string{"true"}}}},
		{args: []string{"-sF", "true"}, want: parsed{run: runLine{global: global{settings: new("F")}, command: []string{"true"}}}},
		{args: []string{"-dsF", "true"}, want: parsed{run: runLine{global: global{settings: new("F"), debug: true}, command: []string{"true"}}}},
		{args: []string{"--settings=F=G", "true"}, want: parsed{run: runLine{global: global{settings: new("F=G")}, command: []string{"true"}}}},
		{args: []string{"--preset", "none", "true"}, want: parsed{run: runLine{global: global{preset: new("none")}, command: []string{"true"}}}},
		{args: []string{"--control-fd", "07", "true"}, want: parsed{run: runLine{global: global{controlFD: 7}, command: []string{"true"}}}},
		{args: []string{"-c", "a | b"}, want: parsed{run: runLine{global: global{line: "a | b"}}}},
		{args: []string{"-c", "-x"}, want: parsed{run: runLine{global: global{line: "-x"}}}},
		{args: []string{"-c", "--"}, want: parsed{run: runLine{global: global{line: "--"}}}},
		{args: []string{"-c", "x", "run", "y"}, want: parsed{run: runLine{global: global{line: "x"}, command: []string{"run", "y"}}}},
		{args: []string{"-c", ""}},
		{args: []string{"-c", "x", "-s", "F"}, want: parsed{run: runLine{global: global{line: "x", settings: new("F")}}}},
		{
			args: []string{"-s", "F", "run", "--allow-write", "a,b", "--allow-write=.", "--deny-domain=-x", "--yes", "--no-project", "-d", "w", "--yes"},
			want: parsed{verb: "run", run: runLine{
				global: global{settings: new("F"), debug: true}, yes: true, noProject: true, command: []string{"w", "--yes"},
				flags: config.Flags{AllowWrite: []string{"a,b", "."}, DenyDomain: []string{"-x"}},
			}},
		},
		{args: []string{"-V", "ls"}, want: parsed{version: true}},
		{args: []string{"-dh", "ls"}, want: parsed{help: true, run: runLine{global: global{debug: true}}}},
		{args: []string{"run", "-h"}, want: parsed{verb: "run", help: true}},
		{args: []string{"explain", "-c", "x"}, want: parsed{verb: "explain", rest: []string{"-c", "x"}}},
		{args: []string{"-d", "doctor", "--json"}, want: parsed{verb: "doctor", rest: []string{"--json"}, run: runLine{global: global{debug: true}}}},
	} {
		got, err := scan(c.args)
		if err != nil {
			t.Errorf("scan(%q): %v", c.args, err)
			continue
		}
		if len(got.run.command) == 0 && len(c.want.run.command) == 0 {
			got.run.command = c.want.run.command
		}
		if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("scan(%q)\n got %+v\nwant %+v", c.args, *got, c.want)
		}
	}
}

func TestScanRefuses(t *testing.T) {
	for _, c := range []struct {
		args   []string
		text   string
		hint   string
		status int
	}{
		{args: []string{"--no-such-option", "true"}, text: "unknown option --no-such-option", hint: hintHelp},
		{args: []string{"-x", "true"}, text: "unknown option -x", hint: hintHelp},
		{args: []string{"-dx", "true"}, text: "unknown option -x", hint: hintHelp},
		{args: []string{"-é", "true"}, text: "unknown option -\xc3", hint: hintHelp},
		{args: []string{"--s", "F"}, text: "unknown option --s", hint: hintHelp},
		{args: []string{"--=x"}, text: "unknown option --", hint: hintHelp},
		{args: []string{"run", "--nope", "--", "true"}, text: "unknown option --nope", hint: hintHelp},
		{args: []string{"--allow-write", ".", "true"}, text: "unknown option --allow-write", hint: "--allow-write is an option of run: srt run --allow-write … -- COMMAND"},
		{args: []string{"run", "--deny-read", "--yes"}, text: "option --deny-read needs a value", hint: "write --deny-read=--yes if you mean that"},
		{args: []string{"--settings"}, text: "option --settings needs a value"},
		{args: []string{"run", "--allow-write"}, text: "option --allow-write needs a value"},
		{args: []string{"--settings", "", "true"}, text: "the value of option --settings is empty"},
		{args: []string{"--preset=", "true"}, text: "the value of option --preset is empty"},
		{args: []string{"--debug=yes", "true"}, text: "option --debug takes no value"},
		{args: []string{"--control-fd", "2", "true"}, text: `option --control-fd "2" is invalid: it must be the number of a descriptor, >= 3`, status: 1},
		{args: []string{"--control-fd", "+5", "true"}, text: `option --control-fd "+5" is invalid: it must be the number of a descriptor, >= 3`, status: 1},
		{args: []string{"--control-fd", "x", "true"}, text: `option --control-fd "x" is invalid: it must be the number of a descriptor, >= 3`, status: 1},
		{args: []string{"--control-fd=", "true"}, text: `option --control-fd "" is invalid: it must be the number of a descriptor, >= 3`, status: 1},
	} {
		_, err := scan(c.args)
		got, ok := errors.AsType[usageError](err)
		if !ok {
			t.Errorf("scan(%q) = %v, want a usage error", c.args, err)
			continue
		}
		if want := (usageError{text: c.text, hint: c.hint, status: c.status}); got != want {
			t.Errorf("scan(%q)\n got %+v\nwant %+v", c.args, got, want)
		}
	}
}

// kong and scan read the forms of a run alike: the same value, or both an error.
func TestScanAgreesWithKong(t *testing.T) {
	// Joined values of one-letter options are left out of the letters that follow
	// each other, and so is what the two are known to read differently: a verb
	// behind --, which kong takes for one; a verb behind -c, where the line wins;
	// and --debug=false.
	alphabet := []string{
		"-s", "-sF", "--settings", "--settings=F", "--preset", "--preset=p", "-c", "-cx", "--line=x", "-d", "--debug", "-ds",
		"--control-fd", "--control-fd=4", "--control-fd=2", "7", "--allow-write", "--allow-write=.", "--deny-write=a,b",
		"--allow-read=x", "--deny-read", "--allow-domain=*.x", "--deny-domain", "--yes", "--no-project", "--nope", "-x", "-", "--",
		"run", "run", "run", "true", "word", "", "a b",
	}
	check := func(args []string) bool {
		got, scanErr := scan(args)
		if dashes := slices.Index(args, "--"); dashes >= 0 && slices.Contains(args[dashes:], "run") {
			return false
		}
		if scanErr == nil && (got.run.line != "" && len(got.run.command) > 0 || got.verb != "" && got.verb != "run") {
			return false
		}
		c := &tree{}
		parser, err := newParser(c, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		ctx, kongErr := parser.Parse(args)
		if (scanErr == nil) != (kongErr == nil) {
			// An empty name is for scan to refuse, and so is one that is missing: kong
			// takes the end of the line for an empty word.
			e, ok := errors.AsType[usageError](scanErr)
			if ok && (strings.HasSuffix(e.text, "is empty") || strings.HasSuffix(e.text, "needs a value")) {
				return false
			}
			t.Fatalf("%q: scan says %v, kong %v", args, scanErr, kongErr)
		}
		if scanErr != nil {
			return true
		}
		want := c.line(ctx.Selected() != nil && ctx.Selected().Name == "run")
		if len(want.command) == 0 {
			want.command = nil
		}
		if len(got.run.command) == 0 {
			got.run.command = nil
		}
		if !reflect.DeepEqual(got.run, want) {
			t.Fatalf("%q\nscan %+v\nkong %+v", args, got.run, want)
		}
		return true
	}
	random := rand.New(rand.NewPCG(1, 2))
	both := 0
	for range 6000 {
		args := make([]string, random.IntN(6))
		for i := range args {
			args[i] = alphabet[random.IntN(len(alphabet))]
		}
		if check(args) {
			both++
		}
	}
	if both < 2000 {
		t.Errorf("only %d command lines were compared", both)
	}
}

// The words that scan takes for verbs are those of the tree.
func TestVerbs(t *testing.T) {
	parser, err := newParser(&tree{}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, node := range parser.Model.Children {
		if node.Name != "bare" {
			names = append(names, node.Name)
		}
	}
	if !slices.Equal(names, early.Verbs[:]) {
		t.Errorf("the tree has %q, scan %q", names, early.Verbs)
	}
}

func FuzzScan(f *testing.F) {
	f.Add("-s\x00F\x00run\x00--\x00x")
	f.Add("-dc\x00")
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, "\x00")
		p, err := scan(args)
		if err != nil || p.help || p.version {
			return
		}
		// Words are handed on as they are: those at the end of the line.
		if !slices.Equal(p.run.command, args[len(args)-len(p.run.command):]) {
			t.Fatalf("%q became %q", args, p.run.command)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	args := []string{"--settings", "F", "run", "--allow-write", ".", "--", "npm", "install"}
	for b.Loop() {
		if _, err := scan(args); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKong(b *testing.B) {
	args := []string{"--settings", "F", "run", "--allow-write", ".", "--", "npm", "install"}
	for b.Loop() {
		parser, err := newParser(&tree{}, io.Discard)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := parser.Parse(args); err != nil {
			b.Fatal(err)
		}
	}
}
