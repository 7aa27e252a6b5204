package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const gigabyte = 1 << 30

// serve answers /big with a gigabyte and everything else with 100 bytes.
func serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/big" {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write(make([]byte, 100))
		return
	}
	chunk := make([]byte, 1<<20)
	w.Header().Set("Content-Length", strconv.Itoa(gigabyte))
	for range gigabyte / len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// proxy compares connections through the sandbox with direct ones to the same
// server on the loopback interface.
func (b *bench) proxy() error {
	server := httptest.NewServer(http.HandlerFunc(serve))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	dir := b.dir("proxy")
	peak := 0.0 // the most memory that an srt had, in MiB

	client := func(inside bool, args ...string) func() (float64, error) {
		return func() (float64, error) {
			argv := append([]string{b.self}, args...)
			if inside {
				argv = append([]string{b.srt, "run", "--preset", "none", "--allow-domain", address, "--"}, argv...)
			}
			text, memory, err := b.watched(dir, argv)
			if err != nil {
				return 0, err
			}
			if inside {
				peak = max(peak, memory)
			}
			return strconv.ParseFloat(strings.TrimSpace(text), 64)
		}
	}
	compare := func(what string, share float64, unit func(float64) string, runs int, direct, through func() (float64, error)) error {
		medians, err := turns(runs, direct, through)
		if err != nil {
			return err
		}
		got := medians[1] / medians[0]
		b.row(what, unit(medians[0]), unit(medians[1]), fmt.Sprintf("%.0f %%", got*100),
			fmt.Sprintf("%.0f %% or more", share*100), got >= share)
		return nil
	}
	rate := func(v float64) string { return fmt.Sprintf("%.0f MB/s", v/1e6) }
	each := func(v float64) string { return fmt.Sprintf("%.0f /s", v) }
	big, small := server.URL+"/big", server.URL+"/small"
	seconds := "3"
	if b.quick {
		seconds = "1"
	}
	downloads := max(2, b.runs(6))
	if err := errors.Join(
		compare("1 GB through CONNECT", 0.33, rate, downloads, client(false, "client-get", "direct", big), client(true, "client-get", "connect", big)),
		compare("1 GB through plain HTTP", 0.25, rate, downloads, client(false, "client-get", "direct", big), client(true, "client-get", "http", big)),
		compare("8 clients, a connection for each 100 bytes, HTTP", 0.70, each, max(2, b.runs(4)),
			client(false, "client-many", "direct", small, "8", seconds), client(true, "client-many", "http", small, "8", seconds)),
		compare("8 clients, a connection for each 100 bytes, CONNECT", 0.70, each, max(2, b.runs(4)),
			client(false, "client-many", "direct", small, "8", seconds), client(true, "client-many", "connect", small, "8", seconds)),
	); err != nil {
		return err
	}
	b.row("resident memory of srt meanwhile, at most", "", fmt.Sprintf("%.1f MiB", peak), "", "less than 40 MiB", peak < 40)
	return nil
}

var resident = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// watched runs a command and returns what it printed and the most resident
// memory, in MiB, that its first process had.
func (b *bench) watched(dir string, argv []string) (string, float64, error) {
	cmd := b.command(dir, argv...)
	var out, problems strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Start(); err != nil {
		return "", 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	peak := 0.0
	for {
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid)); err == nil {
			if match := resident.FindSubmatch(text); match != nil {
				if kB, err := strconv.ParseFloat(string(match[1]), 64); err == nil {
					peak = max(peak, kB/1024)
				}
			}
		}
		select {
		case err := <-ended:
			if err != nil {
				return "", 0, fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, problems.String())
			}
			return out.String(), peak, nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}
