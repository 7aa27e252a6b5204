package preset

import (
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/srt-sh/srt/core/policy"
)

// npmRegistries returns the hosts of the registries that the user's own npm
// settings name: the user's and the global npmrc and the environment. The
// project's .npmrc is part of what is sandboxed, and is not read.
func npmRegistries(env Env) ([]policy.Rule, []string) {
	r := registries{env: env}
	// npm hands its settings, a project's among them, down to the scripts that
	// it runs; there the variables are not the user's word.
	own := env.getenv("npm_execpath") == "" && env.getenv("npm_lifecycle_event") == ""
	if own {
		for _, name := range []string{"npm_config_registry", "NPM_CONFIG_REGISTRY"} {
			if v := env.getenv(name); v != "" {
				r.add(v, policy.Origin{Layer: policy.LayerPreset, Key: name})
			}
		}
	}
	variable := func(name string) string {
		if v := env.getenv("npm_config_" + name); own && v != "" {
			return v
		}
		if v := env.getenv("NPM_CONFIG_" + strings.ToUpper(name)); own && v != "" {
			return v
		}
		return ""
	}
	user := path.Join(env.Home, ".npmrc")
	if v := variable("userconfig"); path.IsAbs(v) && !inside(v, env.Dir) {
		user = path.Clean(v)
	}
	global := []string{"/usr/local/etc/npmrc", "/usr/etc/npmrc", "/opt/homebrew/etc/npmrc"}
	if v := variable("prefix"); path.IsAbs(v) {
		global = []string{path.Join(v, "etc/npmrc")}
	}
	if v := variable("globalconfig"); path.IsAbs(v) {
		global = []string{v}
	}
	for _, name := range append(global, user) {
		if path.IsAbs(name) && (name == user || !inside(name, env.Dir)) {
			r.file(name)
		}
	}
	return r.rules, r.notes
}

func inside(p, dir string) bool {
	p, dir = path.Clean(p), path.Clean(dir)
	return dir != "/" && (p == dir || strings.HasPrefix(p, dir+"/"))
}

type registries struct {
	env   Env
	rules []policy.Rule
	notes []string
}

// file reads an npmrc: an ini file, of which only keys that are or end in
// "registry" matter (https://docs.npmjs.com/cli/configuring-npm/npmrc).
func (r *registries) file(name string) {
	data, err := r.env.read(name)
	if err != nil || len(data) > 1<<20 {
		return
	}
	shown := name
	if rest, ok := strings.CutPrefix(name, path.Clean(r.env.Home)+"/"); ok {
		shown = "~/" + rest
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == ';' || line[0] == '#' {
			continue
		}
		if line[0] == '[' {
			return // a section's keys are not npm's settings
		}
		key, value, ok := strings.Cut(line, "=")
		key = unquote(strings.TrimSpace(key))
		scoped := strings.HasPrefix(key, "@") && strings.HasSuffix(key, ":registry")
		if !ok || key != "registry" && !scoped {
			continue
		}
		r.add(r.expand(unquote(strings.TrimSpace(value))), policy.Origin{Layer: policy.LayerPreset, File: shown, Line: n, Key: key})
	}
}

// unquote takes quotes off, and a comment that follows an unquoted value.
func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	if i := strings.IndexAny(s, ";#"); i >= 0 {
		s = strings.TrimSpace(s[:i])
	}
	return s
}

// expand puts in ${VAR}, as npm does.
func (r *registries) expand(s string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !ok || !closed {
			return b.String() + s
		}
		b.WriteString(before)
		b.WriteString(r.env.getenv(name))
		s = after
	}
}

// add appends the host of a registry's URL, limited to its port.
func (r *registries) add(raw string, o policy.Origin) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		r.notes = append(r.notes, fmt.Sprintf("%s: %s: %q is no URL", o, o.Key, raw))
		return
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	if port == "" {
		return
	}
	host, err := policy.CanonicalHost(u.Hostname())
	if err != nil {
		r.notes = append(r.notes, fmt.Sprintf("%s: %s: %q has no valid host", o, o.Key, u.Redacted()))
		return
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	entry := host + ":" + port
	if _, err := policy.ParseDomain(entry, false); err != nil {
		r.notes = append(r.notes, fmt.Sprintf("%s: %s: %q cannot be allowed: a host needs a dot in its name", o, o.Key, host))
		return
	}
	for _, have := range r.rules {
		if have.Text == entry {
			return
		}
	}
	r.rules = append(r.rules, policy.Rule{Text: entry, Origin: o, Reason: "npm's settings name it as a registry"})
}
