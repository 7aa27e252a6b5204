package sandbox

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// SeatbeltDenial is one refusal that the log of macOS tells of.
type SeatbeltDenial struct {
	Time    time.Time // zero: the log does not say it
	Program string    // as the kernel has its name, which is cut
	PID     int
	Op      string // such as "file-write-create"
	Target  string // a path, an address, a service; "" where the operation has none
	Count   int    // at least 1
}

// maxLogLine is the length from which on a line of the log is not looked at, in bytes.
const maxLogLine = 64 << 10

// SeatbeltPredicate is what log(1) has to be asked for to tell of the denials of a profile
// with a tag. The output must be that of "log stream --style ndjson": in others a path with
// a line break in it could look like a message of its own.
func SeatbeltPredicate(tag string) string {
	return `eventMessage ENDSWITH "` + tag + `"`
}

// ParseSeatbeltLog reads one line of the log. It is not ok if that does not tell of a
// denial under the tag, or of one that every program causes and does without.
func ParseSeatbeltLog(line []byte, tag string) (d SeatbeltDenial, ok bool) {
	var entry struct {
		Timestamp    string `json:"timestamp"`
		EventMessage string `json:"eventMessage"`
	}
	if tag == "" || len(line) > maxLogLine || json.Unmarshal(line, &entry) != nil {
		return d, false
	}
	text, tagged := strings.CutSuffix(entry.EventMessage, tag)
	if !tagged {
		return d, false
	}
	text = strings.TrimRight(text, "\n ")
	d.Count = 1
	// "3 duplicate reports for Sandbox: …"
	if n, rest, repeated := strings.Cut(text, " duplicate report"); repeated && !strings.HasPrefix(text, "Sandbox: ") {
		count, err := strconv.Atoi(n)
		if err != nil || count < 1 {
			return d, false
		}
		_, text, _ = strings.Cut(rest, " for ")
		d.Count = count
	}
	text, ok = strings.CutPrefix(text, "Sandbox: ")
	if !ok {
		return d, false
	}
	// The name of a program may have anything in it, also what looks like the rest.
	at := strings.Index(text, ") deny(")
	open := strings.LastIndexByte(text[:max(at, 0)], '(')
	if at < 0 || open < 0 {
		return d, false
	}
	pid, err := strconv.Atoi(text[open+1 : at])
	_, rest, closed := strings.Cut(text[at+len(") deny("):], ") ")
	if err != nil || pid < 0 || !closed {
		return d, false
	}
	d.Program, d.PID = text[:open], pid
	d.Op, d.Target, _ = strings.Cut(rest, " ")
	d.Time, _ = time.Parse("2006-01-02 15:04:05.999999-0700", entry.Timestamp)
	if d.Op == "" || strings.ContainsFunc(d.Op, func(r rune) bool { return r != '-' && r != '*' && !unicode.IsLower(r) }) || !utf8.ValidString(d.Target) {
		return d, false
	}
	return d, !d.harmless()
}

// harmless knows what the libraries of the system try at every start.
func (d *SeatbeltDenial) harmless() bool {
	switch d.Op {
	case "mach-lookup":
		switch d.Target {
		case "com.apple.diagnosticd", "com.apple.analyticsd", "com.apple.coreservices.launchservicesd", "com.apple.SecurityServer", "com.apple.securityd.xpc":
			return true
		}
	case "network-outbound":
		return strings.HasSuffix(d.Target, "/mDNSResponder")
	case "file-read-metadata", "sysctl-read", "process-info-pidinfo", "process-info-dirtycontrol", "user-preference-read":
		return true
	}
	return false
}

// Attempt is the denial as what the observer of a sandbox is told, if it is one of files.
func (d *SeatbeltDenial) Attempt() (a Attempt, ok bool) {
	write := strings.HasPrefix(d.Op, "file-write")
	if !write && !strings.HasPrefix(d.Op, "file-read") || !filepath.IsAbs(d.Target) {
		return a, false
	}
	return Attempt{
		Time: d.Time, Call: d.Op, Write: write, Path: filepath.Clean(d.Target),
		PID: d.PID, Program: d.Program, Count: d.Count,
	}, true
}
