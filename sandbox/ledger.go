package sandbox

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ChangeKind says what kind of change a [Change] is.
type ChangeKind uint8

// The kinds of changes, the most important first.
const (
	// ChangedProtected is a protected path that is not what it was: somebody outside
	// changed it, or a mistake of ours let the command.
	ChangedProtected ChangeKind = iota + 1
	// ChangedHook is an executable hook in a repository that was made during the run.
	ChangedHook
	// ChangedRepo is what makes git run something in a repository that was made, or was
	// changed beside its configuration.
	ChangedRepo
	// ChangedLink is a file that was changed and has another name outside of the write
	// roots, as those of package stores do.
	ChangedLink
	// ChangedLater is a file of Spec.Later that was changed, made or removed.
	ChangedLater
	// ChangedUnseen says that there is more than could be looked at, and why.
	ChangedUnseen
)

// Change is something that the end of a run has to tell.
type Change struct {
	Kind   ChangeKind
	Path   string
	Reason string // of ChangedRepo and ChangedUnseen, and of ChangedLater what Spec.Later says
}

// Later is a name of files that may be written, and that something outside runs or
// follows later. Changes to them are told at the end of a run.
type Later struct {
	// Name is the last component of a path, "*.ext" for all with that ending, or two
	// components such as ".cargo/config.toml".
	Name   string
	Reason string
}

// Bounds of what is looked at once the command has ended.
const (
	maxLedgerDirs = 200_000
	maxLinks      = 50_000
	maxChanges    = 2000
	maxAlike      = 50 // of one kind and reason
	ledgerTime    = time.Second
)

// ledger is what a plan knows of the write roots, so that the end of the run can tell
// what has changed. The folders have the stamps of the search for protected names, and
// only those that changed are read again.
type ledger struct {
	names laterNames
	// protected are the protected names, which hold below the top of a write root for
	// what was there at the start; denied are the paths of these, in order.
	protected laterNames
	denied    []string
	git       gitLedger
	dirs      []dirStamp
	tooMany   string   // the write root, where it has too many folders for that
	files     []string // those of names that exist
}

// laterNames are the names of Spec.Later by the form that they have.
type laterNames struct {
	whole, ending map[string]string
	pairs         map[string]map[string]string // by folder
}

func newLaterNames(list []Later) laterNames {
	n := laterNames{whole: map[string]string{}, ending: map[string]string{}, pairs: map[string]map[string]string{}}
	for _, l := range list {
		dir, name, pair := strings.Cut(l.Name, "/")
		switch {
		case pair && n.pairs[dir] == nil:
			n.pairs[dir] = map[string]string{name: l.Reason}
		case pair:
			n.pairs[dir][name] = l.Reason
		case strings.HasPrefix(l.Name, "*"):
			n.ending[l.Name[1:]] = l.Reason
		default:
			n.whole[l.Name] = l.Reason
		}
	}
	return n
}

// protectedNames are the protected names that can be made anew below the top of a
// write root. What git goes by is looked at apart.
func protectedNames(list []Protected) laterNames {
	var names []Later
	for _, p := range list {
		if head, _, _ := strings.Cut(p.Name, "/"); !p.RootOnly && head != ".git" && strings.Count(p.Name, "/") < 2 {
			names = append(names, Later{Name: strings.ToLower(p.Name), Reason: p.Reason})
		}
	}
	return newLaterNames(names)
}

// match gives the reason of a name in a folder, "" for one that does not count. What
// packages ship does not.
func (n *laterNames) match(dir string, name []byte) string {
	reason := n.whole[string(name)]
	if reason == "" {
		reason = n.ending[filepath.Ext(string(name))]
	}
	if reason == "" {
		if pair := n.pairs[filepath.Base(dir)]; pair != nil {
			reason = pair[string(name)]
		}
	}
	if reason != "" && inModules(dir) {
		return ""
	}
	return reason
}

// fileStamp tells whether a file is the same and unchanged.
type fileStamp struct {
	dev, ino     uint64
	mtime, ctime int64
	links        uint64
	blank        bool // an empty file or a socket, as placeholders of other runs are
}

// saysNothing reports whether a file of that mode and size is blank.
func saysNothing(mode uint32, size int64) bool {
	kind := mode & unix.S_IFMT
	return kind == unix.S_IFSOCK || kind == unix.S_IFREG && size == 0
}

func stampOf(path string) (fileStamp, bool) {
	var stat unix.Stat_t
	if unix.Lstat(path, &stat) != nil {
		return fileStamp{}, false
	}
	return stampFrom(&stat), true
}

// watcher is a ledger in use.
type watcher struct {
	ledger
	before map[string]fileStamp
	began  int64 // by the clock that the kernel stamps files with
	links  *linkWatch
}

func (l *ledger) watch() *watcher {
	w := &watcher{ledger: *l, before: make(map[string]fileStamp, len(l.files)), began: kernelNow()}
	for _, path := range l.files {
		// One that has gone again was a placeholder of another run.
		if stamp, ok := stampOf(path); ok {
			w.before[path] = stamp
		}
	}
	w.git.watch()
	w.links = newLinkWatch(w)
	return w
}

