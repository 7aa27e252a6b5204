package sandbox

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A protected path that does not exist can only be kept from being made by
// something that stands there. While a sandbox runs, that is
//
//   - an empty folder, where a folder is expected,
//   - an empty file, for git's own files, which git wants to read,
//   - a socket that nobody listens on, for any other file: git does not list it,
//     archivers pass over it, and whoever tries to read it is told that it cannot
//     be opened. All sockets of a folder are links to one, which costs a tenth of
//     a file each.
//
// Each run holds a shared lock on the folders that it has placeholders in. Whoever
// can lock a folder alone is the last, and removes them. The kernel drops locks
// with the process: what a killed srt leaves is found through its journal, which
// it held locked too, by the next one that starts or ends.

// placeholders are those that one run relies on.
type placeholders struct {
	dir     string // of the journals
	journal *os.File
	name    string              // of the journal
	entries []Make              // what it lists
	locks   map[string]*os.File // by folder
}

// Make is a placeholder of a plan, and a line of the journal.
type Make struct {
	Path string
	Form Placeholder
}

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
		return stat.Size == 0
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
	hidden := filepath.Join(p.dir, "."+rand.Text())
	f, err := os.OpenFile(hidden, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("making the journal of placeholders: %w", err)
	}
	_, err = f.Write(lines.Bytes())
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	p.name = filepath.Join(p.dir, filepath.Base(hidden)[1:]+journalSuffix)
	if err == nil {
		err = os.Rename(hidden, p.name)
	}
	if err != nil {
		_ = os.Remove(hidden)
		_ = f.Close()
		return fmt.Errorf("writing the journal of placeholders in %q: %w", p.dir, err)
	}
	p.journal, p.entries = f, entries
	return nil
}

// make makes the placeholders that are not there yet.
func (p *placeholders) make(wanted []Make) error {
	sockets := map[string]string{} // a socket in each folder, to link the others to
	for _, e := range wanted {
		var err error
		switch e.Form {
		case PlaceholderDir:
			err = unix.Mkdir(e.Path, 0o755)
		case PlaceholderFile:
			err = unix.Mknod(e.Path, unix.S_IFREG|0o644, 0)
		case PlaceholderSocket:
			first := sockets[parent(e.Path)]
			if err = unix.EXDEV; first != "" {
				err = unix.Link(first, e.Path)
			}
			if err != nil && !errors.Is(err, unix.EEXIST) { // no links here, or too many
				if err = unix.Mknod(e.Path, unix.S_IFSOCK|0o444, 0); err == nil {
					sockets[parent(e.Path)] = e.Path
				}
			}
		case NoPlaceholder:
			err = errors.New("bug: nothing to make")
		}
		switch {
		case err == nil, errors.Is(err, fs.ErrExist):
		case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrNotExist):
			// The command cannot make it either.
		default:
			return fmt.Errorf("making the placeholder %q of a protected path: %w", e.Path, err)
		}
	}
	return nil
}

// release ends this run's locks and removes what nobody else needs: its own
// placeholders and those of runs that were killed.
func (p *placeholders) release() {
	for dir, f := range p.locks {
		_ = f.Close()
		delete(p.locks, dir)
	}
	if p.journal != nil {
		if removeAll(p.entries) {
			_ = os.Remove(p.name)
		}
		_ = p.journal.Close()
		p.journal = nil
	}
	sweep(p.dir)
}

// sweep removes the placeholders of ended runs as far as nobody holds them.
func sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), journalSuffix) {
			sweepJournal(filepath.Join(dir, e.Name()))
		}
	}
}

func sweepJournal(name string) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return // its run goes on
	}
	var entries []Make
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var e Make
		// What does not parse is the torn last line of a killed run.
		if _, err := fmt.Sscanf(lines.Text(), "%d %q", &e.Form, &e.Path); err == nil {
			entries = append(entries, e)
		}
	}
	if removeAll(entries) {
		_ = os.Remove(name)
	}
}

// removeAll removes placeholders as far as nobody holds their folders, and
// reports whether that was all of them.
func removeAll(entries []Make) bool {
	alone := map[string]*os.File{} // folders by whether they could be locked alone
	defer func() {
		for _, f := range alone {
			_ = f.Close()
		}
	}()
	all := true
	for _, e := range slices.Backward(entries) { // deepest first
		dir := parent(e.Path)
		if _, known := alone[dir]; !known {
			alone[dir] = lockAlone(dir)
		}
		if alone[dir] == nil {
			all = false
			continue
		}
		removePlaceholder(e)
	}
	return all
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
// something in it stays, and so does what somebody put in its place.
func removePlaceholder(e Make) {
	if e.Form == PlaceholderDir {
		_ = unix.Rmdir(e.Path)
		return
	}
	var stat unix.Stat_t
	if unix.Lstat(e.Path, &stat) != nil || stat.Size != 0 {
		return
	}
	if kind := stat.Mode & unix.S_IFMT; kind == unix.S_IFSOCK && e.Form == PlaceholderSocket ||
		kind == unix.S_IFREG && e.Form == PlaceholderFile {
		_ = unix.Unlink(e.Path)
	}
}
