package launch

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// What was started early is taken over if it is what is asked for, and ends if not.
func TestEarly(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	start := func(change func(o *Options)) (before, after *Process) {
		t.Helper()
		o := Options{Bwrap: "/bin/true", Listen: []uint16{4000}, Stdin: null, Stdout: null, Stderr: null}
		Early(o)
		if early.Load() == nil {
			t.Skip("no user namespaces")
		}
		before = early.Load().Process
		change(&o)
		after, err := Start(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			after.Kill()
			_ = unix.Close(after.Socket)
		})
		if early.Load() != nil {
			t.Error("it is still there for another")
		}
		return before, after
	}
	if before, after := start(func(*Options) {}); before != after {
		t.Error("it was not taken over")
	}
	for name, change := range map[string]func(o *Options){
		"filter":  func(o *Options) { o.Filter.UnixSockets = true },
		"ports":   func(o *Options) { o.Listen = []uint16{4001} },
		"streams": func(o *Options) { o.Stdin = os.Stdin },
		"program": func(o *Options) { o.Bwrap = "/bin/false" },
	} {
		before, after := start(change)
		if before == after {
			t.Errorf("another %s: it was taken over", name)
		}
		select {
		case <-before.ended:
		default:
			t.Errorf("another %s: it goes on", name)
		}
	}
}
