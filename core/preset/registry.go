package preset

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/srt-sh/srt/core/policy"
)

// found is what the user's own files and environment add to a preset.
type found struct {
	domains []policy.Rule
	paths   []policy.PathEntry
	notes   []string // what could not be added, in words for the user
}

// registries collects it for the tool of one preset.
type registries struct {
	found
	env  Env
	tool string // as in "npm's settings"
}

// maxFile bounds the files of tools that are looked at, in bytes.
const maxFile = 1 << 20

// read returns the text of a file of the user's, "" if there is none. A name
// that is not absolute, or lies in the working folder, is no file of the user.
func (r *registries) read(name string) string {
	if !path.IsAbs(name) || inside(name, r.env.Dir) {
		return ""
	}
	data, err := r.env.read(name)
	if err != nil || len(data) > maxFile {
		return ""
	}
	return string(data)
}

func inside(p, dir string) bool {
	p, dir = path.Clean(p), path.Clean(dir)
	return dir != "/" && (p == dir || strings.HasPrefix(p, dir+"/"))
}

// at is the origin of something in a file.
func (r *registries) at(file string, line int, key string) policy.Origin {
	return policy.Origin{Layer: policy.LayerPreset, File: r.env.shown(file), Line: line, Key: key}
}

func fromVariable(name string) policy.Origin {
	return policy.Origin{Layer: policy.LayerPreset, Key: name}
}

// variable adds the registry that a variable names.
func (r *registries) variable(name string) {
	if v := r.env.getenv(name); v != "" {
		r.add(v, fromVariable(name))
	}
}

// add appends the host of a registry's URL, limited to its port.
func (r *registries) add(raw string, o policy.Origin) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		shown := raw
		if strings.Contains(raw, "@") {
			shown = "…" // it may hold a password
		}
		r.notes = append(r.notes, fmt.Sprintf("%s: %s: %q is no URL", o, o.Key, shown))
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
	for _, have := range r.domains {
		if have.Text == entry {
			return
		}
	}
	r.domains = append(r.domains, policy.Rule{Text: entry, Origin: o, Reason: r.tool + "'s settings name it as a registry"})
}

// cache opens a folder that the user's environment or a tool's own settings name
// as its cache. One that holds the home folder, or is the working folder's
// business, opens nothing.
func (r *registries) cache(dir string, o policy.Origin, sub ...string) {
	if !path.IsAbs(dir) || inside(r.env.Home, dir) || path.Clean(dir) == "/" || strings.Count(path.Clean(dir), "/") < 2 {
		return
	}
	if len(sub) == 0 {
		sub = []string{""}
	}
	for _, s := range sub {
		r.paths = append(r.paths, policy.PathEntry{
			Kind: policy.AllowWrite, Literal: true, Cache: true,
			Rule: policy.Rule{Text: path.Join(dir, s), Origin: o, Reason: r.tool + "'s settings name it as a cache"},
		})
	}
}

// tomlString is a string in a TOML file and where it stands.
type tomlString struct {
	key   []string
	value string
	line  int
}

// tomlStrings lists the strings of a document, those in lists under the key of
// the list. What is not TOML gives those before the fault.
func tomlStrings(text string) []tomlString {
	var out []tomlString
	var p unstable.Parser
	p.Reset([]byte(text))
	var table []string
	keys := func(n *unstable.Node) []string {
		var list []string
		for it := n.Key(); it.Next(); {
			list = append(list, string(it.Node().Data))
		}
		return list
	}
	var value func(n *unstable.Node, key []string, line int)
	value = func(n *unstable.Node, key []string, line int) {
		switch n.Kind { //nolint:exhaustive // nothing else holds strings
		case unstable.String:
			out = append(out, tomlString{key, string(n.Data), line})
		case unstable.Array:
			for it := n.Children(); it.Next(); {
				value(it.Node(), key, line)
			}
		case unstable.InlineTable:
			for it := n.Children(); it.Next(); {
				kv := it.Node()
				value(kv.Value(), append(slices.Clip(key), keys(kv)...), line)
			}
		}
	}
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind { //nolint:exhaustive // these are the kinds of expressions
		case unstable.Table, unstable.ArrayTable:
			table = keys(e)
		case unstable.KeyValue:
			line := 1
			for it := e.Key(); it.Next(); {
				line = 1 + strings.Count(text[:min(int(it.Node().Raw.Offset), len(text))], "\n")
				break
			}
			value(e.Value(), append(slices.Clip(table), keys(e)...), line)
		}
	}
	return out
}

// matches compares a key with one in which * stands for any part.
func (s *tomlString) matches(pattern ...string) bool {
	if len(s.key) != len(pattern) {
		return false
	}
	for i, part := range pattern {
		if part != "*" && part != s.key[i] {
			return false
		}
	}
	return true
}
