package config

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/srt-sh/srt/core/policy"
)

// Merged prints the merged settings as TOML that Load accepts, less what is
// built in. With origin each entry has the place that it comes from as a
// comment. Notes come first, as comments; what only the npm form takes, and has
// no effect, is a comment too.
func (c *Config) Merged(origin bool) string {
	w := tomlWriter{origin: origin}
	for _, n := range c.Notes {
		w.b.WriteString("# note: " + escapeComment(n) + "\n")
	}
	if c.NPM {
		w.b.WriteString("# The rules come from a file in the npm form: what is built in for such files differs.\n")
	}
	w.settings("", c.topLevel())
	w.rules("allow_weaker", c.AllowWeaker)
	w.network(&c.Network)
	w.filesystem(c)
	w.firm(c, c.Filesystem.Paths)
	w.section("environment")
	w.rules("deny", c.Environment.Deny)
	w.rules("keep", c.Environment.Keep)
	w.settings("limits", c.limits())
	age := c.Guard.MinReleaseAge
	w.settings("guard", []one{{"min_release_age", quote(FormatDuration(age.Value)), age.Set, age.Origin}})
	w.settings("scripts", []one{boolOne("network", c.Scripts.Network)})
	var scriptWrites []policy.Rule
	for _, e := range c.Scripts.AllowWrite {
		scriptWrites = append(scriptWrites, e.Rule)
	}
	w.rules("allow_write", scriptWrites)
	w.section("git")
	w.rules("safe_directories", c.GitSafeDirectories)
	w.credentials(c)
	w.settings("report", []one{boolOne("files", c.ReportFiles)})
	w.ignored(c.IgnoreViolations)
	for _, cmd := range c.Commands {
		w.pending = "\n[[command]]\n"
		w.rules("match", cmd.Match)
		if cmd.Preset != "" {
			w.line("preset = "+quote(cmd.Preset), cmd.Origin)
		}
	}
	return w.b.String()
}

func (w *tomlWriter) ignored(rules []IgnoreRule) {
	w.section("ignore_violations")
	parts := map[string][]listEntry{}
	for _, r := range rules {
		for _, part := range r.Parts {
			parts[r.Command] = append(parts[r.Command], listEntry{quote(part), r.Origin})
		}
	}
	for _, r := range rules {
		all, ok := parts[r.Command]
		if ok {
			w.list(quote(r.Command), all)
			delete(parts, r.Command)
		}
	}
}

type tomlWriter struct {
	b       strings.Builder
	origin  bool
	pending string // a header that is printed before its first line
}

func (w *tomlWriter) section(name string) { w.pending = "\n[" + name + "]\n" }

func (w *tomlWriter) line(text string, o policy.Origin) {
	w.b.WriteString(w.pending)
	w.pending = ""
	w.b.WriteString(text)
	if w.origin {
		w.b.WriteString(" # " + escapeComment(o.String()))
	}
	w.b.WriteByte('\n')
}

type listEntry struct {
	text   string
	origin policy.Origin
}

func (w *tomlWriter) list(key string, entries []listEntry) {
	if len(entries) == 0 {
		return
	}
	w.b.WriteString(w.pending)
	w.pending = ""
	entry := func(e listEntry) bool { return !strings.HasPrefix(e.text, "#") }
	some := slices.ContainsFunc(entries, entry)
	if some {
		w.b.WriteString(key + " = [\n")
	}
	for _, e := range entries {
		text := e.text
		if entry(e) {
			text = "    " + text + ","
		}
		w.line(text, e.origin)
	}
	if some {
		w.b.WriteString("]\n")
	}
}

func (w *tomlWriter) rules(key string, rules []policy.Rule) {
	var out []listEntry
	for _, r := range rules {
		out = append(out, listEntry{quote(r.Text), r.Origin})
	}
	w.list(key, out)
}

func (w *tomlWriter) domains(key string, rules []policy.DomainRule) {
	var out []listEntry
	for _, r := range rules {
		text := quote(r.Pattern.String())
		if r.Pattern.Inert() {
			text = "# " + text + " can match no host"
		}
		out = append(out, listEntry{text, r.Rule.Origin})
	}
	w.list(key, out)
}

// one is a single value in printed form.
type one struct {
	key    string
	text   string
	set    bool
	origin policy.Origin
}

func boolOne(key string, s Setting[bool]) one {
	return one{key, strconv.FormatBool(s.Value), s.Set, s.Origin}
}

func intOne(key string, s Setting[int]) one {
	return one{key, strconv.Itoa(s.Value), s.Set, s.Origin}
}

func (w *tomlWriter) settings(section string, ones []one) {
	if section != "" {
		w.section(section)
	}
	w.ones(ones)
}

func (w *tomlWriter) ones(ones []one) {
	for _, s := range ones {
		if s.set {
			w.line(s.key+" = "+s.text, s.origin)
		}
	}
}

