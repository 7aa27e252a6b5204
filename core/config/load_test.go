package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/srt-sh/srt/core/policy"
)

// host is a home and a project in a temporary directory.
type host struct {
	t    *testing.T
	opts Options
	env  map[string]string
}

func newHost(t *testing.T) *host {
	t.Helper()
	dir := t.TempDir()
	h := &host{t: t, env: map[string]string{}}
	h.opts = Options{
		Home: filepath.Join(dir, "home"), Dir: filepath.Join(dir, "home/p"), ManagedPath: filepath.Join(dir, "etc/srt/config.toml"),
		Getenv: func(k string) string { return h.env[k] }, GOOS: "linux",
	}
	if err := os.MkdirAll(h.opts.Dir, 0o750); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *host) write(name, text string) {
	h.t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) user(text string) {
	h.write(filepath.Join(h.opts.Home, ".config/srt/config.toml"), text)
}

func (h *host) npm(text string)     { h.write(filepath.Join(h.opts.Home, ".srt-settings.json"), text) }
func (h *host) managed(text string) { h.write(h.opts.ManagedPath, text) }

func (h *host) load() (*Config, *policy.Policy) {
	h.t.Helper()
	c, err := Load(h.opts)
	if err != nil {
		h.t.Fatal(err)
	}
	pol, err := c.Policy()
	if err != nil {
		h.t.Fatal(err)
	}
	return c, pol
}

func (h *host) home(p string) string { return filepath.Join(h.opts.Home, p) }

func TestNoFile(t *testing.T) {
	h := newHost(t)
	c, pol := h.load()
	if pol.Host("example.com", 443).Allow || pol.Write(h.home("p/x")).Allow || !pol.Read("/etc/passwd").Allow {
		t.Error("the defaults are not: no network, no write, reads")
	}
	for _, p := range []string{".ssh/id_rsa", ".aws/credentials", ".npmrc"} {
		if d := pol.Read(h.home(p)); d.Allow || d.Rule.Origin.String() != "built-in" {
			t.Errorf("Read(~/%s) = %+v", p, d)
		}
	}
	c.Temp = "/tmp/srt-1"
	if pol, err := c.Policy(); err != nil || !pol.Write("/tmp/srt-1/x").Allow || pol.Write("/tmp/x").Allow {
		t.Errorf("the private TMPDIR: %v", err)
	}
}

func TestLayers(t *testing.T) {
	h := newHost(t)
	h.user("[network]\nallowed_domains = ['user.test']\n\n[filesystem]\nallow_write = ['.']\ndeny_read = ['secret']\n")
	h.opts.Preset = onePreset("tool", "[preset]\nx = 1\n[network]\nallowed_domains = ['preset.test']\n[filesystem]\nallow_git_config = true\n")
	h.env["SRT_ALLOWED_DOMAINS"] = "env.test, *.env.test:443,"
	h.env["SRT_DENIED_DOMAINS"] = "bad.env.test"
	h.env["SRT_ALLOW_WRITE"] = "/env::/env2"
	h.env["SRT_DENY_READ"] = "/hidden"
	h.opts.Flags = Flags{AllowDomain: []string{"flag.test"}, DenyDomain: []string{"user.test:22"}, AllowRead: []string{"secret/ok"}, DenyWrite: []string{"build"}}
	c, pol := h.load()
	for _, d := range []struct {
		host   string
		port   uint16
		allow  bool
		origin string
	}{
		{"user.test", 443, true, "~/.config/srt/config.toml:2"},
		{"preset.test", 443, true, "preset tool:4"},
		{"env.test", 443, true, "$SRT_ALLOWED_DOMAINS"},
		{"a.env.test", 443, true, "$SRT_ALLOWED_DOMAINS"},
		{"bad.env.test", 443, false, "$SRT_DENIED_DOMAINS"},
		{"flag.test", 1, true, "--allow-domain"},
		{"user.test", 22, false, "--deny-domain"},
	} {
		got := pol.Host(d.host, d.port)
		if got.Allow != d.allow || got.Rule == nil || got.Rule.Origin.String() != d.origin {
			t.Errorf("%s: %+v, %v", d.host, got, got.Rule)
		}
	}
	for p, want := range map[string]bool{h.home("p/x"): true, h.home("p/build/x"): false, "/env/x": true, "/env2": true, h.home("x"): false, h.home("p/.git/config"): true} {
		if pol.Write(p).Allow != want {
			t.Errorf("Write(%q) is not %v", p, want)
		}
	}
	for p, want := range map[string]bool{h.home("p/secret/x"): false, h.home("p/secret/ok/x"): true, "/hidden/x": false} {
		if pol.Read(p).Allow != want {
			t.Errorf("Read(%q) is not %v", p, want)
		}
	}
	if !c.Filesystem.AllowGitConfig.Value || c.Filesystem.AllowGitConfig.Origin.Layer != policy.LayerPreset {
		t.Errorf("%+v", c.Filesystem.AllowGitConfig)
	}
	if len(c.Notes) != 0 {
		t.Errorf("notes: %q", c.Notes)
	}
}

