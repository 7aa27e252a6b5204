package cmd

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/srt-sh/srt/core/event"
)

func TestParseSince(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.Local)
	for text, want := range map[string]time.Time{
		"90s": now.Add(-90 * time.Second), "1h": now.Add(-time.Hour), "2d": now.AddDate(0, 0, -2),
		"2026-11-27":           time.Date(2026, 11, 27, 0, 0, 0, 0, time.Local),
		"2026-11-27T01:02:03Z": time.Date(2026, 11, 27, 1, 2, 3, 0, time.UTC),
		"":                     {}, "-1h": {}, "d": {}, "soon": {}, "99999999d": {},
	} {
		got, err := parseSince(text, now)
		if (err != nil) != want.IsZero() || !got.Equal(want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestAgo(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.Local)
	for d, want := range map[time.Duration]string{
		-time.Minute: "now", 0: "now", 59 * time.Second: "59s ago", 61 * time.Second: "1m ago", 2 * time.Hour: "2h ago", 50 * time.Hour: "2d ago", 8 * 24 * time.Hour: "2026-11-20",
	} {
		if got := ago(now.Add(-d), now); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

// Whatever stands in the log, a row is one harmless line that fits, and JSON is JSON.
func FuzzViolation(f *testing.F) {
	f.Add("/home/u/\x1b[2J\u202ex", "curl\x07", "no\nway", 40)
	f.Add("\U000e0001\xff", "", "", 3)
	f.Fuzz(func(t *testing.T, target, program, reason string, width int) {
		v := &event.Violation{N: 7, Entry: event.Entry{Kind: event.Write, Target: target, Program: program, Reason: reason, Count: 3}}
		out, _ := spoken(t, func(s streams) {
			s.answer(violationRow(v, "now", violationWidths([]*event.Violation{v}, time.Now(), width), width))
			if err := s.violationJSON(v); err != nil {
				t.Error(err)
			}
		})
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if len(lines) != 2 {
			t.Fatalf("%d lines: %q", len(lines), out)
		}
		for _, line := range lines {
			if err := harmless(line); err != nil {
				t.Fatal(err)
			}
		}
		if n := utf8.RuneCountInString(lines[0]); width > 0 && n > width {
			t.Fatalf("%d columns in a terminal of %d: %q", n, width, lines[0])
		}
		var got event.Violation
		if err := json.Unmarshal([]byte(lines[1]), &got); err != nil {
			t.Fatalf("%q: %v", lines[1], err)
		}
		if got.Target != strings.ToValidUTF8(target, "\ufffd") && utf8.ValidString(target) {
			t.Fatalf("%q became %q", target, got.Target)
		}
	})
}
