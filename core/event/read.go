package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Reader reads the log, also while it is written.
type Reader struct {
	Dir string // the folder of the log

	// Bad counts lines that are none, as a full disk or a crash leaves them.
	Bad int

	read map[string]int64 // how much of each file
}

// Next gives what has been added since it was called last, the oldest first. The first
// call gives all that there is.
func (r *Reader) Next() ([]Entry, error) {
	files, err := logFiles(r.Dir)
	if err != nil {
		return nil, err
	}
	if r.read == nil {
		r.read = map[string]int64{}
	}
	var out []Entry
	for _, f := range files {
		data, err := r.more(f.name)
		if err != nil {
			return out, err
		}
		for line := range bytes.Lines(data) {
			e, ok := parseLine(bytes.TrimSuffix(line, []byte("\n")))
			if !ok {
				r.Bad++
				continue
			}
			out = append(out, e)
		}
	}
	return out, nil
}

// more reads the lines of a file that are complete and have not been read.
func (r *Reader) more(name string) ([]byte, error) {
	path := filepath.Join(r.Dir, name)
	from := r.read[name]
	if info, err := os.Lstat(path); err == nil && info.Size() == from {
		return nil, nil
	} else if err == nil && info.Size() < from {
		from = 0 // removed and begun anew
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // removed meanwhile
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file
	}
	defer f.Close() //nolint:errcheck // nothing was written
	// A file may be a line of each run larger than it should.
	data, err := io.ReadAll(io.NewSectionReader(f, from, 2*maxFile))
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	r.read[name] = from + int64(len(data))
	return data, nil
}

// lineStart begins every line. In a text of JSON its quotes would be escaped.
var lineStart = []byte(`{"time":"`)

// parseLine reads a line. What a write that did not succeed has left before it is
// passed over.
func parseLine(line []byte) (Entry, bool) {
	start := bytes.LastIndex(line, lineStart)
	if start < 0 || len(line) > 2*maxLine {
		return Entry{}, false
	}
	var e Entry
	if err := json.Unmarshal(line[start:], &e); err != nil || e.Kind == "" || e.Count < 1 {
		return Entry{}, false
	}
	return e, true
}

// Violation is one thing in one run, as often as it happened.
type Violation struct {
	N     int       `json:"n"` // its number, from 1, in the order of the log
	Entry           // when it happened first
	Last  time.Time `json:"last"`
}

// Violations gathers the lines of the log that tell of the same.
type Violations struct {
	All []*Violation // in the order of their numbers

	known map[[4]string]*Violation
}

// Add takes a line in, and gives what it belongs to.
func (v *Violations) Add(e Entry) *Violation {
	key := [4]string{e.Run, string(e.Kind), e.Target, e.Reason}
	if v.known == nil {
		v.known = map[[4]string]*Violation{}
	}
	found := v.known[key]
	if found == nil {
		found = &Violation{N: len(v.All) + 1, Entry: e, Last: e.Time}
		v.known[key] = found
		v.All = append(v.All, found)
		return found
	}
	found.Count += e.Count
	if e.Time.After(found.Last) {
		found.Last = e.Time
	}
	return found
}
