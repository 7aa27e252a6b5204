package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// logOf makes a log of a run in a folder.
func logOf(dir string) *Log {
	return &Log{Dir: dir, Run: func() Run { return Run{ID: "1.1", Command: []string{"make", "all"}, Dir: "/w"} }}
}

func closeLog(t *testing.T, l *Log) {
	t.Helper()
	if written, err := l.Close(); err != nil || !written {
		t.Fatalf("closing the log: %v, %v", written, err)
	}
}

func readLog(t *testing.T, dir string) []Entry {
	t.Helper()
	r := Reader{Dir: dir}
	entries, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if r.Bad > 0 {
		t.Errorf("%d bad lines", r.Bad)
	}
	return entries
}

func TestLogOpensNothingWithoutEvents(t *testing.T) {
	dir := t.TempDir() + "/events"
	l := logOf(dir)
	if written, err := l.Close(); written || err != nil {
		t.Errorf("closed: %v, %v", written, err)
	}
	l.Add(Event{Kind: Connect}) // too late
	if _, err := os.Lstat(dir); err == nil {
		t.Error("the folder was made")
	}
}

func TestLogRoundTrip(t *testing.T) {
	dir := t.TempDir() + "/state/events"
	l := logOf(dir)
	want := Event{
		Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Kind: Write, Target: "/h/\x1b[2Jé", Reason: "r", Rule: "u", Hint: "h", Keep: "k",
		Count: 3, PID: 7, Program: "cc", Call: "openat",
	}
	l.Add(want)
	closeLog(t, l)
	entries := readLog(t, dir)
	if len(entries) != 1 || entries[0].Event() != want || entries[0].Clipped || entries[0].Dir != "/w" || !slices.Equal(entries[0].Command, []string{"make", "all"}) {
		t.Errorf("read %+v", entries)
	}
	files, _ := filepath.Glob(dir + "/*")
	if len(files) != 1 {
		t.Fatalf("files %q", files)
	}
	for name, mode := range map[string]os.FileMode{dir: 0o700, files[0]: 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s has %v, %v", name, info.Mode(), err)
		}
	}
}

// A line is bounded whatever is in it, and says that it is not whole.
func TestLogLinesAreBounded(t *testing.T) {
	long := strings.Repeat("\x01é\xff", 5000)
	run := Run{ID: "1.1", Command: []string{long, "b"}, Options: []string{"run", long}, Dir: long}
	for _, e := range []Event{{Kind: Write, Target: long, Reason: long, Rule: long, Hint: long, Keep: long, Program: long, Call: long, Count: 1}, {Kind: Write, Target: "/\xff", Count: 1}} {
		line := run.entry(e).line()
		got, ok := parseLine(bytes.TrimSuffix(line, []byte("\n")))
		if !ok || len(line) > maxLine || bytes.Count(line, []byte("\n")) != 1 || !got.Clipped {
			t.Errorf("%d bytes, read %v, clipped %v", len(line), ok, got.Clipped)
		}
	}
}

func TestLogOfARunIsBounded(t *testing.T) {
	dir := t.TempDir()
	l := logOf(dir)
	const events = 5000
	for i := range events {
		for len(l.queue) == maxQueue { // as fast as it can be written
			time.Sleep(time.Millisecond)
		}
		l.Add(Event{Kind: Write, Target: fmt.Sprintf("/%d/%s", i, strings.Repeat("x", 200)), Count: 2})
	}
	closeLog(t, l)
	total, size := 0, int64(0)
	entries := readLog(t, dir)
	for _, e := range entries {
		total += e.Count
	}
	files, _ := logFiles(dir)
	for _, f := range files {
		info, err := os.Stat(filepath.Join(dir, f.name))
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if last := entries[len(entries)-1]; total != 2*events || size > maxRunLog+maxLine || last.Kind != More {
		t.Errorf("%d of %d counted in %d bytes, last %+v", total, 2*events, size, last)
	}
}

func TestLogRotates(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"2026-10-01.jsonl", "2026-11-01.jsonl", "2026-11-26.jsonl", "2026-11-27.jsonl", "2026-11-27.1.jsonl", "2026-11-28.jsonl"} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, maxFile), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(put, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 28, 23, 59, 0, 0, time.UTC)
	w := logWriter{dir: dir, now: func() time.Time { return at }}
	defer w.close()
	line := Run{ID: "1.1"}.entry(Event{Time: at, Kind: Connect, Target: "a:1", Count: 1}).line()
	if err := w.append(line); err != nil {
		t.Fatal(err)
	}
	at = at.Add(2 * time.Minute)
	if err := w.append(line); err != nil {
		t.Fatal(err)
	}
	var names []string
	files, _ := logFiles(dir)
	for _, f := range files {
		names = append(names, f.name)
	}
	// The first is too old, the second and third are beyond what all may have.
	want := []string{"2026-11-27.jsonl", "2026-11-27.1.jsonl", "2026-11-28.jsonl", "2026-11-28.1.jsonl", "2026-11-29.jsonl"}
	if !slices.Equal(names[max(0, len(names)-len(want)):], want) || slices.Contains(names, "2026-10-01.jsonl") || slices.Contains(names, "2026-11-01.jsonl") {
		t.Errorf("files %q", names)
	}
	if _, err := os.Stat(put); err != nil {
		t.Error("a file that is none of the log's was removed")
	}
}

