package sandbox

import (
	"context"
	"slices"
	"time"
)

// linkWatch looks for files in the write roots that have another name outside of them:
// what the command writes there changes that one too, and no mount can tell the names
// apart. It searches while the command runs, since it has to look at every file, which
// would be felt at the start.
type linkWatch struct {
	w       *watcher
	stop    context.CancelFunc
	done    chan struct{}
	next    int // of w.dirs
	files   map[string]fileStamp
	names   map[[2]uint64]uint64 // how many names a file has in the write roots
	touched map[string]bool      // changed already when they were looked at
}

// linkDelay spares short commands the search, but for what is left of it at the end.
const linkDelay = 30 * time.Millisecond

func newLinkWatch(w *watcher) *linkWatch {
	ctx, stop := context.WithCancel(context.Background())
	l := &linkWatch{
		w: w, stop: stop, done: make(chan struct{}),
		files: map[string]fileStamp{}, names: map[[2]uint64]uint64{}, touched: map[string]bool{},
	}
	go func() {
		defer close(l.done)
		select {
		case <-ctx.Done():
		case <-time.After(linkDelay):
			l.search(func() bool { return ctx.Err() == nil })
		}
	}()
	return l
}

// search goes on through the folders as long as more says.
func (l *linkWatch) search(more func() bool) {
	for ; l.next < len(l.w.dirs) && len(l.files) < maxLinks && more(); l.next++ {
		l.look(l.w.dirs[l.next].path)
	}
}

// end stops the search.
func (l *linkWatch) end() {
	l.stop()
	<-l.done
}

// changed ends the search and names the files that were changed and have a name
// outside. A search that is not complete counts too few names inside, and so names
// rather more.
func (l *linkWatch) changed() []string {
	l.end()
	end := time.Now().Add(5 * time.Millisecond)
	l.search(func() bool { return time.Now().Before(end) })
	var out []string
	for path, before := range l.files {
		if l.names[[2]uint64{before.dev, before.ino}] >= before.links {
			continue
		}
		if _, denied := slices.BinarySearch(l.w.denied, path); denied {
			continue // what changes there is told by itself; placeholders are links to one another
		}
		now, ok := stampOf(path)
		if !ok || now.ino != before.ino || now.dev != before.dev {
			continue // another file has that name now
		}
		// A new name changes ctime too.
		if l.touched[path] || now.mtime != before.mtime || now.ctime != before.ctime && now.links == before.links {
			out = append(out, path)
		}
	}
	return out
}

// HardLinks names the files below a folder that have a name outside of it as well:
// what is written to them changes that one too. It looks for no longer than a while;
// complete tells whether that was enough.
func HardLinks(dir string, while time.Duration) (files []string, complete bool) {
	deadline := time.Now().Add(while)
	walk := walker{deadline: deadline, stamp: true, keepName: func(string, []byte) bool { return false }}
	_, unseen := walk.run([]string{dir})
	l := &linkWatch{
		w: &watcher{ledger: ledger{dirs: walk.stamps}}, files: map[string]fileStamp{},
		names: map[[2]uint64]uint64{}, touched: map[string]bool{},
	}
	l.search(func() bool { return time.Now().Before(deadline) })
	for path, stamp := range l.files {
		if l.names[[2]uint64{stamp.dev, stamp.ino}] < stamp.links {
			files = append(files, path)
		}
	}
	slices.Sort(files)
	return files, len(unseen) == 0 && l.next == len(walk.stamps)
}
