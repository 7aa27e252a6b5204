package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/srt-sh/srt/core/policy"
)

// project writes a file below the working folder, which is a repository.
func (h *host) project(name, text string) {
	h.t.Helper()
	h.write(filepath.Join(h.home("p"), ".git/HEAD"), "ref: refs/heads/main\n")
	h.write(filepath.Join(h.home("p"), name), text)
}

// trust trusts every file of the repository.
func (h *host) trust() {
	h.t.Helper()
	o := h.opts
	o.Distrust = true
	c, err := Load(o)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := range c.Projects {
		if err := c.Projects[i].Trust(o); err != nil {
			h.t.Fatal(err)
		}
	}
}

const wideProject = `allow_nested_user_namespaces = true
enable_weaker_nested_sandbox = true
enable_weaker_network_isolation = true
allow_apple_events = true
allow_pty = true
mandatory_deny_search_depth = 1
bwrap_path = "/p/bwrap"
allow_weaker = ["limits"]
[network]
allowed_domains = ["example.com"]
denied_domains = ["bad.example.com"]
denied_resolved_addresses = ["private"]
allow_all_unix_sockets = true
allow_local_binding = true
strict_allowlist = false
require_host_match = false
http_proxy_port = 1
[network.parent_proxy]
http = "http://127.0.0.1:1"
[network.tls_terminate]
extra_ca_cert_paths = ["/p/ca.pem"]
[filesystem]
allow_write = ["~"]
allow_cache = ["~/.cache"]
allow_read = ["~/.ssh"]
deny_write = ["kept"]
deny_read = ["hidden"]
allow_git_config = true
disabled = true
[environment]
keep = ["AWS_*"]
deny = ["TOKEN"]
[permissions]
allow = ["Edit(~/y)", "WebFetch(domain:a.example)"]
deny = ["Edit(also)", "WebFetch(domain:b.example)"]
[limits]
memory = "1GiB"
processes = 1000
tmp = "1GiB"
[credentials]
allow_plaintext_inject = true
[[credentials.env_vars]]
name = "SECRET"
mode = "mask"
[credentials.sigv4]
presigned = "passthrough"
[git]
safe_directories = ["/x"]
[ignore_violations]
"*" = ["example.com"]
[[command]]
match = ["./build"]
preset = "npm"
`

