package hooks

import (
	"path/filepath"
	"slices"
	"strings"
)

// GitLine is a command line of git, as far as git itself reads it before a command.
type GitLine struct {
	Options []string // before the command
	Command string   // "" if there is none, as in git --version
	Args    []string

	Dirs    []string // of -C, in order
	GitDir  string   // of --git-dir
	Tree    string   // of --work-tree
	Bare    bool     // --bare
	Pages   bool     // what it prints may go to a pager, or to a viewer of manuals, that the configuration names
	Configs []GitParameter
}

// ParseGitLine reads the words after git (git.c, handle_options). A last option that
// lacks its value is left to git to complain about.
func ParseGitLine(args []string, getenv func(string) string) GitLine {
	l := GitLine{}
	for i := 0; i < len(args); i++ {
		word := args[i]
		if !strings.HasPrefix(word, "-") {
			l.Options, l.Command, l.Args = args[:i:i], word, args[i+1:]
			return l
		}
		name, value, joined := strings.Cut(word, "=")
		if takesValue(name) && !joined {
			if i++; i == len(args) {
				break
			}
			value = args[i]
		}
		switch name {
		case "-p", "--paginate":
			l.Pages = true
		case "-C":
			if value != "" {
				l.Dirs = append(l.Dirs, value)
			}
		case "-c":
			l.Configs = append(l.Configs, parameter(value))
		case "--config-env":
			// The name of a variable has no =, that of a setting may.
			if at := strings.LastIndexByte(value, '='); at > 0 {
				l.Configs = append(l.Configs, GitParameter{Key: canonicalKey(value[:at]), Value: getenv(value[at+1:]), Set: true})
			}
		case "--git-dir":
			l.GitDir = value
		case "--work-tree":
			l.Tree = value
		case "--bare":
			l.Bare = true
		case "--help", "-h", "--version", "-v", "--exec-path", "--html-path", "--man-path", "--info-path", "--list-cmds":
			if name == "--exec-path" && joined {
				continue
			}
			l.Pages = l.Pages || name == "--help"
			// git shows something and runs no command, whatever follows.
			l.Options = args
			return l
		}
	}
	l.Options = args
	return l
}

// takesValue reports whether the value of an option may be the next word.
func takesValue(name string) bool {
	switch name {
	case "-C", "-c", "--config-env", "--git-dir", "--work-tree", "--namespace", "--super-prefix", "--attr-source", "--shallow-file":
		return true
	}
	return false
}

// Dir is the folder that git works in when it is started in dir.
func (l GitLine) Dir(dir string) string {
	for _, step := range l.Dirs {
		if filepath.IsAbs(step) {
			dir = step
		} else {
			// The kernel's .., which is not that of the words: a link may be in between.
			dir += "/" + step
		}
	}
	if place, err := filepath.EvalSymlinks(dir); err == nil {
		return place
	}
	return filepath.Clean(dir)
}

// ReadCommands are the commands of git that can run no hook but post-index-change.
func ReadCommands() []string {
	return []string{
		"annotate", "blame", "cat-file", "check-attr", "check-ignore", "check-mailmap", "check-ref-format", "cherry", "config",
		"count-objects", "describe", "diff", "diff-files", "diff-index", "diff-tree", "for-each-ref", "fsck", "grep", "help",
		"log", "ls-files", "ls-remote", "ls-tree", "merge-base", "name-rev", "rev-list", "rev-parse", "shortlog", "show",
		"show-branch", "show-ref", "status", "var", "verify-commit", "verify-tag", "version", "whatchanged",
	}
}

// Reads reports whether the command is one of [ReadCommands], or a form of another that
// prompts ask for. What is not known, such as an alias or a program of its own, may run
// any hook.
func (l GitLine) Reads() bool {
	if slices.Contains(ReadCommands(), l.Command) {
		return true
	}
	if len(l.Args) == 0 {
		return false
	}
	switch first := l.Args[0]; l.Command {
	case "branch":
		return first == "--show-current"
	case "stash":
		return first == "list"
	case "symbolic-ref":
		return first != "-d" && first != "--delete" && l.Args[len(l.Args)-1] == "HEAD"
	}
	return false
}

// Harmless reports whether git runs nothing of a repository for this command, whatever
// the repository's configuration says.
func (l GitLine) Harmless() bool {
	if l.Pages {
		return false
	}
	switch l.Command {
	case "", "rev-parse", "version", "check-ref-format":
		return true
	}
	return false
}
