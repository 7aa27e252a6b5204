package core

import (
	"context"
	"sync"

	"github.com/srt-sh/srt/core/policy"
)

// asks are the answers of Options.Ask, by host and port.
type asks struct {
	mu      sync.Mutex
	answers map[askKey]*askAnswer
}

type askKey struct {
	host string
	port uint16
}

type askAnswer struct {
	once  sync.Once
	allow bool
}

// maxAsks bounds how many hosts are asked about in a run: the command makes as many as
// it likes.
const maxAsks = 1000

// asked reports whether somebody allows a host that no rule is about.
func (e *engine) asked(ctx context.Context, d policy.Decision, port uint16) bool {
	if e.o.Ask == nil || d.Allow || d.Rule != nil || d.Host == "" || e.cfg.Network.StrictAllowlist.Value {
		return false
	}
	key := askKey{d.Host, port}
	e.asks.mu.Lock()
	answer := e.asks.answers[key]
	if answer == nil {
		if len(e.asks.answers) >= maxAsks {
			e.asks.mu.Unlock()
			return false
		}
		if e.asks.answers == nil {
			e.asks.answers = map[askKey]*askAnswer{}
		}
		answer = &askAnswer{}
		e.asks.answers[key] = answer
	}
	e.asks.mu.Unlock()
	answer.once.Do(func() { answer.allow = e.o.Ask(ctx, key.host, key.port) })
	return answer.allow
}
