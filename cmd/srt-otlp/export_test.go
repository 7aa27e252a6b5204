package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/srt-sh/srt/core/event"
)

// receiver is an OTLP/HTTP collector on the loopback.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	status  int
	service string
	records []*logs.LogRecord
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		body, err := io.ReadAll(req.Body)
		var got collector.ExportLogsServiceRequest
		if err != nil || req.URL.Path != "/v1/logs" || proto.Unmarshal(body, &got) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(r.status)
		if r.status != http.StatusOK {
			return
		}
		for _, resource := range got.GetResourceLogs() {
			for _, a := range resource.GetResource().GetAttributes() {
				if a.GetKey() == "service.name" {
					r.service = a.GetValue().GetStringValue()
				}
			}
			for _, scope := range resource.GetScopeLogs() {
				r.records = append(r.records, scope.GetLogRecords()...)
			}
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func attributes(r *logs.LogRecord) map[string]string {
	out := map[string]string{}
	for _, a := range r.GetAttributes() {
		out[a.GetKey()] = strings.TrimSpace(a.GetValue().GetStringValue() + fmt.Sprint(map[bool]any{true: "", false: a.GetValue().GetIntValue()}[a.GetValue().GetIntValue() == 0]))
	}
	return out
}

const line = `{"n":1,"time":"2026-01-02T03:04:05Z","run":"7.8","pid":9,"program":"node","kind":"write","call":"mkdir","target":"/h/x","reason":"no","count":3,"command":["npm","i"],"cwd":"/p","last":"2026-01-02T03:04:06Z"}` + "\n"

func TestExport(t *testing.T) {
	r := newReceiver(t)
	const many = 3*batch + 7
	sent, err := export(t.Context(), r.URL, strings.NewReader(strings.Repeat(line, many)))
	if err != nil || sent != many || len(r.records) != many || r.service != "srt" {
		t.Fatalf("sent %d, received %d of %q: %v", sent, len(r.records), r.service, err)
	}
	got := r.records[0]
	a := attributes(got)
	if got.GetBody().GetStringValue() != "write /h/x: no" || got.GetEventName() != "srt.violation" || got.GetTimeUnixNano() != uint64(time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC).UnixNano()) ||
		a["srt.target"] != "/h/x" || a["srt.count"] != "3" || a["process.pid"] != "9" || a["srt.command"] != "npm i" || a["srt.call"] != "mkdir" {
		t.Errorf("%v, %v", got, a)
	}
}

func TestExportFails(t *testing.T) {
	r := newReceiver(t)
	r.mu.Lock()
	r.status = http.StatusForbidden
	r.mu.Unlock()
	if _, err := export(t.Context(), r.URL, strings.NewReader(line)); err == nil {
		t.Error("nothing is said of a collector that refuses")
	}
	for _, endpoint := range []string{"", "localhost:4318", "ftp://x"} {
		if _, err := export(t.Context(), endpoint, strings.NewReader(line)); err == nil {
			t.Errorf("%q is taken", endpoint)
		}
	}
	r.status = http.StatusOK
	if _, err := export(t.Context(), r.URL, strings.NewReader("no event\n")); err == nil {
		t.Error("what is no event is taken")
	}
}

// srt events export finds the program beside itself and sends the log.
func TestEventsExport(t *testing.T) {
	dir := t.TempDir()
	for name, pkg := range map[string]string{"srt": "../srt", "srt-otlp": "."} {
		build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", filepath.Join(dir, name), pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	home := filepath.Join(dir, "home")
	log := event.Log{Dir: filepath.Join(home, ".local/state/srt/events"), Run: func() event.Run {
		return event.Run{ID: event.NewRunID(), Command: []string{"make"}, Dir: "/p"}
	}}
	for i := range 5 {
		log.Add(event.Event{Time: time.Now(), Kind: event.Connect, Target: fmt.Sprintf("h%d.example:443", i), Reason: "no", Count: i + 1})
	}
	if _, err := log.Close(); err != nil {
		t.Fatal(err)
	}
	r := newReceiver(t)
	run := func(ctx context.Context, args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, filepath.Join(dir, "srt"), args...)
		cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
		return cmd.CombinedOutput()
	}
	text, err := run(t.Context(), "events", "export", "--otlp", r.URL)
	r.mu.Lock()
	if err != nil || len(text) > 0 || len(r.records) != 5 || attributes(r.records[4])["srt.count"] != "5" {
		t.Errorf("%d received: %v\n%s", len(r.records), err, text)
	}
	r.mu.Unlock()
	r.mu.Lock()
	r.status = http.StatusForbidden
	r.mu.Unlock()
	if text, err := run(t.Context(), "events", "export", "--otlp", r.URL); err == nil || !strings.Contains(string(text), "srt: error: after 0 events: sending to ") {
		t.Errorf("%v\n%s", err, text)
	}
	if err := os.Remove(filepath.Join(dir, "srt-otlp")); err != nil {
		t.Fatal(err)
	}
	if text, err := run(t.Context(), "events", "export", "--otlp", r.URL); err == nil || !strings.Contains(string(text), "srt: hint: make otlp") {
		t.Errorf("%v\n%s", err, text)
	}
}
