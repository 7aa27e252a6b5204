package hooks

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestMakefileShell(t *testing.T) {
	for text, want := range map[string]string{
		"":                                             "",
		"all:\n\tSHELL=x true\n":                       "",
		"# SHELL = x\nMYSHELL = y\nSHELLS=z":           "",
		"SHELL := /bin/bash\n":                         "/bin/bash",
		"export SHELL=/bin/dash # why\n":               "/bin/dash",
		"a b: SHELL = python3\n":                       "python3",
		"override SHELL ?= zsh":                        "zsh",
		"SHELL := $(shell which bash)\n":               "bash",
		"SHELL = /usr/bin/env bash":                    "bash",
		"SHELL := /bin/bash\na: SHELL=/usr/bin/bash\n": "/usr/bin/bash",
		"SHELL = $(X)":                                 "error",
		"ifdef X\nSHELL=bash\nelse\nSHELL=zsh\n":       "error",
		"SHELL =":                                      "error",
	} {
		got, err := MakefileShell([]byte(text))
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q gives %q, want %q; %v", text, got, want, err)
		}
	}
	for flags, want := range map[string]bool{"-c": false, "-eu -o pipefail -c": true, "-euo pipefail -c": true, "--norc -c": true, "-e -c": false} {
		if got := needsBash(append(strings.Fields(flags), "echo -o pipefail")); got != want {
			t.Errorf("%q needs bash: %v", flags, got)
		}
	}
}

func TestWithoutRecipeShell(t *testing.T) {
	for flags, want := range map[string]string{
		"": "", "-j2 A=b": "-j2 A=b", "SHELL=/x/recipe-shell": "", "s -- SHELL=/x\\ y/recipe-shell A=b\\ c": "s -- A=b\\ c",
		"SHELL=/x/recipe-shell2": "SHELL=/x/recipe-shell2", "A=/recipe-shell\\": "A=/recipe-shell\\",
	} {
		if got, found := WithoutRecipeShell(flags); got != want || found != (got != flags) {
			t.Errorf("%q gives %q", flags, got)
		}
	}
}

// The shell that is read is the one that make takes.
func FuzzMakefileShell(f *testing.F) {
	f.Add("/bin/bash", ":=")
	f.Add("a b", "=")
	f.Add("$(X)", "?=")
	f.Add("x#y", "::=")
	f.Fuzz(func(t *testing.T, value, op string) {
		text := "SHELL " + op + " " + value + "\n"
		got, err := MakefileShell([]byte(text))
		if err == nil && got != "" && !strings.Contains(text, got) {
			t.Errorf("%q gives %q", text, got)
		}
		if strings.ContainsAny(got, "$ \t\n") {
			t.Errorf("%q gives %q", text, got)
		}
	})
}

// make says the same of includes and of the file that it reads.
func TestShellOf(t *testing.T) {
	program, err := exec.LookPath("make")
	if err != nil {
		t.Skip(err)
	}
	for name, files := range map[string]map[string]string{
		"own":      {"Makefile": "SHELL := /bin/bash\ninclude none.mk\n", "none.mk": ""},
		"included": {"Makefile": "include a.mk\n-include gone.mk\n", "a.mk": "sinclude b.mk\n", "b.mk": "SHELL=/bin/bash\n"},
		"first":    {"GNUmakefile": "SHELL=/bin/bash\n", "Makefile": "SHELL=/bin/dash\n"},
		"none":     {"makefile": "x=y\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for file, text := range files {
				if slices.Contains([]string{"GNUmakefile", "Makefile", "makefile"}, file) {
					text += "all:\n\t@: $(info is $(SHELL))\n"
				}
				if err := os.WriteFile(filepath.Clean(file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out, err := exec.CommandContext(t.Context(), program, "-s").Output()
			if err != nil {
				t.Fatal(err)
			}
			got, err := shellOf(makefiles(nil), map[string]bool{})
			if got == "" {
				got = defaultShell
			}
			if want := strings.TrimSpace(strings.TrimPrefix(string(out), "is ")); got != want || err != nil {
				t.Errorf("it is %q, make takes %q; %v", got, want, err)
			}
		})
	}
	if got := makefiles([]string{"-s", "-f", "a", "-fb", "--file=c", "x"}); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("the files are %q", got)
	}
}
