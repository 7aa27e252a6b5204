package sandbox

import (
	"strings"
	"time"

	"github.com/srt-sh/srt/sandbox/stage"
)

// Attempt is what a process in the sandbox tried and the mounts refuse, although the
// caller may do it outside.
type Attempt struct {
	Time  time.Time // when it happened first
	Call  string    // the system call
	Write bool      // else it was to be read
	// Socket says that it is a unix socket that was to be connected to.
	Socket bool
	Path   string // where it really is
	// OnWay says that the path was to be renamed or removed and is a folder on the way
	// to a protected one.
	OnWay   bool
	PID     int      // of the process, outside; 0: not known
	Program string   // the name of its program's file; "": not known
	Args    []string // its first arguments, as it says; nil: not known
	Count   int      // how often, in a row
}

// Observer is told what is refused. What is nil is not called.
//
// But for Connect it only reports: the command's memory, which says what is tried, may change
// while srt looks at it, and the kernel looks for itself.
type Observer struct {
	// Attempt is called by one goroutine at a time, which nothing in the sandbox waits
	// for. Before Wait returns it has had all that was not dropped.
	Attempt func(Attempt)
	// Dropped tells of attempts that were too many at once to be kept.
	Dropped func(n int)
	// Connect decides whether a unix socket may be connected to. It may be called by
	// several goroutines. It counts where Start.Filter has PathSockets, and is needed
	// there.
	Connect func(Socket) bool
	// NoFiles has nothing told of files.
	NoFiles bool
	// Lost says, once, why what is refused cannot be seen.
	Lost func(err error)
}

// Socket is a unix socket that a process wants to connect to.
type Socket struct {
	Path     string // where it really is, or where it would be
	Dev, Ino uint64 // what is there; 0: nothing
}

// terrain is what the mounts of a plan look like, by path alone: a guess at what they
// refuse, for paths on which no symlink lies.
type terrain struct {
	kinds    map[string]stage.Kind
	pins     map[string]bool
	writable bool // what no mount speaks of
	hidden   bool // whether anything is
}

func newTerrain(plan *Plan) *terrain {
	t := &terrain{kinds: make(map[string]stage.Kind, len(plan.Mounts)+len(quiet)), pins: make(map[string]bool, len(plan.Pins)), writable: plan.BaseWritable}
	for _, path := range quiet {
		t.kinds[path] = stage.Writable
	}
	for _, m := range plan.Mounts {
		t.kinds[m.Path] = m.Kind
		t.hidden = t.hidden || hides(m.Kind)
	}
	for _, m := range plan.Pins {
		t.pins[m.Path] = true
	}
	return t
}

// quiet are places where files are for the process itself, and writing may fail for
// reasons of the kernel's.
var quiet = [...]string{"/proc", "/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/ptmx", "/dev/pts", "/dev/shm", "/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/random", "/dev/urandom"}

func isQuiet(path string) bool {
	for _, q := range quiet {
		if beneath(path, q) && !beneath(path, "/proc/sys") && path != "/proc/sysrq-trigger" {
			return true
		}
	}
	return false
}

func hides(k stage.Kind) bool { return k == stage.HideDir || k == stage.HideFile }

// refusesAnything reports whether anything at all is refused.
func (t *terrain) refusesAnything() bool { return !t.writable || t.hidden || len(t.kinds) > len(quiet) }

// at is the mount that a path lies in, 0 for none, and whether it is its mount point.
func (t *terrain) at(path string) (kind stage.Kind, exact bool) {
	for end := len(path); end > 0; end = strings.LastIndexByte(path[:end], '/') {
		if k, ok := t.kinds[path[:end]]; ok {
			return k, end == len(path)
		}
	}
	return 0, false
}

// suspect guesses whether an act is refused.
func (t *terrain) suspect(path string, act stage.Act, read bool) bool {
	kind, exact := t.at(path)
	switch {
	case read:
		return hides(kind)
	case kind == 0:
		return !t.writable
	case kind != stage.Writable && kind != stage.Private:
		return true
	}
	return (act == stage.Remove || act == stage.Replace) && (exact || t.pins[path])
}