func (c *Config) topLevel() []one {
	return []one{
		boolOne("enable_weaker_nested_sandbox", c.EnableWeakerNestedSandbox),
		boolOne("allow_nested_user_namespaces", c.AllowNestedUserNamespaces),
		boolOne("enable_weaker_network_isolation", c.EnableWeakerNetworkIsolation),
		boolOne("allow_apple_events", c.AllowAppleEvents),
		boolOne("allow_pty", c.AllowPty),
		intOne("mandatory_deny_search_depth", c.MandatoryDenySearchDepth),
		{"bwrap_path", quote(c.BwrapPath.Value), c.BwrapPath.Set, c.BwrapPath.Origin},
	}
}

func (c *Config) limits() []one {
	l := &c.Limits
	return []one{
		{"memory", quote(FormatSize(l.Memory.Value)), l.Memory.Set, l.Memory.Origin},
		intOne("processes", l.Processes),
		{"cpu", FormatCPU(l.CPU.Value), l.CPU.Set, l.CPU.Origin},
		{"time", quote(FormatDuration(l.Time.Value)), l.Time.Set, l.Time.Origin},
		{"tmp", quote(FormatSize(l.Tmp.Value)), l.Tmp.Set, l.Tmp.Origin},
	}
}

func (w *tomlWriter) network(n *Network) {
	w.settings("network", []one{
		boolOne("strict_allowlist", n.StrictAllowlist),
		boolOne("allow_all_unix_sockets", n.AllowAllUnixSockets),
		boolOne("allow_local_binding", n.AllowLocalBinding),
		boolOne("refuse_opaque_tunnels", n.RefuseOpaqueTunnels),
		boolOne("require_host_match", n.RequireHostMatch),
		intOne("http_proxy_port", n.HTTPProxyPort),
		intOne("socks_proxy_port", n.SOCKSProxyPort),
	})
	w.domains("allowed_domains", n.AllowedDomains)
	w.domains("denied_domains", n.DeniedDomains)
	var addrs []listEntry
	for _, a := range n.DeniedAddrs {
		addrs = append(addrs, listEntry{quote(a.Rule.Text), a.Rule.Origin})
	}
	w.list("denied_resolved_addresses", addrs)
	w.rules("allow_unix_sockets", n.AllowUnixSockets)
	w.ports("forward_loopback", n.ForwardLoopback)
	w.ports("listen", n.Listen)
	w.rules("allow_mach_lookup", n.AllowMachLookup)
	w.rules("strip_response_headers", n.StripResponseHeaders)
	if slices.ContainsFunc(n.DeniedDomains, func(d policy.DomainRule) bool { return d.Rule.Reason != "" && !d.Pattern.Inert() }) {
		w.section("network.denied_domain_reasons")
		seen := map[string]bool{}
		for _, d := range n.DeniedDomains {
			if d.Rule.Reason != "" && !d.Pattern.Inert() && !seen[d.Rule.Text] {
				seen[d.Rule.Text] = true
				w.line(quote(d.Rule.Text)+" = "+quote(d.Rule.Reason), d.Rule.Origin)
			}
		}
	}
	if m := n.MITMProxy; m != nil {
		w.section("network.mitm_proxy")
		w.line("socket_path = "+quote(m.SocketPath), m.Origin)
		w.line("domains = ["+hostList(m.Domains)+"]", m.Origin)
	}
	if p := n.ParentProxy; p != nil {
		if *p == (ParentProxy{Origin: p.Origin}) {
			w.b.WriteString("\n[network.parent_proxy]\n")
		}
		w.settings("network.parent_proxy", []one{
			{"http", quote(p.HTTP), p.HTTP != "", p.Origin},
			{"https", quote(p.HTTPS), p.HTTPS != "", p.Origin},
			{"no_proxy", quote(p.NoProxy), p.NoProxy != "", p.Origin},
		})
	}
	if t := n.TLSTerminate; t != nil {
		w.settings("network.tls_terminate", []one{
			{"ca_cert_path", quote(t.CACertPath), t.CACertPath != "", t.Origin},
			{"ca_key_path", quote(t.CAKeyPath), t.CAKeyPath != "", t.Origin},
			{"exclude_domains", "[" + hostList(t.ExcludeDomains) + "]", len(t.ExcludeDomains) > 0, t.Origin},
			{"extra_ca_cert_paths", "[" + quoteAll(t.ExtraCACertPaths) + "]", len(t.ExtraCACertPaths) > 0, t.Origin},
			{"max_tunnels", strconv.Itoa(t.MaxTunnels), true, t.Origin},
			{"handshake_timeout_ms", strconv.Itoa(t.HandshakeTimeoutMS), true, t.Origin},
		})
	}
}

func (w *tomlWriter) ports(key string, ports []Port) {
	var out []listEntry
	for _, p := range ports {
		out = append(out, listEntry{strconv.Itoa(p.Number), p.Origin})
	}
	w.list(key, out)
}

