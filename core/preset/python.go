package preset

import (
	"path"
	"slices"
	"strings"

	"github.com/srt-sh/srt/core/policy"
)

// pipIndexes returns the hosts of the indexes that the user's own pip settings
// name (https://pip.pypa.io/en/stable/topics/configuration/), and the active
// virtual environment.
func pipIndexes(env Env) found {
	r := registries{env: env, tool: "pip"}
	for _, name := range []string{"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"} {
		r.pipValue(env.getenv(name), fromVariable(name))
	}
	for _, name := range PipFiles(env) {
		r.pipConf(name)
	}
	r.cache(env.getenv("PIP_CACHE_DIR"), fromVariable("PIP_CACHE_DIR"))
	r.virtualEnv()
	return r.found
}

// PipFiles are the places of pip's settings, but for that of an environment.
func PipFiles(env Env) []string {
	return []string{
		"/etc/pip.conf", "/etc/xdg/pip/pip.conf", "/Library/Application Support/pip/pip.conf",
		path.Join(env.Home, ".pip/pip.conf"), path.Join(env.Home, "Library/Application Support/pip/pip.conf"),
		path.Join(env.config(), "pip/pip.conf"), env.getenv("PIP_CONFIG_FILE"),
	}
}

// pipConf reads an ini file: keys of the sections about getting packages, whose
// values go on in lines that are indented.
func (r *registries) pipConf(name string) {
	section, key := "", ""
	n := 0
	for line := range strings.Lines(r.read(name)) {
		n++
		text := strings.TrimSpace(line)
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		value := text
		switch {
		case text[0] == '[' && line[0] == '[':
			section, key = strings.Trim(text, "[]"), ""
			continue
		case line[0] == ' ' || line[0] == '\t': // of the value before
		default:
			i := strings.IndexAny(text, "=:")
			if i < 0 {
				key = ""
				continue
			}
			key = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(text[:i])), "_", "-")
			value = text[i+1:]
		}
		if slices.Contains([]string{"global", "install", "download", "wheel", "index"}, section) &&
			slices.Contains([]string{"index-url", "extra-index-url", "find-links"}, key) {
			r.pipValue(value, r.at(name, n, section+"."+key))
		}
	}
}

// pipValue adds URLs with spaces between them. Other words are folders.
func (r *registries) pipValue(value string, o policy.Origin) {
	for word := range strings.FieldsSeq(value) {
		if strings.HasPrefix(word, "http://") || strings.HasPrefix(word, "https://") {
			r.add(word, o)
		}
	}
}

// virtualEnv opens the active virtual environment, which installing is about.
func (r *registries) virtualEnv() {
	dir := r.env.getenv("VIRTUAL_ENV")
	if !path.IsAbs(dir) || inside(r.env.Home, dir) || inside(dir, r.env.Dir) {
		return // what lies in the working folder is writable with it
	}
	if _, err := r.env.read(path.Join(dir, "pyvenv.cfg")); err != nil {
		return
	}
	r.paths = append(r.paths, policy.PathEntry{
		Kind: policy.AllowWrite, Literal: true,
		Rule: policy.Rule{Text: path.Clean(dir), Origin: fromVariable("VIRTUAL_ENV"), Reason: "the active virtual environment"},
	})
}

// uvIndexes returns what the user's own uv settings name
// (https://docs.astral.sh/uv/reference/settings/).
func uvIndexes(env Env) found {
	r := registries{env: env, tool: "uv"}
	for _, name := range []string{"UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"} {
		for word := range strings.FieldsSeq(env.getenv(name)) {
			if _, address, ok := strings.Cut(word, "="); ok && strings.HasPrefix(address, "http") && !strings.HasPrefix(word, "http") {
				word = address // NAME=URL
			}
			r.pipValue(word, fromVariable(name))
		}
	}
	for _, name := range []string{
		"/etc/uv/uv.toml", "/etc/xdg/uv/uv.toml", path.Join(env.config(), "uv/uv.toml"), env.getenv("UV_CONFIG_FILE"),
	} {
		for _, s := range tomlStrings(r.read(name)) {
			key := s.key
			if len(key) > 1 && key[0] == "pip" {
				key = key[1:]
			}
			if len(key) == 1 && slices.Contains([]string{"index-url", "extra-index-url", "find-links"}, key[0]) || s.matches("index", "url") {
				r.pipValue(s.value, r.at(name, s.line, strings.Join(s.key, ".")))
			}
		}
	}
	r.cache(env.getenv("UV_CACHE_DIR"), fromVariable("UV_CACHE_DIR"))
	r.virtualEnv()
	return r.found
}
