package config

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/srt-sh/srt/core/policy"
)

// binder adds the valid tree of one file to a Config.
type binder struct {
	c       *Config
	layer   policy.Layer
	shown   string // the file, as users see it
	toml    bool
	narrow  bool // managed_only: entries that widen are dropped with a note
	lasting bool // the managed layer has denies of files, so filesystem.disabled of another is dropped

	base    string       // where relative paths begin; empty: the working directory
	project *ProjectFile // the file being bound, if a repository brings it along
}

// untrusted reports whether the file being bound may only tighten.
func (b *binder) untrusted() bool { return b.project != nil && !b.project.Trusted }

func (b *binder) origin(n *node, key string) policy.Origin {
	if b.toml {
		parts := strings.Split(key, ".")
		for i, p := range parts {
			parts[i] = Snake(p)
		}
		key = strings.Join(parts, ".")
	}
	return policy.Origin{Layer: b.layer, File: b.shown, Line: n.line, Key: key}
}

func (b *binder) rule(n *node, key string) policy.Rule {
	return policy.Rule{Text: n.text(), Origin: b.origin(n, key)}
}

// widens reports whether an entry that widens the policy counts, and notes it
// where it does not.
func (b *binder) widens(text string, o policy.Origin) bool {
	switch {
	case b.project != nil && b.narrow:
		b.project.overruled++
		return false
	case b.untrusted():
		b.project.Held = append(b.project.Held, Held{Text: text, Origin: o})
		return false
	case b.narrow:
		b.c.Notes = append(b.c.Notes, fmt.Sprintf("%s: %s %s is ignored: the managed settings allow no other to widen them", o, o.Key, text))
	}
	return !b.narrow
}

// widening adds the entries of a list that each widen the policy.
func (b *binder) widening(to *[]policy.Rule, list *node, key string) {
	for _, n := range list.items() {
		if r := b.rule(n, key); b.widens(r.Text, r.Origin) {
			*to = append(*to, r)
		}
	}
}

func (b *binder) bind(root *node) error {
	b.network(root.get("network"))
	b.filesystem(root.get("filesystem"))
	b.environment(root.get("environment"))
	if err := b.permissions(root.get("permissions")); err != nil {
		return err
	}
	b.credentials(root.get("credentials"))
	b.limits(root.get("limits"))
	b.guard(root.get("guard"))
	b.scripts(root.get("scripts"))
	b.weaker(root.get("allowWeaker"))
	// The rules were read before, see rules: they choose the preset.
	for _, n := range root.get("command").items() {
		if x := n.get("preset"); x != nil && b.untrusted() {
			b.widens(x.text(), b.origin(x, "command.preset"))
		}
	}
	if m := root.get("ignoreViolations"); m != nil {
		for _, k := range m.keys {
			r := IgnoreRule{Command: k, Origin: b.origin(m.fields[k], "ignoreViolations")}
			if b.untrusted() && !b.widens(k, r.Origin) {
				continue
			}
			for _, n := range m.fields[k].items() {
				r.Parts = append(r.Parts, n.text())
			}
			b.c.IgnoreViolations = append(b.c.IgnoreViolations, r)
		}
	}
	if n := root.get("report", "files"); n != nil && (n.boolean || b.widens("= false", b.origin(n, "report.files"))) {
		b.c.ReportFiles = Setting[bool]{n.boolean, true, b.origin(n, "report.files")}
	}
	b.flag(&b.c.EnableWeakerNestedSandbox, root.get("enableWeakerNestedSandbox"), "enableWeakerNestedSandbox", true)
	b.flag(&b.c.AllowNestedUserNamespaces, root.get("allowNestedUserNamespaces"), "allowNestedUserNamespaces", true)
	b.flag(&b.c.EnableWeakerNetworkIsolation, root.get("enableWeakerNetworkIsolation"), "enableWeakerNetworkIsolation", true)
	b.flag(&b.c.AllowAppleEvents, root.get("allowAppleEvents"), "allowAppleEvents", true)
	b.flag(&b.c.AllowPty, root.get("allowPty"), "allowPty", true)
	b.number(&b.c.MandatoryDenySearchDepth, root.get("mandatoryDenySearchDepth"), "mandatoryDenySearchDepth")
	b.text(&b.c.BwrapPath, root.get("bwrapPath"), "bwrapPath")
	b.widening(&b.c.GitSafeDirectories, root.get("git", "safeDirectories"), "git.safeDirectories")
	return nil
}

