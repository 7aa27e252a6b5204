package sandbox

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A protected path that does not exist can only be kept from being made by
// something that stands there. While a sandbox runs, that is
//
//   - an empty folder, where a folder is expected,
//   - an empty file, for git's own files, which git wants to read, or one that says
//     ".", where git takes an empty one for an error,
//   - a socket that nobody listens on, for any other file: git does not list it,
//     archivers pass over it, and whoever tries to read it is told that it cannot
//     be opened.
//
// All sockets are links to one. Files are not: what somebody outside writes into one of
// them meanwhile must not stand in all others.
//
// Each run holds a shared lock on the folders that it has placeholders in, and on those
// in which something that it found could be a placeholder. Whoever can lock a folder alone
// is the last, and removes them. The kernel drops locks with the process: what a killed
// srt leaves is found through its journal, which it held locked too, by the next one that
// ends.
//
// A lock holds what is there once it is taken. What went before, since the plan was made,
// asks for another plan.

// placeholders are those that one run relies on.
type placeholders struct {
	dir     string // of the journals
	pool    *pool
	journal *os.File
	locks   map[string]int // the folders, open, by their paths
}

// node is a name in a folder that is open.
type node struct {
	folder int
	name   string
}

// Make is a placeholder of a plan, and a line of the journal.
type Make struct {
	Path string
	Form Placeholder
}

// ErrMoved says that what a plan rests on is not there any more: another run took
// its placeholders away, or somebody else changed the tree. A new plan may do.
var ErrMoved = errors.New("the tree changed while starting")

const journalSuffix = ".journal"

// rests are the paths that a plan found and rests on. Any of them may be a placeholder of
// another run, and would go with its end.
type rests struct {
	paths  []string
	caches []string // write roots that runs make: these do not stay empty
}

// makePlaceholders makes what the plan names, and holds on to what it rests on: the
// folders in which that could be a placeholder of another run are locked too.
func makePlaceholders(stateDir string, wanted []Make, on rests) (_ *placeholders, err error) {
	p := &placeholders{dir: stateDir, locks: map[string]int{}, pool: openPool(stateDir)}
	defer func() {
		p.pool.close()
		if err != nil {
			p.release()
		}
	}()
	for _, path := range on.paths {
		if err := p.holdOn(path, looksEmpty); err != nil {
			return nil, err
		}
	}
	for _, path := range on.caches {
		if err := p.holdOn(path, isThere); err != nil {
			return nil, err
		}
	}
	if len(wanted) == 0 {
		return p, nil
	}
	// The intent goes first, so that a kill right after a deed leaves a trace.
	if err := p.writeJournal(wanted); err != nil {
		return nil, err
	}
	return p, p.make(wanted)
}

// holdOn locks the folder of what exists, if that may be a placeholder.
func (p *placeholders) holdOn(path string, may func(path string) (bool, error)) error {
	yes, err := may(path)
	if _, locked := p.locks[parent(path)]; yes && !locked {
		// A folder that cannot be opened has no placeholders of this user in it.
		if _, err := p.lock(parent(path)); errors.Is(err, fs.ErrPermission) {
			return nil
		} else if err != nil {
			return err
		}
		_, err = may(path) // it could go until now
	}
	if err != nil {
		return fmt.Errorf("%w: %q", ErrMoved, path)
	}
	return nil
}

// looksEmpty reports whether a path may be a placeholder: one look tells no more
// of a folder than that it has no folders. It fails if there is nothing.
func looksEmpty(path string) (bool, error) {
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return false, err //nolint:wrapcheck // only looked at
	}
	// Of what cannot be looked at, the zero mode is none of these.
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return stat.Nlink <= 2, nil
	case unix.S_IFREG, unix.S_IFSOCK:
		return stat.Size <= int64(len(dot)), nil
	}
	return false, nil
}

// isThere fails if there is nothing.
func isThere(path string) (bool, error) {
	_, err := looksEmpty(path)
	return err == nil, err
}