func TestUntrustedOnlyTightens(t *testing.T) {
	h := newHost(t)
	const user = "[network]\nstrict_allowlist = true\nrequire_host_match = true\n[limits]\nmemory = '2GiB'\nprocesses = 100\n[environment]\ndeny = ['AWS_*']\n"
	h.user(user)
	h.project(".srt.toml", wideProject)
	c, pol := h.load()
	denied, _ := c.Env([]string{"AWS_X=1", "TOKEN=1", "SECRET=1"})
	for what, wrong := range map[string]bool{
		"host":         pol.Host("example.com", 443).Allow,
		"web":          pol.Host("a.example", 443).Allow,
		"write":        pol.Write(h.home("p/x")).Allow || pol.Write(h.home("y")).Allow,
		"read":         pol.Read(h.home(".ssh/id")).Allow,
		"files":        c.Filesystem.Disabled.Value || c.Filesystem.AllowGitConfig.Value || len(c.GitSafeDirectories) > 0,
		"sockets":      c.Network.AllowAllUnixSockets.Value || c.Network.AllowLocalBinding.Value,
		"switches":     !c.Network.StrictAllowlist.Value || !c.Network.RequireHostMatch.Value,
		"proxies":      c.Network.HTTPProxyPort.Set || c.Network.ParentProxy != nil || c.Network.TLSTerminate != nil,
		"weaker":       c.AllowNestedUserNamespaces.Value || c.EnableWeakerNestedSandbox.Value || c.EnableWeakerNetworkIsolation.Value || c.AllowAppleEvents.Value || c.AllowPty.Value || len(c.AllowWeaker) > 0,
		"depth":        c.MandatoryDenySearchDepth.Set || c.BwrapPath.Set,
		"environment":  len(denied) > 0,
		"credentials":  c.Credentials.AllowPlaintextInject.Value || c.Credentials.SigV4.Presigned || c.Credentials.EnvVars[0].Mask,
		"reports":      len(c.IgnoreViolations) > 0,
		"limits":       c.Limits.Memory.Value != 1<<30 || c.Limits.Processes.Value != 100 || c.Limits.Tmp.Set,
		"commands":     len(c.Commands) != 1 || c.Commands[0].Preset != "",
		"denied host":  pol.Host("bad.example.com", 443).Rule == nil || pol.Host("b.example", 443).Rule == nil || len(c.Network.DeniedAddrs) != 1,
		"denied read":  pol.Read(h.home("p/hidden")).Allow,
		"denied write": !slices.ContainsFunc(pol.Paths(), func(r policy.PathRule) bool { return r.Kind == policy.DenyWrite && r.Path == h.home("p/kept") }),
		"notes":        len(c.Notes) != 1 || !strings.HasPrefix(c.Notes[0], "~/p/.srt.toml is not trusted: what it opens ("),
	} {
		if wrong {
			t.Errorf("%s: wrong before trust", what)
		}
	}
	if t.Failed() {
		t.Log(c.Merged(true), c.Notes)
	}
	// Every entry that was taken is one that the file may have.
	h.trust()
	c, pol = h.load()
	if len(c.Notes) != 0 || len(c.Projects) != 1 || !c.Projects[0].Trusted || len(c.Projects[0].Held) != 0 ||
		!pol.Host("example.com", 443).Allow || !c.Filesystem.Disabled.Value || c.Limits.Processes.Value != 1000 || c.Commands[0].Preset != "npm" || c.Network.StrictAllowlist.Value {
		t.Errorf("after trust: %+v\n%s", c.Projects, c.Merged(true))
	}
	// Managed settings that allow nobody to widen hold for what is trusted too.
	h.managed("managed_only = true\n")
	c, pol = h.load()
	if pol.Host("example.com", 443).Allow || pol.Write(h.home("y")).Allow || len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "managed settings") {
		t.Errorf("managed_only: %q", c.Notes)
	}
}

// What a file brings is told in full to whoever is to trust it: with everything that
// is held back taken away, nothing is left but what tightens.
func TestDistrustNamesAll(t *testing.T) {
	h := newHost(t)
	h.project(".srt.toml", wideProject)
	h.trust()
	h.opts.Distrust = true
	c, _ := h.load()
	if len(c.Projects) != 1 || c.Projects[0].Trusted || len(c.Projects[0].Held) < 25 || len(c.Notes) != 0 {
		t.Errorf("%d entries, notes %q", len(c.Projects[0].Held), c.Notes)
	}
	for _, held := range c.Projects[0].Held {
		if held.Origin.Line == 0 || held.Origin.Key == "" {
			t.Errorf("%+v has no place", held)
		}
	}
}

func TestTrustHoldsForBytes(t *testing.T) {
	h := newHost(t)
	const text = "[filesystem]\nallow_write = ['~']\n"
	h.project(".srt.toml", text)
	h.trust()
	if _, pol := h.load(); !pol.Write(h.home("x")).Allow {
		t.Error("trusted, it does not count")
	}
	h.project(".srt.toml", text+"#")
	c, pol := h.load()
	if pol.Write(h.home("x")).Allow || len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "has changed since it was trusted") {
		t.Errorf("changed, it counts: %q", c.Notes)
	}
	// The same bytes elsewhere, or under another name, are not trusted.
	h.project(".srt.toml", "[network]\n")
	h.project(".srt.local.toml", text)
	h.write(h.home("q/.srt.toml"), text)
	if _, pol := h.load(); pol.Write(h.home("x")).Allow {
		t.Error("under another name it counts")
	}
	h.opts.Dir = h.home("q")
	if _, pol := h.load(); pol.Write(h.home("x")).Allow {
		t.Error("in another folder it counts")
	}
	// Revoked it is not trusted either.
	h.opts.Dir = h.home("p")
	h.project(".srt.toml", text)
	if _, pol := h.load(); !pol.Write(h.home("x")).Allow {
		t.Error("with the bytes that were trusted it does not count")
	}
	if gone, err := Untrust(h.opts); err != nil || len(gone) != 1 || gone[0].State != TrustSame {
		t.Errorf("%+v, %v", gone, err)
	}
	if _, pol := h.load(); pol.Write(h.home("x")).Allow {
		t.Error("revoked, it counts")
	}
}

