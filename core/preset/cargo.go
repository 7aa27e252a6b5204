package preset

import (
	"path"
	"strings"
)

// cargoRegistries returns the hosts of the registries, and of the sources in
// place of others, that the user's own configuration of cargo names
// (https://doc.rust-lang.org/cargo/reference/config.html).
func cargoRegistries(env Env) found {
	r := registries{env: env, tool: "cargo"}
	home := path.Join(env.Home, ".cargo")
	if v := env.getenv("CARGO_HOME"); path.IsAbs(v) {
		home = path.Clean(v)
		r.cache(home, fromVariable("CARGO_HOME"), "registry", "git")
	}
	for _, name := range []string{path.Join(home, "config.toml"), path.Join(home, "config")} {
		for _, s := range tomlStrings(r.read(name)) {
			if !s.matches("registries", "*", "index") && !s.matches("source", "*", "registry") {
				continue
			}
			address := strings.TrimPrefix(s.value, "sparse+")
			if strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "https://") {
				r.add(address, r.at(name, s.line, strings.Join(s.key, ".")))
			}
		}
	}
	return r.found
}