func hostList(ps []policy.DomainPattern) string {
	var out []string
	for _, p := range ps {
		text := p.String()
		if bare := strings.Trim(text, "[]"); policy.IsIPv6(bare) {
			text = bare // lists without ports have it so
		}
		out = append(out, text)
	}
	return quoteAll(out)
}

func (w *tomlWriter) filesystem(c *Config) {
	w.settings("filesystem", []one{
		boolOne("disabled", c.Filesystem.Disabled),
		boolOne("allow_git_config", c.Filesystem.AllowGitConfig),
	})
	for _, l := range []struct {
		key   string
		kind  policy.PathKind
		cache bool
	}{
		{"deny_read", policy.DenyRead, false},
		{"allow_read", policy.AllowRead, false},
		{"allow_write", policy.AllowWrite, false},
		{"allow_cache", policy.AllowWrite, true},
		{"deny_write", policy.DenyWrite, false},
	} {
		var out []listEntry
		for _, e := range c.Filesystem.Paths {
			if e.Kind != l.kind || e.Cache != l.cache || e.Firm {
				continue
			}
			text := quote(homePath(c.based(e.Base, e.Rule.Text)))
			if e.Literal {
				text = "{ path = " + quote(c.based(e.Base, e.Rule.Text)) + ", literal = true }"
			}
			out = append(out, listEntry{text, e.Rule.Origin})
		}
		w.list(l.key, out)
	}
}

// firm prints the denies that nothing re-opens, as what makes such denies.
func (w *tomlWriter) firm(c *Config, paths []policy.PathEntry) {
	var out []listEntry
	for _, e := range paths {
		if !e.Firm {
			continue
		}
		text := c.based(e.Base, e.Rule.Text)
		if e.Literal {
			text = strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(text)
		}
		if strings.HasPrefix(text, "/") {
			text = "/" + text
		}
		out = append(out, listEntry{quote("Read(" + text + ")"), e.Rule.Origin})
	}
	w.section("permissions")
	w.list("deny", out)
}

// based spells a path of a project's file so that it means the same from the working
// directory.
func (c *Config) based(base, text string) string {
	if base == "" || base == path.Clean(c.Dir) || path.IsAbs(text) || text == "~" || strings.HasPrefix(text, "~/") {
		return text
	}
	return path.Join(base, text)
}

// homePath spells a name that begins with ~ so that it is one in TOML too.
func homePath(text string) string {
	if policy.OtherHome(text) {
		return "./" + text
	}
	return text
}

func (w *tomlWriter) credentials(merged *Config) {
	c := &merged.Credentials
	w.settings("credentials", []one{boolOne("allow_plaintext_inject", c.AllowPlaintextInject)})
	w.credentialList(merged, "files", "path", c.Files)
	w.credentialList(merged, "env_vars", "name", c.EnvVars)
	for _, p := range c.AWSPairs {
		w.pending = "\n[[credentials.aws_pairs]]\n"
		w.ones([]one{
			{"access_key_id_var", quote(p.AccessKeyID), true, p.Origin},
			{"secret_access_key_var", quote(p.SecretAccessKey), true, p.Origin},
			{"session_token_var", quote(p.SessionToken), p.SessionToken != "", p.Origin},
		})
	}
	w.settings("credentials.sigv4", []one{
		{"streaming", `"passthrough"`, c.SigV4.Streaming, c.SigV4.Origin},
		{"presigned", `"passthrough"`, c.SigV4.Presigned, c.SigV4.Origin},
		{"sigv4a", `"passthrough"`, c.SigV4.SigV4A, c.SigV4.Origin},
	})
}

func (w *tomlWriter) credentialList(c *Config, list, name string, creds []Credential) {
	for _, cr := range creds {
		w.pending = "\n[[credentials." + list + "]]\n"
		mode := "deny"
		if cr.Mask {
			mode = "mask"
		}
		o := cr.Rule.Origin
		w.ones([]one{
			{name, quote(homePath(c.based(cr.Base, cr.Name))), true, o},
			{"mode", quote(mode), true, o},
			{"extract", quote(cr.Extract), cr.Extract != "", o},
			{"on_extract_no_match", quote(cr.OnExtractNoMatch), cr.OnExtractNoMatch != "warn", o},
			{"decode", quote(cr.Decode), cr.Decode != "", o},
			{"mask_claims", "[" + quoteAll(cr.MaskClaims) + "]", len(cr.MaskClaims) > 0, o},
			{"mask_duplicates", "true", cr.MaskDuplicates, o},
			{"inject_hosts", "[" + hostList(cr.InjectHosts) + "]", cr.InjectHosts != nil, o},
		})
	}
}

func quoteAll(words []string) string {
	out := make([]string, len(words))
	for i, s := range words {
		out[i] = quote(s)
	}
	return strings.Join(out, ", ")
}

func quote(s string) string { return policy.Quote(s) }

// escapeComment keeps what comes from outside on its line.
func escapeComment(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, s)
}
