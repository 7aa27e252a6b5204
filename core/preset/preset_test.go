package preset

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

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
		{"npm", nil, false},
		{"npm", []string{""}, false},
	} {
		if got := MatchCommand(c.pattern, c.argv); got != c.want {
			t.Errorf("MatchCommand(%q, %q) = %v", c.pattern, c.argv, got)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		argv []string
		name string
	}{
		{[]string{"npm"}, "npm"},
		{[]string{"/opt/node/bin/npm", "ci"}, "npm"},
		{[]string{"npx", "cowsay", "x"}, "npm"},
		{[]string{"pnpm", "i"}, ""},
		{[]string{"make"}, ""},
		{nil, ""},
	} {
		p, rule := Match(c.argv)
		switch {
		case p == nil && (c.name != "" || rule != ""):
			t.Errorf("%q matches nothing, %q", c.argv, rule)
		case p != nil && (p.Name != c.name || !slices.Contains(p.Match, rule)):
			t.Errorf("%q matches %s by %q", c.argv, p.Name, rule)
		}
	}
}

// The index and the files say the same. That they load is a test of config.
func TestFiles(t *testing.T) {
	found, err := fs.Glob(files, "presets/*.toml")
	if err != nil || len(found) != len(List()) {
		t.Fatalf("%d files, %d presets, %v", len(found), len(List()), err)
	}
	for _, p := range List() {
		var doc struct {
			Preset struct {
				Description string
				Match       []string
			}
		}
		if err := toml.Unmarshal(p.TOML(), &doc); err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		if doc.Preset.Description != p.Description || !slices.Equal(doc.Preset.Match, p.Match) {
			t.Errorf("%s: the index says %q %q, the file %q %q", p.Name, p.Description, p.Match, doc.Preset.Description, doc.Preset.Match)
		}
	}
}

func TestGet(t *testing.T) {
	if p, err := Get("npm"); err != nil || p.Name != "npm" {
		t.Errorf("%v, %v", p, err)
	}
	if _, err := Get("nmp"); err == nil || err.Error() != `no preset "nmp"; did you mean npm?` {
		t.Errorf("%v", err)
	}
	if _, err := Get("something-else"); err == nil || !strings.Contains(err.Error(), "there are [default npm]") {
		t.Errorf("%v", err)
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
		p, err := Get("npm")
		if err != nil {
			t.Fatal(err)
		}
		cp, _ := p.Config(env)
		out := []string{}
		for _, r := range cp.Domains {
			out = append(out, r.Text+" "+r.Origin.String())
		}
		return out
	}
	check := func(what string, want ...string) {
		t.Helper()
		if got := hosts(); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	check("nothing")
	rc[".npmrc"] = "registry=https://relative.example/\n"
	p, err := Get("npm")
	if err != nil {
		t.Fatal(err)
	}
	homeless := env
	homeless.Home = ""
	if cp, _ := p.Config(homeless); len(cp.Domains) != 0 {
		t.Errorf("without a home the project's file is read: %v", cp.Domains)
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
	_, notes := p.Config(env)
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
		rules, _ := npmRegistries(env)
		for _, r := range rules {
			if _, err := policy.ParseDomain(r.Text, false); err != nil || r.Origin.Line < 1 || !strings.Contains(r.Text, ":") || strings.HasPrefix(r.Text, "*") {
				t.Errorf("%q gives %+v, %v", text, r, err)
			}
		}
	})
}
