package event

import (
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"
)

// LogValue gives the event as attributes, of which those are left out that say nothing.
func (e Event) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("kind", string(e.Kind)), slog.String("target", e.Target)}
	for _, a := range []struct{ key, value string }{
		{"reason", e.Reason}, {"rule", e.Rule}, {"hint", e.Hint}, {"keep", e.Keep}, {"program", e.Program}, {"call", e.Call},
	} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.key, a.value))
		}
	}
	if e.PID != 0 {
		attrs = append(attrs, slog.Int("pid", e.PID))
	}
	return slog.GroupValue(append(attrs, slog.Int("count", max(e.Count, 1)))...)
}

// Annotate adds what was blocked to what a command wrote to its standard error, in the
// form of the npm package: agents read there why something failed. Nothing is added
// where nothing was blocked.
func (r Report) Annotate(stderr string) string {
	var lines []string
	for _, e := range r.Events {
		if !e.Kind.Blocked() {
			continue
		}
		call := e.Call
		if call == "" {
			call = string(e.Kind)
		}
		lines = append(lines, "deny "+oneLine(call)+" "+oneLine(e.Target)+"\n")
	}
	if len(lines) == 0 {
		return stderr
	}
	return stderr + "\n<sandbox_violations>\n" + strings.Join(lines, "") + "</sandbox_violations>"
}

// oneLine spells a text of the command's so that it neither ends its line nor the block.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r == '<' || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
