package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/srt-sh/srt/core/policy"
)

// cross checks what keys say about each other. The tree is valid by itself
// and has the JSON names; the checks are npm srt's.
type cross struct {
	v       *validator
	root    *node
	allowed []policy.DomainPattern
	exclude []policy.DomainPattern
	masked  bool
}

func (v *validator) crossCheck(root *node) {
	c := cross{
		v: v, root: root,
		allowed: v.allowed(root.get("network", "allowedDomains").items()),
		exclude: patterns(root.get("network", "tlsTerminate", "excludeDomains").items()),
	}
	enforced := !root.get("filesystem", "disabled").truth()
	if enforced {
		for _, list := range []string{"denyRead", "denyWrite"} {
			for i, n := range root.get("filesystem", list).items() {
				if n.kind == kindString {
					c.check(n, slashedGlob(n.str), "filesystem", list, strconv.Itoa(i))
				}
			}
		}
	}
	creds := root.get("credentials")
	if creds == nil {
		return
	}
	for _, list := range []string{"envVars", "files"} {
		for i, n := range creds.get(list).items() {
			c.entry(n, []string{"credentials", list, strconv.Itoa(i)})
			if list == "files" {
				c.file(n, enforced, []string{"credentials", list, strconv.Itoa(i), "path"})
			}
		}
	}
	c.awsPairs(creds)
	if c.masked && root.get("network", "tlsTerminate") == nil && !creds.get("allowPlaintextInject").truth() {
		c.fail(creds, "Credential masking requires network.tlsTerminate, so that secrets go to verified hosts only; "+
			"set it, or credentials.allowPlaintextInject to go without", "credentials")
	}
}

func (c *cross) fail(n *node, msg string, path ...string) {
	spelled := make([]string, len(path))
	for i, p := range path {
		spelled[i] = c.v.spelled(p)
	}
	line := 0
	if n != nil {
		line = n.line
	}
	c.v.fail(spelled, line, msg, "")
}

func (c *cross) check(n *node, msg string, path ...string) {
	if msg != "" {
		c.fail(n, msg, path...)
	}
}

// allowed reads the entries of allowedDomains that can be read.
func (v *validator) allowed(nodes []*node) []policy.DomainPattern {
	out := patterns(nodes)
	for _, n := range nodes {
		if p, err := policy.ParseDottedDomain(n.text(), false); v.toml && err == nil && strings.HasPrefix(n.text(), ".") {
			out = append(out, p)
		}
	}
	return out
}

func patterns(nodes []*node) []policy.DomainPattern {
	var out []policy.DomainPattern
	for _, n := range nodes {
		if p, err := policy.ParseHost(n.text()); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// entry checks a credential of either list.
func (c *cross) entry(n *node, path []string) {
	hosts := n.get("injectHosts")
	list := hosts.items()
	covered := func(h *node, by []policy.DomainPattern) bool {
		p, err := policy.ParseHost(h.text())
		return err == nil && policy.Covers(p, by)
	}
	for i, h := range list {
		if !covered(h, c.allowed) {
			c.fail(h, "injectHosts entry "+strconv.Quote(h.text())+" is not reachable via network.allowedDomains; add it there or remove it here",
				append(slices.Clone(path), "injectHosts", strconv.Itoa(i))...)
		}
	}
	if n.get("mode").text() == "mask" {
		c.masked = true
		switch {
		case len(c.exclude) > 0 && hosts != nil:
			for i, h := range list {
				if covered(h, c.exclude) {
					c.fail(h, "injectHosts entry "+strconv.Quote(h.text())+" is entirely covered by network.tlsTerminate.excludeDomains, where no secret is put in; remove it from one of the two",
						append(slices.Clone(path), "injectHosts", strconv.Itoa(i))...)
				}
			}
		case len(c.exclude) > 0 && len(c.allowed) > 0 && !slices.ContainsFunc(c.allowed, func(p policy.DomainPattern) bool { return !policy.Covers(p, c.exclude) }):
			c.fail(n, "network.tlsTerminate.excludeDomains covers every allowed domain, so this masked credential without injectHosts could reach no host", path...)
		}
		if hosts != nil && len(list) == 0 {
			c.fail(hosts, "injectHosts is explicitly empty, so the credential would be masked and never injected; leave it out, or list the hosts", path...)
		}
	}
	claims := n.get("maskClaims")
	if claims == nil {
		return
	}
	at := append(slices.Clone(path), "maskClaims")
	if n.get("decode") == nil {
		c.fail(claims, "maskClaims requires decode, which opens the token that has the claims", at...)
	}
	if len(claims.list) == 0 {
		c.fail(claims, "maskClaims is explicitly empty, so nothing would be masked; leave it out, or list the claims", at...)
	}
}

func (c *cross) file(n *node, enforced bool, at []string) {
	p := n.get("path")
	switch n.get("mode").text() {
	case "mask":
		if s := p.text(); s != "" && s[len(s)-1] == '/' {
			c.fail(p, `mode "mask" applies to a single file, not a directory; use mode "deny", or name the file inside`, at...)
		}
	case "deny":
		if enforced {
			c.check(p, slashedGlob(p.text()), at...)
		}
	}
}

func (c *cross) awsPairs(creds *node) {
	seen := map[string]bool{}
	for i, pair := range creds.get("awsPairs").items() {
		for _, slot := range []string{"accessKeyIdVar", "secretAccessKeyVar", "sessionTokenVar"} {
			n := pair.get(slot)
			if n == nil {
				continue
			}
			name := n.text()
			at := []string{"credentials", "awsPairs", strconv.Itoa(i), slot}
			if seen[name] {
				c.fail(n, strconv.Quote(name)+" appears in more than one awsPairs slot", at...)
				continue
			}
			seen[name] = true
			list := creds.get("envVars").items()
			k := slices.IndexFunc(list, func(v *node) bool { return v.get("name").text() == name })
			switch {
			case k < 0 || list[k].get("mode").text() != "mask":
				c.fail(n, strconv.Quote(name)+` does not reference a credentials.envVars entry with mode "mask"`, at...)
			case list[k].get("extract") != nil || list[k].get("decode") != nil:
				c.fail(n, strconv.Quote(name)+" uses extract or decode, but a member of an AWS pair is masked whole", at...)
			}
		}
	}
}