// A record that somebody else could have written counts for nothing.
func TestRecordOfOthers(t *testing.T) {
	h := newHost(t)
	h.project(".srt.toml", "[filesystem]\nallow_write = ['~']\n")
	h.trust()
	dir := h.opts.trustDir()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	name := filepath.Join(dir, entries[0].Name())
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	refused := func(what string) {
		t.Helper()
		c, pol := h.load()
		if pol.Write(h.home("x")).Allow || len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "record cannot be used") {
			t.Errorf("%s: %q", what, c.Notes)
		}
	}
	if err := os.Chmod(name, 0o620); err != nil {
		t.Fatal(err)
	}
	refused("writable by others")
	h.write(filepath.Join(dir, "x"), string(good))
	if err := errors.Join(os.Remove(name), os.Symlink("x", name)); err != nil {
		t.Fatal(err)
	}
	refused("a link")
	if err := errors.Join(os.Remove(name), syscall.Mkfifo(name, 0o600)); err != nil {
		t.Fatal(err)
	}
	refused("a pipe")
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	h.write(name, strings.Replace(string(good), "sha256", "sha257", 1))
	refused("garbled")
	if _, broken, err := TrustedFiles(h.opts); err != nil || len(broken) != 2 {
		t.Errorf("%q, %v", broken, err)
	}
	if os.Getuid() == 0 {
		h.write(name, string(good))
		if err := os.Chown(name, 65534, 0); err != nil {
			t.Fatal(err)
		}
		refused("of another user")
	}
}

// Folders add up from the root of the repository to the working folder, so that a
// file further down, which may have come with a package, lifts no deny.
func TestProjectFolders(t *testing.T) {
	h := newHost(t)
	h.write(h.home(".srt.toml"), "[filesystem]\ndeny_read = ['above']\n")
	h.project(".srt.toml", "[filesystem]\ndeny_read = ['x']\n[limits]\nprocesses = 100\n")
	h.project(".srt.local.toml", "[limits]\nprocesses = 90\n")
	h.project("sub/.sandbox/settings.json", `{"network":{"allowedDomains":[],"deniedDomains":[]},"filesystem":{"denyRead":["y"],"allowWrite":["."],"denyWrite":[]},"what":1}`)
	h.project("sub/in/.srt.toml", "[filesystem]\ndeny_read = ['./z']\n[limits]\nprocesses = 95\n")
	h.project("sub/in/.sandbox/settings.json", "not read")
	h.opts.Dir = h.home("p/sub/in")
	c, pol := h.load()
	for p, want := range map[string]bool{"above": true, "p/above": true, "p/x": false, "p/sub/y": false, "p/sub/in/z": false, "p/sub/in/x": true, "p/sub/.sandbox/y": true} {
		if pol.Read(h.home(p)).Allow != want {
			t.Errorf("reading %s: %v", p, !want)
		}
	}
	if c.NPM || pol.Read(h.home(".ssh/id")).Allow {
		t.Error("the table of credentials does not apply")
	}
	if c.Limits.Processes.Value != 90 || c.Limits.Processes.Origin.Layer != policy.LayerLocal || len(c.Projects) != 4 || c.Projects[3].Layer != policy.LayerLocal {
		t.Errorf("%+v, %+v", c.Limits.Processes, c.Projects)
	}
	h.trust()
	_, pol = h.load()
	if !pol.Write(h.home("p/sub/f")).Allow || pol.Write(h.home("p/f")).Allow || pol.Write(h.home("p/sub/.envrc")).Allow {
		t.Error("relative paths do not begin in the folder of the file")
	}
	// What is printed means the same from the working folder.
	again, err := bound([]byte(c.Merged(false)), true)
	if err != nil {
		t.Fatal(err)
	}
	again.Home, again.Dir, again.events = c.Home, c.Dir, c.events
	sameDecisions(t, c, again)
	// Without a repository, the working folder is all.
	if err := os.RemoveAll(h.home("p/.git")); err != nil {
		t.Fatal(err)
	}
	if c, pol = h.load(); !pol.Read(h.home("p/x")).Allow || pol.Read(h.home("p/sub/in/z")).Allow || len(c.Projects) != 1 {
		t.Errorf("without a repository: %+v", c.Projects)
	}
	h.opts.NoProject = true
	if c, _ = h.load(); len(c.Projects) != 0 {
		t.Errorf("NoProject: %+v", c.Projects)
	}
	h.opts.NoProject, h.opts.SettingsSet, h.opts.Settings = false, true, h.home("s.toml")
	h.write(h.home("s.toml"), "[network]\n")
	if c, _ = h.load(); len(c.Projects) != 0 {
		t.Errorf("--settings: %+v", c.Projects)
	}
}

