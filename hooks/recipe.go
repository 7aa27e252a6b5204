package hooks

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// defaultShell is that of make where the Makefile names none.
const defaultShell = "/bin/sh"

// RecipeCommand is what make would have run for a recipe, had MAKEFLAGS not named
// [RecipeShell] for its shell: args are its flags and the recipe. make does not tell
// which shell the Makefile names, so the Makefile of the make that has started this
// process is read for it.
func RecipeCommand(args []string) ([]string, error) {
	shell, err := parentShell()
	if err != nil {
		return nil, err
	}
	if shell == defaultShell && needsBash(args) {
		shell = "bash"
	}
	return append([]string{shell}, args...), nil
}

// WithoutRecipeShell takes [RecipeShell] out of a value of MAKEFLAGS: where all of make is
// in a sandbox, its shell is that of the Makefile. It reports whether it was there.
func WithoutRecipeShell(flags string) (string, bool) {
	if !strings.Contains(flags, "/"+RecipeShell) {
		return flags, false
	}
	var words []string
	start, found := 0, false
	for i := 0; i <= len(flags); i++ {
		switch {
		case i+1 < len(flags) && flags[i] == '\\':
			i++
			continue
		case i < len(flags) && flags[i] != ' ':
			continue
		}
		word := flags[start:min(i, len(flags))]
		start = i + 1
		if strings.HasPrefix(word, "SHELL=") && strings.HasSuffix(word, "/"+RecipeShell) {
			found = true
			continue
		}
		words = append(words, word)
	}
	return strings.Join(words, " "), found
}

// needsBash reports whether .SHELLFLAGS has a word that not every sh knows.
func needsBash(args []string) bool {
	for i, a := range args[:max(0, len(args)-1)] {
		if strings.HasPrefix(a, "--") || i > 0 && a == "pipefail" && strings.HasPrefix(args[i-1], "-") && strings.HasSuffix(args[i-1], "o") {
			return true
		}
	}
	return false
}

// parentShell finds the Makefile of the make above this process, which runs recipes in
// the folder that it was read from, and what it says of SHELL.
func parentShell() (string, error) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", os.Getppid()))
	if err != nil {
		return "", err //nolint:wrapcheck // names the file
	}
	words := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	shell, err := shellOf(makefiles(words[1:]), map[string]bool{})
	if err != nil {
		return "", err
	}
	if shell == "" {
		shell = defaultShell
	}
	return shell, nil
}

// shellOf is what the last of some Makefiles that says something of SHELL says of it,
// with those that they include by plain names. seen are those that were read.
func shellOf(files []string, seen map[string]bool) (string, error) {
	shell := ""
	for _, file := range files {
		if seen[file] {
			continue
		}
		seen[file] = true
		text, err := os.ReadFile(file)
		if err != nil {
			continue // make itself says what is wrong with it
		}
		found, err := MakefileShell(text)
		if err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
		if found == "" {
			if found, err = shellOf(included(text), seen); err != nil {
				return "", err
			}
		}
		if found != "" {
			shell = found
		}
	}
	return shell, nil
}

// included are the files that a Makefile includes by plain names.
func included(text []byte) []string {
	var out []string
	for line := range bytes.Lines(text) {
		words := strings.Fields(string(line))
		if len(words) == 0 || line[0] == '\t' || !slices.Contains([]string{"include", "-include", "sinclude"}, words[0]) {
			continue
		}
		for _, w := range words[1:] {
			if !strings.ContainsAny(w, "$*?[") {
				out = append(out, w)
			}
		}
	}
	return out
}

// makefiles are those that a command line of make names or, without, the first of the
// names that make looks for.
func makefiles(words []string) []string {
	var out []string
	for i, w := range words {
		switch {
		case w == "-f" || w == "--file" || w == "--makefile":
			if i+1 < len(words) {
				out = append(out, words[i+1])
			}
		case strings.HasPrefix(w, "--file="), strings.HasPrefix(w, "--makefile="):
			_, file, _ := strings.Cut(w, "=")
			out = append(out, file)
		case strings.HasPrefix(w, "-f"):
			out = append(out, w[2:])
		}
	}
	if out != nil {
		return out
	}
	for _, name := range []string{"GNUmakefile", "makefile", "Makefile"} {
		if there(name) {
			return []string{name}
		}
	}
	return nil
}

// MakefileShell is what a Makefile assigns to SHELL, "" for nothing. It is an error if
// that cannot be told from its text: several shells, or one that is computed. Of what is
// computed, such as $(shell which bash), the name bash is believed.
func MakefileShell(text []byte) (string, error) {
	shell := ""
	n := 0
	for line := range bytes.Lines(text) {
		n++
		value, ok := shellAssignment(string(line))
		if !ok {
			continue
		}
		if strings.ContainsAny(value, "$\\") || value == "" || strings.ContainsAny(value, " \t") {
			if !slices.Contains(strings.FieldsFunc(value, func(r rune) bool { return r < 'a' || r > 'z' }), "bash") {
				return "", fmt.Errorf("line %d: the shell %q is not known before make runs", n, value)
			}
			value = "bash"
		}
		if shell != "" && shell != value && filepath.Base(shell) != filepath.Base(value) {
			return "", fmt.Errorf("line %d: there are several shells, %q and %q", n, shell, value)
		}
		shell = value
	}
	return shell, nil
}

// shellAssignment reads "SHELL = value" in its forms, that of one target too.
func shellAssignment(line string) (string, bool) {
	if strings.HasPrefix(line, "\t") {
		return "", false
	}
	name, value, found := strings.Cut(line, "=")
	if !found {
		return "", false
	}
	name = strings.TrimRight(strings.TrimSpace(name), ":?!+ \t")
	words := strings.Fields(name)
	if len(words) == 0 || words[len(words)-1] != "SHELL" {
		return "", false
	}
	for _, w := range words[:len(words)-1] {
		// "target: SHELL" as well as the modifiers of a variable
		if strings.HasPrefix(w, "#") {
			return "", false
		}
	}
	value, _, _ = strings.Cut(value, "#")
	return strings.TrimSpace(value), true
}