// lock opens a folder that it comes to without a link on the way, and takes a shared
// lock on it.
func (p *placeholders) lock(dir string) (int, error) {
	if folder, known := p.locks[dir]; known {
		return folder, nil
	}
	folder, err := openFolder(dir)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ENOENT) {
		return -1, fmt.Errorf("%w: %q", ErrMoved, dir)
	}
	if err != nil {
		return -1, fmt.Errorf("locking the folder of a protected path: %w", err)
	}
	// Another run has it alone for the moment of a removal only; a command that
	// locks it for longer must not hold up the start.
	err = lockSoon(folder, unix.LOCK_SH, 2*time.Second)
	switch {
	case err != nil:
		err = fmt.Errorf("locking the folder %q of a protected path: %w", dir, err)
	case !leadsTo(dir, folder):
		err = fmt.Errorf("%w: %q", ErrMoved, dir)
	default:
		p.locks[dir] = folder
		return folder, nil
	}
	_ = unix.Close(folder)
	return -1, err
}

// lockSoon locks a file, and waits for others a little.
func lockSoon(f, how int, most time.Duration) error {
	for end := time.Now().Add(most); ; {
		err := unix.Flock(f, how|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(end) {
			return err //nolint:wrapcheck // the caller names the file
		}
		time.Sleep(time.Millisecond)
	}
}

// leadsTo reports whether a path still leads to a folder that is open: until it was locked
// the folder could be removed, and made anew.
func leadsTo(path string, folder int) bool {
	var now, then unix.Stat_t
	return unix.Stat(path, &now) == nil && unix.Fstat(folder, &then) == nil && now.Dev == then.Dev && now.Ino == then.Ino
}

func (p *placeholders) writeJournal(entries []Make) error {
	var lines bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&lines, "%d %q\n", e.Form, e.Path)
	}
	var err error
	for range 100 {
		if p.journal, err = newJournal(p.dir, lines.Bytes()); err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.EWOULDBLOCK) {
			break
		}
		// Who sweeps took it for that of a killed run; or its folder is not there, or has
		// gone again with one around it that was a placeholder.
		if mkErr := os.MkdirAll(p.dir, 0o700); mkErr != nil && !errors.Is(mkErr, fs.ErrNotExist) {
			err = mkErr
			break
		}
	}
	return fmt.Errorf("writing the journal of placeholders in %q: %w", p.dir, err)
}

// newJournal makes a journal. Its name shows only when it is complete and locked.
func newJournal(dir string, text []byte) (*os.File, error) {
	name := rand.Text()
	hidden := filepath.Join(dir, "."+name)
	f, err := os.OpenFile(hidden, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file
	}
	if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
		if _, err = f.Write(text); err == nil {
			if err = unix.Rename(hidden, filepath.Join(dir, name+journalSuffix)); err == nil {
				return f, nil
			}
		}
		_ = os.Remove(hidden)
	}
	_ = f.Close()
	return nil, err //nolint:wrapcheck // the caller names the folder
}

// make makes the placeholders that are not there yet: in the folder that is locked, since
// its path may lead elsewhere meanwhile. One that is a placeholder itself is locked like
// all others, or the end of a run that found it would take from it what is made here.
func (p *placeholders) make(wanted []Make) error {
	var first node // the socket that the others are links to
	for _, e := range wanted {
		folder, err := p.lock(parent(e.Path))
		at := node{folder, filepath.Base(e.Path)}
		switch {
		case err != nil:
		case e.Form == PlaceholderDir:
			if !p.pool.take(at) {
				err = unix.Mkdirat(at.folder, at.name, 0o755)
			}
		case e.Form == PlaceholderFile:
			err = makeNode(at, unix.S_IFREG|0o644)
		case e.Form == PlaceholderSocket:
			err = makeLinked(&first, at, unix.S_IFSOCK|0o444)
		case e.Form == PlaceholderDot:
			err = makeDot(at)
		default:
			err = errors.New("bug: nothing to make")
		}
		switch {
		case err == nil, errors.Is(err, fs.ErrExist) && standsFor(at, e.Form):
		case errors.Is(err, ErrMoved):
			return err
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist):
			return fmt.Errorf("%w: %q", ErrMoved, e.Path)
		default:
			return fmt.Errorf("making the placeholder %q of a protected path: %w", e.Path, err)
		}
	}
	return nil
}

// standsFor reports whether what others made meanwhile can be covered like the placeholder
// that was planned: a folder, or none.
func standsFor(at node, form Placeholder) bool {
	var stat unix.Stat_t
	if unix.Fstatat(at.folder, at.name, &stat, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return false
	}
	kind := modeOf(&stat) & unix.S_IFMT
	return kind != unix.S_IFLNK && (kind == unix.S_IFDIR) == (form == PlaceholderDir)
}

