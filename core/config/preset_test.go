package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/srt-sh/srt/core/policy"
)

// loadPreset loads an embedded preset by its file: the packages of core do not
// know each other.
func loadPreset(t *testing.T, name string) (*Config, *policy.Policy) {
	t.Helper()
	data, err := os.ReadFile("../preset/presets/" + name + ".toml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(Options{
		Home: "/home/u", Dir: "/home/u/p", Preset: &Preset{Name: name, TOML: data, Domains: []policy.Rule{{Text: "npm.corp.example:443"}}},
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
