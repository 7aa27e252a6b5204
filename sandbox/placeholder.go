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
// Each run holds a shared lock on the folders that it has placeholders in. Whoever
// can lock a folder alone is the last, and removes them. The kernel drops locks
// with the process: what a killed srt leaves is found through its journal, which
// it held locked too, by the next one that starts or ends.

// placeholders are those that one run relies on.
type placeholders struct {
	dir     string // of the journals
	journal *os.File
	locks   map[string]*os.File // by folder
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

// makePlaceholders makes what the plan names. The folders of watched paths that
// could be placeholders of another run are locked too, so that its end does not
// uncover them here.
func makePlaceholders(stateDir string, wanted []Make, watch []string) (_ *placeholders, err error) {
	p := &placeholders{dir: stateDir, locks: map[string]*os.File{}}
	defer func() {
		if err != nil {
			p.release()
		}
	}()
	for _, path := range watch {
		if looksEmpty(path) {
			if err := p.lock(parent(path)); err != nil {
				return nil, err
			}
		}
	}
	if len(wanted) == 0 {
		return p, nil
	}
	for _, e := range wanted {
		// A folder that is a placeholder itself is covered by the lock on its own.
		if dir := parent(e.Path); !slices.ContainsFunc(wanted, func(o Make) bool { return o.Path == dir }) {
			if err := p.lock(dir); err != nil {
				return nil, err
			}
		}
	}
	// The intent goes first, so that a kill right after a deed leaves a trace.
	if err := p.writeJournal(wanted); err != nil {
		return nil, err
	}
	return p, p.make(wanted)
}

// looksEmpty reports whether a path may be a placeholder: one look tells no more
// of a folder than that it has no folders.
func looksEmpty(path string) bool {
	var stat unix.Stat_t
	if unix.Lstat(path, &stat) != nil {
		return false
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return stat.Nlink <= 2
	case unix.S_IFREG, unix.S_IFSOCK:
		return stat.Size <= int64(len(dot))
	}
	return false
}

// lock takes a shared lock on a folder. One that cannot be opened has no
// placeholders of this user in it.
func (p *placeholders) lock(dir string) error {
	if p.locks[dir] != nil {
		return nil
	}
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("locking the folder of a protected path: %w", err)
	}
	// Another run has it alone for the moment of a removal only; a command that
	// locks it for longer must not hold up the start.
	for try := 0; ; try++ {
		err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
		if err == nil {
			p.locks[dir] = f
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) || try == 2000 {
			_ = f.Close()
			return fmt.Errorf("locking the folder %q of a protected path: %w", dir, err)
		}
		time.Sleep(time.Millisecond)
	}
}

func (p *placeholders) writeJournal(entries []Make) error {
	var lines bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&lines, "%d %q\n", e.Form, e.Path)
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return fmt.Errorf("making the folder of the journal of placeholders: %w", err)
	}
	// Its name shows only when it is complete and locked.
	f, hidden, err := hiddenFile(p.dir)
	if err != nil {
		return fmt.Errorf("making the journal of placeholders: %w", err)
	}
	_, err = f.Write(lines.Bytes())
	if err == nil {
		err = os.Rename(hidden, filepath.Join(p.dir, filepath.Base(hidden)[1:]+journalSuffix))
	}
	if err != nil {
		_ = os.Remove(hidden)
		_ = f.Close()
		return fmt.Errorf("writing the journal of placeholders in %q: %w", p.dir, err)
	}
	p.journal = f
	return nil
}

// hiddenFile makes a new file and locks it. Who sweeps may lock it first, and takes it
// for that of a killed run.
func hiddenFile(dir string) (f *os.File, name string, err error) {
	for range 100 {
		name = filepath.Join(dir, "."+rand.Text())
		if f, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			return nil, "", err //nolint:wrapcheck // names the file
		}
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return f, name, nil
		}
		_ = f.Close()
	}
	return nil, "", fmt.Errorf("locking %q: %w", name, err)
}

// make makes the placeholders that are not there yet.
func (p *placeholders) make(wanted []Make) error {
	first := "" // the socket that the others are links to
	for _, e := range wanted {
		var err error
		switch e.Form {
		case PlaceholderDir:
			err = unix.Mkdir(e.Path, 0o755)
		case PlaceholderFile:
			err = unix.Mknod(e.Path, unix.S_IFREG|0o644, 0)
		case PlaceholderSocket:
			err = makeLinked(&first, e.Path, unix.S_IFSOCK|0o444)
		case PlaceholderDot:
			err = makeDot(e.Path)
		case NoPlaceholder:
			err = errors.New("bug: nothing to make")
		}
		switch {
		case err == nil, errors.Is(err, fs.ErrExist):
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: %q", ErrMoved, parent(e.Path))
		default:
			return fmt.Errorf("making the placeholder %q of a protected path: %w", e.Path, err)
		}
	}
	return nil
}