// makeLinked makes a node by a link to the first one, which takes half the time, or anew
// where there is none, or no link is possible.
func makeLinked(first *node, at node, mode uint32) error {
	if first.name != "" {
		if err := unix.Linkat(first.folder, first.name, at.folder, at.name, 0); err == nil || errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENOENT) {
			return err //nolint:wrapcheck // the caller names the path
		}
	}
	err := makeNode(at, mode)
	if err == nil {
		*first = at
	}
	return err
}

// dot is the text of a PlaceholderDot.
const dot = ".\n"

// makeDot makes a file that is complete as soon as it has its name: git may read it
// at any time.
func makeDot(at node) error {
	f, err := unnamedFile(at.folder)
	if err != nil { // a file system that cannot do that
		if f, err = unix.Openat(at.folder, at.name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o644); err != nil {
			return err //nolint:wrapcheck // the caller names the path
		}
		defer func() { _ = unix.Close(f) }()
		_, err = unix.Write(f, []byte(dot))
		return err //nolint:wrapcheck // likewise
	}
	defer func() { _ = unix.Close(f) }()
	if _, err := unix.Write(f, []byte(dot)); err != nil {
		return err //nolint:wrapcheck // likewise
	}
	return nameFile(f, at)
}

// isDot reports whether a file is a PlaceholderDot, which may lack its text when its maker
// was killed.
func isDot(at node) (bool, error) {
	f, err := unix.Openat(at.folder, at.name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EACCES) {
		return false, nil // a link, a socket, or a file of somebody else
	}
	if err != nil {
		return false, err //nolint:wrapcheck // only looked at
	}
	defer func() { _ = unix.Close(f) }()
	var stat unix.Stat_t
	if err := unix.Fstat(f, &stat); err != nil || modeOf(&stat)&unix.S_IFMT != unix.S_IFREG {
		return false, err //nolint:wrapcheck // likewise
	}
	var text [len(dot) + 1]byte
	n, err := unix.Read(f, text[:])
	return err == nil && strings.HasPrefix(dot, string(text[:n])), err //nolint:wrapcheck // likewise
}

// release removes what nobody else needs, its own placeholders and those of runs that were
// killed, and ends this run's locks. They hold until then: a folder that another one has
// removed and made anew would be looked for where it was.
func (p *placeholders) release() {
	if p.journal != nil {
		_ = p.journal.Close()
		p.journal = nil
	}
	sweep(p.dir, p.locks)
	p.unlock()
}

// unlock ends the locks, as the end of the process does.
func (p *placeholders) unlock() {
	for _, folder := range p.locks {
		_ = unix.Close(folder)
	}
	clear(p.locks)
}

// endedRun is the journal of a run that has ended, locked.
type endedRun struct {
	name    string
	file    *os.File
	entries []Make
}

// sweep removes the placeholders of ended runs as far as nobody holds them, all in
// one go: one run may have made its own in the folder that another one left. Folders
// that are open, by their paths, are not looked for again, since these may lead elsewhere
// now; those that it makes use of are taken out of the map.
func sweep(dir string, open map[string]int) {
	// One after the other: of two that end at once, each would leave what the other one
	// has locked, for nobody to come. Where a command keeps it locked, which it may since it
	// can read the folder, that is left for the next run.
	state, err := os.Open(dir)
	if err != nil {
		return
	}
	defer func() { _ = state.Close() }()
	_ = lockSoon(int(state.Fd()), unix.LOCK_EX, time.Second/2)
	names, err := state.ReadDir(-1)
	if err != nil {
		return
	}
	var runs []endedRun
	var all []Make
	others := false // of which nothing is known
	for _, e := range names {
		name := filepath.Join(dir, e.Name())
		if !strings.HasSuffix(e.Name(), journalSuffix) && !strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if run, ok := openEnded(name); ok {
			defer func() { _ = run.file.Close() }()
			if e.Name()[0] == '.' { // it was killed before it made anything
				run.entries = nil
			}
			runs = append(runs, run)
			all = append(all, run.entries...)
		} else if e.Name()[0] != '.' {
			others = true
		}
	}
	pool := openPool(dir)
	defer pool.close()
	kept := removeAll(all, open, others, pool)
	for _, run := range runs {
		if !slices.ContainsFunc(run.entries, func(e Make) bool { return kept[e.Path] }) {
			_ = os.Remove(run.name)
		}
	}
}