// A project's file does not open protected names, trusted or not.
func TestProjectOpensNoProtectedName(t *testing.T) {
	h := newHost(t)
	h.project(".srt.toml", "[filesystem]\nallow_write = ['.', '.git/hooks', '~/.bashrc', '.srt.toml']\n")
	h.trust()
	_, pol := h.load()
	for _, p := range []string{"p/.git/hooks/x", ".bashrc", "p/.srt.toml"} {
		if pol.Write(h.home(p)).Allow {
			t.Errorf("%s can be written", p)
		}
	}
}

func TestProjectFileForms(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(h *host, p string)
		want string
	}{
		{"link out", func(h *host, p string) { h.write(h.home("o.toml"), "[network]\n"); h.link("../o.toml", p) }, "symbolic link that leads out of"},
		{"absolute link", func(h *host, p string) { h.link("/dev/zero", p) }, "symbolic link that leads out of"},
		{"dangling link", func(h *host, p string) { h.link("nothing", p) }, "symbolic link to a file that does not exist"},
		{"loop", func(h *host, p string) { h.link(".srt.toml", p) }, "leads out of"},
		{"pipe", func(h *host, p string) { h.check(syscall.Mkfifo(p, 0o600)) }, "is not a file"},
		{"link to a pipe", func(h *host, p string) { h.check(syscall.Mkfifo(h.home("p/f"), 0o600)); h.link("f", p) }, "is not a file"},
		{"folder", func(h *host, p string) { h.check(os.Mkdir(p, 0o700)) }, "is not a file"},
		{"huge", func(h *host, p string) { h.write(p, ""); h.check(os.Truncate(p, maxFile+1)) }, "is larger than"},
		{"empty", func(h *host, p string) { h.write(p, "") }, "is empty"},
		{"invalid", func(h *host, p string) { h.write(p, "[network]\nallowed_domain = []\n") }, ".srt.toml:2: network.allowed_domain: unknown key; did you mean allowed_domains?"},
		{"managed_only", func(h *host, p string) { h.write(p, "managed_only = true\n") }, "only the machine-wide settings"},
		{"extends", func(h *host, p string) { h.write(p, "extends = 'x.toml'\n") }, "unknown key"},
		{"unreadable", func(h *host, p string) {
			if os.Getuid() == 0 {
				h.t.Skip("root reads everything")
			}
			h.write(p, "[network]\n")
			h.check(os.Chmod(p, 0))
		}, "could not be read (EACCES)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			h.project("x", "")
			c.make(h, h.home("p/.srt.toml"))
			start := time.Now()
			_, err := Load(h.opts)
			if refused, ok := errors.AsType[*RefusedError](err); !ok || !strings.Contains(refused.Reason, c.want) || !strings.Contains(refused.Reason, "~/p/.srt.toml") {
				t.Errorf("%v", err)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			for _, place := range Paths(h.opts) {
				if place.Used && place.Check() == nil && c.name != "managed_only" { // no fault of the file by itself
					t.Error("Check finds nothing")
				}
			}
		})
	}
}

func (h *host) link(target, name string) { h.t.Helper(); h.check(os.Symlink(target, name)) }

