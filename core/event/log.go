package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"
)

// The bounds of the log. One run cannot push out what others have left there.
const (
	maxLine   = 8 << 10             // bytes of a line, with its end
	maxRunLog = 256 << 10           // bytes that one run writes
	maxFile   = 4 << 20             // bytes of a file, after which the next one is begun
	maxTotal  = 16 << 20            // bytes of all files, beyond which the oldest go
	maxAge    = 30 * 24 * time.Hour // of a file, likewise
	maxQueue  = 1024                // entries that wait to be written
	lastWait  = time.Second         // for them to be, at the end of the run
)

// Run says which run an event belongs to, and how to start it again.
type Run struct {
	ID      string   // of NewRunID
	Command []string // the program and its arguments
	Options []string // srt's own words before them, as core.Wrap gives them
	Dir     string   // the working folder
}

// Entry is a line of the log. Several lines may tell of the same thing in the same
// run: their counts add up.
type Entry struct {
	Time    time.Time `json:"time"` // stays the first: see parseLine
	Run     string    `json:"run"`
	PID     int       `json:"pid,omitempty"`
	Program string    `json:"program,omitempty"`
	Kind    Kind      `json:"kind"`
	Call    string    `json:"call,omitempty"`
	Target  string    `json:"target,omitempty"`
	Rule    string    `json:"rule,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Hint    string    `json:"hint,omitempty"`
	Keep    string    `json:"keep,omitempty"`
	Count   int       `json:"count"`
	Command []string  `json:"command"`
	Options []string  `json:"options,omitempty"`
	Dir     string    `json:"cwd"`
	// Clipped says that a text was too long for a line, or no UTF-8, so that Target,
	// Command or Options are not whole.
	Clipped bool `json:"clipped,omitempty"`
}

// Event is what the entry tells, without the run.
func (e Entry) Event() Event {
	return Event{
		Time: e.Time, Kind: e.Kind, Target: e.Target, Reason: e.Reason, Rule: e.Rule, Hint: e.Hint, Keep: e.Keep,
		Count: e.Count, PID: e.PID, Program: e.Program, Call: e.Call,
	}
}

// entry makes the line of an event.
func (r Run) entry(e Event) Entry {
	return Entry{
		Time: e.Time.UTC(), Run: r.ID, PID: e.PID, Program: e.Program, Kind: e.Kind, Call: e.Call,
		Target: e.Target, Rule: e.Rule, Reason: e.Reason, Hint: e.Hint, Keep: e.Keep, Count: e.Count,
		Command: r.Command, Options: r.Options, Dir: r.Dir,
	}
}

// line spells an entry, within maxLine.
func (e Entry) line() []byte {
	whole := func(s string) bool { return utf8.ValidString(s) }
	if !whole(e.Target) || !whole(e.Dir) || !whole(e.Hint) || slices.ContainsFunc(slices.Concat(e.Command, e.Options), func(s string) bool { return !whole(s) }) {
		e.Clipped = true
	}
	for most := maxLine; ; most /= 2 {
		// A control character takes six bytes, so that what fits here may not there.
		for _, s := range []*string{&e.Target, &e.Dir, &e.Hint, &e.Keep, &e.Rule, &e.Reason, &e.Program, &e.Call} {
			if len(*s) > most/2 {
				*s = strings.ToValidUTF8((*s)[:most/2], "") + "…"
				e.Clipped = true
			}
		}
		for _, list := range []*[]string{&e.Command, &e.Options} {
			short := clipWords(*list, most/4)
			e.Clipped = e.Clipped || len(short) != len(*list)
			*list = short
		}
		text, err := json.Marshal(e)
		if err == nil && len(text) < maxLine {
			return append(text, '\n')
		}
		if most < 8 {
			return nil // not reached: what is left has a fixed length
		}
	}
}

// clipWords gives the first words that have so many bytes together.
func clipWords(words []string, most int) []string {
	for i, w := range words {
		if most -= len(w) + 3; most < 0 {
			return slices.Clip(words[:i])
		}
	}
	return words
}

// Log appends the events of one run to the log. It opens nothing before the first
// event, and never waits for the disk but at the end.
type Log struct {
	Dir string // the folder of the log
	// Run tells of the run; it is called once, at the first event.
	Run func() Run

	mu      sync.Mutex
	started bool
	closed  bool
	queue   chan Event
	done    chan struct{}
	lost    int   // events that found the queue full
	err     error // why the log is not whole; set before done is closed
}

// Add puts an event into the log, Count times.
func (l *Log) Add(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if !l.started {
		l.started, l.queue, l.done = true, make(chan Event, maxQueue), make(chan struct{})
		go l.write()
	}
	select {
	case l.queue <- e:
	default:
		l.lost += e.Count
	}
}

// Close waits until all is written, for a second at most, and reports whether there
// was something. An error says that the log is not whole.
func (l *Log) Close() (written bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.started {
		l.closed = true
		return false, nil
	}
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	select {
	case <-l.done:
		return l.err == nil, l.err
	case <-time.After(lastWait):
		return false, fmt.Errorf("%q does not answer", l.Dir)
	}
}

// write writes what is queued. After a fault it drops the rest, so that a full disk is
// tried once.
func (l *Log) write() {
	defer close(l.done)
	w := logWriter{dir: l.Dir}
	defer w.close()
	run := l.Run()
	left := maxRunLog
	more := 0 // events for which there was no room
	for e := range l.queue {
		line := run.entry(e).line()
		if left -= len(line); left < 0 {
			more += e.Count
			continue
		}
		if l.err = w.append(line); l.err != nil {
			for range l.queue { // until Close closes it
			}
			return
		}
	}
	if more += l.lost; more > 0 { // nobody adds any more
		l.err = w.append(run.entry(Event{Time: time.Now(), Kind: More, Count: more, Reason: moreReason}).line())
	}
}

// moreReason explains an event of the kind More.
const moreReason = "there were more different ones than are kept"

// logWriter appends lines to the file of the day.
type logWriter struct {
	dir  string
	file *os.File
	day  string
	now  func() time.Time // nil: time.Now
}

func (w *logWriter) close() {
	if w.file != nil {
		_ = w.file.Close()
		w.file = nil
	}
}

// append writes a line by one call, which the kernel makes one piece of the file
// whoever else appends (O_APPEND of open(2)).
func (w *logWriter) append(line []byte) error {
	now := time.Now
	if w.now != nil {
		now = w.now
	}
	day := now().UTC().Format(time.DateOnly)
	if w.file != nil && w.day == day {
		// It may also have been removed, by srt violations --clear.
		info, err := w.file.Stat()
		if there, gone := os.Lstat(w.file.Name()); err != nil || gone != nil || info.Size() >= maxFile || !os.SameFile(info, there) {
			w.close()
		}
	}
	if w.file == nil || w.day != day {
		w.close()
		if err := w.open(day); err != nil {
			return err
		}
	}
	if _, err := w.file.Write(line); err != nil {
		return err //nolint:wrapcheck // names the file
	}
	return nil
}

// open opens the first file of a day that has room, and removes what is too old.
func (w *logWriter) open(day string) error {
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return err //nolint:wrapcheck // names the folder
	}
	prune(w.dir, day)
	for n := 0; ; n++ {
		f, err := openLogFile(filepath.Join(w.dir, logName(day, n)))
		if err != nil {
			return err
		}
		if info, err := f.Stat(); err == nil && info.Size() >= maxFile {
			_ = f.Close()
			continue
		}
		w.file, w.day = f, day
		return nil
	}
}

// openLogFile opens a file that nobody but this user may write or read.
func openLogFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%q is not a file", name)
	}
	if err == nil && info.Mode().Perm() != 0o600 {
		err = f.Chmod(0o600)
	}
	if err != nil {
		_ = f.Close()
		return nil, err //nolint:wrapcheck // likewise
	}
	return f, nil
}

// logName is the name of the nth file of a day.
func logName(day string, n int) string {
	if n == 0 {
		return day + logSuffix
	}
	return day + "." + strconv.Itoa(n) + logSuffix
}

const logSuffix = ".jsonl"

// logFile is a file of the log, by its name.
type logFile struct {
	name string
	day  string
	n    int
}

// parseLogName reads the name of a file of the log.
func parseLogName(name string) (f logFile, ok bool) {
	stem, ok := strings.CutSuffix(name, logSuffix)
	if !ok {
		return f, false
	}
	day, number, numbered := strings.Cut(stem, ".")
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return f, false
	}
	n := 0
	if numbered {
		var err error
		if n, err = strconv.Atoi(number); err != nil || n < 1 {
			return f, false
		}
	}
	return logFile{name, day, n}, logName(day, n) == name
}

// logFiles lists the files of the log, the oldest first. A folder that is not there has
// none.
func logFiles(dir string) ([]logFile, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // names the folder
	}
	var files []logFile
	for _, e := range entries {
		if f, ok := parseLogName(e.Name()); ok {
			files = append(files, f)
		}
	}
	slices.SortFunc(files, func(a, b logFile) int {
		if c := strings.Compare(a.day, b.day); c != 0 {
			return c
		}
		return a.n - b.n
	})
	return files, nil
}

// prune removes files that are too old, and the oldest as long as all are too large.
// What cannot be removed stays: others may be removing it too.
func prune(dir, today string) {
	files, err := logFiles(dir)
	if err != nil {
		return
	}
	now, err := time.Parse(time.DateOnly, today)
	if err != nil {
		return
	}
	oldest := now.Add(-maxAge).Format(time.DateOnly)
	total := int64(0)
	for _, f := range slices.Backward(files) {
		info, err := os.Lstat(filepath.Join(dir, f.name))
		if err != nil {
			continue
		}
		if total += info.Size(); total > maxTotal || f.day < oldest {
			_ = os.Remove(filepath.Join(dir, f.name))
		}
	}
}

// Clear removes the log. Runs that go on writing begin a new one.
func Clear(dir string) error {
	files, err := logFiles(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.Remove(filepath.Join(dir, f.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err //nolint:wrapcheck // names the file
		}
	}
	return nil
}