func TestUserFiles(t *testing.T) {
	h := newHost(t)
	h.npm(npmSettings(`"allowedDomains":["json.test"]`, "", ""))
	c, pol := h.load()
	if !c.NPM || !pol.Host("json.test", 1).Allow || !pol.Read(h.home(".ssh/id")).Allow {
		t.Error("the npm file does not stand for itself")
	}
	for p, want := range map[string]bool{"/tmp/claude/x": true, h.home(".npm/_logs/x"): true, h.home(".npm/x"): false, "/tmp/x": false} {
		if pol.Write(p).Allow != want {
			t.Errorf("npm's write paths: %q is not %v", p, want)
		}
	}
	h.npm(npmSettings("", `"denyRead":["~"],"allowRead":["."]`, ""))
	if _, pol := h.load(); pol.Read(h.home(".npm/_logs/x")).Allow || pol.Write(h.home(".npm/_logs/x")).Allow {
		t.Error("a default write path re-opens what is denied")
	}
	h.user("[network]\nallowed_domains = ['toml.test']\n")
	if c, pol := h.load(); c.NPM || pol.Host("json.test", 1).Allow || !pol.Host("toml.test", 1).Allow || pol.Read(h.home(".ssh/id")).Allow {
		t.Error("the TOML file does not come first")
	}
	h.env["XDG_CONFIG_HOME"] = h.home("xdg")
	h.write(h.home("xdg/srt/config.toml"), "[network]\nallowed_domains = ['xdg.test']\n")
	if _, pol := h.load(); !pol.Host("xdg.test", 1).Allow || pol.Host("toml.test", 1).Allow {
		t.Error("XDG_CONFIG_HOME is not honoured")
	}
	h.user("")
	h.env["XDG_CONFIG_HOME"] = "relative"
	if _, err := Load(h.opts); err == nil || !strings.Contains(err.Error(), "~/.config/srt/config.toml is empty") {
		t.Errorf("an empty user file: %v", err)
	}
}

func TestSettingsReplaces(t *testing.T) {
	h := newHost(t)
	h.user("[network]\nallowed_domains = ['user.test']\n")
	h.env["SRT_ALLOWED_DOMAINS"] = "env.test"
	h.opts.Flags.AllowDomain = []string{"flag.test"}
	h.managed("[network]\ndenied_domains = ['evil.test']\n")
	h.write(h.home("s.json"), npmSettings(`"allowedDomains":["s.test","evil.test"]`, "", ""))
	h.opts.Settings, h.opts.SettingsSet = h.home("s.json"), true
	_, pol := h.load()
	for host, want := range map[string]bool{"user.test": false, "env.test": false, "flag.test": true, "s.test": true, "evil.test": false} {
		if pol.Host(host, 443).Allow != want {
			t.Errorf("%s is not %v", host, want)
		}
	}
}