func (h *host) check(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// A link to a file of the repository is followed, and what it leads to is protected
// as the file itself.
func TestProjectLinkInside(t *testing.T) {
	h := newHost(t)
	h.user("[filesystem]\nallow_write = ['~/p']\n")
	h.project("conf/real.toml", "[network]\ndenied_domains = ['bad.example']\n")
	h.link("conf/real.toml", h.home("p/.srt.toml"))
	_, pol := h.load()
	if pol.Host("bad.example", 443).Rule == nil || pol.Write(h.home("p/conf/real.toml")).Allow || !pol.Write(h.home("p/conf/other.toml")).Allow {
		t.Error("the file behind the link is not what counts")
	}
}

// While files take each other's place, what is hashed is what is parsed: the bad one
// never counts, and the good one does.
func TestSwappedProject(t *testing.T) {
	h := newHost(t)
	const good, bad = "[network]\nallowed_domains = ['good.example']\n", "[network]\nallowed_domains = ['evil.example']\n"
	h.project(".srt.toml", good)
	h.trust()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		name, next := h.home("p/.srt.toml"), h.home("p/next")
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			text := []string{good, bad}[i%2]
			if i%4 < 2 { // in place, where both have the same length, and by a new file
				_ = os.WriteFile(name, []byte(text), 0o600)
			} else if os.WriteFile(next, []byte(text), 0o600) == nil {
				_ = os.Rename(next, name)
			}
		}
	}()
	goods := 0
	for range 2000 {
		c, err := Load(h.opts)
		if err != nil {
			continue // caught empty
		}
		for _, d := range c.Network.AllowedDomains {
			if d.Rule.Text != "good.example" {
				t.Errorf("%s counts", d.Rule)
			}
			goods++
		}
	}
	close(stop)
	<-done
	if goods == 0 {
		t.Error("the trusted file never counted")
	}
}

// The folder for state may be of any other use.
func TestTrustFolder(t *testing.T) {
	h := newHost(t)
	if files, broken, err := TrustedFiles(h.opts); err != nil || len(files)+len(broken) != 0 {
		t.Errorf("%v %v %v", files, broken, err)
	}
	h.env["XDG_STATE_HOME"] = h.home("state")
	h.project(".srt.toml", "[filesystem]\nallow_write = ['~']\n")
	h.trust()
	files, _, err := TrustedFiles(h.opts)
	if err != nil || len(files) != 1 || files[0].File != h.home("p/.srt.toml") || files[0].State != TrustSame || time.Since(files[0].Time) > time.Minute {
		t.Fatalf("%+v, %v", files, err)
	}
	if _, err := os.Stat(h.home("state/srt/trust")); err != nil {
		t.Error(err)
	}
	h.project(".srt.toml", "[network]\n")
	if files, _, _ = TrustedFiles(h.opts); files[0].State != TrustChanged {
		t.Errorf("%+v", files)
	}
	h.check(os.RemoveAll(h.home("p")))
	if files, _, _ = TrustedFiles(h.opts); files[0].State != TrustGone {
		t.Errorf("%+v", files)
	}
	if gone, err := Untrust(h.opts); err != nil || len(gone) != 1 {
		t.Errorf("of a folder that is gone: %+v, %v", gone, err)
	}
	if err := (Record{Repository: "/", Name: "x", File: "/" + strings.Repeat("\x01", maxRecord)}).write(h.home("state")); err == nil {
		t.Error("a record that cannot be read is written")
	}
	h.write(h.home("plain"), "")
	if err := (Record{}).write(h.home("plain")); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Error("no folder can be made, and it is no error")
	}
}

func FuzzTrustRecord(f *testing.F) {
	for _, r := range []Record{
		{"/p/.git", ".srt.toml", "/p/.srt.toml", strings.Repeat("0a", 32), time.Unix(1e9, 0)},
		{"/ \"\n\xff", "é\x00", "/\u202e", strings.Repeat("ff", 32), time.Unix(0, 0)},
	} {
		f.Add([]byte(r.text()))
		f.Add([]byte(strings.ToUpper(r.text())))
		f.Add([]byte(r.text() + "\n"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRecord(data)
		if err == nil {
			// There is one spelling, so nothing can hide in another.
			if r.text() != string(data) {
				t.Errorf("read as %q", r.text())
			}
			return
		}
		// Any text can be part of a record and comes back as it was.
		r = Record{Repository: "/" + string(data), Name: string(data), File: "/" + string(data), Sum: strings.Repeat("09", 32), Time: time.Unix(1e9, 0).UTC()}
		if again, err := parseRecord([]byte(r.text())); err != nil || again != r {
			t.Errorf("%+v came back as %+v, %v", r, again, err)
		}
	})
}