// flag sets a boolean; widening tells that true widens the policy. Where false does,
// a repository's file may not undo what another layer has set.
func (b *binder) flag(s *Setting[bool], n *node, key string, widening bool) {
	if n == nil {
		return
	}
	o := b.origin(n, key)
	if widening && n.boolean && !b.widens("= true", o) {
		return
	}
	if !widening && !n.boolean && s.Value && b.untrusted() && !b.widens("= false", o) {
		return
	}
	*s = Setting[bool]{n.boolean, true, o}
}

func (b *binder) number(s *Setting[int], n *node, key string) {
	if n == nil || b.untrusted() && !b.widens("= "+strconv.Itoa(int(n.num)), b.origin(n, key)) {
		return
	}
	*s = Setting[int]{int(n.num), true, b.origin(n, key)}
}

func (b *binder) text(s *Setting[string], n *node, key string) {
	if n != nil && b.widens(n.str, b.origin(n, key)) {
		*s = Setting[string]{n.str, true, b.origin(n, key)}
	}
}

func (b *binder) network(net *node) {
	if net == nil {
		return
	}
	c := &b.c.Network
	for _, n := range net.get("allowedDomains").items() {
		r := b.rule(n, "network.allowedDomains")
		if p, err := b.parseDomain(r.Text, false); err == nil && b.widens(r.Text, r.Origin) {
			c.AllowedDomains = append(c.AllowedDomains, policy.DomainRule{Pattern: p, Rule: r})
		}
	}
	reasons := net.get("deniedDomainReasons")
	for _, n := range net.get("deniedDomains").items() {
		r := b.rule(n, "network.deniedDomains")
		r.Reason = reasons.get(r.Text).text()
		if p, err := b.parseDomain(r.Text, true); err == nil {
			if p.Inert() {
				b.c.Notes = append(b.c.Notes, fmt.Sprintf("%s: %s: %q can match no host, so it denies nothing", r.Origin, r.Origin.Key, r.Text))
			}
			c.DeniedDomains = append(c.DeniedDomains, policy.DomainRule{Pattern: p, Rule: r})
		}
	}
	for _, n := range net.get("deniedResolvedAddresses").items() {
		r := policy.AddrRule{Rule: b.rule(n, "network.deniedResolvedAddresses"), Firm: b.layer == policy.LayerManaged}
		if n.text() == "private" && b.toml {
			r.Private = true
		} else {
			r.Prefix, _ = policy.ParseAddrRange(n.text())
		}
		c.DeniedAddrs = append(c.DeniedAddrs, r)
	}
	b.widening(&c.AllowUnixSockets, net.get("allowUnixSockets"), "network.allowUnixSockets")
	b.widening(&c.AllowMachLookup, net.get("allowMachLookup"), "network.allowMachLookup")
	for _, n := range net.get("stripResponseHeaders").items() {
		c.StripResponseHeaders = append(c.StripResponseHeaders, b.rule(n, "network.stripResponseHeaders"))
	}
	b.flag(&c.StrictAllowlist, net.get("strictAllowlist"), "network.strictAllowlist", false)
	b.flag(&c.AllowAllUnixSockets, net.get("allowAllUnixSockets"), "network.allowAllUnixSockets", true)
	b.flag(&c.AllowLocalBinding, net.get("allowLocalBinding"), "network.allowLocalBinding", true)
	b.flag(&c.RefuseOpaqueTunnels, net.get("refuseOpaqueTunnels"), "network.refuseOpaqueTunnels", false)
	b.flag(&c.RequireHostMatch, net.get("requireHostMatch"), "network.requireHostMatch", false)
	b.flag(&c.PlaintextHeaderSet, net.get("allowPlaintextHeaderSet"), "network.allowPlaintextHeaderSet", true)
	b.text(&c.AmbiguousRequestTarget, net.get("ambiguousRequestTarget"), "network.ambiguousRequestTarget")
	b.ports(&c.ForwardLoopback, net.get("forwardLoopback"), "network.forwardLoopback")
	b.ports(&c.Listen, net.get("listen"), "network.listen")
	b.proxies(net)
}

// parseDomain reads an entry in the grammar of the file.
func (b *binder) parseDomain(s string, denied bool) (policy.DomainPattern, error) {
	if b.toml {
		return policy.ParseDottedDomain(s, denied) //nolint:wrapcheck // the schema has looked at it
	}
	return policy.ParseDomain(s, denied) //nolint:wrapcheck // likewise
}

