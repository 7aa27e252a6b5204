package sandbox

import (
	"math"
	"runtime"
	"sync"
	"time"
)

// walker reads folder trees with as few system calls as there are: one open, one
// read or two and one close for each folder. It follows no symlink.
type walker struct {
	deadline time.Time
	// visit is asked whether to go into a folder, nil means always. All three
	// functions are called by several goroutines at once, and a name is only valid
	// during the call.
	visit func(path string, name []byte) bool
	// keepName and keep are asked whether an entry belongs to the result, keepName
	// first, which spares making the path; nil means yes.
	keepName func(dir string, name []byte) bool
	keep     func(path string) bool
	// stamp asks for the stamps of all folders that were read.
	stamp bool

	mu     sync.Mutex
	wake   *sync.Cond
	queue  []string
	busy   int
	late   bool
	found  []string
	stamps []dirStamp
	unseen []string
}

// dirStamp is a folder and when something in it was last made, removed or renamed,
// or its mode changed: st_ctim of struct stat, in nanoseconds.
type dirStamp struct {
	path  string
	ctime int64
}

// batch is what one goroutine found in its share of the folders.
type batch struct {
	found, dirs []string
	stamps      []dirStamp
}

// maxWalked bounds the path of a folder that is read, in bytes. The kernel takes no
// path of PATH_MAX (4096) bytes or more, so what lies deeper could be found and not
// be named; a command reaches it all the same, one folder after the other.
const maxWalked = 3500

// run walks the trees below dirs and returns the entries kept, in no order, and
// the folders that it could not or, for lack of time, did not read.
func (w *walker) run(dirs []string) (found, unseen []string) {
	w.wake = sync.NewCond(&w.mu)
	w.queue = append(w.queue, dirs...)
	// A small tree is read sooner than a second goroutine starts.
	w.work(64)
	if len(w.queue) > 0 {
		var group sync.WaitGroup
		for range min(runtime.GOMAXPROCS(0), 8) {
			group.Go(func() { w.work(math.MaxInt) })
		}
		group.Wait()
	}
	return w.found, append(w.unseen, w.queue...)
}

// work reads folders until none is left, or more wait than one should do alone.
func (w *walker) work(alone int) {
	buf := make([]byte, 32<<10)
	var b batch
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for len(w.queue) == 0 && w.busy > 0 && !w.late {
			w.wake.Wait()
		}
		if len(w.queue) == 0 || len(w.queue) > alone || w.late {
			w.wake.Broadcast()
			return
		}
		// Taking a share of the queue at once keeps the lock cold.
		n := min(len(w.queue), 16)
		mine := append([]string(nil), w.queue[len(w.queue)-n:]...)
		w.queue = w.queue[:len(w.queue)-n]
		w.busy++
		w.mu.Unlock()

		b.found, b.dirs, b.stamps = b.found[:0], b.dirs[:0], b.stamps[:0]
		var failed []string
		for _, dir := range mine {
			if len(dir) > maxWalked || !w.read(dir, buf, &b) {
				failed = append(failed, dir)
			}
		}
		late := time.Now().After(w.deadline)

		w.mu.Lock()
		w.busy--
		w.found = append(w.found, b.found...)
		w.queue = append(w.queue, b.dirs...)
		w.stamps = append(w.stamps, b.stamps...)
		w.unseen = append(w.unseen, failed...)
		w.late = w.late || late
		w.wake.Broadcast()
	}
}

// entry handles one entry of a folder that has been read.
func (w *walker) entry(dir string, name []byte, isDir bool, b *batch) {
	kept := w.keepName == nil || w.keepName(dir, name)
	if !kept && !isDir {
		return
	}
	path := join(dir, name)
	if kept && (w.keep == nil || w.keep(path)) {
		b.found = append(b.found, path)
	}
	if isDir && (w.visit == nil || w.visit(path, name)) {
		b.dirs = append(b.dirs, path)
	}
}

func join(dir string, name []byte) string {
	if dir == "/" {
		return "/" + string(name)
	}
	return dir + "/" + string(name)
}
