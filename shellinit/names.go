package shellinit

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/preset"
)

// interpreter reports whether a name gets no shim: every script of its own would pay
// for one, and so would each prompt for that of git. Functions of most of them look at
// the arguments first.
func interpreter(name string) bool {
	return slices.Contains([]string{"bash", "sh", "git", "python", "python3", "php"}, name) || strings.HasPrefix(name, "python3.")
}

// names collects the names of commands.
type names struct {
	path     []string            // the folders of programs
	programs []string            // their names, once they are asked for
	found    map[string][]string // what expand found, by the word
	all      []string
	whole    []string
}

// SetNames fills in the names that there are functions and shims for: those that the
// patterns of presets and of [[command]] rules begin with. {a,b} stands for both, and a *
// for the programs on the PATH that it fits. What a repository names counts only if its
// file is trusted. A * alone stands for none, nor does what a shell has built in: that
// is no program, and without it the shell could not be used.
func (v *Values) SetNames(presets []preset.Preset, rules []config.Command, path string) {
	n := names{all: []string{"bash", "sh"}, found: map[string][]string{}}
	for _, dir := range filepath.SplitList(path) {
		if filepath.IsAbs(dir) && dir != v.Shims {
			n.path = append(n.path, dir)
		}
	}
	for _, p := range presets {
		for _, pattern := range p.Match {
			n.add(pattern, p.File != "")
		}
	}
	for _, rule := range rules {
		for _, pattern := range rule.Match {
			if !rule.Held {
				n.add(pattern.Text, true)
			}
		}
	}
	if (v.Git == GitHooks || v.Git == GitAll) && !slices.Contains(n.all, "git") {
		n.all = append(n.all, "git")
	}
	v.Names, v.Whole = n.all, n.whole
}

// add adds the names of a pattern. own tells that it is of a user, and may be about any
// argument of an interpreter.
func (n *names) add(pattern string, own bool) {
	for _, program := range preset.Programs(pattern) {
		for _, name := range n.expand(program) {
			if !plain(name) || reserved(name) {
				continue
			}
			if !slices.Contains(n.all, name) {
				n.all = append(n.all, name)
			}
			if own && interpreter(name) && !slices.Contains(n.whole, name) {
				n.whole = append(n.whole, name)
			}
		}
	}
}

// expand finds the names that a word with * in it stands for.
func (n *names) expand(word string) []string {
	if !strings.Contains(word, "*") {
		return []string{word}
	}
	if dir, base := filepath.Split(word); dir != "" {
		// Any folder is the one that the shell is in or, for builds beside the sources,
		// the one above: others cannot be counted.
		if dir == "*/" && !strings.Contains(base, "*") {
			return []string{"./" + base, "../" + base}
		}
		return nil
	}
	if strings.Trim(word, "*") == "" {
		return nil
	}
	found, known := n.found[word]
	if known {
		return found
	}
	if n.programs == nil {
		for _, dir := range n.path {
			entries, _ := os.ReadDir(dir) // a folder that is not there has no programs
			for _, e := range entries {
				n.programs = append(n.programs, e.Name())
			}
		}
	}
	prefix, _, _ := strings.Cut(word, "*")
	for _, name := range n.programs {
		if strings.HasPrefix(name, prefix) && preset.MatchWord(word, name) && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	n.found[word] = found
	return found
}

// plain reports whether a name needs no quotes in any shell.
func plain(name string) bool {
	if name == "" || strings.HasPrefix(name, "-") {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._+-/", r)
	})
}

// reserved reports whether a name means something to a shell, or is one of ours.
func reserved(name string) bool {
	return strings.HasPrefix(name, "srt") || strings.HasPrefix(name, "_srt") || strings.HasPrefix(name, "_SRT") ||
		strings.Contains(builtins, " "+name+" ")
}

// builtins are the built-in commands and the keywords of zsh, bash and fish, as far as
// a name without quotes can be one.
const builtins = " " +
	". .. _ abbr alias and argparse autoload begin bg bind bindkey block break breakpoint " +
	"builtin bye caller case cd chdir command commandline compadd comparguments compcall " +
	"compctl compdescribe compfiles compgen compgroups complete compopt compquote compset " +
	"comptags comptry compvalues contains continue coproc count declare dirs disable disown " +
	"do done echo echotc echoti elif else emit emulate enable end esac eval exec exit export " +
	"false fc fg fi float for foreach function functions getln getopts hash help history if " +
	"in integer jobs kill let limit local log logout mapfile math nocorrect noglob nvm not or " +
	"path popd print printf private pushd pushln pwd r random read readarray readonly " +
	"realpath rehash repeat return sched select set set_color setopt shift shopt source " +
	"status string suspend switch test then time times trap true ttyctl type typeset ulimit " +
	"umask unalias unfunction unhash unlimit unset unsetopt until vared wait whence where " +
	"which while zcompile zformat zle zmodload zparseopts zregexparse zstyle "