// makeLinked makes a node by a link to the first one, which takes half the time, or anew
// where there is none, or no link is possible.
func makeLinked(first *string, path string, mode uint32) error {
	if *first != "" {
		if err := unix.Link(*first, path); err == nil || errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENOENT) {
			return err //nolint:wrapcheck // the caller names the path
		}
	}
	err := unix.Mknod(path, mode, 0)
	if err == nil {
		*first = path
	}
	return err //nolint:wrapcheck // likewise
}

// dot is the text of a PlaceholderDot.
const dot = ".\n"

// makeDot makes a file that is complete as soon as it has its name: git may read it
// at any time.
func makeDot(path string) error {
	f, err := unnamedFile(parent(path))
	if err != nil { // a file system that cannot do that
		if f, err = os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644); err != nil { //nolint:gosec // as git makes its files
			return err //nolint:wrapcheck // the caller names the path
		}
		defer func() { _ = f.Close() }()
		_, err = f.WriteString(dot)
		return err //nolint:wrapcheck // likewise
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteString(dot); err != nil {
		return err //nolint:wrapcheck // likewise
	}
	return nameFile(f, path)
}

// release ends this run's locks and removes what nobody else needs: its own
// placeholders and those of runs that were killed.
func (p *placeholders) release() {
	for dir, f := range p.locks {
		_ = f.Close()
		delete(p.locks, dir)
	}
	if p.journal != nil {
		_ = p.journal.Close()
		p.journal = nil
	}
	sweep(p.dir)
}

// endedRun is the journal of a run that has ended, locked.
type endedRun struct {
	name    string
	file    *os.File
	entries []Make
}

// sweep removes the placeholders of ended runs as far as nobody holds them, all in
// one go: one run may have made its own in the folder that another one left.
func sweep(dir string) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	var runs []endedRun
	var all []Make
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
		}
	}
	kept := removeAll(all)
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
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// What does not parse is the torn last line of a killed run.
		form, quoted, _ := strings.Cut(lines.Text(), " ")
		kind, formErr := strconv.ParseUint(form, 10, 8)
		path, pathErr := strconv.Unquote(quoted)
		if formErr == nil && pathErr == nil {
			run.entries = append(run.entries, Make{Form: Placeholder(kind), Path: path})
		}
	}
	return run, true
}

// removeAll removes placeholders as far as nobody holds their folders, and names
// those that had to stay.
func removeAll(entries []Make) (kept map[string]bool) {
	alone := map[string]*os.File{} // folders by whether they could be locked alone
	defer func() {
		for _, f := range alone {
			_ = f.Close()
		}
	}()
	held := func(dir string) bool {
		if _, known := alone[dir]; !known {
			alone[dir] = lockAlone(dir)
		}
		return alone[dir] == nil
	}
	kept = map[string]bool{}
	slices.SortFunc(entries, func(a, b Make) int { return cmp.Compare(b.Path, a.Path) }) // deepest first
	for _, e := range entries {
		// A folder that a run relies on may hold that run's own.
		if held(parent(e.Path)) || e.Form == PlaceholderDir && held(e.Path) || !removePlaceholder(e) {
			kept[e.Path] = true
		}
	}
	return kept
}

// lockAlone locks a folder for a removal. It gives nil if others hold it, and a
// file that locks nothing if there is no such folder any more.
func lockAlone(dir string) *os.File {
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return os.NewFile(^uintptr(0), "")
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		_ = f.Close()
		return nil
	}
	return f
}

// removePlaceholder removes what still looks as it was made. A folder with
// something in it stays, and so does what somebody put in its place. It reports false
// if another try may do better.
func removePlaceholder(e Make) bool {
	var err error
	switch e.Form {
	case PlaceholderDir:
		err = unix.Rmdir(e.Path)
	case PlaceholderDot:
		if text, readErr := readRegular(e.Path, 16); readErr == nil && string(text) == dot {
			err = unix.Unlink(e.Path)
		}
	case PlaceholderFile, PlaceholderSocket, NoPlaceholder:
		var stat unix.Stat_t
		if unix.Lstat(e.Path, &stat) != nil || stat.Size != 0 {
			return true
		}
		if kind := stat.Mode & unix.S_IFMT; kind == unix.S_IFSOCK && e.Form == PlaceholderSocket ||
			kind == unix.S_IFREG && e.Form == PlaceholderFile {
			err = unix.Unlink(e.Path)
		}
	}
	return err == nil || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST)
}
