package cmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/event"
)

type violationsVerb struct {
	Follow  bool     `short:"f" help:"Go on with what is blocked from now on."`
	JSON    bool     `help:"Print JSON, a line each."`
	Since   string   `placeholder:"TIME" help:"Only what was blocked since TIME: 1h, 2d or 2006-01-02."`
	Kind    []string `placeholder:"KIND" help:"Only this kind: connect, write, read, unix, changed, later, limit, more."`
	Program []string `placeholder:"NAME" help:"Only what this program did or was blocked in a command of that name."`
	Here    bool     `help:"Only commands of this folder and below."`
	All     bool     `help:"All, not the last hundred."`
	Clear   bool     `help:"Empty the log."`
}

const (
	followEvery = 50 * time.Millisecond // how often the log is looked at
	mostRows    = 100                   // of a list without --all or --since
)

// Run lists what was blocked.
func (v *violationsVerb) Run(t streams) error {
	dir, err := core.EventDir(core.Options{})
	if err != nil {
		return err //nolint:wrapcheck // says what to do
	}
	if v.Clear {
		return event.Clear(dir) //nolint:wrapcheck // names the file
	}
	keep, err := v.filter()
	if err != nil {
		return err
	}
	reader := event.Reader{Dir: dir}
	entries, err := reader.Next()
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	var all event.Violations
	for _, e := range entries {
		all.Add(e)
	}
	if !v.Follow || v.Since != "" || v.All {
		rows := slices.DeleteFunc(slices.Clone(all.All), func(x *event.Violation) bool { return !keep(x) })
		before := 0
		if !v.All && v.Since == "" && len(rows) > mostRows {
			before = len(rows) - mostRows
			rows = rows[before:]
		}
		if err := t.listViolations(rows, v.JSON, time.Now()); err != nil {
			return err
		}
		switch {
		case before > 0:
			t.print(sayBefore100(before))
		case len(rows) == 0 && !v.Follow:
			t.print(sayNothingBlocked)
		}
	}
	if reader.Bad > 0 {
		t.warn(sayBadLines(reader.Bad))
	}
	if !v.Follow {
		return nil
	}
	for tick := time.NewTicker(followEvery); *t.lost == nil; <-tick.C {
		entries, err := reader.Next()
		if err != nil {
			return err //nolint:wrapcheck // names the file
		}
		for _, e := range entries {
			// The row is about these times alone.
			row := *all.Add(e)
			row.Count, row.Last = e.Count, e.Time
			if !keep(&row) {
				continue
			}
			if v.JSON {
				if err := t.violationJSON(&row); err != nil {
					return err
				}
				continue
			}
			t.answer(violationRow(&row, e.Time.Local().Format(time.TimeOnly), followWidths(), t.width()))
		}
	}
	return *t.lost
}

// filter makes the question whether a violation is to be shown.
func (v *violationsVerb) filter() (func(*event.Violation) bool, error) {
	var since time.Time
	if v.Since != "" {
		var err error
		if since, err = parseSince(v.Since, time.Now()); err != nil {
			return nil, err
		}
	}
	for _, kind := range v.Kind {
		if !slices.Contains(event.Kinds(), event.Kind(kind)) {
			return nil, usageError{text: sayNoKind(kind), hint: hintKinds()}
		}
	}
	here := ""
	if v.Here {
		_, dir, err := core.Options{}.Roots()
		if err != nil {
			return nil, err //nolint:wrapcheck // says what to do
		}
		here = dir
	}
	return func(x *event.Violation) bool {
		switch {
		case x.Last.Before(since):
		case len(v.Kind) > 0 && !slices.Contains(v.Kind, string(x.Kind)):
		case len(v.Program) > 0 && !slices.Contains(v.Program, x.Program) && !slices.Contains(v.Program, commandName(x.Command)):
		case here != "" && !below(x.Dir, here):
		default:
			return true
		}
		return false
	}, nil
}

// below reports whether a path is a folder or lies in it.
func below(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// commandName is how a command is called.
func commandName(command []string) string {
	if len(command) == 0 {
		return ""
	}
	return filepath.Base(command[0])
}

// parseSince reads how long ago something was, or when.
func parseSince(text string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.AddDate(0, 0, -int(n)), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, form := range []string{time.DateOnly, time.DateTime, time.RFC3339} {
		if at, err := time.ParseInLocation(form, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, usageError{text: sayNoTime(text), hint: hintTime}
}

func (t streams) listViolations(rows []*event.Violation, asJSON bool, now time.Time) error {
	if asJSON {
		for _, v := range rows {
			if err := t.violationJSON(v); err != nil {
				return err
			}
		}
		return nil
	}
	if len(rows) == 0 {
		return nil
	}
	width := t.width()
	widths := violationWidths(rows, now, width)
	t.answer(cut(violationHead(widths), width))
	for _, v := range rows {
		t.answer(violationRow(v, ago(v.Last, now), widths, width))
	}
	return nil
}

// violationJSON prints a violation as JSON. What a terminal would act on is escaped as
// JSON escapes it.
func (t streams) violationJSON(v *event.Violation) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("bug: %w", err)
	}
	fmt.Fprintln(t, cleanJSON(strings.TrimSuffix(text.String(), "\n")))
	return nil
}

// width is that of the terminal that answers go to, in columns; 0 if there is none.
func (t streams) width() int {
	size, err := unix.IoctlGetWinsize(int(t.out.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}

// columns are the widths of a table of violations.
type columns struct{ n, when, kind, target, times, program int }

// followWidths are those of a table whose rows are not known.
func followWidths() columns { return columns{n: 4, when: 8, kind: 7, target: 40, times: 5, program: 8} }

// violationWidths makes room for the rows, of which the targets may be cut in a
// terminal that is so wide.
func violationWidths(rows []*event.Violation, now time.Time, width int) columns {
	c := columns{n: len(headN), when: len(headWhen), kind: len(headKind), target: len(headTarget), times: len(headTimes), program: len(headProgram)}
	for _, v := range rows {
		c.n = max(c.n, len(strconv.Itoa(v.N)))
		c.when = max(c.when, utf8.RuneCountInString(ago(v.Last, now)))
		c.kind = max(c.kind, len(v.Kind))
		c.target = max(c.target, utf8.RuneCountInString(clean(v.Target)))
		c.times = max(c.times, len(strconv.Itoa(v.Count)))
		c.program = max(c.program, utf8.RuneCountInString(clean(actor(v))))
	}
	c.program = min(c.program, 16)
	most := 60
	if width > 0 {
		// What is left beside the others and a few words of the reason.
		most = max(16, width-c.n-c.when-c.kind-c.times-c.program-6*2-28)
	}
	c.target = min(c.target, most)
	return c
}
