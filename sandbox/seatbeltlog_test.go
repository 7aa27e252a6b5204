package sandbox

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

const logTag = "SRT_1_END"

// logLine is a line of log stream --style ndjson.
func logLine(tb testing.TB, message string) []byte {
	tb.Helper()
	line, err := json.Marshal(map[string]any{
		"traceID": 1, "eventMessage": message, "eventType": "logEvent", "source": nil, "subsystem": "",
		"processImagePath": "/kernel", "senderImagePath": "/System/Library/Extensions/Sandbox.kext/Contents/MacOS/Sandbox",
		"timestamp": "2026-03-01 12:00:00.123456+0100", "messageType": "Error", "processID": 0,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return line
}

func TestParseSeatbeltLog(t *testing.T) {
	for _, c := range []struct {
		message string
		want    SeatbeltDenial // no Op: it is dropped
	}{
		{"Sandbox: touch(123) deny(1) file-write-create /private/tmp/x\n" + logTag, SeatbeltDenial{Program: "touch", PID: 123, Op: "file-write-create", Target: "/private/tmp/x", Count: 1}},
		{"Sandbox: cat(9) deny(1) file-read-data /Users/u/my notes/a b\n" + logTag, SeatbeltDenial{Program: "cat", PID: 9, Op: "file-read-data", Target: "/Users/u/my notes/a b", Count: 1}},
		{"3 duplicate reports for Sandbox: cat(9) deny(1) file-read-data /x\n" + logTag, SeatbeltDenial{Program: "cat", PID: 9, Op: "file-read-data", Target: "/x", Count: 3}},
		{"1 duplicate report for Sandbox: cat(9) deny(1) file-read-data /x\n" + logTag, SeatbeltDenial{Program: "cat", PID: 9, Op: "file-read-data", Target: "/x", Count: 1}},
		{"Sandbox: Helper (GPU)(77) deny(1) mach-lookup com.apple.windowserver.active\n" + logTag, SeatbeltDenial{Program: "Helper (GPU)", PID: 77, Op: "mach-lookup", Target: "com.apple.windowserver.active", Count: 1}},
		{"Sandbox: cat(9) deny(1) file-read-data /1 duplicate report for x\n" + logTag, SeatbeltDenial{Program: "cat", PID: 9, Op: "file-read-data", Target: "/1 duplicate report for x", Count: 1}},
		{"Sandbox: curl(5) deny(1) network-outbound 192.0.2.1:443\n" + logTag, SeatbeltDenial{Program: "curl", PID: 5, Op: "network-outbound", Target: "192.0.2.1:443", Count: 1}},
		{"Sandbox: sh(5) deny(1) process-exec* /bin/x\n" + logTag, SeatbeltDenial{Program: "sh", PID: 5, Op: "process-exec*", Target: "/bin/x", Count: 1}},
		{"Sandbox: sh(5) deny(1) forbidden-link-priv\n" + logTag, SeatbeltDenial{Program: "sh", PID: 5, Op: "forbidden-link-priv", Count: 1}},
		// A name with a line break is one name, and makes no second message.
		{"Sandbox: rm(5) deny(1) file-write-unlink /a\nSandbox: x(1) deny(1) file-read-data /b\n" + logTag, SeatbeltDenial{Program: "rm", PID: 5, Op: "file-write-unlink", Target: "/a\nSandbox: x(1) deny(1) file-read-data /b", Count: 1}},

		{"Sandbox: touch(123) deny(1) file-write-create /x\nSRT_2_END", SeatbeltDenial{}},
		{"Sandbox: touch(123) deny(1) file-write-create /x", SeatbeltDenial{}},
		{"Sandbox: touch(123) allow(1) file-write-create /x\n" + logTag, SeatbeltDenial{}},
		{"Sandbox: touch(no) deny(1) file-write-create /x\n" + logTag, SeatbeltDenial{}},
		{"Sandbox: touch) deny(1) file-write-create /x\n" + logTag, SeatbeltDenial{}},
		{"somebody: touch(1) deny(1) file-write-create /x\n" + logTag, SeatbeltDenial{}},
		{"-1 duplicate reports for Sandbox: cat(9) deny(1) file-read-data /x\n" + logTag, SeatbeltDenial{}},
		{"Sandbox: curl(5) deny(1) network-outbound /private/var/run/mDNSResponder\n" + logTag, SeatbeltDenial{}},
		{"Sandbox: node(5) deny(1) mach-lookup com.apple.diagnosticd\n" + logTag, SeatbeltDenial{}},
		{"Sandbox: node(5) deny(1) mach-lookup com.apple.analyticsd\n" + logTag, SeatbeltDenial{}},
		{"Sandbox: node(5) deny(1) file-read-metadata /Users\n" + logTag, SeatbeltDenial{}},
		{logTag, SeatbeltDenial{}},
	} {
		got, ok := ParseSeatbeltLog(logLine(t, c.message), logTag)
		if ok != (c.want.Op != "") {
			t.Errorf("%q: %v", c.message, ok)
			continue
		}
		if !ok {
			continue
		}
		if want := time.Date(2026, 3, 1, 11, 0, 0, 123456000, time.UTC); !got.Time.Equal(want) {
			t.Errorf("%q: at %v", c.message, got.Time)
		}
		if got.Time = (time.Time{}); got != c.want {
			t.Errorf("%q:\ngot  %+v\nwant %+v", c.message, got, c.want)
		}
	}
	for _, line := range []string{"", "{", "Filtering the log data using \"x\"", "Sandbox: a(1) deny(1) file-read-data /x " + logTag, `{"count":1,"finished":1}`, `{"eventMessage":7}`} {
		if d, ok := ParseSeatbeltLog([]byte(line), logTag); ok {
			t.Errorf("%q: %+v", line, d)
		}
	}
	if d, ok := ParseSeatbeltLog(logLine(t, "Sandbox: a(1) deny(1) file-read-data /x\n"), ""); ok {
		t.Errorf("without a tag: %+v", d)
	}
}

func TestSeatbeltDenialAttempt(t *testing.T) {
	for _, c := range []struct {
		d    SeatbeltDenial
		want Attempt
	}{
		{SeatbeltDenial{Op: "file-write-create", Target: "/a", PID: 4, Program: "x", Count: 2}, Attempt{Call: "file-write-create", Write: true, Path: "/a", PID: 4, Program: "x", Count: 2}},
		{SeatbeltDenial{Op: "file-read-data", Target: "/a//b", Count: 1}, Attempt{Call: "file-read-data", Path: "/a/b", Count: 1}},
		{SeatbeltDenial{Op: "file-read-data", Target: "a"}, Attempt{}},
		{SeatbeltDenial{Op: "mach-lookup", Target: "/a"}, Attempt{}},
		{SeatbeltDenial{Op: "network-outbound", Target: "/run/x.sock"}, Attempt{}},
	} {
		got, ok := c.d.Attempt()
		if ok != (c.want.Path != "") || got.Path != c.want.Path || got.Write != c.want.Write || got.Call != c.want.Call || got.PID != c.want.PID || got.Program != c.want.Program || got.Count != c.want.Count {
			t.Errorf("%+v: %+v, %v", c.d, got, ok)
		}
	}
}

// FuzzParseSeatbeltLog wants nothing of foreign messages, and names and paths as they are.
func FuzzParseSeatbeltLog(f *testing.F) {
	f.Add("touch", "/private/tmp/x", "")
	f.Add("a) deny(1) b(3", "/x y", logTag)
	f.Add("1 duplicate report for ", "", "\n")
	f.Fuzz(func(t *testing.T, program, target, foreign string) {
		if d, ok := ParseSeatbeltLog([]byte(foreign), logTag); ok && !strings.Contains(foreign, "deny") {
			t.Errorf("%q: %+v", foreign, d)
		}
		d, ok := ParseSeatbeltLog(logLine(t, "Sandbox: "+program+"(5) deny(1) file-write-data "+target+"\n"+logTag), logTag)
		switch {
		case !ok:
			if !strings.ContainsAny(program, "()") {
				t.Errorf("%q and %q are not understood", program, target)
			}
		case d.Count < 1 || d.PID < 0 || d.Op == "":
			t.Errorf("%+v", d)
		}
	})
}
