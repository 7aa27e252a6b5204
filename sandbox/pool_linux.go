package sandbox

import (
	"errors"
	"strconv"

	"golang.org/x/sys/unix"
)

// pool keeps a few empty folders from one run to the next. To remove a folder takes
// ext4 a tenth of a millisecond, which the end of a run would wait for; to move one, a
// tenth of that. What cannot be moved, as to another file system, is made and removed
// instead.
//
// A folder into which somebody outside writes in the very moment in which it is moved
// goes back to where it was. If something stands there by then, it stays in the pool,
// from which nothing is ever removed.
type pool struct {
	state int // the folder that it lies in; -1: none, or a link that somebody put there
	fd    int // -1: there is none
	next  int // the first slot that may do
}

// poolSize is more than a run in an empty folder makes.
const poolSize = 16

const (
	poolName  = "folders"
	poolFlags = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
)

// openPool opens the pool beside the journals, if there is one.
func openPool(stateDir string) *pool {
	p := &pool{state: -1, fd: -1}
	if state, err := unix.Open(stateDir, poolFlags, 0); err == nil {
		p.state = state
		p.open()
	}
	return p
}

func (p *pool) open() {
	if fd, err := unix.Openat(p.state, poolName, poolFlags, 0); err == nil {
		p.fd = fd
	}
}

func (p *pool) close() {
	for _, fd := range []*int{&p.fd, &p.state} {
		if *fd >= 0 {
			_ = unix.Close(*fd)
			*fd = -1
		}
	}
}

// take moves a folder to where it is wanted, and reports whether it did.
func (p *pool) take(at node) bool {
	for ; p.fd >= 0 && p.next < poolSize; p.next++ {
		slot := node{p.fd, strconv.Itoa(p.next)}
		folder, err := unix.Openat(slot.folder, slot.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		empty := isEmpty(folder)
		_ = unix.Close(folder)
		if !empty {
			continue
		}
		if err := move(slot, at); err == nil {
			p.next++
			return true
		} else if !errors.Is(err, unix.ENOENT) { // else another run was faster
			return false
		}
	}
	return false
}

// put moves an empty folder, which is open too, into the pool, and reports whether it did.
func (p *pool) put(at node, folder int) bool {
	if folder < 0 || !isEmpty(folder) {
		return false
	}
	if p.fd < 0 && p.state >= 0 && unix.Mkdirat(p.state, poolName, 0o700) == nil {
		p.open()
	}
	for ; p.fd >= 0 && p.next < poolSize; p.next++ {
		slot := node{p.fd, strconv.Itoa(p.next)}
		err := move(at, slot)
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		if err != nil {
			return false
		}
		p.next++
		if isFolder(slot, folder) && isEmpty(folder) {
			return true
		}
		_ = move(slot, at)
		return false
	}
	return false
}

// move gives what a name stands for another one, which must not exist.
func move(from, to node) error {
	return unix.Renameat2(from.folder, from.name, to.folder, to.name, unix.RENAME_NOREPLACE) //nolint:wrapcheck // only looked at
}

// isFolder reports whether a name stands for a folder that is open.
func isFolder(at node, folder int) bool {
	var named, open unix.Stat_t
	return unix.Fstatat(at.folder, at.name, &named, unix.AT_SYMLINK_NOFOLLOW) == nil && unix.Fstat(folder, &open) == nil &&
		named.Ino == open.Ino && named.Dev == open.Dev
}

// isEmpty reports whether a folder, open for reading, has nothing in it.
func isEmpty(folder int) bool {
	if _, err := unix.Seek(folder, 0, unix.SEEK_SET); err != nil {
		return false
	}
	var buf [4096]byte
	for {
		n, err := unix.Getdents(folder, buf[:])
		if err != nil || n == 0 {
			return err == nil
		}
		if _, names, _ := unix.ParseDirent(buf[:n], 1, nil); names > 0 { // . and .. do not count
			return false
		}
	}
}
