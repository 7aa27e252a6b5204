package core

import (
	"context"
	"errors"
	"strings"
	"syscall"

	"github.com/srt-sh/srt/sandbox"
)

// Measure is one thing that a sandbox rests on, and whether this system has it.
type Measure struct {
	Name   string `json:"name"`             // "user namespaces"
	OK     bool   `json:"ok"`               // it is there, and was seen to work
	Weaker bool   `json:"weaker,omitempty"` // it is there in a weaker form than could be asked for; OK is false
	Needed bool   `json:"needed"`           // without it no command runs
	Detail string `json:"detail,omitempty"`
	Fix    string `json:"fix,omitempty"` // the next step; "" when OK, or when none is known
}

// PlatformReport is what this system can enforce.
type PlatformReport struct {
	OK       bool      `json:"ok"` // everything needed is there
	Measures []Measure `json:"measures"`
}

// Platform finds out what this system can enforce by trying it: it runs this very
// program in a sandbox, where it looks around in place of main, and compares what
// it says with what is to be seen outside. It takes some 50 ms and leaves nothing
// behind but the folder of the journal.
//
// What is missing is part of the report and not an error. When ctx ends, what has
// not been tried counts as missing.
func Platform(ctx context.Context) *PlatformReport {
	report := &PlatformReport{OK: true, Measures: platform(ctx)}
	for _, m := range report.Measures {
		if m.Needed && !m.OK {
			report.OK = false
		}
	}
	return report
}

// NextStep says what to do about an error of [Run] that this system caused, ""
// when nothing better than the error itself can be said.
func NextStep(err error) string {
	if e, ok := errors.AsType[*hintError](err); ok {
		return e.hint
	}
	if weaker, ok := errors.AsType[*WeakerError](err); ok {
		return weaker.nextStep()
	}
	switch {
	case errors.Is(err, sandbox.ErrUnsupported):
		return "srt needs Linux " + minKernel + " or newer"
	case errors.Is(err, sandbox.ErrNoBwrap):
		return installBwrap()
	case errors.Is(err, sandbox.ErrNoUserns), errors.Is(err, sandbox.ErrSetup):
		if nested() {
			return "this is inside a sandbox already, whose rules hold for all that runs here: run the command without srt"
		}
		if _, fix := usernsObstacle(); fix != "" {
			return fix
		}
		return "srt doctor shows what is missing"
	}
	// The sandbox has no error of its own for that: nobody acts on it.
	if strings.Contains(err.Error(), "the journal of placeholders") {
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			return fixFull
		}
		return fixJournal
	}
	return ""
}

const (
	fixJournal = "make the folder writable, or set XDG_STATE_HOME to one that is"
	fixFull    = "make room there, or set XDG_STATE_HOME to a folder that has some"
)

// minKernel is the first kernel with all that the sandbox uses, mount_setattr(2)
// being the last.
const minKernel = "5.12"