// ports adds the ports of a list, each once, which widen the policy.
func (b *binder) ports(to *[]Port, list *node, key string) {
	for _, n := range list.items() {
		p := Port{int(n.num), b.origin(n, key)}
		known := slices.ContainsFunc(*to, func(q Port) bool { return q.Number == p.Number })
		if !known && b.widens(strconv.Itoa(p.Number), p.Origin) {
			*to = append(*to, p)
		}
	}
}

// proxies binds what decides where connections go; another proxy than srt's
// filters as it likes, so naming one widens.
func (b *binder) proxies(net *node) {
	c := &b.c.Network
	for _, p := range []struct {
		key string
		to  *Setting[int]
	}{{"httpProxyPort", &c.HTTPProxyPort}, {"socksProxyPort", &c.SOCKSProxyPort}} {
		if n := net.get(p.key); n != nil && (b.untrusted() || b.widens("", b.origin(n, "network."+p.key))) { // number asks for itself
			b.number(p.to, n, "network."+p.key)
		}
	}
	if n := net.get("mitmProxy"); n != nil {
		if o := b.origin(n, "network.mitmProxy"); b.widens("", o) {
			c.MITMProxy = &MITMProxy{SocketPath: n.get("socketPath").text(), Domains: patterns(n.get("domains").items()), Origin: o}
		}
	}
	if n := net.get("parentProxy"); n != nil {
		if o := b.origin(n, "network.parentProxy"); b.widens("", o) {
			c.ParentProxy = &ParentProxy{HTTP: n.get("http").text(), HTTPS: n.get("https").text(), NoProxy: n.get("noProxy").text(), Origin: o}
		}
	}
	n := net.get("tlsTerminate")
	if n == nil || b.untrusted() && !b.widens("", b.origin(n, "network.tlsTerminate")) {
		return
	}
	t := &TLSTerminate{
		CACertPath: b.abs(n.get("caCertPath").text()), CAKeyPath: b.abs(n.get("caKeyPath").text()),
		ExcludeDomains: patterns(n.get("excludeDomains").items()),
		MaxTunnels:     256, HandshakeTimeoutMS: 10000, Origin: b.origin(n, "network.tlsTerminate"),
	}
	for _, x := range n.get("extraCaCertPaths").items() {
		t.ExtraCACertPaths = append(t.ExtraCACertPaths, b.abs(x.text()))
	}
	if x := n.get("maxTunnels"); x != nil {
		t.MaxTunnels = int(x.num)
	}
	if x := n.get("handshakeTimeoutMs"); x != nil {
		t.HandshakeTimeoutMS = int(x.num)
	}
	c.TLSTerminate = t
}

// abs resolves a path against the working directory; "" stays.
func (b *binder) abs(p string) string {
	if p == "" || path.IsAbs(p) {
		return p
	}
	abs, err := policy.PathEntry{Base: b.base, Rule: policy.Rule{Text: p}}.Resolve(policy.Roots{Home: b.c.Home, Dir: b.c.Dir})
	if err != nil {
		return p
	}
	return abs
}

func (b *binder) filesystem(fs *node) {
	if fs == nil {
		return
	}
	for _, l := range []struct {
		key  string
		kind policy.PathKind
	}{
		{"denyRead", policy.DenyRead},
		{"allowRead", policy.AllowRead},
		{"allowWrite", policy.AllowWrite},
		{"allowCache", policy.AllowWrite},
		{"denyWrite", policy.DenyWrite},
	} {
		for _, n := range fs.get(l.key).items() {
			e := policy.PathEntry{Kind: l.kind, Cache: l.key == "allowCache", Closed: !b.toml, Firm: b.layer == policy.LayerManaged && l.kind == policy.DenyRead}
			text := n
			if n.kind == kindObject {
				text, e.Literal = n.get("path"), true
			}
			e.Rule = policy.Rule{Text: text.text(), Origin: b.origin(n, "filesystem."+l.key)}
			b.path(e)
		}
	}
	if n := fs.get("disabled"); n.truth() && b.lasting {
		b.c.Notes = append(b.c.Notes, b.origin(n, "filesystem.disabled").String()+": filesystem.disabled is ignored: the managed settings have file rules")
	} else {
		b.flag(&b.c.Filesystem.Disabled, n, "filesystem.disabled", true)
	}
	b.flag(&b.c.Filesystem.AllowGitConfig, fs.get("allowGitConfig"), "filesystem.allowGitConfig", true)
}