// changes tells what has changed since watch.
func (w *watcher) changes() []Change {
	deadline := time.Now().Add(ledgerTime)
	var out []Change
	for path, before := range w.before {
		if now, ok := stampOf(path); ok && now == before || before.blank && empty(path) {
			continue
		}
		out = append(out, Change{ChangedLater, path, w.names.match(parent(path), []byte(filepath.Base(path)))})
	}
	made, repos, unseen := w.made(deadline)
	out = append(out, made...)
	bent, complete := w.git.changes(repos, w.began, time.Now().Add(ledgerTime))
	out = append(out, bent...)
	switch {
	case w.tooMany != "":
		out = append(out, Change{ChangedUnseen, w.tooMany, "it has too many folders to look for what is new in them"})
	case unseen != "":
		out = append(out, Change{ChangedUnseen, unseen, "not all of what is new there could be looked at"})
	case !complete:
		out = append(out, Change{ChangedUnseen, w.git.any(), "not all repositories were looked at in time"})
	}
	for _, path := range w.links.changed() {
		out = append(out, Change{Kind: ChangedLink, Path: path})
	}
	slices.SortFunc(out, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason))
	})
	return fewerAlike(slices.Compact(out))
}

// fewerAlike leaves out what is much alike, so that a flood of one kind pushes nothing
// else out, and says where even that is too much.
func fewerAlike(list []Change) []Change {
	var out []Change
	count := map[Change]int{}
	for _, c := range list {
		of := Change{Kind: c.Kind, Reason: c.Reason}
		if count[of]++; count[of] > maxAlike {
			continue
		}
		if len(out) == maxChanges {
			return append(out, Change{ChangedUnseen, c.Path, "more has changed than can be told"})
		}
		out = append(out, c)
	}
	return out
}

// made looks for what is new in the folders that changed, and for new folders. The
// second result is files that may make a repository of their folder, the third a folder
// that there was no time for, if any.
func (w *watcher) made(deadline time.Time) (_ []Change, _ []string, unseen string) {
	changed := w.changedDirs()
	if len(changed) == 0 {
		return nil, nil, ""
	}
	known := make(map[string]bool)
	for _, d := range w.dirs {
		if changed[parent(d.path)] {
			known[d.path] = true
		}
	}
	var out []Change
	var fresh []string // folders that were not there
	var hooks, repos []string
	look := walker{
		deadline: deadline,
		visit:    func(string, []byte) bool { return false },
		keep:     func(string) bool { return true },
	}
	found, missed := look.run(slices.Collect(maps.Keys(changed)))
	for _, path := range found {
		dir, name := parent(path), filepath.Base(path)
		_, denied := slices.BinarySearch(w.denied, path)
		reason := w.names.match(dir, []byte(name))
		if reason == "" {
			reason = w.protected.match(dir, []byte(strings.ToLower(name)))
		}
		if reason != "" {
			if _, was := w.before[path]; !was && !denied && !empty(path) {
				out = append(out, Change{ChangedLater, path, reason})
			}
			continue
		}
		if name == "HEAD" && !denied || name == ".git" && !known[path] {
			repos = append(repos, path)
		}
		if known[path] || w.git.repos[path] || !isDir(path) {
			continue
		}
		fresh = append(fresh, path)
		if name == "hooks" {
			hooks = append(hooks, path)
		}
		for _, pairs := range []map[string]string{w.names.pairs[name], w.protected.pairs[strings.ToLower(name)]} {
			for file, reason := range pairs {
				if !inModules(dir) && !empty(path+"/"+file) {
					out = append(out, Change{ChangedLater, path + "/" + file, reason})
				}
			}
		}
	}
	within := walker{deadline: deadline, keepName: func(_ string, name []byte) bool {
		return string(name) == "hooks" || string(name) == "HEAD" || string(name) == ".git"
	}}
	more, deeper := within.run(fresh)
	missed = slices.DeleteFunc(append(missed, deeper...), func(dir string) bool {
		// Others are closed, or gone again.
		return !look.late && !within.late && len(dir) <= maxWalked
	})
	if len(missed) > 0 {
		unseen = slices.Min(missed)
	}
	for _, path := range more {
		if strings.HasSuffix(path, "/hooks") {
			hooks = append(hooks, path)
		} else {
			repos = append(repos, path)
		}
	}
	for _, dir := range hooks {
		for _, hook := range executables(dir) {
			out = append(out, Change{Kind: ChangedHook, Path: hook})
		}
	}
	return out, repos, unseen
}

// changedDirs are the folders in which something was made, removed or renamed.
func (w *watcher) changedDirs() map[string]bool {
	changed := map[string]bool{}
	var mu sync.Mutex
	var group sync.WaitGroup
	parts := 1
	if len(w.dirs) > 500 {
		parts = runtime.GOMAXPROCS(0)
	}
	size := (len(w.dirs) + parts - 1) / max(parts, 1)
	for part := range slices.Chunk(w.dirs, max(size, 1)) {
		group.Go(func() {
			var mine []string
			for _, d := range part {
				if now, ok := stampOf(d.path); ok && now.ctime != d.ctime {
					mine = append(mine, d.path)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for _, path := range mine {
				changed[path] = true
			}
		})
	}
	group.Wait()
	return changed
}

// executables are the hooks that git would run from a folder of hooks: files that can
// be executed and are no samples. The folder must be a repository's.
func executables(dir string) []string {
	if _, ok := stampOf(parent(dir) + "/HEAD"); !ok {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if info, err := os.Stat(join(dir, []byte(e.Name()))); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 &&
			!strings.HasSuffix(e.Name(), ".sample") {
			out = append(out, join(dir, []byte(e.Name())))
		}
	}
	return out
}

// empty reports whether what has a name says nothing yet: an empty file or folder, or a
// socket. The placeholders of runs are such.
func empty(path string) bool {
	info, err := os.Lstat(path)
	if err != nil {
		return true
	}
	if info.IsDir() {
		entries, err := os.ReadDir(path)
		return err == nil && len(entries) == 0 || errors.Is(err, fs.ErrNotExist) // gone meanwhile
	}
	return info.Mode().Type() == os.ModeSocket || info.Mode().IsRegular() && info.Size() == 0
}

func isDir(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}