// What removes the log does not lose what is written later.
func TestLogGoesOnAfterClear(t *testing.T) {
	dir := t.TempDir()
	w := logWriter{dir: dir}
	defer w.close()
	line := Run{ID: "1.1"}.entry(Event{Time: time.Now(), Kind: Connect, Target: "a:1", Count: 1}).line()
	for range 2 {
		if err := w.append(line); err != nil {
			t.Fatal(err)
		}
		if err := Clear(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.append(line); err != nil {
		t.Fatal(err)
	}
	if n := len(readLog(t, dir)); n != 1 {
		t.Errorf("%d lines", n)
	}
}

// A folder that cannot be written is told once, and nothing waits for it.
func TestLogUnwritable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, file + "/below"} {
		l := logOf(dir)
		for range 3 * maxQueue {
			l.Add(Event{Kind: Connect, Target: "a:1", Count: 1})
		}
		if written, err := l.Close(); written || err == nil {
			t.Errorf("%s: %v, %v", dir, written, err)
		}
	}
	if _, err := os.Lstat("/dev/full"); err == nil {
		dir := t.TempDir()
		if err := os.Symlink("/dev/full", filepath.Join(dir, logName(time.Now().UTC().Format(time.DateOnly), 0))); err != nil {
			t.Fatal(err)
		}
		l := logOf(dir)
		l.Add(Event{Kind: Connect, Target: "a:1", Count: 1})
		if written, err := l.Close(); written || err == nil {
			t.Errorf("through a link: %v, %v", written, err)
		}
	}
}

