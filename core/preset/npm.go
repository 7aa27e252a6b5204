package preset

import (
	"path"
	"strings"
)

// npmRegistries returns the hosts of the registries that the user's own npm
// settings name: the user's and the global npmrc and the environment. The
// project's .npmrc is part of what is sandboxed, and is not read.
func npmRegistries(env Env) found {
	r := registries{env: env, tool: "npm"}
	r.npm()
	return r.found
}

func (r *registries) npm() {
	env := r.env
	// npm hands its settings, a project's among them, down to the scripts that
	// it runs; there the variables are not the user's word.
	own := env.getenv("npm_execpath") == "" && env.getenv("npm_lifecycle_event") == ""
	if own {
		for _, name := range []string{"npm_config_registry", "NPM_CONFIG_REGISTRY"} {
			if v := env.getenv(name); v != "" {
				r.add(v, fromVariable(name))
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
			r.npmrc(name)
		}
	}
	if own {
		r.cache(variable("cache"), fromVariable("npm_config_cache"))
	}
}

// npmrc reads an npmrc: an ini file, of which only keys that are or end in
// "registry" matter (https://docs.npmjs.com/cli/configuring-npm/npmrc).
func (r *registries) npmrc(name string) {
	data, err := r.env.read(name)
	if err != nil || len(data) > maxFile {
		return
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
		r.add(r.expand(unquote(strings.TrimSpace(value))), r.at(name, n, key))
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

// pnpmRegistries adds pnpm's own rc to npm's files
// (https://pnpm.io/settings, "Configuration").
func pnpmRegistries(env Env) found {
	r := registries{env: env, tool: "pnpm"}
	r.npm()
	for _, name := range []string{
		path.Join(env.config(), "pnpm/rc"), path.Join(env.Home, "Library/Preferences/pnpm/rc"),
	} {
		if path.IsAbs(name) && !inside(name, env.Dir) {
			r.npmrc(name)
		}
	}
	return r.found
}

// yarnRegistries reads ~/.yarnrc of yarn 1, ~/.yarnrc.yml of the later ones, and
// what of npm's yarn 1 takes.
func yarnRegistries(env Env) found {
	r := registries{env: env, tool: "yarn"}
	r.npm()
	// A script of a package gets these from yarn, the project's word among them.
	if env.getenv("npm_execpath") == "" {
		for _, name := range []string{"YARN_REGISTRY", "YARN_NPM_REGISTRY_SERVER"} {
			r.variable(name)
		}
		r.cache(env.getenv("YARN_CACHE_FOLDER"), fromVariable("YARN_CACHE_FOLDER"))
	}
	r.yarnrc(path.Join(env.Home, ".yarnrc"))
	r.yarnYAML(path.Join(env.Home, ".yarnrc.yml"))
	return r.found
}

// yarnrc reads lines of a key and a value, either in quotes or not.
func (r *registries) yarnrc(name string) {
	n := 0
	for line := range strings.Lines(r.read(name)) {
		n++
		key, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		key, value = strings.Trim(key, `"`), strings.Trim(strings.TrimSpace(value), `"`)
		if ok && (key == "registry" || strings.HasPrefix(key, "@") && strings.HasSuffix(key, ":registry")) {
			r.add(value, r.at(name, n, key))
		}
	}
}

// yarnYAML finds the keys npmRegistryServer, at any depth: at the top, of a scope
// and of no other place (https://yarnpkg.com/configuration/yarnrc).
func (r *registries) yarnYAML(name string) {
	n := 0
	for line := range strings.Lines(r.read(name)) {
		n++
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		if !ok || strings.Trim(key, `"'`) != "npmRegistryServer" || value == "" {
			continue
		}
		if i := strings.Index(value, " #"); i >= 0 {
			value = strings.TrimSpace(value[:i])
		}
		r.add(r.expand(strings.Trim(value, `"'`)), r.at(name, n, "npmRegistryServer"))
	}
}

// bunRegistries reads the user's bunfig (https://bun.sh/docs/runtime/bunfig) and
// npm's files.
func bunRegistries(env Env) found {
	r := registries{env: env, tool: "bun"}
	r.npm()
	r.variable("BUN_CONFIG_REGISTRY")
	for _, name := range []string{path.Join(env.Home, ".bunfig.toml"), path.Join(env.config(), ".bunfig.toml")} {
		for _, s := range tomlStrings(r.read(name)) {
			if s.matches("install", "registry") || s.matches("install", "registry", "url") ||
				s.matches("install", "scopes", "*") && strings.Contains(s.value, "://") || s.matches("install", "scopes", "*", "url") {
				r.add(r.expand(s.value), r.at(name, s.line, strings.Join(s.key, ".")))
			}
		}
	}
	return r.found
}
