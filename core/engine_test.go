package core

import (
	"strings"
	"testing"
	"time"

	"github.com/srt-sh/srt/proxy"
)

func TestDenialsBecomeEvents(t *testing.T) {
	dir := t.TempDir()
	e, err := open(Options{Args: []string{"true"}, Dir: dir, Home: dir, Settings: put(t, dir+"/s.json",
		`{"network":{"allowedDomains":["a.example"],"deniedDomains":["b.example"]},"filesystem":{"denyRead":[],"allowWrite":[],"denyWrite":[]}}`, 0o644)})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range []proxy.Denial{
		{Request: proxy.Request{Host: "c.example", Port: 443}, Reason: "host is not on the allow list"},
		{Request: proxy.Request{Host: "b.example", Port: 443}, Reason: "host is on the deny list"},
		// Refused by the proxy alone: the rule that allows the host blocked nothing.
		{Request: proxy.Request{Host: "a.example", Port: 443}, Reason: `TLS server name "x" is not the host that was asked for`},
		{Request: proxy.Request{Host: strings.Repeat("x", 60000), Port: 443}, Reason: "malformed host"},
	} {
		r.Time = time.Unix(int64(i), 0)
		e.denied(r)
	}
	events := e.events.Report(0).Events
	if len(events) != 4 {
		t.Fatalf("events %+v", events)
	}
	if events[0].Hint == "" || events[0].Rule != "" || events[0].Target != "c.example:443" {
		t.Errorf("not listed: %+v", events[0])
	}
	if !strings.HasPrefix(events[1].Rule, `"b.example" of `) {
		t.Errorf("denied: %+v", events[1])
	}
	if events[2].Rule != "" || events[2].Hint != "" {
		t.Errorf("allowed by the policy: %+v", events[2])
	}
	if n := len(events[3].Target); n > 300 {
		t.Errorf("%d bytes of target", n)
	}
}

func TestReloadRefusesWhatTheStartWould(t *testing.T) {
	dir := t.TempDir()
	var said []string
	e, err := open(Options{
		Args: []string{"true"}, Dir: dir, Home: dir, Settings: settings(t, `"a.example"`),
		Warnf: func(format string, _ ...any) { said = append(said, format) },
	})
	if err != nil {
		t.Fatal(err)
	}
	said = nil
	e.reload([]byte(`{"network":{"allowedDomains":["b.example"],"deniedDomains":[],"refuseOpaqueTunnels":true},"filesystem":{"denyRead":[],"allowWrite":[],"denyWrite":[]}}`), "control fd 5")
	if !e.policy.Load().Host("a.example", 443).Allow || len(said) != 1 || !strings.HasPrefix(said[0], "Invalid config on ") {
		t.Errorf("settings that cannot be enforced were taken; said %q", said)
	}
}
