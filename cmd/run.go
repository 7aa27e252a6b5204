package cmd

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/sandbox"
)

// run runs the command of a line in a sandbox and returns its exit status.
func (t streams) run(line *runLine) int {
	if line.line == "" && len(line.command) == 0 {
		return t.fail(usageError{text: sayNoCommand, status: statusFailed})
	}
	whole(line.command)
	o := t.options(line)
	if line.controlFD != 0 {
		control, err := openControl(line.controlFD)
		if err != nil {
			return t.fail(err)
		}
		o.Control = control
	}
	o.Keep = inherited(namesOf(line), os.Getenv("MAKEFLAGS"), line.controlFD)
	where, once := sayYourSettings, true
	if line.settings != nil {
		where, once = *line.settings, false
	}
	status := t.runWith(o, where, once)
	if status != statusRefused && line.settings == nil {
		t.adoptHint(line.command)
	}
	return status
}

// runWith runs what o says. where names the settings that would allow what was blocked,
// once says whether an option of run would too.
func (t streams) runWith(o core.Options, where string, once bool) int {
	if o.Logf != nil {
		t.debugRun(o)
	}
	o.Started = quietStart()
	h := newHandler(&o)
	defer h.stop()
	report, err := core.Run(context.Background(), o)
	if err != nil {
		// Ctrl-C reaches what sets the sandbox up too: its end is no fault then.
		if sig := h.fatal(); sig != 0 && !errors.Is(err, sandbox.ErrNoBwrap) {
			return 128 + int(sig)
		}
		return t.fail(err)
	}
	report.Events = telling(report.Events)
	if len(report.Events) > 0 || report.Dropped > 0 {
		t.summary(report, where, once)
	}
	return report.Code
}

// options turns a line into what the engine takes.
func (t streams) options(line *runLine) core.Options {
	o := core.Options{
		Args: line.command, Line: line.line, Flags: line.flags, Yes: line.yes, NoProject: line.noProject,
		Stdin: t.in, Stdout: t.out, Stderr: t.err,
		Warnf: t.warnf,
	}
	if line.line != "" {
		o.Args = nil
	}
	if line.settings != nil {
		o.Settings = *line.settings
	}
	if line.preset != nil {
		o.Preset = *line.preset
	}
	if line.debug || os.Getenv("SRT_DEBUG") == "true" || os.Getenv("SRT_DEBUG") == "1" {
		o.Logf = t.debugf
	}
	return o
}

// openControl opens the control channel, if the caller left one open under that
// number.
func openControl(fd int) (*os.File, error) {
	unusable := func(why string) error {
		return usageError{text: sayControlUnusable(fd, why), status: statusFailed}
	}
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, unusable(err.Error())
	}
	// What the runtime of this very program has opened closes on exec, which
	// nothing that came through one does.
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
		return nil, unusable(unix.EBADF.Error())
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFIFO, unix.S_IFSOCK, unix.S_IFREG, unix.S_IFCHR:
	case unix.S_IFDIR:
		return nil, unusable("it is a folder")
	default:
		return nil, unusable("it is nothing that can be read")
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return nil, unusable(err.Error())
	}
	if flags&unix.O_ACCMODE == unix.O_WRONLY {
		return nil, unusable("it is open for writing only")
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, unusable(err.Error())
	}
	return os.NewFile(uintptr(fd), "control fd "+strconv.Itoa(fd)), nil
}

// namesOf are the words in which descriptors may be named.
func namesOf(line *runLine) []string {
	if line.line != "" {
		return []string{line.line}
	}
	return line.command
}

// inherited finds the pipes that the command is meant to have: those that its
// words name as a shell's process substitution does, and those of make's job
// server.
func inherited(words []string, makeflags string, control int) (kept []int) {
	add := func(fd int) {
		var stat unix.Stat_t
		if fd < 3 || fd == control || slices.Contains(kept, fd) || unix.Fstat(fd, &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFIFO {
			return
		}
		kept = append(kept, fd)
	}
	for _, word := range words {
		for _, prefix := range [...]string{"/dev/fd/", "/proc/self/fd/"} {
			for rest := word; ; {
				_, after, found := strings.Cut(rest, prefix)
				if !found {
					break
				}
				rest = after
				if fd, ok := leadingNumber(after); ok {
					add(fd)
				}
			}
		}
	}
	for word := range strings.FieldsSeq(makeflags) {
		if pair, ok := strings.CutPrefix(word, "--jobserver-auth="); ok {
			r, w, _ := strings.Cut(pair, ",")
			for _, text := range [...]string{r, w} {
				if fd, err := strconv.Atoi(text); err == nil {
					add(fd)
				}
			}
		}
	}
	return kept
}

// leadingNumber reads the digits that a text begins with.
func leadingNumber(s string) (int, bool) {
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(s[:end])
	return n, err == nil && n < 1<<20
}