func TestReaderFollows(t *testing.T) {
	dir := t.TempDir()
	r := Reader{Dir: filepath.Join(dir, "events")}
	if got, err := r.Next(); err != nil || got != nil {
		t.Fatalf("without a folder: %v, %v", got, err)
	}
	at := time.Date(2026, 11, 28, 23, 59, 59, 0, time.UTC)
	w := logWriter{dir: r.Dir, now: func() time.Time { return at }}
	defer w.close()
	line := func(target string) []byte {
		return Run{ID: "1.1"}.entry(Event{Time: at, Kind: Connect, Target: target, Count: 1}).line()
	}
	for i := range 3 { // across midnight
		target := strconv.Itoa(i)
		if err := w.append(line(target)); err != nil {
			t.Fatal(err)
		}
		if got, err := r.Next(); err != nil || len(got) != 1 || got[0].Target != target {
			t.Fatalf("%d: %+v, %v", i, got, err)
		}
		at = at.Add(time.Second)
	}
	// Half a line is none yet.
	half := line("half")
	if _, err := w.file.Write(half[:20]); err != nil {
		t.Fatal(err)
	}
	if got, _ := r.Next(); len(got) != 0 {
		t.Errorf("half a line: %+v", got)
	}
	if _, err := w.file.Write(half[20:]); err != nil {
		t.Fatal(err)
	}
	if got, _ := r.Next(); len(got) != 1 || got[0].Target != "half" {
		t.Errorf("its other half: %+v", got)
	}
	// What a full disk has cut off is passed over, what comes behind it is not.
	if _, err := w.file.Write(append(half[:30:30], line("behind")...)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.file.WriteString("no line\n"); err != nil {
		t.Fatal(err)
	}
	if got, _ := r.Next(); len(got) != 1 || got[0].Target != "behind" || r.Bad != 1 {
		t.Errorf("behind a cut: %+v, %d bad", got, r.Bad)
	}
}

func TestViolationsAddUp(t *testing.T) {
	var v Violations
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	v.Add(Entry{Time: at, Run: "1", Kind: Connect, Target: "a", Count: 1})
	v.Add(Entry{Time: at, Run: "2", Kind: Connect, Target: "a", Count: 1})
	got := v.Add(Entry{Time: at.Add(time.Minute), Run: "1", Kind: Connect, Target: "a", Count: 9})
	if len(v.All) != 2 || got.N != 1 || got.Count != 10 || !got.Time.Equal(at) || !got.Last.Equal(at.Add(time.Minute)) || v.All[1].N != 2 {
		t.Errorf("%+v", v.All)
	}
}

// The log is told of floods rarely, and of every one of their events.
func TestRecorderTellsTheLog(t *testing.T) {
	var calls, total int
	r := Recorder{Log: func(e Event) { calls++; total += e.Count }}
	for range 12345 {
		r.Add(Event{Kind: Connect, Target: "a"})
	}
	r.Add(Event{Kind: Connect, Target: "b"})
	for i := range maxDistinct + 10 {
		r.Add(Event{Kind: Connect, Target: strconv.Itoa(i)})
	}
	before := calls
	report := r.Report(0)
	if calls-before != 2 || total != 12345+1+maxDistinct+10 || report.Dropped != 12 {
		t.Errorf("%d calls at the end, %d told, %d dropped", calls-before, total, report.Dropped)
	}
	if r.Report(0); calls-before != 2 {
		t.Error("told twice")
	}
}

// Many processes append at once: no line is lost or torn. SRT_TEST_APPEND is how long,
// half a second by default.
func TestLogOfManyProcesses(t *testing.T) {
	const processes = 20
	if dir := os.Getenv("SRT_TEST_APPEND_DIR"); dir != "" {
		lines, err := strconv.Atoi(os.Getenv("SRT_TEST_APPEND_LINES"))
		if err != nil {
			t.Fatal(err)
		}
		w := logWriter{dir: dir}
		defer w.close()
		run := Run{ID: NewRunID(), Command: []string{"x"}, Dir: "/"}
		for i := range lines {
			if err := w.append(run.entry(Event{Time: time.Now(), Kind: Write, Target: fmt.Sprintf("/%d/%s", i, strings.Repeat("x", i%700)), Count: 1}).line()); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	dir := t.TempDir()
	const lines = 300
	var running []*exec.Cmd
	for range processes {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLogOfManyProcesses$") //nolint:noctx // it ends by itself
		cmd.Env = append(os.Environ(), "SRT_TEST_APPEND_DIR="+dir, "SRT_TEST_APPEND_LINES="+strconv.Itoa(lines))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, cmd)
	}
	for _, cmd := range running {
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]int{}
	for _, e := range readLog(t, dir) {
		seen[e.Run]++
	}
	if len(seen) != processes {
		t.Errorf("%d runs", len(seen))
	}
	for run, n := range seen {
		if n != lines {
			t.Errorf("run %s has %d lines of %d", run, n, lines)
		}
	}
}

func TestRunID(t *testing.T) {
	a, b := NewRunID(), NewRunID()
	if a == b {
		t.Errorf("two runs are called %q", a)
	}
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc here")
	}
	for id, want := range map[string]int{a: os.Getpid(), b: os.Getpid(), strconv.Itoa(os.Getpid()) + ".1": 0, "0.1": 0, "1.0": 0, "x": 0, "": 0, "-1.5": 0} {
		if got := RunningPID(id); got != want {
			t.Errorf("%q: %d, want %d", id, got, want)
		}
	}
}

func FuzzLogLine(f *testing.F) {
	f.Add([]byte(`{"time":"2026-01-02T03:04:05Z","run":"1","kind":"write","target":"/x","count":1,"command":["a"],"cwd":"/"}`))
	f.Add([]byte(`{"time":"2026-01-02T03:04:05Z","run":"1","ki{"time":"2026-01-02T03:04:05Z","run":"1","kind":"write","count":2,"command":null,"cwd":""}`))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, ok := parseLine(line)
		if !ok {
			return
		}
		again, ok := parseLine(bytes.TrimSuffix(e.line(), []byte("\n")))
		if !ok {
			t.Fatalf("%q is read, and not what it is written as", line)
		}
		if !e.Clipped && again.Clipped {
			return
		}
		one, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		two, err := json.Marshal(again)
		if err != nil || !bytes.Equal(one, two) {
			t.Fatalf("%s became %s: %v", one, two, err)
		}
	})
}

// No text of an event makes a line that is read as another.
func FuzzLogTarget(f *testing.F) {
	f.Add(`x","kind":"more`, "r")
	f.Add("a\n{\"time\":\"2026-01-02T03:04:05Z\",\"run\":\"1\",\"kind\":\"limit\",\"count\":1}", "\x00")
	f.Fuzz(func(t *testing.T, target, command string) {
		run := Run{ID: "1.1", Command: []string{command}, Dir: "/"}
		line := run.entry(Event{Kind: Write, Target: target, Count: 1}).line()
		if bytes.Count(line, []byte("\n")) != 1 {
			t.Fatalf("not one line: %q", line)
		}
		e, ok := parseLine(line[:len(line)-1])
		if !ok || e.Kind != Write || !e.Clipped && (e.Target != target || !slices.Equal(e.Command, run.Command)) {
			t.Fatalf("%q became %+v", target, e)
		}
	})
}
