package sandbox

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A command may make repositories, since that is what git clone does, and may change
// what git keeps in the existing ones beside configuration and hooks. Git runs outside
// what such a repository says, also while it is asked about the one around it. That
// cannot be kept from happening here; it is told.

// gitLedger is what a plan knows of the repositories in the write roots.
type gitLedger struct {
	repos map[string]bool     // the folders of git that are protected
	inner map[string][]string // their submodules and worktrees, by the folder that holds them
	runs  func(git string, known func(dir string) bool) []string
}

// changes tells of repositories that are new, or changed, such that git runs something.
// candidates are files that may make their folder a repository, and new .git files.
func (l *gitLedger) changes(candidates []string, began int64, deadline time.Time) []Change {
	var out []Change
	seen := map[string]bool{}
	fresh := func(git string) {
		if seen[git] || l.repos[git] {
			return
		}
		seen[git] = true
		if l.runs == nil {
			return
		}
		for _, reason := range l.runs(git, l.known) {
			out = append(out, Change{Kind: ChangedRepo, Path: git, Reason: reason})
		}
	}
	for _, path := range candidates {
		switch dir := parent(path); {
		case strings.HasSuffix(path, "/.git"):
			fresh(path)
		case isGitDir(dir, "HEAD"):
			fresh(dir)
		}
	}
	for dir, known := range l.inner {
		now, _ := gitFoldersIn(dir, deadline)
		for _, git := range now {
			if !slices.Contains(known, git) {
				fresh(git)
			}
		}
	}
	for git := range l.repos {
		out = append(out, bent(git, began, deadline)...)
	}
	return out
}

// known reports whether a folder is one of git's whose configuration is protected.
func (l *gitLedger) known(dir string) bool {
	if l.repos[dir] {
		return true
	}
	for _, list := range l.inner {
		if slices.Contains(list, dir) {
			return true
		}
	}
	return false
}

// bent tells what is new in a repository and makes git run something, or write
// elsewhere, at its next use.
func bent(git string, began int64, deadline time.Time) []Change {
	var out []Change
	since := func(path string) bool {
		stamp, ok := stampOf(path)
		return ok && stamp.ctime >= began
	}
	todo := git + "/rebase-merge/git-rebase-todo"
	if since(todo) && runsCommands(todo) {
		out = append(out, Change{Kind: ChangedRepo, Path: todo, Reason: "git rebase --continue runs the commands that it lists"})
	}
	var walk func(dir string, deep bool)
	walk = func(dir string, deep bool) {
		entries, err := os.ReadDir(dir)
		if err != nil || time.Now().After(deadline) {
			return
		}
		for _, e := range entries {
			path := dir + "/" + e.Name()
			switch {
			case e.Type()&os.ModeSymlink != 0:
				if since(path) && leadsOut(path, git) {
					out = append(out, Change{Kind: ChangedRepo, Path: path, Reason: "a new link out of the repository, which git writes through"})
				}
			case e.IsDir() && (deep || e.Name() == "logs" || e.Name() == "refs" || e.Name() == "info"):
				walk(path, true)
			}
		}
	}
	walk(git, false)
	return out
}

func leadsOut(link, dir string) bool {
	to, err := filepath.EvalSymlinks(link)
	if err != nil { // nothing there yet, or no way there
		if to, err = os.Readlink(link); err != nil {
			return false
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(parent(link), to)
		}
	}
	return !beneath(filepath.Clean(to), dir)
}

// readRegular reads a file that a command may have made: what is no regular file, or is
// larger than that, is none, and does not hold us up.
func readRegular(path string, most int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err //nolint:wrapcheck // names the path
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Size() > most) {
		err = fs.ErrInvalid
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // likewise
	}
	return io.ReadAll(io.LimitReader(f, most)) //nolint:wrapcheck // likewise
}

// runsCommands reports whether a list of what a rebase has yet to do has a command.
func runsCommands(todo string) bool {
	text, _ := readRegular(todo, 16<<20)
	for line := range strings.Lines(string(text)) {
		if word, _, _ := strings.Cut(strings.TrimLeft(line, " \t"), " "); word == "exec" || word == "x" {
			return true
		}
	}
	return false
}
