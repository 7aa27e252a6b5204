package core

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/policy"
)

// Each host is asked about once, however many connections wait, and those never that a
// rule or nobody could allow.
func TestAsked(t *testing.T) {
	var calls atomic.Int32
	e := &engine{cfg: &config.Config{}}
	e.o.Ask = func(_ context.Context, host string, port uint16) bool {
		calls.Add(1)
		return host == "yes.example" && port == 443
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if !e.asked(t.Context(), policy.Decision{Host: "yes.example"}, 443) || e.asked(t.Context(), policy.Decision{Host: "no.example"}, 443) || e.asked(t.Context(), policy.Decision{Host: "yes.example"}, 22) {
				t.Error("a wrong answer")
			}
		})
	}
	all.Wait()
	if n := calls.Load(); n != 3 {
		t.Errorf("asked %d times", n)
	}
	for _, d := range []policy.Decision{{Host: "yes.example", Rule: &policy.Rule{}}, {Host: ""}, {Host: "yes.example", Allow: true}} {
		if e.asked(t.Context(), d, 1) {
			t.Errorf("asked about %+v", d)
		}
	}
	for i := range 2 * maxAsks {
		e.asked(t.Context(), policy.Decision{Host: "no.example"}, uint16(i))
	}
	if n := calls.Load(); n > maxAsks+3 {
		t.Errorf("asked %d times", n)
	}
	e.cfg.Network.StrictAllowlist.Value = true
	if e.asked(t.Context(), policy.Decision{Host: "yes.example"}, 443) {
		t.Error("strict_allowlist does not keep from asking")
	}
}
