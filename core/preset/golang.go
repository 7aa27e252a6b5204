package preset

import (
	"path"
	"strings"
)

// goProxies returns the hosts of the module proxies and of the sum database that
// the user's environment, or else what go env -w wrote, names, and go's caches
// where they are not the usual ones (https://go.dev/ref/mod#module-proxy).
func goProxies(env Env) found {
	r := registries{env: env, tool: "go"}
	files := []string{path.Join(env.config(), "go/env"), path.Join(env.Home, "Library/Application Support/go/env")}
	if v := env.getenv("GOENV"); v == "off" {
		files = nil
	} else if v != "" {
		files = []string{v}
	}
	for _, name := range []string{"GOPROXY", "GOSUMDB", "GOPATH", "GOMODCACHE", "GOCACHE"} {
		value, o := env.getenv(name), fromVariable(name)
		for _, file := range files {
			if value != "" {
				break // the environment wins
			}
			n := 0
			for line := range strings.Lines(r.read(file)) {
				n++
				if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
					value, o = v, r.at(file, n, name)
				}
			}
		}
		switch name {
		case "GOPROXY", "GOSUMDB":
			for word := range strings.FieldsFuncSeq(value, func(c rune) bool { return c == ',' || c == '|' || c == ' ' }) {
				if strings.HasPrefix(word, "http://") || strings.HasPrefix(word, "https://") {
					r.add(word, o)
				}
			}
		case "GOPATH":
			first, _, _ := strings.Cut(value, ":")
			r.cache(first, o, "pkg")
		default:
			r.cache(value, o)
		}
	}
	return r.found
}
