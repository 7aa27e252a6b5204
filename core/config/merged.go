package config

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/srt-sh/srt/core/policy"
)

// Merged prints the merged settings as TOML that Load accepts, less what is
// built in. With origin each entry has the place that it comes from as a
// comment. Notes come first, as comments.
func (c *Config) Merged(origin bool) string {
	w := tomlWriter{origin: origin}
	for _, n := range c.Notes {
		w.b.WriteString("# note: " + escapeComment(n) + "\n")
	}
	w.settings("", c.topLevel())
	w.network(&c.Network)
	w.filesystem(c)
	w.section("environment")
	w.rules("deny", c.Environment.Deny)
	w.rules("keep", c.Environment.Keep)
	w.section("git")
	w.rules("safe_directories", c.GitSafeDirectories)
	w.credentials(&c.Credentials)
	if len(c.IgnoreViolations) > 0 {
		w.section("ignore_violations")
		parts := map[string][]string{}
		for _, r := range c.IgnoreViolations {
			parts[r.Command] = append(parts[r.Command], r.Parts...)
		}
		for _, r := range c.IgnoreViolations {
			if all, ok := parts[r.Command]; ok {
				w.line(quote(r.Command)+" = ["+quoteAll(all)+"]", r.Origin)
				delete(parts, r.Command)
			}
		}
	}
	for _, cmd := range c.Commands {
		w.pending = "\n[[command]]\n"
		w.rules("match", cmd.Match)
		if cmd.Preset != "" {
			w.line("preset = "+quote(cmd.Preset), cmd.Origin)
		}
	}
	return w.b.String()
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
	w.b.WriteString(key + " = [\n")
	for _, e := range entries {
		w.line("    "+e.text+",", e.origin)
	}
	w.b.WriteString("]\n")
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
		out = append(out, listEntry{quote(r.Pattern.String()), r.Rule.Origin})
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
	w.rules("allow_mach_lookup", n.AllowMachLookup)
	w.rules("strip_response_headers", n.StripResponseHeaders)
	if slices.ContainsFunc(n.DeniedDomains, func(d policy.DomainRule) bool { return d.Rule.Reason != "" }) {
		w.section("network.denied_domain_reasons")
		seen := map[string]bool{}
		for _, d := range n.DeniedDomains {
			if d.Rule.Reason != "" && !seen[d.Rule.Text] {
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
			if e.Kind != l.kind || e.Cache != l.cache {
				continue
			}
			text := quote(e.Rule.Text)
			if e.Literal {
				text = "{ path = " + text + ", literal = true }"
			}
			out = append(out, listEntry{text, e.Rule.Origin})
		}
		w.list(l.key, out)
	}
}

func (w *tomlWriter) credentials(c *Credentials) {
	w.settings("credentials", []one{boolOne("allow_plaintext_inject", c.AllowPlaintextInject)})
	w.credentialList("files", "path", c.Files)
	w.credentialList("env_vars", "name", c.EnvVars)
	for _, p := range c.AWSPairs {
		w.b.WriteString("\n[[credentials.aws_pairs]]\naccess_key_id_var = " + quote(p.AccessKeyID) +
			"\nsecret_access_key_var = " + quote(p.SecretAccessKey) + "\n")
		if p.SessionToken != "" {
			w.b.WriteString("session_token_var = " + quote(p.SessionToken) + "\n")
		}
	}
	if c.SigV4 != (SigV4{}) {
		w.b.WriteString("\n[credentials.sigv4]\n")
		for _, s := range []struct {
			key  string
			pass bool
		}{{"streaming", c.SigV4.Streaming}, {"presigned", c.SigV4.Presigned}, {"sigv4a", c.SigV4.SigV4A}} {
			if s.pass {
				w.b.WriteString(s.key + " = \"passthrough\"\n")
			}
		}
	}
}

func (w *tomlWriter) credentialList(list, name string, creds []Credential) {
	for _, cr := range creds {
		w.pending = "\n[[credentials." + list + "]]\n"
		mode := "deny"
		if cr.Mask {
			mode = "mask"
		}
		o := cr.Rule.Origin
		w.line(name+" = "+quote(cr.Name), o)
		for _, s := range []one{
			{"mode", quote(mode), true, o},
			{"extract", quote(cr.Extract), cr.Extract != "", o},
			{"on_extract_no_match", quote(cr.OnExtractNoMatch), cr.OnExtractNoMatch != "warn", o},
			{"decode", quote(cr.Decode), cr.Decode != "", o},
			{"mask_claims", "[" + quoteAll(cr.MaskClaims) + "]", len(cr.MaskClaims) > 0, o},
			{"mask_duplicates", "true", cr.MaskDuplicates, o},
			{"inject_hosts", "[" + hostList(cr.InjectHosts) + "]", cr.InjectHosts != nil, o},
		} {
			if s.set {
				w.b.WriteString(s.key + " = " + s.text + "\n")
			}
		}
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
