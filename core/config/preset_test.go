package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/srt-sh/srt/core/policy"
)

// onePreset chooses a preset whatever the rules say.
func onePreset(name, text string) func([]Command) (*Preset, error) {
	return func([]Command) (*Preset, error) {
		return &Preset{Files: []policy.PresetFile{{Shown: "preset " + name, TOML: []byte(text)}}}, nil
	}
}

// loadPreset loads an embedded preset by its file: the packages of core do not
// know each other.
func loadPreset(t *testing.T, name string) (*Config, *policy.Policy) {
	t.Helper()
	p := &Preset{Domains: []policy.Rule{{Text: "npm.corp.example:443"}}}
	var add func(string)
	add = func(name string) {
		data, err := os.ReadFile("../preset/presets/" + name + ".toml")
		if err != nil {
			t.Fatal(err)
		}
		var doc struct{ Preset struct{ Extends []string } }
		if err := toml.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		for _, part := range doc.Preset.Extends {
			add(part)
		}
		p.Files = append(p.Files, policy.PresetFile{Shown: "preset " + name, TOML: data})
	}
	add(name)
	c, err := Load(Options{
		Home: "/home/u", Dir: "/home/u/p", Preset: func([]Command) (*Preset, error) { return p, nil },
		ManagedPath: "/nonexistent/config.toml", GOOS: "linux",
	})
	if err != nil {
		t.Fatal(err)
	}
	pol, err := c.Policy()
	if err != nil {
		t.Fatal(err)
	}
	return c, pol
}

func TestPresetsLoad(t *testing.T) {
	found, err := filepath.Glob("../preset/presets/*.toml")
	if err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
	for _, name := range found {
		if _, pol := loadPreset(t, strings.TrimSuffix(filepath.Base(name), ".toml")); !pol.Host("npm.corp.example", 443).Allow {
			t.Errorf("%s: a host that was added is not allowed", name)
		}
	}
}

func TestPresetNPM(t *testing.T) {
	c, pol := loadPreset(t, "npm")
	for host, want := range map[string]bool{"a.npmjs.org": true, "npmjs.org": false, "evilnpmjs.org": false, "example.com": false} {
		if pol.Host(host, 443).Allow != want {
			t.Errorf("%s is not %v", host, want)
		}
	}
	if pol.Host("a.npmjs.org", 22).Allow {
		t.Error("a registry is reachable on any port")
	}
	for p, want := range map[string]bool{
		"/home/u/p/node_modules/x": true, "/home/u/.npm/_cacache/x": true, "/home/u/.npm/_npx/1/node_modules/y/.git/hooks/z": true,
		"/home/u/.npmrc": false, "/home/u/x": false, "/home/u/p/.git/hooks/x": false, "/home/u/.bashrc": false, "/usr/lib/node_modules/x": false,
	} {
		if d := pol.Write(p); d.Allow != want {
			t.Errorf("Write(%q) = %+v", p, d)
		}
	}
	for p, want := range map[string]bool{"/home/u/.npmrc": true, "/home/u/.ssh/id": false, "/home/u/.aws/credentials": false, "/home/u/.yarnrc": false} {
		if pol.Read(p).Allow != want {
			t.Errorf("Read(%q) is not %v", p, want)
		}
	}
	_, dropped := c.Env([]string{"PATH=x", "NPM_TOKEN=1", "NODE_AUTH_TOKEN=1", "AWS_SECRET_ACCESS_KEY=1", "GITHUB_TOKEN=1", "npm_config_registry=x"})
	if !slices.Equal(dropped, []string{"AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN"}) {
		t.Errorf("dropped %q", dropped)
	}
}

func TestPresetDefault(t *testing.T) {
	_, pol := loadPreset(t, "default")
	if pol.Host("a.npmjs.org", 443).Allow || pol.Write("/home/u/p/x").Allow || pol.Read("/home/u/.ssh/id").Allow || !pol.Read("/usr/bin/env").Allow {
		t.Error("the default preset is not the default policy")
	}
}

