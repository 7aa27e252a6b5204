package preset

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/srt-sh/srt/core/policy"
)

func TestMatchCommand(t *testing.T) {
	for _, c := range []struct {
		pattern string
		argv    []string
		want    bool
	}{
		{"npm", []string{"npm"}, true},
		{"npm", []string{"/usr/bin/npm"}, true},
		{"npm", []string{"npm", "install"}, false},
		{"npm", []string{"npmx"}, false},
		{"npm *", []string{"npm", "install"}, true},
		{"npm *", []string{"npm", "run", "a b", "-x"}, true},
		{"npm *", []string{"npm"}, true},
		{"npm *", []string{"pnpm", "install"}, false},
		{"npm run *", []string{"npm", "install"}, false},
		{"npm run *", []string{"npm", "run", "x"}, true},
		{"npm * --prod", []string{"npm", "ci", "--prod"}, true},
		{"npm * --prod", []string{"npm", "ci", "x", "--prod"}, false},
		{"npm run 'a b'", []string{"npm", "run", "a b"}, true},
		{"npm run build:*", []string{"npm", "run", "build:x/y"}, true},
		{"python3.*", []string{"/usr/bin/python3.12"}, true},
		{"a?b[c]", []string{"a?b[c]"}, true},
		{"a?b*", []string{"axb1"}, false},
		{"./configure *", []string{"./configure", "--prefix=/x"}, true},
		{"./configure *", []string{"/w/configure"}, false},
		{"**/configure", []string{"/w/configure"}, true},
		{"*", []string{"x"}, true},
		{"*", []string{"x", "y"}, false},
		{"npm '", []string{"npm"}, false},
		{"npm ; rm *", []string{"npm"}, false},
		{"", []string{"npm"}, false},
		{"a{b,,c} x", []string{"abc", "x"}, false},
		{"p{,3,3.*} -m {x,y} *", []string{"/usr/bin/p3.1", "-m", "y"}, true},
		{"p{,3,3.*} -m {x,y} *", []string{"p", "-m", "x", "z"}, true},
		{"p{,3,3.*} -m {x,y} *", []string{"p2", "-m", "x"}, false},
		{"find -exec {}", []string{"find", "-exec", "{}"}, true},
		{"{a,b}{c,d}", []string{"ac"}, false},
		{"{a,b", []string{"{a,b"}, true},
		{"{/x/y,z}", []string{"/x/y"}, true},
		{"npm", nil, false},
		{"npm", []string{""}, false},
	} {
		if got := MatchCommand(c.pattern, c.argv); got != c.want {
			t.Errorf("MatchCommand(%q, %q) = %v", c.pattern, c.argv, got)
		}
	}
}

