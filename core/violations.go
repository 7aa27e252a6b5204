package core

import (
	"context"
	"iter"
	"path/filepath"
	"time"

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

// followEvery is how often Follow looks at the log.
const followEvery = 50 * time.Millisecond

// Follow gives what is blocked from now on in all runs of the user, as it happens, until
// ctx ends: each with the count of this time. An error ends it. Home and Environ count.
func Follow(ctx context.Context, o Options) iter.Seq2[*event.Violation, error] {
	return func(yield func(*event.Violation, error) bool) {
		dir, err := EventDir(o)
		if err != nil {
			yield(nil, err)
			return
		}
		reader := event.Reader{Dir: dir}
		var all event.Violations
		tick := time.NewTicker(followEvery)
		defer tick.Stop()
		for first := true; ; first = false {
			entries, err := reader.Next()
			if err != nil {
				yield(nil, err)
				return
			}
			for _, e := range entries {
				v := *all.Add(e)
				v.Count, v.Last = e.Count, e.Time
				if !first && !yield(&v, nil) {
					return
				}
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}
}

// tell logs what happens in the life of the run.
func (e *engine) tell(message string, attrs ...any) {
	if e.o.Logger != nil {
		e.o.Logger.Info(message, attrs...)
	}
}

func (e *engine) presetName() string {
	if e.preset == nil {
		return ""
	}
	return e.preset.Name
}

// observe has each event told to whoever asked for it.
func (e *engine) observe() {
	on, logger := e.o.OnEvent, e.o.Logger
	if logger == nil {
		e.events.On = on
		return
	}
	e.events.On = func(ev event.Event) {
		logger.Warn("violation", "event", ev)
		if on != nil {
			on(ev)
		}
	}
}