// The rules about presets are known before the preset is, and those of the machine
// come first.
func TestCommandRules(t *testing.T) {
	h := newHost(t)
	h.user("[[command]]\nmatch = ['a *', 'b']\npreset = 'user'\n")
	h.opts.ManagedPath = filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(h.opts.ManagedPath, []byte("[[command]]\nmatch = ['c']\npreset = 'none'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got []string
	h.opts.Preset = func(rules []Command) (*Preset, error) {
		for _, r := range rules {
			for _, m := range r.Match {
				got = append(got, r.Preset+" "+m.String())
			}
		}
		return nil, nil
	}
	h.load()
	want := []string{"none c (" + h.opts.ManagedPath + ":2)", "user a * (~/.config/srt/config.toml:2)", "user b (~/.config/srt/config.toml:2)"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestOwnPreset(t *testing.T) {
	h := newHost(t)
	file := func(text string) func([]Command) (*Preset, error) {
		return func([]Command) (*Preset, error) {
			return &Preset{
				Files: []policy.PresetFile{{Shown: "~/x.toml", TOML: []byte(text), Own: true}},
				Paths: []policy.PathEntry{{Kind: policy.AllowWrite, Literal: true, Rule: policy.Rule{Text: "/srv/venv", Origin: policy.Origin{Layer: policy.LayerPreset, Key: "V"}}}},
			}, nil
		}
	}
	for text, want := range map[string]string{
		"[preset]\n[network]\nallowed = ['x']":             "~/x.toml:3: network.allowed: unknown key",
		"[preset]\n[[command]]\nmatch=['x']\npreset='npm'": "~/x.toml:2: command: a preset has no rules about presets",
	} {
		h.opts.Preset = file(text)
		if _, err := Load(h.opts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	h.opts.Preset = file("[preset]\n[network]\nallowed_domains = ['x.example']")
	_, pol := h.load()
	if d := pol.Host("x.example", 1); !d.Allow || d.Rule.Origin.String() != "~/x.toml:3" {
		t.Errorf("%+v", d)
	}
	if d := pol.Write("/srv/venv/lib/x"); !d.Allow || d.Rule.Origin.String() != "$V" {
		t.Errorf("%+v", d)
	}
	if pol.Write(h.opts.Home + "/.config/srt/presets/evil.toml").Allow {
		t.Error("a command may write presets")
	}
}

// What the presets of tools have in common: the project is writable but for what is
// protected, programs that run later are not, credentials and secrets stay away.
func TestPresetsOfTools(t *testing.T) {
	for name, want := range map[string]struct{ host, cache string }{
		"npm": {"x.npmjs.org", "~/.npm"}, "pnpm": {"x.npmjs.org", "~/.local/share/pnpm/store"}, "yarn": {"x.yarnpkg.com", "~/.yarn/berry"}, "bun": {"x.npmjs.org", "~/.bun/install/cache"},
		"node-gyp": {"nodejs.org", "~/.cache/node-gyp"}, "pip": {"x.pythonhosted.org", "~/.cache/pip"}, "uv": {"x.pythonhosted.org", "~/.cache/uv"},
		"poetry": {"x.pythonhosted.org", "~/.cache/pypoetry"}, "pdm": {"x.pythonhosted.org", "~/.cache/pdm"}, "cargo": {"x.crates.io", "~/.cargo/registry"},
		"go": {"x.golang.org", "~/go/pkg"}, "gem": {"x.rubygems.org", "~/.local/share/gem/ruby"}, "composer": {"x.packagist.org", "~/.cache/composer"}, "make": {"", "~/.cache/ccache"},
	} {
		c, pol := loadPreset(t, name)
		if want.host != "" && !pol.Host(want.host, 443).Allow || pol.Host("example.com", 443).Allow || pol.Host("x.npmjs.org", 22).Allow {
			t.Errorf("%s: hosts", name)
		}
		for p, allow := range map[string]bool{
			"/home/u/p/x": true, strings.Replace(want.cache, "~", "/home/u", 1) + "/x": true,
			"/home/u/p/.git/hooks/x": false, "/home/u/.bashrc": false, "/home/u/.local/bin/x": false, "/home/u/.cargo/bin/x": false, "/home/u/.cargo/config.toml": false, "/home/u/go/bin/x": false,
			"/home/u/.config/go/env": false, "/home/u/.config/pip/pip.conf": false, "/home/u/.npmrc": false, "/home/u/.bun/bin/x": false, "/home/u/.local/share/pnpm/x": false,
			"/home/u/.local/lib/python3.12/site-packages/x.pth": false, "/home/u/.gem/credentials": false, "/home/u/x": false, "/usr/lib/x": false,
		} {
			if pol.Write(p).Allow != allow {
				t.Errorf("%s: Write(%q) is not %v", name, p, allow)
			}
		}
		for _, p := range []string{"/home/u/.ssh/id", "/home/u/.aws/credentials", "/home/u/.pypirc", "/home/u/.gem/credentials", "/home/u/.netrc"} {
			if pol.Read(p).Allow {
				t.Errorf("%s: reads %s", name, p)
			}
		}
		_, dropped := c.Env([]string{"PATH=x", "AWS_SECRET_ACCESS_KEY=1", "GITHUB_TOKEN=1", "TWINE_PASSWORD=1", "SSH_AUTH_SOCK=1"})
		if len(dropped) != 4 {
			t.Errorf("%s: dropped %q", name, dropped)
		}
	}
	c, pol := loadPreset(t, "script")
	if pol.Write("/home/u/p/x").Allow || pol.Host("x.npmjs.org", 443).Allow || c.EnvDenied("GITHUB_TOKEN") == nil {
		t.Error("a script from elsewhere may do something")
	}
	if c, _ := loadPreset(t, "pip"); c.EnvDenied("NPM_TOKEN") == nil {
		t.Error("pip sees npm's token")
	}
}
