package config

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func (h *host) refuses(what, want string) {
	h.t.Helper()
	_, err := Load(h.opts)
	if err == nil || !strings.Contains(err.Error(), want) {
		h.t.Errorf("%s: %v, want %q", what, err, want)
	}
}

// A settings file may be anything that has a name.
func TestOddFiles(t *testing.T) {
	h := newHost(t)
	name := h.home(".config/srt/config.toml")
	h.write(h.home("other.toml"), "[filesystem]\ndeny_read = ['x']\n")
	put := func(create func() error) {
		t.Helper()
		if err := os.RemoveAll(name); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := create(); err != nil {
			t.Fatal(err)
		}
	}
	put(func() error { return os.Symlink("/nonexistent/x", name) })
	h.refuses("a dangling link", "a symbolic link to a file that does not exist")
	put(func() error { return os.Mkdir(name, 0o750) })
	h.refuses("a directory", "EISDIR")
	put(func() error { return syscall.Mkfifo(name, 0o600) })
	start := time.Now()
	h.refuses("a pipe that nobody writes to", "is empty")
	if time.Since(start) > pipeTime {
		t.Error("it waits for the pipe")
	}
	put(func() error { return os.Symlink(h.home("other.toml"), name) })
	if _, pol := h.load(); pol.Read(h.home("p/x")).Allow {
		t.Error("a link to settings is not read")
	}
	h.opts.Settings, h.opts.SettingsSet = "/dev/zero", true
	h.refuses("a device", "/dev/zero is not a file")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		_, _ = w.WriteString(npmSettings("", `"denyRead":["y"]`, ""))
		_ = w.Close()
	}()
	h.opts.Settings = "/dev/fd/" + itoa(r.Fd())
	if _, pol := h.load(); pol.Read(h.home("p/y")).Allow {
		t.Error("a pipe is not read")
	}
}

func itoa(fd uintptr) string {
	if fd < 10 {
		return string(rune('0' + fd))
	}
	return itoa(fd/10) + string(rune('0'+fd%10))
}

func TestOddTexts(t *testing.T) {
	h := newHost(t)
	for text, want := range map[string]string{
		"\ufeff[network]\n":                                       ":1: not valid TOML: the file begins with a byte order mark",
		"[filesystem]\ndeny_read = ['~bob/.ssh']\n":               `:2: filesystem.deny_read: "~bob/.ssh" does not stand for the home of another`,
		"[network]\nallowed_domains = ['exa mple.com']\n":         `:2: network.allowed_domains: "exa mple.com" can match no host`,
		"[network]\nallowed_domains = ['127.1']\n":                "can match no host",
		"[network]\ndenied_domains = ['*.a*.com']\n":              "can match no host",
		"[permissions]\ndeny = ['WebFetch(domain:a b.c)']\n":      "can match no host",
		"[permissions]\ndeny = ['Read(~bob/x)']\n":                "homes of others",
		"[[command]]\nmatch = ['npm run a; b']\n":                 "expected the words of a command",
		"[[credentials.files]]\npath = '~bob/x'\nmode = 'deny'\n": "credentials.files.path",
	} {
		h.user(text)
		h.refuses(text, want)
	}
	h.user("[network]\ndenied_domains = ['127.1']\n[filesystem]\ndeny_read = ['./~bob', { path = '~bob', literal = true }]\n")
	if _, pol := h.load(); pol.Read(h.home("p/~bob")).Allow || pol.Host("127.0.0.1", 1).Allow {
		t.Error("names that begin with ~")
	}
	h.user("[network]\n")
	h.opts.Flags = Flags{DenyDomain: []string{"*.a*.com"}}
	h.refuses("a flag", "--deny-domain: \"*.a*.com\" can match no host")
	h.opts.Flags = Flags{DenyRead: []string{"~bob"}}
	h.refuses("a flag", "--deny-read: \"~bob\"")
	h.opts.Flags = Flags{}
	h.opts.SettingsSet, h.opts.Settings = true, h.home("s.json")
	h.write(h.home("s.json"), npmSettings("", "\"denyRead\":[\n\"a\xff\"]", ""))
	h.refuses("bytes that are no text", "not valid JSON: a character is not UTF-8 (line 2)")
	h.write(h.home("s.json"), npmSettings(`"deniedDomains":["a b.c"]`, "", ""))
	if c, _ := h.load(); len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "denies nothing") {
		t.Errorf("an inert deny of the npm form: %q", c.Notes)
	}
	h.opts.Home = "rel"
	h.refuses("a relative home", "$HOME: ")
}

