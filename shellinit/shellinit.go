// Package shellinit has what srt init prints: the integration of zsh and bash,
// and the folder of shims that stands first on their PATH.
//
// The scripts are real files, with nothing of the user's in them: a few assignments
// above them, quoted for the shell, say where srt is and which names it stands for.
//
// A shell decides by the name of a command alone and starts nothing for it; srt route
// decides by the rest. What is started by its full path, by sudo, or by a program that
// does not have the PATH of the shell passes by.
package shellinit

import (
	_ "embed" // the scripts
	"fmt"
	"slices"
	"strings"
)

//go:embed init.zsh
var zsh string

//go:embed init.bash
var bash string

//go:embed init.fish
var fish string

// Shells are those that there is an integration for.
func Shells() []string { return []string{"zsh", "bash", "fish"} }

// What the function of git sends to srt git.
const (
	GitHooks = "hooks" // what may run hooks
	GitAll   = "all"   // every command
	GitOff   = "off"   // nothing: there is no function
)

// Values are what the scripts are filled in with.
type Values struct {
	Srt   string   // the absolute path of srt
	Shims string   // the folder of the shims
	Names []string // the names of commands, see SetNames
	Whole []string // of Names, the interpreters that are routed whatever their arguments are
	Git   string   // one of the constants above; "" is GitOff
	Reads []string // the commands of git that run no hooks
}

// Script is the integration of a shell. It does nothing in a shell that is not
// interactive, nor does it twice what was done already.
func Script(shell string, v Values) (string, error) {
	if err := v.check(); err != nil {
		return "", err
	}
	// The PATH cannot hold such a folder.
	if strings.Contains(v.Shims, ":") {
		return "", fmt.Errorf("the folder of the shims %q has a colon in it", v.Shims)
	}
	for _, value := range []string{v.Srt, v.Shims} {
		if strings.ContainsRune(value, 0) || !strings.HasPrefix(value, "/") {
			return "", fmt.Errorf("%q is no absolute path", value)
		}
	}
	names, whole := strings.Join(v.Names, " "), Quote(v.whole())
	var reads []string
	mode := GitOff
	switch v.Git {
	case GitHooks:
		mode, reads = GitHooks, v.Reads
	case GitAll:
		mode = GitAll
	}
	git := "_srt_git=" + mode + " _srt_reads=" + Quote(" "+strings.Join(reads, " ")+" ") + "\n"
	switch shell {
	case "zsh":
		text := "typeset -g _srt_bin=" + Quote(v.Srt) + " _srt_shims=" + Quote(v.Shims) + "\n" +
			"typeset -ga _srt_names\n_srt_names=(" + names + ")\ntypeset -g _srt_whole=" + whole + "\ntypeset -g " + git + zsh
		return "if [[ -o interactive ]]; then emulate zsh -o no_aliases -c " + Quote(text) + "; fi\n", nil
	case "bash":
		return "if [[ $- == *i* ]]; then\n" +
			"_srt_bin=" + Quote(v.Srt) + " _srt_shims=" + Quote(v.Shims) + "\n" +
			"_srt_names=(" + names + ") _srt_whole=" + whole + "\n" + git + bash + "fi\n", nil
	case "fish":
		return "if status is-interactive\n" +
			"set -g _srt_bin " + quoteFish(v.Srt) + "\nset -g _srt_shims " + quoteFish(v.Shims) + "\n" +
			"set -g _srt_names " + names + "\nset -g _srt_whole " + strings.Join(v.Whole, " ") +
			"\nset -g _srt_git " + mode + "\nset -g _srt_reads " + strings.Join(reads, " ") + "\n" + fish + "end\n", nil
	}
	return "", fmt.Errorf("no integration for the shell %q", shell)
}

// Reply is what a running shell reads when it asks for the names: those of all, then
// those of Whole, a line each.
func Reply(v Values) (string, error) {
	if err := v.check(); err != nil {
		return "", err
	}
	return strings.Join(v.Names, " ") + "\n" + v.whole() + "\n", nil
}

// whole spells the names of Whole with a space on either side of each.
func (v Values) whole() string { return " " + strings.Join(v.Whole, " ") + " " }

// check refuses names that a shell could read as something else.
func (v Values) check() error {
	for _, name := range slices.Concat(v.Names, v.Whole) {
		if !plain(name) || reserved(name) {
			return fmt.Errorf("the name %q cannot be that of a function", name)
		}
	}
	for _, word := range v.Reads {
		if !plain(word) {
			return fmt.Errorf("the word %q cannot be a command of git", word)
		}
	}
	return nil
}

// Quote makes one word of zsh and of bash. It must not hold a NUL, which no word can.
func Quote(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// quoteFish makes one word of fish, in whose quotes a backslash may stand for another.
func quoteFish(word string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(word) + "'"
}
