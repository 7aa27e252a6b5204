package core

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPipForm(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"pip": "#!/usr/bin/python3 -sE\nx", "pip3": "#!/usr/bin/env sh\n", "pip3.9": "#!/bin/sh\n'''exec' /usr/bin/python3", "pip3.8": "\x7fELF",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for line, want := range map[string]string{
		"pip install x":                       "/usr/bin/python3 -sE | DIR/pip | install x",
		"pip":                                 "/usr/bin/python3 -sE | DIR/pip | ",
		"pip3 install":                        "",
		"pip3.9 install":                      "",
		"pip3.8 install":                      "",
		"pip4":                                "",
		"pipx install":                        "",
		"python3 -m pip install x":            "DIR/python3 |  | install x",
		"python3 -mpip list":                  "DIR/python3 |  | list",
		"python3 -Im pip list":                "DIR/python3 -I |  | list",
		"python3 -W error -X utf8 -m pip":     "DIR/python3 -W error -X utf8 |  | ",
		"python3 -Wmodule -m pip a":           "DIR/python3 -Wmodule |  | a",
		"python3 -s /x/__pip-runner__.py a b": "DIR/python3 -s | /x/__pip-runner__.py | a b",
		"python3 -m build":                    "",
		"python3 -c m pip":                    "",
		"python3 x.py -m pip":                 "",
		"python3":                             "",
		"python3 -m":                          "",
	} {
		words := strings.Fields(line)
		s, ok := pipForm(filepath.Join(dir, words[0]), words, []string{"PATH=/usr/bin:/bin"})
		got := ""
		if ok {
			got = strings.ReplaceAll(strings.Join(s.python, " ")+" | "+s.script+" | "+strings.Join(s.args, " "), dir, "DIR")
		}
		if got != want {
			t.Errorf("%s is %q, want %q", line, got, want)
		}
	}
}

// No word is lost or made up.
func FuzzPipModule(f *testing.F) {
	f.Add("-m pip install x")
	f.Add("-W x -Im pip")
	f.Add("- -- -m")
	f.Add("-c m pip")
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Fields(line)
		s, ok := pipModule("python", words)
		if !ok {
			return
		}
		if n := len(words) - len(s.args); n < 1 || !slices.Equal(words[n:], s.args) {
			t.Errorf("%q has the arguments %q", words, s.args)
		}
		for _, w := range s.python[1:] {
			if !strings.Contains(line, strings.TrimPrefix(w, "-")) {
				t.Errorf("%q gives python %q", words, w)
			}
		}
	})
}