func (b *binder) path(e policy.PathEntry) {
	if (e.Kind == policy.AllowRead || e.Kind == policy.AllowWrite) && !b.widens(e.Rule.Text, e.Rule.Origin) {
		return
	}
	e.Base = b.base
	b.c.Filesystem.Paths = append(b.c.Filesystem.Paths, e)
}

func (b *binder) environment(env *node) {
	for _, n := range env.get("deny").items() {
		b.c.Environment.Deny = append(b.c.Environment.Deny, b.rule(n, "environment.deny"))
	}
	b.widening(&b.c.Environment.Keep, env.get("keep"), "environment.keep")
}

func (b *binder) permissions(perms *node) error {
	for _, list := range []string{"allow", "deny"} {
		for _, n := range perms.get(list).items() {
			key := "permissions." + list
			p, err := policy.ParsePermission(n.text(), list == "deny")
			if err != nil {
				return &Error{File: b.shown, Line: n.line, Key: key, Msg: err.Error()}
			}
			rule := b.rule(n, key)
			switch {
			case p.Domain != nil && list == "deny":
				b.c.Network.DeniedDomains = append(b.c.Network.DeniedDomains, policy.DomainRule{Pattern: *p.Domain, Rule: rule})
			case p.Domain != nil:
				if b.widens(rule.Text, rule.Origin) {
					b.c.Network.AllowedDomains = append(b.c.Network.AllowedDomains, policy.DomainRule{Pattern: *p.Domain, Rule: rule})
				}
			default:
				rule.Text = p.Path
				b.path(policy.PathEntry{Kind: p.Kind, Firm: p.Kind == policy.DenyRead, Rule: rule})
			}
		}
	}
	return nil
}

func (b *binder) credentials(creds *node) {
	if creds == nil {
		return
	}
	c := &b.c.Credentials
	for _, n := range creds.get("files").items() {
		c.Files = append(c.Files, b.credential(n, "path", "credentials.files"))
	}
	for _, n := range creds.get("envVars").items() {
		c.EnvVars = append(c.EnvVars, b.credential(n, "name", "credentials.envVars"))
	}
	for _, n := range creds.get("awsPairs").items() {
		if b.untrusted() && !b.widens("", b.origin(n, "credentials.awsPairs")) {
			continue
		}
		c.AWSPairs = append(c.AWSPairs, AWSPair{n.get("accessKeyIdVar").text(), n.get("secretAccessKeyVar").text(), n.get("sessionTokenVar").text(), b.origin(n, "credentials.awsPairs")})
	}
	if s := creds.get("sigv4"); s != nil {
		pass := func(key string) bool {
			n := s.get(key)
			return n.text() == "passthrough" && b.widens(n.str, b.origin(n, "credentials.sigv4."+key))
		}
		c.SigV4 = SigV4{pass("streaming"), pass("presigned"), pass("sigv4a"), b.origin(s, "credentials.sigv4")}
	}
	b.flag(&c.AllowPlaintextInject, creds.get("allowPlaintextInject"), "credentials.allowPlaintextInject", true)
}

func (b *binder) credential(n *node, name, key string) Credential {
	cr := Credential{
		Name: n.get(name).text(), Mask: n.get("mode").text() == "mask",
		Extract: n.get("extract").text(), OnExtractNoMatch: cmp.Or(n.get("onExtractNoMatch").text(), "warn"),
		Decode: n.get("decode").text(), MaskDuplicates: n.get("maskDuplicates").truth(),
		Rule: policy.Rule{Text: n.get(name).text(), Origin: b.origin(n, key), Reason: "it holds a credential"},
	}
	for _, x := range n.get("maskClaims").items() {
		cr.MaskClaims = append(cr.MaskClaims, x.text())
	}
	if hosts := n.get("injectHosts"); hosts != nil {
		cr.InjectHosts = patterns(hosts.items())
	}
	if name == "path" {
		cr.Base = b.base
	}
	if cr.Mask && b.untrusted() && !b.widens(cr.Name, cr.Rule.Origin) {
		// What is masked goes out to hosts; denied it does not.
		return Credential{Name: cr.Name, Base: cr.Base, OnExtractNoMatch: "warn", Rule: cr.Rule}
	}
	return cr
}
