// Package event holds what a run reports: what was blocked and by which rule,
// gathered while the command runs and summed up when it has ended.
//
// It guarantees that a flood of events takes bounded memory and a bounded part of the
// log and loses no count, that nothing waits for the disk while the command runs, and
// that the log can be appended to by many runs at once and read meanwhile. On file
// systems of other machines, where appending is not one step, lines may get mixed up:
// the reader passes over those.
package event

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Kind says what was blocked.
type Kind string

// The kinds of events.
const (
	Connect Kind = "connect" // a connection to a host
	Write   Kind = "write"   // a file was to be made, changed, renamed or deleted
	Read    Kind = "read"    // a hidden file was to be read
	Unix    Kind = "unix"    // a connection to a unix socket
	Changed Kind = "changed" // a protected path is not what it was at the start
	Later   Kind = "later"   // a file that may be written, and runs or is followed later, outside, has changed
	Limit   Kind = "limit"   // a limit of resources was reached
	More    Kind = "more"    // of the log: events that there was no room for, by their count
)

// Kinds are all of them.
func Kinds() []Kind { return []Kind{Connect, Write, Read, Unix, Changed, Later, Limit, More} }

// rank orders the kinds by what matters most.
func (k Kind) rank() int {
	switch k {
	case Limit: // it may be why the command ended
		return 0
	case Changed:
		return 1
	case Connect, Write, Unix:
		return 2
	case Read:
		return 3
	case Later:
		return 4
	case More:
	}
	return 5
}

// Event is one thing that was blocked, as often as it happened.
type Event struct {
	Time   time.Time // when it happened first
	Kind   Kind
	Target string // "example.com:443" or a path
	Reason string // why, in the words of the policy
	Rule   string // the rule that spoke and where it stands; "" when no rule did
	Hint   string // what would allow it; "" when nothing sensible does
	Keep   string // of Later: what would keep it from changing; "" when nothing does
	Count  int

	// Of what a process did, who and how: its number outside of the sandbox, the base
	// name of its program and the system call. 0 and "" when it is not known.
	PID     int
	Program string
	Call    string
}

// Blocked reports whether something was refused that a rule could allow.
func (k Kind) Blocked() bool {
	switch k {
	case Connect, Write, Read, Unix:
		return true
	case Changed, Later, Limit, More:
	}
	return false
}

// Report is how a run ended.
type Report struct {
	// Code is the exit status of the command, 128+n if signal n ended it.
	Code    int
	Events  []Event // the most important kind first, then the most frequent
	Dropped int     // events beyond those that were kept
	Logged  bool    // the event log has them
}

// maxDistinct bounds how many different attempts are kept, of connections and of files.
const maxDistinct = 1000

// Recorder gathers events. The zero value is ready; it may be used by several
// goroutines.
type Recorder struct {
	// On is told of each event as it happens, nil means nobody. It is called by
	// one goroutine at a time.
	On func(Event)
	// Log is told of each event when it happens first and when it has happened at least
	// ten, a hundred, a thousand times, and of the rest in Report; Count is how many it has not
	// been told of. nil means nobody. It must not wait.
	Log func(Event)

	mu       sync.Mutex
	events   map[[3]string]*Event
	logged   map[[3]string]int // how often Log was told of
	connects int               // among them: only these
	files    int               // and these can the command make as it likes
	dropped  int

	toldDropped int // how many of those Log was told of
}

// Add records an event, as often as its Count says; 0 is once. Equal ones are counted
// together.
func (r *Recorder) Add(e Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Count = max(e.Count, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.On != nil {
		r.On(e)
	}
	key := [3]string{string(e.Kind), e.Target, e.Reason}
	before := 0
	switch known := r.events[key]; {
	case known != nil:
		before = known.Count
		known.Count += e.Count
	case e.Kind == Connect && r.connects >= maxDistinct, e.file() && r.files >= maxDistinct: // of the others there are a few
		r.dropped += e.Count
	default:
		switch {
		case e.Kind == Connect:
			r.connects++
		case e.file():
			r.files++
		}
		if r.events == nil {
			r.events = map[[3]string]*Event{}
		}
		r.events[key] = &e
	}
	if known := r.events[key]; known != nil && magnitude(known.Count) != magnitude(before) {
		r.log(key, known)
	}
}

// log tells Log of what it has not been told.
func (r *Recorder) log(key [3]string, e *Event) {
	if r.Log == nil || e.Count == r.logged[key] {
		return
	}
	if r.logged == nil {
		r.logged = map[[3]string]int{}
	}
	part := *e
	part.Count -= r.logged[key]
	if r.logged[key] > 0 {
		part.Time = time.Now()
	}
	r.logged[key] = e.Count
	r.Log(part)
}

// magnitude is how many digits a count has, 0 for none.
func magnitude(n int) int {
	digits := 0
	for ; n > 0; n /= 10 {
		digits++
	}
	return digits
}

func (e *Event) file() bool { return e.Kind == Write || e.Kind == Read || e.Kind == Unix }

// Drop counts events that were too many to be told one by one.
func (r *Recorder) Drop(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropped += n
}

// Report sums up what was recorded so far.
func (r *Recorder) Report(code int) Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	report := Report{Code: code, Dropped: r.dropped}
	for key, e := range r.events {
		report.Events = append(report.Events, *e)
		r.log(key, e)
	}
	if r.dropped > r.toldDropped && r.Log != nil {
		r.Log(Event{Time: time.Now(), Kind: More, Reason: moreReason, Count: r.dropped - r.toldDropped})
		r.toldDropped = r.dropped
	}
	slices.SortFunc(report.Events, func(a, b Event) int {
		return cmp.Or(cmp.Compare(a.Kind.rank(), b.Kind.rank()), cmp.Compare(b.Count, a.Count), a.Time.Compare(b.Time), cmp.Compare(a.Target, b.Target))
	})
	return report
}
