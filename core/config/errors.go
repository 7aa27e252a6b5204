package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"
)

// Error is a fault in a settings file, an environment variable or a flag.
type Error struct {
	File string // as shown to the user; the variable's or flag's name for these
	Line int    // from 1; 0 when it is not a place in a file
	Key  string // such as network.allowed_domains; empty for a fault of syntax
	Msg  string // what is wrong and what is expected
	Hint string // the next step; empty when Msg says it all
}

// Error returns file:line: key: message.
func (e *Error) Error() string {
	s := e.File
	if e.Line > 0 {
		s += ":" + strconv.Itoa(e.Line)
	}
	if e.Key != "" && e.Key != e.File { // a flag or a variable is both
		s += ": " + e.Key
	}
	return s + ": " + e.Msg
}

// What a refusal would have cost, in npm srt's words.
const (
	lostFile     = "this file's rules (its denyRead, allowRead and credential entries included)"
	lostSettings = "the rules --settings asked for"
)

// RefusedError says that a settings file cannot be used, so nothing may run.
// Its text is the two lines that npm srt prints; whoever prints it exits 1.
type RefusedError struct {
	Reason string
	Lost   string
	Err    error // the cause; an *Error for a fault inside of the file
}

// Error returns both lines.
func (e *RefusedError) Error() string {
	return "Error: " + e.Reason + "\nRefusing to run with the built-in defaults, which would drop " + e.Lost + "."
}

// Unwrap returns the cause.
func (e *RefusedError) Unwrap() error { return e.Err }

func refuse(lost string, cause error, format string, args ...any) *RefusedError {
	return &RefusedError{Reason: fmt.Sprintf(format, args...), Lost: lost, Err: cause}
}

// refuseAt refuses a file for a fault inside of it. The next step is part of
// the reason, since a refusal is two lines and no more.
func refuseAt(e *Error) *RefusedError {
	reason := e.Error()
	if e.Hint != "" {
		reason += "; " + e.Hint
	}
	if !strings.HasSuffix(reason, "?") {
		reason += "."
	}
	return &RefusedError{Reason: reason, Lost: lostFile, Err: e}
}

// errnoName is the name of the system error behind err, as Node spells it.
func errnoName(err error) string {
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		switch no { //nolint:exhaustive // the rest goes by its text
		case syscall.EACCES:
			return "EACCES"
		case syscall.EPERM:
			return "EPERM"
		case syscall.EISDIR:
			return "EISDIR"
		case syscall.ENOTDIR:
			return "ENOTDIR"
		case syscall.ELOOP:
			return "ELOOP"
		case syscall.ENAMETOOLONG:
			return "ENAMETOOLONG"
		case syscall.EIO:
			return "EIO"
		case syscall.EMFILE:
			return "EMFILE"
		}
		return no.Error()
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}