func TestManaged(t *testing.T) {
	h := newHost(t)
	h.managed(`
[network]
denied_domains = ["evil.test"]
denied_resolved_addresses = ["192.0.2.0/24"]
[filesystem]
deny_read = ["~/corp"]
deny_write = ["~/p/locked"]
[environment]
deny = ["CORP_*"]
`)
	h.user(`
[network]
allowed_domains = ["evil.test", "ok.test", "192.0.2.1"]
[filesystem]
disabled = true
allow_read = ["~/corp/x"]
allow_write = [".", "~/p/locked/x"]
[environment]
keep = ["CORP_TOKEN"]
`)
	c, pol := h.load()
	if pol.Host("evil.test", 1).Allow || !pol.Host("ok.test", 1).Allow {
		t.Error("a managed deny of a host is lifted")
	}
	if pol.Read(h.home("corp/x")).Allow || pol.Write(h.home("p/locked/x")).Allow || !pol.Write(h.home("p/x")).Allow {
		t.Error("a managed deny of a path is lifted")
	}
	if c.EnvDenied("CORP_TOKEN") == nil {
		t.Error("a managed deny of a variable is lifted")
	}
	if len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "filesystem.disabled is ignored") {
		t.Errorf("notes: %q", c.Notes)
	}

	h.managed("managed_only = true\n[network]\nallowed_domains = ['corp.test']\n[filesystem]\nallow_write = ['.']\n")
	h.env["SRT_ALLOW_WRITE"] = "/env"
	h.opts.Flags = Flags{AllowDomain: []string{"flag.test"}, DenyDomain: []string{"a.corp.test"}, AllowRead: []string{"/x"}}
	c, pol = h.load()
	for host, want := range map[string]bool{"ok.test": false, "flag.test": false, "corp.test": true} {
		if pol.Host(host, 443).Allow != want {
			t.Errorf("managed_only: %s is not %v", host, want)
		}
	}
	if pol.Write("/env/x").Allow || !pol.Write(h.home("p/x")).Allow || pol.FilesDisabled() {
		t.Error("managed_only: another layer widens writing")
	}
	if !slices.ContainsFunc(c.Notes, func(n string) bool { return strings.HasPrefix(n, "--allow-domain: ") }) || len(c.Notes) < 8 {
		t.Errorf("notes: %q", c.Notes)
	}

	h.managed("[network]\nallowed_domains = 1\n")
	var refused *RefusedError
	if _, err := Load(h.opts); !errors.As(err, &refused) {
		t.Errorf("a broken managed file: %v", err)
	}
	h.managed("[network]\n")
	h.user("managed_only = true\n")
	if _, err := Load(h.opts); err == nil || !strings.Contains(err.Error(), ":1: managed_only: only the machine-wide settings") {
		t.Errorf("managed_only in the user's file: %v", err)
	}
}

func TestWideRoots(t *testing.T) {
	h := newHost(t)
	h.user("[filesystem]\nallow_write = ['.']\n")
	h.load()
	for _, dir := range []string{h.opts.Home, filepath.Dir(h.opts.Home), "/"} {
		h.opts.Dir, h.opts.Yes = dir, false
		var e *Error
		if _, err := Load(h.opts); !errors.As(err, &e) || e.Hint == "" || !strings.Contains(err.Error(), "config.toml:2") {
			t.Errorf("in %s: %v", dir, err)
		}
		h.opts.Yes = true
		c, pol := h.load()
		if len(c.Notes) != 0 || pol.Write(h.home(".bashrc")).Allow || pol.Write(h.home(".ssh/x")).Allow || !pol.Write(h.home("x")).Allow {
			t.Errorf("in %s with --yes: %q", dir, c.Notes)
		}
	}
	h.opts.Yes = false
	h.opts.Dir = h.opts.Home
	h.write(h.home("s.json"), npmSettings("", "", ""))
	h.opts.Settings, h.opts.SettingsSet = h.home("s.json"), true
	if c, _ := h.load(); len(c.Notes) != 1 {
		t.Errorf("npm settings in the home: %q", c.Notes)
	}
	h.opts.SettingsSet = false
	h.user("[filesystem]\nallow_write = ['~']\n")
	if _, err := Load(h.opts); err != nil {
		t.Errorf("a home that is named is refused: %v", err)
	}
}

func TestWriteGlobs(t *testing.T) {
	h := newHost(t)
	h.user("[filesystem]\nallow_write = ['src/**', 'sub/*.txt']\n")
	if _, err := Load(h.opts); err == nil || !strings.Contains(err.Error(), `config.toml:2: filesystem.allow_write: "sub/*.txt": linux can allow`) {
		t.Errorf("%v", err)
	}
	h.opts.GOOS = "darwin"
	if _, pol := h.load(); !pol.Write(h.home("p/sub/a.txt")).Allow {
		t.Error("macOS does not take a write pattern")
	}
	h.opts.GOOS = "linux"
	h.write(h.home("s.json"), npmSettings("", `"allowWrite":["sub/*.txt","src/**"]`, ""))
	h.opts.Settings, h.opts.SettingsSet = h.home("s.json"), true
	c, pol := h.load()
	if len(c.Notes) != 1 || pol.Write(h.home("p/sub/a.txt")).Allow || !pol.Write(h.home("p/src/x")).Allow {
		t.Errorf("npm settings: %q", c.Notes)
	}
}

