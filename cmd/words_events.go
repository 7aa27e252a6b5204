package cmd

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/srt-sh/srt/core/event"
)

// What srt says of what was blocked.
const (
	sayNothingBlocked = "srt: nothing is in the event log"
	hintTime          = "write 90s, 30m, 1h, 2d, 2006-01-02 or 2006-01-02T15:04:05Z"

	headN       = "N"
	headWhen    = "when"
	headKind    = "kind"
	headTarget  = "target"
	headTimes   = "times"
	headProgram = "program"
	headWhy     = "why"
)

func sayBefore100(n int) string { return fmt.Sprintf("srt: and %d before, which --all shows", n) }
func sayBadLines(n int) string  { return fmt.Sprintf("%d lines of the event log cannot be read", n) }

func sayNoKind(kind string) string {
	return fmt.Sprintf("%q is no kind of events", kind)
}
func sayNoTime(text string) string { return fmt.Sprintf("%q is no time", text) }

func hintKinds() string {
	var names []string
	for _, k := range event.Kinds() {
		names = append(names, string(k))
	}
	return "the kinds are " + strings.Join(names, ", ")
}

// actor is who did it: the program, or the command where that is not known.
func actor(v *event.Violation) string {
	if v.Program != "" {
		return v.Program
	}
	return commandName(v.Command)
}

// ago says how long ago something was.
func ago(at, now time.Time) string {
	switch d := now.Sub(at); {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + "s ago"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + "m ago"
	case d < 24*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + "h ago"
	case d < 7*24*time.Hour:
		return strconv.Itoa(int(d/(24*time.Hour))) + "d ago"
	}
	return at.Local().Format(time.DateOnly)
}

func violationHead(c columns) string {
	return fmt.Sprintf("%*s  ", c.n, headN) + pad(headWhen, c.when+2) + pad(headKind, c.kind+2) + pad(headTarget, c.target+2) +
		fmt.Sprintf("%*s  ", c.times, headTimes) + pad(headProgram, c.program+2) + headWhy
}

// violationRow is a row of the table, cut to the width of a terminal if that is not 0.
func violationRow(v *event.Violation, when string, c columns, width int) string {
	why := v.Reason
	if v.Rule != "" {
		why += ", by " + v.Rule
	}
	target := clean(v.Target)
	if width > 0 {
		target = middle(target, c.target)
	}
	return cut(fmt.Sprintf("%*d  ", c.n, v.N)+pad(when, c.when+2)+pad(string(v.Kind), c.kind+2)+pad(target, c.target+2)+
		fmt.Sprintf("%*d  ", c.times, v.Count)+pad(middle(clean(actor(v)), c.program), c.program+2)+clean(why), width)
}

// cut cuts a line to a width, if that is not 0.
func cut(line string, width int) string {
	if width < 1 || utf8.RuneCountInString(line) <= width {
		return line
	}
	return string([]rune(line)[:width-1]) + "…"
}

// middle takes so much out of the middle of a text that its ends have room: those of a
// path tell most.
func middle(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width || width < 3 {
		return text
	}
	head := (width - 1) / 3
	return string(runes[:head]) + "…" + string(runes[len(runes)-(width-1-head):])
}

// cleanJSON is clean for a line of JSON, in which what is not clean stands in strings
// only.
func cleanJSON(line string) string {
	if !strings.ContainsFunc(line, unclean) {
		return line
	}
	var b strings.Builder
	for _, r := range line {
		switch {
		case !unclean(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default: // a surrogate pair (RFC 8259 section 7)
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	return b.String()
}

const (
	sayNoExporter = "sending needs the program srt-otlp, which is neither beside srt nor on the PATH"
	hintExporter  = "make otlp in a checkout of srt installs it"
)
