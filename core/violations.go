package core

import (
	"path/filepath"

	"github.com/srt-sh/srt/core/event"
)

// eventDir is below the folder for state.
const eventDir = "srt/events"

// EventDir is the folder of the event log: $XDG_STATE_HOME/srt/events, else in
// ~/.local/state. Home and Environ count.
func EventDir(o Options) (string, error) {
	o, err := o.withRoots()
	if err != nil {
		return "", err
	}
	return filepath.Join(stateHome(o), eventDir), nil
}

// Violations reads the event log: what was blocked in all runs of the user, the oldest
// first, as far as it is kept. Home and Environ count.
func Violations(o Options) ([]*event.Violation, error) {
	dir, err := EventDir(o)
	if err != nil {
		return nil, err
	}
	reader := event.Reader{Dir: dir}
	entries, err := reader.Next()
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file
	}
	var all event.Violations
	for _, e := range entries {
		all.Add(e)
	}
	return all.All, nil
}

// openLog has events go to the log. Nothing is opened before there is one.
func (e *engine) openLog() {
	if e.o.NoLog {
		return
	}
	e.log = &event.Log{
		Dir: filepath.Join(stateHome(e.o), eventDir),
		Run: func() event.Run {
			return event.Run{ID: event.NewRunID(), Command: e.o.Args, Options: runWords(e.o), Dir: e.o.Dir}
		},
	}
	e.events.Log = e.log.Add
}

// closeLog waits for what is written, and reports whether the log has all events of the
// run. That it cannot be written is told once, and is no reason to fail.
func (e *engine) closeLog() bool {
	if e.log == nil {
		return false
	}
	written, err := e.log.Close()
	if err != nil {
		e.o.Warnf("the event log is not whole: %v", err)
	}
	e.log = nil
	return written
}