// openEnded reads a journal, unless its run goes on.
func openEnded(name string) (endedRun, bool) {
	// Without waiting: what has the name of a journal may be a pipe.
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return endedRun{}, false
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = f.Close()
		return endedRun{}, false
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		_ = f.Close()
		return endedRun{}, false
	}
	run := endedRun{name: name, file: f}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// What does not parse is the torn last line of a killed run.
		form, quoted, _ := strings.Cut(lines.Text(), " ")
		kind, formErr := strconv.ParseUint(form, 10, 8)
		path, pathErr := strconv.Unquote(quoted)
		if formErr == nil && pathErr == nil {
			run.entries = append(run.entries, Make{Form: Placeholder(kind), Path: path})
		}
	}
	if lines.Err() != nil { // what it does not say would be left for ever
		_ = f.Close()
		return endedRun{}, false
	}
	return run, true
}

// What takeAlone has instead of a folder.
const (
	gone = -1 // there is none, and so nothing in it
	held = -2 // others hold it, or its path leads through a link now
)

// removeAll removes placeholders as far as nobody holds their folders, and names
// those that had to stay. With others, there are journals that could not be read: what is
// left in a folder may be of theirs. Folders go to the pool.
func removeAll(entries []Make, open map[string]int, others bool, pool *pool) (kept map[string]bool) {
	alone := map[string]int{}
	defer func() {
		for _, folder := range alone {
			if folder >= 0 {
				_ = unix.Close(folder)
			}
		}
	}()
	take := func(dir string) int {
		if folder, known := alone[dir]; known {
			return folder
		}
		folder, own := open[dir]
		var err error
		if up, known := alone[parent(dir)]; own {
			delete(open, dir)
		} else if known && up >= 0 {
			folder, err = unix.Openat(up, filepath.Base(dir), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		} else {
			folder, err = openFolder(dir)
		}
		if err == nil {
			folder = takeAlone(folder)
		} else if folder = held; errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			folder = gone
		}
		alone[dir] = folder
		return folder
	}
	kept = map[string]bool{}
	slices.SortFunc(entries, func(a, b Make) int { return cmp.Compare(b.Path, a.Path) }) // deepest first
	for _, e := range entries {
		up := take(parent(e.Path))
		switch {
		// A folder that a run relies on may hold that run's own.
		case up == held, e.Form == PlaceholderDir && take(e.Path) == held:
			kept[e.Path] = true
		case up == gone:
		case e.Form == PlaceholderDir && pool.put(node{up, filepath.Base(e.Path)}, alone[e.Path]):
		case !removePlaceholder(node{up, filepath.Base(e.Path)}, e.Form),
			others && e.Form == PlaceholderDir && standsFor(node{up, filepath.Base(e.Path)}, e.Form):
			kept[e.Path] = true
		}
	}
	return kept
}

// takeAlone locks a folder for a removal, or closes it.
func takeAlone(folder int) int {
	if unix.Flock(folder, unix.LOCK_EX|unix.LOCK_NB) != nil {
		_ = unix.Close(folder)
		return held
	}
	return folder
}

// removePlaceholder removes what still looks as it was made. A folder with
// something in it stays, and so does what somebody put in its place. It reports false
// if another try may do better.
func removePlaceholder(at node, form Placeholder) bool {
	var err error
	switch form {
	case PlaceholderDir:
		err = unix.Unlinkat(at.folder, at.name, unix.AT_REMOVEDIR)
	case PlaceholderDot:
		var is bool
		if is, err = isDot(at); is {
			err = unix.Unlinkat(at.folder, at.name, 0)
		}
	case PlaceholderFile, PlaceholderSocket, NoPlaceholder:
		var stat unix.Stat_t
		if err = unix.Fstatat(at.folder, at.name, &stat, unix.AT_SYMLINK_NOFOLLOW); err != nil || stat.Size != 0 {
			break
		}
		if kind := modeOf(&stat) & unix.S_IFMT; kind == unix.S_IFSOCK && form == PlaceholderSocket ||
			kind == unix.S_IFREG && form == PlaceholderFile {
			err = unix.Unlinkat(at.folder, at.name, 0)
		}
	}
	return err == nil || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST)
}
