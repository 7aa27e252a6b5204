package sandbox

import (
	"bufio"
	"io"
	"io/fs"
	"maps"
	"math"
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

	// half are the files of what git has begun and not ended, as they were at the start.
	half map[string]fileStamp
}

// halfDone are the files that tell git how to go on with what it has begun, in a folder
// of git, and when that means running something.
var halfDone = []struct {
	name, reason string
	risky        func(path string) bool
}{
	{"/rebase-merge/git-rebase-todo", "git rebase --continue runs the commands that it lists", runsCommands},
	{"/rebase-merge/strategy", "git rebase --continue runs the program that it names", namesStrategy},
	{"/sequencer/opts", "git cherry-pick --continue runs the program that it names", optsNameStrategy},
}

// watch takes note of what git has begun already.
func (l *gitLedger) watch() {
	l.half = map[string]fileStamp{}
	note := func(git string) {
		for _, file := range halfDone {
			if stamp, ok := stampOf(git + file.name); ok {
				l.half[git+file.name] = stamp
			}
		}
	}
	for git := range l.repos {
		note(git)
	}
	for _, list := range l.inner {
		for _, git := range list {
			note(git)
		}
	}
}

// changes tells of repositories that are new, or changed, such that git runs something.
// candidates are files that may make their folder a repository, and new .git files.
// complete reports whether there was time to look at all of them.
func (l *gitLedger) changes(candidates []string, began int64, deadline time.Time) (out []Change, complete bool) {
	complete = true
	seen := map[string]bool{}
	look := func(git string, began int64) {
		out = append(out, l.begun(git)...)
		links, all := bent(git, began, deadline)
		out, complete = append(out, links...), complete && all
	}
	fresh := func(git string) {
		if seen[git] || l.repos[git] {
			return
		}
		seen[git] = true
		if isDir(git) {
			look(git, 0)
		}
		if l.runs == nil {
			return
		}
		for _, reason := range l.runs(git, l.known) {
			out = append(out, Change{Kind: ChangedRepo, Path: git, Reason: reason})
		}
	}
	for _, path := range candidates {
		if time.Now().After(deadline) {
			complete = false
			break
		}
		switch dir := parent(path); {
		case strings.HasSuffix(path, "/.git"):
			fresh(path)
		case isGitDir(dir, "HEAD"):
			fresh(dir)
		}
	}
	for dir, known := range l.inner {
		now, _ := gitFoldersIn(dir, deadline)
		complete = complete && time.Now().Before(deadline)
		for _, git := range now {
			if slices.Contains(known, git) {
				look(git, began)
			} else {
				fresh(git)
			}
		}
	}
	for git := range l.repos {
		look(git, began)
	}
	return out, complete
}

// begun tells of what git would run when it goes on with what was begun meanwhile.
func (l *gitLedger) begun(git string) []Change {
	var out []Change
	for _, file := range halfDone {
		path := git + file.name
		// Not by the time alone: a file that is moved there with its folder keeps its own.
		if now, ok := stampOf(path); ok && now != l.half[path] && file.risky(path) {
			out = append(out, Change{Kind: ChangedRepo, Path: path, Reason: file.reason})
		}
	}
	return out
}

// any names one of the repositories.
func (l *gitLedger) any() string {
	return slices.Min(slices.AppendSeq(slices.Collect(maps.Keys(l.repos)), maps.Keys(l.inner)))
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

// bent tells of links that are new in a repository, and make git write elsewhere at its
// next use. complete reports whether there was time to look at all of it.
func bent(git string, began int64, deadline time.Time) (out []Change, complete bool) {
	complete = true
	since := func(path string) bool {
		stamp, ok := stampOf(path)
		return ok && stamp.ctime >= began
	}
	var walk func(dir string, deep, moved bool)
	walk = func(dir string, deep, moved bool) {
		if time.Now().After(deadline) {
			complete = false
			return
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			return
		}
		for _, e := range entries {
			path := dir + "/" + e.Name()
			switch {
			case e.Type()&os.ModeSymlink != 0:
				if (moved || since(path)) && leadsOut(path, git) {
					out = append(out, Change{Kind: ChangedRepo, Path: path, Reason: "a new link out of the repository, which git writes through"})
				}
			case e.IsDir() && (deep || e.Name() == "logs" || e.Name() == "refs" || e.Name() == "info"):
				// What is moved there with its folder keeps its own time.
				walk(path, true, moved || since(path))
			}
		}
	}
	walk(git, false, false)
	return out, complete
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

// openRegular opens a file that a command may have made: what is no regular file, or is
// larger than that, is none, and does not hold us up.
func openRegular(path string, most int64) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err //nolint:wrapcheck // names the path
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Size() > most) {
		err = fs.ErrInvalid
	}
	if err != nil {
		_ = f.Close()
		return nil, err //nolint:wrapcheck // likewise
	}
	return f, nil
}

// readRegular reads all of what openRegular opens.
func readRegular(path string, most int64) ([]byte, error) {
	f, err := openRegular(path, most)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, most)) //nolint:wrapcheck // names the path
}

// maxTodo bounds what is read of a list of what a rebase has yet to do.
const maxTodo = 64 << 20

// runsCommands reports whether a list of what a rebase has yet to do has a command, or is
// too large to tell. It reads it as git does: any white space ends a word.
func runsCommands(todo string) bool {
	f, err := openRegular(todo, math.MaxInt64)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	var word []byte
	done := false // with the word of this line
	text := bufio.NewReaderSize(f, 64<<10)
	for range maxTodo {
		c, err := text.ReadByte()
		space := err != nil || c == ' ' || c == '\t' || c == '\n' || c == '\r'
		switch {
		case done:
		case !space:
			if word = append(word, c); len(word) > len("exec") {
				done = true
			}
		case string(word) == "exec", string(word) == "x":
			return true
		case len(word) > 0:
			done = true
		}
		switch {
		case err != nil:
			return false
		case c == '\n':
			word, done = word[:0], false
		}
	}
	return true
}

// strategies are git's own ways to merge. For any other name it runs git-merge-NAME, and
// that is a file of the work tree where the name has a slash.
var strategies = []string{"ort", "recursive", "resolve", "octopus", "ours", "subtree"}

func namesStrategy(path string) bool {
	text, err := readRegular(path, 4096)
	return err != nil || !slices.Contains(strategies, strings.TrimSpace(string(text)))
}

// optsNameStrategy is namesStrategy for the options of a cherry-pick or revert, which are
// written like configuration. Any but the form that git writes counts.
func optsNameStrategy(path string) bool {
	text, err := readRegular(path, 1<<20)
	if err != nil || strings.Contains(string(text), "\\\n") {
		return true
	}
	for line := range strings.Lines(strings.ToLower(string(text))) {
		line = strings.ReplaceAll(line, "strategy-option", "")
		_, name, set := strings.Cut(line, "strategy = ")
		if strings.Contains(line, "strategy") && (!set || !slices.Contains(strategies, strings.TrimSpace(name))) {
			return true
		}
	}
	return false
}
