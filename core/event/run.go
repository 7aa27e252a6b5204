package event

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// NewRunID names the run of this process: its number and, where the system tells, the
// moment at which it started (proc_pid_stat(5), starttime), so that a process that gets
// the number later is not taken for it. A process that runs several commands counts
// them.
func NewRunID() string {
	pid := os.Getpid()
	start, err := startTime(pid)
	if err != nil {
		start = strconv.FormatInt(time.Now().UnixNano(), 36)
	}
	id := strconv.Itoa(pid) + "." + start
	if n := runs.Add(1); n > 1 {
		id += "." + strconv.FormatInt(n, 10)
	}
	return id
}

var runs atomic.Int64 //nolint:gochecknoglobals // of the process

// RunningPID is the number of the process of a run, or 0 if it has ended or this system
// does not tell.
func RunningPID(id string) int {
	number, start, _ := strings.Cut(id, ".")
	start, _, _ = strings.Cut(start, ".")
	pid, err := strconv.Atoi(number)
	if err != nil || pid <= 1 {
		return 0
	}
	if now, err := startTime(pid); err != nil || now != start {
		return 0
	}
	return pid
}

// startTime is when a process started, in ticks since the system did.
func startTime(pid int) (string, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", err //nolint:wrapcheck // looked at only
	}
	// The second field is a name, in which anything may be.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	const field = 22 - 3 // of those behind the name, the first of which is the third
	if len(fields) <= field {
		return "", os.ErrInvalid
	}
	return fields[field], nil
}