// builtIn is the presets of a user who has none.
func builtIn(t *testing.T) *Set {
	t.Helper()
	s, err := Open(Env{Home: "/home/u", Dir: "/home/u/p"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMatch(t *testing.T) {
	set := builtIn(t)
	for line, name := range map[string]string{
		"npm": "npm", "/opt/node/bin/npm ci": "npm", "npx cowsay x": "npm", "npmx i": "", "npm-check": "", "node x.js": "",
		"pnpm i": "pnpm", "pnpx x": "pnpm", "yarn": "yarn", "yarn add x": "yarn", "bun i": "bun", "bunx x": "bun", "bundler2": "",
		"node-gyp rebuild": "node-gyp",
		"pip install .":    "pip", "pip": "pip", "pip3 list": "pip", "pip3.12 list": "pip", "pipx run x": "pip", "pipenv x": "", "pip2 x": "",
		"python -m pip": "pip", "python3 -m pip install x": "pip", "python3.12 -m build": "pip", "python -I -m pip list": "pip", "python -mpip": "pip",
		"python -B -s -m pip list": "pip", "python -W ignore -m pip list": "pip", "python -X dev -m build": "pip",
		"python3 -u ./setup.py build": "pip", "python3 /src/app/setup.py build": "pip", "python -W ignore x.py": "",
		"python -m venv .venv": "pip", "python3 setup.py build": "pip", "/usr/bin/python3 -m pip x": "pip",
		"python": "", "python -m http.server": "", "python x.py -m pip": "", "python -c 1": "", "python3 -m": "", "pythonx -m pip": "", "python2 -m pip": "",
		"python -m pipx run x": "pip", "python -m pip_audit": "", "python setup.pyc": "", "ipython -m pip": "",
		"uv sync": "uv", "uvx ruff": "uv", "uvicorn app": "", "python -m uv sync": "uv",
		"poetry install": "poetry", "python3 -m poetry x": "poetry", "pdm install": "pdm", "python -m pdm x": "pdm",
		"cargo": "cargo", "cargo build": "cargo", "cargo +nightly test": "cargo", "cargo-watch": "", "rustc x.rs": "",
		"go build ./...": "go", "go build": "go", "go test -run X": "go", "go run .": "go", "go generate": "go", "go install x@latest": "go", "go mod tidy": "go",
		"go -C sub build": "go", "go -C build version": "", "go version": "", "go env": "", "go": "", "go help build": "", "go fmt": "", "gofmt": "", "go -C sub env": "",
		"gem install x": "gem", "bundle": "gem", "bundle install": "gem", "bundler exec x": "gem",
		"composer install": "composer", "php composer.phar install": "composer", "php x.php": "",
		"make": "make", "make -C x": "make", "gmake all": "make", "makepkg": "", "cmake -B b": "make", "ctest": "make", "ninja -C b": "make", "just x": "make", "justfile": "",
		"./configure": "make", "./configure --prefix=/x": "make", "../src/configure": "make", "/w/configure x": "make", "configure": "", "./configure.sh": "", "./reconfigure": "",
		"sh configure": "make", "bash ./configure --x": "make", "sh x.sh": "", "sh -c configure": "",
		"script": "", "default": "", "base": "", "": "",
	} {
		argv := strings.Fields(line)
		p, rule := set.Match(argv)
		switch {
		case p == nil && (name != "" || rule != ""):
			t.Errorf("%q matches nothing, %q", line, rule)
		case p != nil && (p.Name != name || !slices.Contains(p.Match, rule)):
			t.Errorf("%q matches %s by %q", line, p.Name, rule)
		}
	}
}

// The index and the files say the same. That they load is a test of config.
func TestFiles(t *testing.T) {
	found, err := fs.Glob(files, "presets/*.toml")
	list := builtIn(t).List()
	if err != nil || len(found) != len(list) {
		t.Fatalf("%d files, %d presets, %v", len(found), len(list), err)
	}
	for _, p := range list {
		q, err := parse(p.TOML(), p.Name, p.Name)
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		if q.Description != p.Description || !slices.Equal(q.Match, p.Match) || !slices.Equal(q.Extends, p.Extends) {
			t.Errorf("%s: the index says %q %q %q, the file %q %q %q", p.Name, p.Description, p.Match, p.Extends, q.Description, q.Match, q.Extends)
		}
		// Nothing that a shell could run has the scrubbed environment by chance.
		if len(p.Match) > 0 && !slices.Contains(p.Extends, "base") {
			t.Errorf("%s does not extend base", p.Name)
		}
		if _, _, err := builtIn(t).Config(&p); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}

func TestGet(t *testing.T) {
	set := builtIn(t)
	if p, err := set.Get("npm"); err != nil || p.Name != "npm" {
		t.Errorf("%v, %v", p, err)
	}
	if _, err := set.Get("nmp"); err == nil || err.Error() != `no preset "nmp"; did you mean npm?` {
		t.Errorf("%v", err)
	}
	if _, err := set.Get("something-else"); err == nil || !strings.Contains(err.Error(), "there are default base npm pnpm") {
		t.Errorf("%v", err)
	}
}

// world is a user with files.
func world(files map[string]string, vars map[string]string) Env {
	return Env{
		Home: "/home/u", Dir: "/home/u/p", Getenv: func(k string) string { return vars[k] },
		ReadFile: func(name string) ([]byte, error) {
			if s, ok := files[name]; ok {
				return []byte(s), nil
			}
			return nil, fs.ErrNotExist
		},
		ReadDir: func(dir string) ([]string, error) {
			var names []string
			for name := range files {
				if path.Dir(name) == dir {
					names = append(names, path.Base(name))
				}
			}
			if names == nil {
				return nil, fs.ErrNotExist
			}
			return names, nil
		},
	}
}

const own = "/home/u/.config/srt/presets/"

func TestUserPresets(t *testing.T) {
	files := map[string]string{
		own + "mine.toml":   "[preset]\ndescription = \"d\"\nmatch = [\"tool *\"]\nextends = [\"go\", \"make\"]\n[network]\nallowed_domains = [\"x.example\"]\n",
		own + "npm.toml":    "[preset]\nmatch = [\"npm ci\"]\nextends = [\"npm\"]\n",
		own + "README.md":   "not one",
		own + ".#npm.toml":  "nor this",
		own + "second.toml": "[preset]\nextends = [\"npm\"]\n",
	}
	set, err := Open(world(files, nil))
	if err != nil {
		t.Fatal(err)
	}
	shown := func(name string) (out []string) {
		p, err := set.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := set.Config(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range c.Files {
			out = append(out, f.Shown)
		}
		return out
	}
	for name, want := range map[string]string{
		"mine":   "preset base,preset go,preset make,~/.config/srt/presets/mine.toml",
		"npm":    "preset base,preset node-gyp,preset npm,~/.config/srt/presets/npm.toml",
		"second": "preset base,preset node-gyp,preset npm,~/.config/srt/presets/npm.toml,~/.config/srt/presets/second.toml",
		"pnpm":   "preset base,preset node-gyp,preset pnpm",
	} {
		if got := strings.Join(shown(name), ","); got != want {
			t.Errorf("%s is made of %s", name, got)
		}
	}
	for line, want := range map[string]string{"tool x": "mine", "npm ci": "npm", "npm i": "", "go build": "go"} {
		name := ""
		if p, _ := set.Match(strings.Fields(line)); p != nil {
			name = p.Name
		}
		if name != want {
			t.Errorf("%q: %q", line, name)
		}
	}
	if list := set.List(); list[0].Name != "mine" || !list[1].Replaces || len(list) != len(index())+2 {
		t.Errorf("%d presets, %+v", len(list), list[:2])
	}
}

func TestUserPresetFaults(t *testing.T) {
	for text, want := range map[string]string{
		"":                                             "x.toml: it has no [preset] table, which says what it is for",
		"[preset]":                                     "",
		"[network]":                                    "x.toml: it has no [preset] table, which says what it is for",
		"[preset]\n\nmatches = []":                     "x.toml:3: preset.matches: unknown key; did you mean match?",
		"[preset]\nmatch = \"npm\"":                    "x.toml:2: preset.match: ",
		"[preset]\nmatch = [\"npm\", \"a ; b\"]":       "x.toml:2: preset.match: \"a ; b\": expected",
		"[preset]\nextends = [\"bse\"]":                "x.toml:2: preset.extends: no preset \"bse\"; did you mean base?",
		"[preset]\nextends = [\"x\"]":                  "x.toml:2: preset.extends: the presets extend each other: x, x",
		"[preset]\nextends = [\"y\"]":                  "x.toml:2: preset.extends: the presets extend each other: x, y, x",
		"[preset]\nextends = [\"l0\"]":                 "preset.extends: more than 8 presets extend each other",
		"[preset]\ndescription = \"a\\u001bb\"":        "x.toml:2: preset.description: it is one line",
		"[preset\n":                                    "x.toml:1: ",
		"[preset]\nmatch = []\n[network]\nunknown = 1": "", // core/config says so
	} {
		files := map[string]string{own + "x.toml": text}
		if strings.Contains(text, `"y"`) {
			files[own+"y.toml"] = "[preset]\nextends = [\"x\"]"
		}
		if strings.Contains(text, `"l0"`) {
			for i := range 8 {
				files[own+"l"+strconv.Itoa(i)+".toml"] = "[preset]\nextends = [\"l" + strconv.Itoa(i+1) + "\"]"
			}
			files[own+"l8.toml"] = "[preset]"
		}
		_, err := Open(world(files, nil))
		if err == nil && want != "" || err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	for _, name := range []string{"none", "Upper", "a b", "-x"} {
		if _, err := Open(world(map[string]string{own + name + ".toml": "[preset]"}, nil)); err == nil {
			t.Errorf("%s is the name of a preset", name)
		}
	}
}

// What is built in never has a file of the user in it.
func TestBuiltInStays(t *testing.T) {
	set, err := Open(world(map[string]string{own + "base.toml": "[preset]\n"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	p, err := set.Get("cargo")
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := set.Config(p)
	if err != nil || c.Files[0].Shown != "preset base" || c.Files[0].Own {
		t.Errorf("%v, %v", c, err)
	}
}

// what is how a preset is widened in a world.
func what(t *testing.T, name string, env Env) []string {
	t.Helper()
	set, err := Open(env)
	if err != nil {
		t.Fatal(err)
	}
	p, err := set.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := set.Config(p)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, r := range c.Domains {
		out = append(out, r.Text+" "+r.Origin.String())
	}
	for _, e := range c.Paths {
		out = append(out, e.Rule.Text+" "+e.Rule.Origin.String())
	}
	return out
}

func TestRegistries(t *testing.T) {
	project := map[string]string{ // the project's, which count for nothing
		"/home/u/p/.npmrc": "registry=https://evil.example", "/home/u/p/.yarnrc.yml": "npmRegistryServer: https://evil.example", "/home/u/p/bunfig.toml": "[install]\nregistry='https://evil.example'",
		"/home/u/p/pip.conf": "[global]\nindex-url=https://evil.example", "/home/u/p/uv.toml": "index-url='https://evil.example'", "/home/u/p/.cargo/config.toml": "[registries.a]\nindex='https://evil.example'",
		"/home/u/p/env": "GOPROXY=https://evil.example", "/home/u/p/v/pyvenv.cfg": "",
	}
	for _, c := range []struct {
		name  string
		files map[string]string
		vars  map[string]string
		want  []string
	}{
		{"pip", nil, nil, nil},
		{
			"pip",
			map[string]string{
				"/etc/pip.conf": "[global]\nindex_url = https://a.example/simple\n", "/home/u/.config/pip/pip.conf": "# c\n[install]\nExtra-Index-Url =\n    https://u:pw@b.example:8443/x\n    https://c.example\n[list]\nindex-url=https://no.example\n[global]\nfind-links = /srv/x https://d.example/\ntimeout: 3\n",
			},
			map[string]string{"PIP_EXTRA_INDEX_URL": "https://e.example http://f.example", "PIP_CACHE_DIR": "/srv/cache/pip"},
			[]string{"e.example:443 $PIP_EXTRA_INDEX_URL", "f.example:80 $PIP_EXTRA_INDEX_URL", "a.example:443 /etc/pip.conf:2", "b.example:8443 ~/.config/pip/pip.conf:4", "c.example:443 ~/.config/pip/pip.conf:5", "d.example:443 ~/.config/pip/pip.conf:9", "/srv/cache/pip $PIP_CACHE_DIR"},
		},
		{"pip", nil, map[string]string{"PIP_CONFIG_FILE": "/home/u/p/pip.conf", "VIRTUAL_ENV": "/home/u/p/v"}, nil},
		{"pip", map[string]string{"/home/u/venvs/x/pyvenv.cfg": "home = /usr"}, map[string]string{"VIRTUAL_ENV": "/home/u/venvs/x/"}, []string{"/home/u/venvs/x $VIRTUAL_ENV"}},
		{"pip", map[string]string{"/home/u/pyvenv.cfg": "", "/pyvenv.cfg": ""}, map[string]string{"VIRTUAL_ENV": "/home/u", "PIP_CACHE_DIR": "/"}, nil},
		{"uv", nil, map[string]string{"VIRTUAL_ENV": "/home/u/venvs/none", "UV_CACHE_DIR": "cache", "UV_CONFIG_FILE": "uv.toml"}, nil},
		{
			"uv",
			map[string]string{"/home/u/.config/uv/uv.toml": "extra-index-url = [\n'https://a.example',\n'https://b.example']\n[pip]\nindex-url = \"https://c.example\"\n[[index]]\nname = 'x'\nurl = 'https://d.example/simple'\n[other]\nurl = 'https://no.example'\n"},
			map[string]string{"UV_INDEX": "corp=https://e.example https://f.example/a=b"},
			[]string{"e.example:443 $UV_INDEX", "f.example:443 $UV_INDEX", "a.example:443 ~/.config/uv/uv.toml:1", "b.example:443 ~/.config/uv/uv.toml:1", "c.example:443 ~/.config/uv/uv.toml:5", "d.example:443 ~/.config/uv/uv.toml:8"},
		},
		{"go", nil, map[string]string{"GOPROXY": "off", "GOENV": "/home/u/p/env"}, nil},
		{
			"go",
			map[string]string{"/home/u/.config/go/env": "GOPROXY=https://no.example\nGOSUMDB=sum.x.example https://b.example/sum\nGOCACHE=/srv/gocache\n"},
			map[string]string{"GOPROXY": "http://a.example:8080|https://c.example,direct", "GOPATH": "/srv/gopath:/x"},
			[]string{"a.example:8080 $GOPROXY", "c.example:443 $GOPROXY", "b.example:443 ~/.config/go/env:2", "/srv/gopath/pkg $GOPATH", "/srv/gocache ~/.config/go/env:3"},
		},
		{"go", map[string]string{"/home/u/.config/go/env": "GOPROXY=https://no.example\n"}, map[string]string{"GOENV": "off"}, nil},
		{
			"cargo",
			map[string]string{"/srv/cargo/config.toml": "[registries]\ncorp = { index = \"sparse+https://a.example/index/\" }\n[source.crates-io]\nreplace-with = 'm'\n[source.m]\nregistry = 'https://b.example:81/'\n[source.l]\nlocal-registry = '/x'\n"},
			map[string]string{"CARGO_HOME": "/srv/cargo"},
			[]string{"a.example:443 /srv/cargo/config.toml:2", "b.example:81 /srv/cargo/config.toml:6", "/srv/cargo/registry $CARGO_HOME", "/srv/cargo/git $CARGO_HOME"},
		},
		{"cargo", map[string]string{"/home/u/.cargo/config.toml": "[registries.a]\nindex = 'https://a.example'\n[broken\n"}, nil, []string{"a.example:443 ~/.cargo/config.toml:2"}},
		{
			"yarn",
			map[string]string{
				"/home/u/.yarnrc": "# c\nregistry \"https://a.example\"\n\"@x:registry\" \"https://b.example\"\nlastUpdateCheck 1\n", "/home/u/.npmrc": "registry=https://d.example\n",
				"/home/u/.yarnrc.yml": "npmScopes:\n  corp:\n    npmRegistryServer: \"https://c.example\" # c\nyarnPath: x\n",
			},
			nil,
			[]string{"d.example:443 ~/.npmrc:1", "a.example:443 ~/.yarnrc:2", "b.example:443 ~/.yarnrc:3", "c.example:443 ~/.yarnrc.yml:3"},
		},
		{"yarn", nil, map[string]string{"npm_execpath": "/x", "YARN_REGISTRY": "https://no.example"}, nil},
		{"pnpm", map[string]string{"/home/u/.config/pnpm/rc": "registry=https://a.example\n"}, map[string]string{"npm_config_registry": "https://b.example"}, []string{"b.example:443 $npm_config_registry", "a.example:443 ~/.config/pnpm/rc:1"}},
		{
			"bun",
			map[string]string{"/home/u/.bunfig.toml": "[install]\nregistry = { url = 'https://a.example', token = 'https://no.example' }\n[install.scopes]\nx = 'https://b.example/'\ny = { url = 'https://c.example', token = '$T' }\n"},
			nil,
			[]string{"a.example:443 ~/.bunfig.toml:2", "b.example:443 ~/.bunfig.toml:4", "c.example:443 ~/.bunfig.toml:5"},
		},
	} {
		files := maps.Clone(project)
		maps.Copy(files, c.files)
		if got := what(t, c.name, world(files, c.vars)); !slices.Equal(got, c.want) {
			t.Errorf("%s with %v and %v:\n got %q\nwant %q", c.name, c.files, c.vars, got, c.want)
		}
	}
}

// A fault in the user's settings is told without the password in it.
func TestRegistryNotes(t *testing.T) {
	r := registries{env: Env{Home: "/home/u"}, tool: "x"}
	r.add("https://user:secret@host name/", fromVariable("V"))
	r.add("https://user:secret@nexus/", fromVariable("V"))
	if text := strings.Join(r.notes, "\n"); len(r.notes) != 2 || strings.Contains(text, "secret") {
		t.Errorf("%q", text)
	}
}

func TestNPMRegistries(t *testing.T) {
	vars := map[string]string{}
	rc := map[string]string{}
	env := Env{
		Home: "/home/u", Dir: "/home/u/p", Getenv: func(k string) string { return vars[k] },
		ReadFile: func(name string) ([]byte, error) {
			if s, ok := rc[name]; ok {
				return []byte(s), nil
			}
			return nil, fs.ErrNotExist
		},
	}
	hosts := func() []string {
		return what(t, "npm", env)
	}
	check := func(what string, want ...string) {
		t.Helper()
		if got := hosts(); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	check("nothing")
	rc[".npmrc"] = "registry=https://relative.example/\n"
	homeless := env
	homeless.Home = ""
	if rules := npmRegistries(homeless).domains; len(rules) != 0 {
		t.Errorf("without a home the project's file is read: %v", rules)
	}
	rc["/home/u/p/.npmrc"] = "registry=https://evil.example/\n"
	check("the project's file")
	rc["/home/u/.npmrc"] = "; c\n# d\n\nregistry = https://npm.corp.example/a/b ; c\n@corp:registry=\"http://pkg.corp.example:8081/\"\n" +
		"//npm.corp.example/:_authToken=${TOKEN}\nregistry.x=https://no.example\n@x:registry=https://${HOST}/\n@y:registry=https://npm.corp.example\n[x]\nregistry=https://section.example\n"
	vars["HOST"] = "expanded.example"
	check("the user's file", "npm.corp.example:443 ~/.npmrc:4", "pkg.corp.example:8081 ~/.npmrc:5", "expanded.example:443 ~/.npmrc:8")
	vars["NPM_CONFIG_USERCONFIG"] = "/etc/my.npmrc"
	rc["/etc/my.npmrc"] = "registry=http://[2001:db8::1]:4873/\n"
	check("userconfig", "[2001:db8::1]:4873 /etc/my.npmrc:1")
	vars["NPM_CONFIG_USERCONFIG"] = "/home/u/p/sub/.npmrc"
	rc["/home/u/p/sub/.npmrc"] = "registry=https://evil.example/\n"
	delete(rc, "/home/u/.npmrc")
	check("a userconfig in the project")
	rc["/usr/local/etc/npmrc"] = "registry=https://global.example/\n"
	check("the global file", "global.example:443 /usr/local/etc/npmrc:1")
	vars["npm_config_registry"] = "https://user:pw@env.example/"
	check("the environment", "env.example:443 $npm_config_registry", "global.example:443 /usr/local/etc/npmrc:1")
	vars["npm_execpath"] = "/x/npm-cli.js" // inside of npm, where a project's settings are in the environment
	check("npm's own environment", "global.example:443 /usr/local/etc/npmrc:1")

	rc["/home/u/.npmrc"] = "registry=http://nexus:8081/\n@a:registry=::\n@b:registry=file:///x\n@c:registry=https://a%41b/\n@d:registry=https://*.com/\nregistry\n"
	notes := npmRegistries(env).notes
	if len(notes) < 3 || !strings.HasPrefix(notes[0], "~/.npmrc:1: registry: ") {
		t.Errorf("notes: %q", notes)
	}
}

func FuzzMatchCommand(f *testing.F) {
	f.Add("npm *", "npm", "install")
	f.Add("'a b' c*", "a b", "cx")
	f.Fuzz(func(t *testing.T, pattern, arg0, arg1 string) {
		got := MatchCommand(pattern, []string{arg0, arg1})
		if got && MatchCommand(pattern, nil) {
			t.Errorf("%q matches no command", pattern)
		}
	})
}

func FuzzNPMRC(f *testing.F) {
	f.Add("registry=https://a.example/\n@x:registry='http://b.example:80'")
	f.Add("registry=${A}${")
	f.Fuzz(func(t *testing.T, text string) {
		env := Env{Home: "/h", Dir: "/p", ReadFile: func(string) ([]byte, error) { return []byte(text), nil }}
		for _, r := range npmRegistries(env).domains {
			if _, err := policy.ParseDomain(r.Text, false); err != nil || r.Origin.Line < 1 || !strings.Contains(r.Text, ":") || strings.HasPrefix(r.Text, "*") {
				t.Errorf("%q gives %+v, %v", text, r, err)
			}
		}
	})
}

// Whatever the files of tools hold, what is added is a host at a port, and every
// rule has a place.
func FuzzToolFiles(f *testing.F) {
	f.Add("[global]\nindex-url = https://a.example\n  https://b.example:80")
	f.Add("[[index]]\nurl = 'https://a.example'\n[registries.x]\nindex=\"sparse+http://b.example\"\n[install]\nregistry={url='https://c.example'}")
	f.Add("npmRegistryServer: 'https://a.example' # c\nregistry \"https://b.example\"")
	f.Add("GOPROXY=https://a.example|http://b.example:1,direct\nGOCACHE=/x/y")
	f.Fuzz(func(t *testing.T, text string) {
		env := Env{Home: "/h/u", Dir: "/p", ReadFile: func(string) ([]byte, error) { return []byte(text), nil }}
		for _, discover := range []func(Env) found{pnpmRegistries, yarnRegistries, bunRegistries, pipIndexes, uvIndexes, cargoRegistries, goProxies} {
			add := discover(env)
			for _, r := range add.domains {
				if _, err := policy.ParseDomain(r.Text, false); err != nil || r.Origin.Line < 1 || !strings.Contains(r.Text, ":") || strings.HasPrefix(r.Text, "*") {
					t.Errorf("%q gives %+v, %v", text, r, err)
				}
			}
			for _, e := range add.paths {
				if p := e.Rule.Text; !path.IsAbs(p) || inside("/h/u", p) || p == "/" || e.Rule.Origin.Line < 1 {
					t.Errorf("%q opens %+v", text, e)
				}
			}
		}
	})
}

func FuzzUserPreset(f *testing.F) {
	f.Add("[preset]\nmatch = [\"a *\"]\nextends = [\"base\"]\n[network]\nx = 1")
	f.Add("preset = 1")
	f.Add("[preset]\n[preset.x]")
	f.Fuzz(func(t *testing.T, text string) {
		set, err := Open(world(map[string]string{own + "x.toml": text}, nil))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "~/.config/srt/presets/x.toml") {
				t.Errorf("%q: %v names no file", text, err)
			}
			return
		}
		p, err := set.Get("x")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := set.Config(p); err != nil {
			t.Errorf("%q: %v only when it is used", text, err)
		}
	})
}
