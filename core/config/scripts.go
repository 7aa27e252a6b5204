package config

import "github.com/srt-sh/srt/core/policy"

// Scripts is [scripts]: what the scripts of packages get of what the tool that starts
// them has.
type Scripts struct {
	Network    Setting[bool]      // they reach what the tool reaches
	AllowWrite []policy.PathEntry // they write these too, where the tool may
}

// scripts binds [scripts].
func (b *binder) scripts(n *node) {
	if n == nil {
		return
	}
	b.flag(&b.c.Scripts.Network, n.get("network"), "scripts.network", true)
	for _, x := range n.get("allowWrite").items() {
		if r := b.rule(x, "scripts.allowWrite"); b.widens(r.Text, r.Origin) {
			b.c.Scripts.AllowWrite = append(b.c.Scripts.AllowWrite, policy.PathEntry{Kind: policy.AllowWrite, Literal: true, Base: b.base, Rule: r})
		}
	}
}

// plainPath checks [scripts] allow_write.
func plainPath(s string) string {
	if s == "" || policy.HasGlob(s) {
		return "expected a path without * ? [ ], such as \"~/.cache/puppeteer\""
	}
	return ""
}
