package sandbox

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// places resolves paths, and looks each component up only once: rules share most
// of them.
type places struct {
	known map[string]*place
	// asked counts the names that were looked up in a folder; lists has what is in those
	// that were asked for many, in lower case. Most of what rules name is not there, and
	// one list says so sooner than a call for each name. nil: it cannot be told.
	asked map[string]int
	lists map[string]map[string]bool
}

// When a folder is listed, and when it is too large for that.
const (
	listAfter = 5
	listMost  = 2000
)

// lacks reports whether a folder is known not to have a name, in any spelling that a
// file system could take for it.
func (ps *places) lacks(dir, name string) bool {
	if ps.asked == nil {
		ps.asked, ps.lists = map[string]int{}, map[string]map[string]bool{}
	}
	if ps.asked[dir]++; ps.asked[dir] < listAfter {
		return false
	}
	list, known := ps.lists[dir]
	if !known {
		list = listFolder(dir)
		ps.lists[dir] = list
	}
	if list == nil || strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 }) {
		return false
	}
	return !list[strings.ToLower(name)]
}

// listFolder is what is in a folder, in lower case; nil for one that is large or
// cannot be read.
func listFolder(dir string) map[string]bool {
	// What has the place of a folder may be a pipe, which nobody else opens.
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	names, err := f.Readdirnames(listMost)
	if err != nil && !errors.Is(err, io.EOF) || len(names) == listMost {
		return nil
	}
	list := make(map[string]bool, len(names))
	for _, name := range names {
		if strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 }) {
			return nil // it may be some other name to the file system
		}
		list[strings.ToLower(name)] = true
	}
	return list
}

// place is where a path leads.
type place struct {
	real    string // the part that exists, free of symlinks
	missing string // what does not exist of it below real, "" if nothing is missing
	mode    uint32 // of real, as in struct stat
	links   []linkSeen
	err     error
}

// linkSeen is a symlink on the way to a place.
type linkSeen struct {
	path string
	uid  uint32
}

func (p *place) dir() bool { return p.mode&unix.S_IFMT == unix.S_IFDIR }

// find resolves an absolute, clean path.
func (ps *places) find(path string) *place {
	return ps.walk(&place{real: "/", mode: unix.S_IFDIR}, path, 0)
}

// walk follows the components of rest from a place.
func (ps *places) walk(at *place, rest string, hops int) *place {
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(strings.TrimLeft(rest, "/"), "/")
		switch {
		case name == "" || name == ".":
		case at.err != nil:
			return at
		case at.missing != "":
			at = &place{real: at.real, mode: at.mode, missing: path.Join(at.missing, name), links: at.links}
		case name == "..":
			at = &place{real: parent(at.real), mode: unix.S_IFDIR, links: at.links}
		default:
			at = ps.step(at, name, hops)
		}
	}
	return at
}

// step looks one name up in a folder that exists.
func (ps *places) step(at *place, name string, hops int) *place {
	full := join(at.real, []byte(name))
	if known := ps.known[full]; known != nil {
		if len(at.links) == 0 {
			return known
		}
		with := *known
		with.links = append(slices.Clip(at.links), known.links...)
		return &with
	}
	found := ps.look(at.real, full, name, hops)
	ps.known[full] = found
	if len(at.links) > 0 {
		with := *found
		with.links = append(slices.Clip(at.links), found.links...)
		return &with
	}
	return found
}

func (ps *places) look(dir, full, name string, hops int) *place {
	if ps.lacks(dir, name) {
		return &place{real: dir, mode: unix.S_IFDIR, missing: name}
	}
	var stat unix.Stat_t
	err := unix.Lstat(full, &stat)
	switch {
	case errors.Is(err, unix.ENOENT):
		return &place{real: dir, mode: unix.S_IFDIR, missing: name}
	case errors.Is(err, unix.ENOTDIR):
		return &place{real: dir, mode: unix.S_IFREG, missing: name}
	case err != nil:
		return &place{real: dir, err: &fs.PathError{Op: "lstat", Path: full, Err: err}}
	case modeOf(&stat)&unix.S_IFMT != unix.S_IFLNK:
		return &place{real: full, mode: modeOf(&stat)}
	}
	if hops >= 40 {
		return &place{real: dir, err: &fs.PathError{Op: "lookup", Path: full, Err: syscall.ELOOP}}
	}
	target, err := os.Readlink(full)
	if err != nil {
		return &place{real: dir, err: err}
	}
	from := &place{real: dir, mode: unix.S_IFDIR}
	if strings.HasPrefix(target, "/") {
		from = &place{real: "/", mode: unix.S_IFDIR}
	}
	from.links = []linkSeen{{path: full, uid: stat.Uid}}
	return ps.walk(from, target, hops+1)
}