func TestBadWords(t *testing.T) {
	h := newHost(t)
	for name, flags := range map[string]Flags{
		"--allow-domain": {AllowDomain: []string{"*.com"}},
		"--deny-domain":  {DenyDomain: []string{""}},
		"--allow-write":  {AllowWrite: []string{""}},
		"--deny-read":    {DenyRead: []string{"/a*/"}},
		"--allow-read":   {AllowRead: []string{"a\x00"}},
	} {
		h.opts.Flags = flags
		var e *Error
		if _, err := Load(h.opts); !errors.As(err, &e) || e.File != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.opts.Flags = Flags{}
	h.env["SRT_ALLOWED_DOMAINS"] = "a.test,nope"
	if _, err := Load(h.opts); err == nil || !strings.HasPrefix(err.Error(), `SRT_ALLOWED_DOMAINS: "nope": `) {
		t.Errorf("%v", err)
	}
	h.opts.Home = ""
	if _, err := Load(h.opts); err == nil {
		t.Error("no home is accepted")
	}
	h.opts.Home, h.opts.Dir = "/h", "rel"
	if _, err := Load(h.opts); err == nil {
		t.Error("a relative directory is accepted")
	}
}

func TestEnv(t *testing.T) {
	h := newHost(t)
	h.opts.Preset = onePreset("x", "[environment]\ndeny = ['AWS_*', 'X_TOKEN']\nkeep = ['AWS_REGION', 'NPM_TOKEN']\n")
	h.user("[environment]\ndeny = ['NPM_*']\nkeep = ['X_TOKEN']\n\n[[credentials.env_vars]]\nname = 'SECRET'\nmode = 'deny'\n")
	c, _ := h.load()
	kept, dropped := c.Env([]string{"PATH=/bin", "AWS_SECRET=1", "AWS_REGION=eu", "NPM_TOKEN=1", "X_TOKEN=2", "SECRET=s", "ODD", "=C:=x"})
	if !slices.Equal(kept, []string{"PATH=/bin", "AWS_REGION=eu", "X_TOKEN=2", "ODD", "=C:=x"}) || !slices.Equal(dropped, []string{"AWS_SECRET", "NPM_TOKEN", "SECRET"}) {
		t.Errorf("%q, %q", kept, dropped)
	}
}

func TestPaths(t *testing.T) {
	h := newHost(t)
	h.npm("{}")
	got := Paths(h.opts)
	if len(got) != 6 || got[0].Exists || !got[1].Exists || !got[1].Used || got[2].Path != h.home("p/.srt.toml") || got[2].Exists ||
		got[4].Layer != policy.LayerLocal || got[5].Layer != policy.LayerManaged || got[5].Used {
		t.Errorf("%+v", got)
	}
	h.opts.Settings, h.opts.SettingsSet = "s.json", true
	if got = Paths(h.opts); len(got) != 2 || got[0].Path != h.home("p/s.json") || !got[0].Used {
		t.Errorf("%+v", got)
	}
}

func TestNPMCredentials(t *testing.T) {
	h := newHost(t)
	h.npm(npmSettings("", `"allowRead":["s"]`, `"credentials":{"files":[{"path":"s","mode":"deny"}],"envVars":[{"name":"T","mode":"deny"}]}`))
	c, pol := h.load()
	if pol.Read(h.home("p/s")).Allow {
		t.Error("an allowRead re-opens a denied credential")
	}
	if c.EnvDenied("T") == nil || c.EnvDenied("U") != nil {
		t.Error("the variable is not denied")
	}
}

func TestCheck(t *testing.T) {
	h := newHost(t)
	h.user("[network]\nx = 1\n")
	if err := Check(h.home(".config/srt/config.toml")); err == nil {
		t.Error("Check finds nothing")
	}
	if err := Check(h.home("none.toml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	name := filepath.Join(dir, ".config/srt/config.toml")
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("[filesystem]\nallow_write = ['.']\n[network]\nallowed_domains = ['a.test', 'b.test']\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		c, err := Load(Options{Home: dir, Dir: "/w", ManagedPath: "/nonexistent"})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Policy(); err != nil {
			b.Fatal(err)
		}
	}
}
