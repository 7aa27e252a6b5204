package config

import (
	"slices"
	"strings"
	"testing"
)

// ruleNames are the presets of rules, with the layer and the pattern of each.
func ruleNames(list []Command) []string {
	var out []string
	for _, c := range list {
		out = append(out, strings.TrimRight(c.Origin.Layer.String()+" "+c.Match[0].Text+" "+c.Preset, " "))
	}
	return out
}

func TestCommandOrder(t *testing.T) {
	h := newHost(t)
	rule := func(match, preset string) string {
		return "[[command]]\nmatch = ['" + match + "']\npreset = '" + preset + "'\n"
	}
	h.managed(rule("a", "managed"))
	h.user(rule("a", "user"))
	h.project(".srt.toml", rule("a", "none")+rule("b", "wide"))
	h.project(".srt.local.toml", rule("a", "local"))
	both := func() []string {
		t.Helper()
		c, _ := h.load()
		list, err := Commands(h.opts)
		if err != nil || !slices.Equal(ruleNames(list), ruleNames(c.Commands)) {
			t.Fatalf("Commands: %q, %v; Load: %q", ruleNames(list), err, ruleNames(c.Commands))
		}
		return ruleNames(list)
	}
	// A file that is not trusted stands before no other, and names no preset: not even
	// none, which would let variables through that a preset takes away.
	want := []string{"managed a managed", "user a user", "local a", "project a", "project b"}
	if got := both(); !slices.Equal(got, want) {
		t.Errorf("before trust: %q", got)
	}
	h.trust()
	want = []string{"managed a managed", "local a local", "project a none", "project b wide", "user a user"}
	if got := both(); !slices.Equal(got, want) {
		t.Errorf("trusted: %q", got)
	}
	h.project(".srt.toml", "[[command]]\nmatch = [\n")
	if _, err := Commands(h.opts); err == nil {
		t.Error("a file that cannot be used was passed over")
	}
	h.opts.NoProject = true
	if got := both(); !slices.Equal(got, []string{"managed a managed", "user a user"}) {
		t.Errorf("without: %q", got)
	}
}