// What a link of srt's own settings leads to is protected like them.
func TestLinkedSettings(t *testing.T) {
	h := newHost(t)
	h.write(h.home("p/dot/config.toml"), "[filesystem]\nallow_write = ['.']\n")
	if err := os.MkdirAll(h.home(".config/srt"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(h.home("p/dot/config.toml"), h.home(".config/srt/config.toml")); err != nil {
		t.Fatal(err)
	}
	if _, pol := h.load(); pol.Write(h.home("p/dot/config.toml")).Allow || !pol.Write(h.home("p/dot/x")).Allow {
		t.Error("the settings can be changed through what they link to")
	}
}

// The home is the home by whatever way, and spelling, it is reached.
func TestHomeInDisguise(t *testing.T) {
	h := newHost(t)
	link := filepath.Join(filepath.Dir(h.opts.Home), "link")
	if err := os.Symlink(h.opts.Home, link); err != nil {
		t.Fatal(err)
	}
	h.user("[filesystem]\nallow_write = ['.']\n")
	home := h.opts.Home
	h.opts.Dir, h.opts.Home = home, link
	h.refuses("a home that is a link", "home directory")
	h.opts.Dir, h.opts.Home = link, home
	h.refuses("a directory that is a link to it", "home directory")
	h.opts.Dir = h.home("p")
	for _, text := range []string{"..", "../", "x/../..", "../**", "../..", "~/.."} {
		h.user("[filesystem]\nallow_write = ['" + text + "']\n")
		h.refuses(text, "would make all of")
	}
	for _, text := range []string{"../q", "~", "x/.."} {
		h.user("[filesystem]\nallow_write = ['" + text + "']\n")
		h.load()
	}
}

func TestManagedStays(t *testing.T) {
	h := newHost(t)
	h.managed("[[credentials.files]]\npath = '~/secret'\nmode = 'deny'\n")
	h.user("[filesystem]\ndisabled = true\n")
	if _, pol := h.load(); pol.Read(h.home("secret")).Allow {
		t.Error("filesystem.disabled lifts a managed credential")
	}

	// The form of another layer's file widens nothing either.
	h.managed("managed_only = true\n[filesystem]\nallow_write = ['.']\n")
	if err := os.Remove(h.home(".config/srt/config.toml")); err != nil {
		t.Fatal(err)
	}
	h.npm(npmSettings("", "", `"bwrapPath":"/x","git":{"safeDirectories":["*"]},"credentials":{"sigv4":{"presigned":"passthrough"}}`))
	c, pol := h.load()
	if pol.Read(h.home(".ssh/id")).Allow || pol.Write(h.home(".npm/_logs/x")).Allow {
		t.Error("settings of the npm form lift what is built in")
	}
	if c.BwrapPath.Set || len(c.GitSafeDirectories) > 0 || c.Credentials.SigV4.Presigned {
		t.Error("settings widen against managed_only")
	}
}

// Until masking is there, a file to mask cannot be read.
func TestMaskedFile(t *testing.T) {
	h := newHost(t)
	h.npm(npmSettings("", `"allowRead":["s"]`, `"credentials":{"allowPlaintextInject":true,"files":[{"path":"s","mode":"mask"}]}`))
	if _, pol := h.load(); pol.Read(h.home("p/s")).Allow {
		t.Error("a secret that should be masked can be read as it is")
	}
}
