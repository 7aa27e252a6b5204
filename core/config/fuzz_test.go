package config

import (
	"encoding/json"
	"io/fs"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"

	"github.com/srt-sh/srt/core/policy"
)

// bound is the configuration of one file, or the reason why there is none. It
// touches no disk.
func bound(data []byte, isTOML bool) (*Config, error) {
	f, err := parseFile(data, "settings", isTOML, false)
	if err != nil {
		return nil, err
	}
	c := &Config{
		Home: "/home/u", Dir: "/home/u/p", NPM: !isTOML, goos: "linux",
		Lstat: func(string) (fs.FileInfo, error) { return nil, fs.ErrNotExist },
	}
	b := binder{c: c}
	return c, b.file(f, policy.LayerSettings)
}

// sameDecisions compares the answers of two configurations.
func sameDecisions(t *testing.T, a, b *Config) {
	t.Helper()
	first, errA := a.Policy()
	second, errB := b.Policy()
	if (errA == nil) != (errB == nil) {
		t.Fatalf("one makes a policy: %v, %v", errA, errB)
	}
	if errA != nil {
		return
	}
	hosts := []string{"example.com", "a.example.com", "localhost", "127.0.0.1", "::1", "x.test", "a.b.c.d"}
	for _, rules := range [][]policy.DomainRule{a.Network.AllowedDomains, a.Network.DeniedDomains, b.Network.AllowedDomains, b.Network.DeniedDomains} {
		for _, r := range rules {
			hosts = append(hosts, strings.TrimPrefix(r.Pattern.String(), "*"), "sub"+strings.TrimPrefix(r.Pattern.String(), "*"))
		}
	}
	for _, host := range hosts {
		for _, port := range []uint16{22, 443} {
			x, y := first.Host(host, port), second.Host(host, port)
			if x.Allow != y.Allow || x.Reason != y.Reason {
				t.Errorf("%q:%d: %+v, %+v", host, port, x, y)
			}
		}
	}
	paths := []string{"/", "/etc/passwd", "/etc/shadow", "/home/u", "/home/u/.ssh/id", "/home/u/.npm/_logs/x", "/home/u/p", "/home/u/p/x/y", "/home/u/p/.git/config", "/tmp/claude/x"}
	for _, rules := range [][]policy.PathRule{first.Paths(), second.Paths()} {
		for _, r := range rules {
			paths = append(paths, r.Path, strings.TrimSuffix(r.Path, "/")+"/x", strings.NewReplacer("*", "a", "?", "b").Replace(r.Path))
		}
	}
	for _, p := range paths {
		if x, y := first.Read(p).Allow, second.Read(p).Allow; x != y {
			t.Errorf("reading %q: %v, %v", p, x, y)
		}
		if x, y := first.Write(p).Allow, second.Write(p).Allow; x != y {
			t.Errorf("writing %q: %v, %v", p, x, y)
		}
	}
	for _, name := range []string{"PATH", "AWS_SECRET", "TOKEN", "A"} {
		if (a.EnvDenied(name) == nil) != (b.EnvDenied(name) == nil) {
			t.Errorf("variable %q", name)
		}
	}
}

// roundTrip prints a configuration, reads that, and expects the same.
func roundTrip(t *testing.T, c *Config) {
	t.Helper()
	text := c.Merged(false)
	again, err := bound([]byte(text), true)
	if err != nil {
		if _, ok := reasonToRefuse(c); ok || strings.TrimSpace(text) == "" {
			return
		}
		t.Fatalf("not accepted: %v\n%s", err, text)
	}
	// What the npm form means besides its keys.
	again.NPM = c.NPM
	if c.NPM {
		for i := range again.Filesystem.Paths {
			again.Filesystem.Paths[i].Closed = true
		}
	}
	again.Notes = c.Notes
	if more, text := withoutComments(again.Merged(false)), withoutComments(text); more != text {
		t.Errorf("read again it is\n%s\nand not\n%s", more, text)
	}
	sameDecisions(t, c, again)
	if _, err := bound([]byte(c.Merged(true)), true); err != nil {
		t.Errorf("not accepted with origins: %v\n%s", err, c.Merged(true))
	}
}

// withoutComments drops the lines that are comments, and what is then empty.
func withoutComments(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		if line == "\n" || line[0] == '#' {
			continue
		}
		if n := len(out); n > 0 && line[0] == '[' && out[n-1] == "[network]\n" {
			out = out[:n-1]
		}
		out = append(out, line)
	}
	return strings.TrimSuffix(strings.Join(out, ""), "[network]\n")
}

// reasonToRefuse tells what TOML refuses, being strict, and a run does too.
func reasonToRefuse(c *Config) (string, bool) {
	if c.Network.MITMProxy != nil && c.Network.TLSTerminate != nil {
		return "two proxies", true
	}
	text := c.Merged(false)
	return "a NUL", strings.Contains(text, `\u0000`)
}

func FuzzJSON(f *testing.F) {
	if data, err := os.ReadFile("testdata/npm.json"); err == nil {
		f.Add(string(data))
	}
	for _, s := range []string{
		npmSettings("", "", ""), npmSettings(`"allowedDomains":["exa mple.com","[::1]:443","*.a*.com"],"deniedDomains":["*","*:22","127.1"],"deniedDomainReasons":{"*":"no","x":"y"}`, "", ""),
		npmSettings(`"allowUnixSockets":["/x"],"parentProxy":{}`, `"denyRead":["~bob","[z-a]","a\"\\\u202e",{"path":"~x","literal":true},"/a/**"],"allowRead":["~/../x*"],"denyWrite":["*.pem"]`, `"git":{"safeDirectories":["*"]}`),
		npmSettings("", `"disabled":true`, `"credentials":{"files":[{"path":"~s","mode":"deny"},{"path":"/a*","mode":"deny"}]},"ignoreViolations":{"*":["a"],"b":[]}`),
		`{"a":1,"a":[2]}`, `{"network":{}}`, `[1 2]`, `{"a":1,}`, `[1,]`, `"x`, "{}\n{}", "\ufeff{}", `{"network":null}`, "\x00", "[\"\xff\"]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1<<16 {
			return
		}
		if _, err := parseJSON([]byte(s)); (err == nil) != (json.Valid([]byte(s)) && utf8.ValidString(s)) && !strings.Contains(s, strings.Repeat("[", 500)) {
			t.Errorf("accepted: %v", err)
		}
		if c, err := bound([]byte(s), false); err == nil {
			roundTrip(t, c)
		}
	})
}

func FuzzTOML(f *testing.F) {
	for _, s := range []string{
		fullTOML, "a = 010", "x.y = 1\n[x]\n", "[a]\n[a]\n", "[[a]]\n[a]\n", "a = {b = 1}\n[a.c]\n", "a = [[[]]]", "mandatory_deny_search_depth = 1.0", "\ufeff", "a = 1979-05-27\r\n",
		"[permissions]\ndeny = ['Read(~/x)', 'Read(//a/[b])', 'Edit(c)', 'WebFetch', 'WebFetch(domain:a.b)']\nallow = ['Read(~/x/y)']\n",
		"[filesystem]\ndeny_read = [{ path = '~x', literal = true }, 'a]b', '/x/*']\nallow_cache = ['~/c']\nallow_write = ['.']\n",
		"[environment]\ndeny = ['A*']\nkeep = ['AB']\n[[command]]\nmatch = ['npm *']\npreset = 'npm'\n[[command]]\nmatch = ['x']\n",
		"[network.parent_proxy]\n", "[network.tls_terminate]\nmax_tunnels = 3\n", "[git]\nsafe_directories = ['/x']\n", "[ignore_violations]\n\"a b\" = ['x']\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1<<16 {
			return
		}
		if root, err := parseTOML([]byte(s)); err == nil && !hasLoose(root) {
			var v map[string]any
			if err := toml.Unmarshal([]byte(s), &v); err != nil && !lenient(err.Error()) {
				t.Errorf("accepted, and is not TOML: %v", err)
			}
		}
		if c, err := bound([]byte(s), true); err == nil {
			roundTrip(t, c)
		}
	})
}

// lenient tells of faults that lose nothing: all that is written counts.
func lenient(fault string) bool {
	for _, s := range []string{"toml: key", "already exists", "redefined", "time", "date"} {
		if strings.Contains(fault, s) {
			return true
		}
	}
	return false
}

// FuzzSettings builds settings of the npm form out of what may stand in them, and
// expects its translation to TOML to decide alike.
func FuzzSettings(f *testing.F) {
	for _, s := range []string{"", "\x01\x02\x03\x04\x05\x06\x07\x08", "zyxwvutsrqponmlkjihgfedcba", "0123456789abcdef0123456789abcdef", strings.Repeat("\xff\x80", 40)} {
		f.Add([]byte(s))
	}
	hosts := []string{"example.com", "*.example.com", "localhost", "[::1]:443", "10.0.0.1", "127.1", "exa mple.com", "*.a*.com", "bücher.example", "x.test:22", "[fe80::1%eth0]"}
	denied := append([]string{"*", "*:22", "a.example.com"}, hosts...)
	paths := []string{".", "..", "~", "/", "~/.ssh", "~/.npm/_logs", "/tmp/claude", "a", "a/b", "a*", "**/*.pem", "a]b", "[z-a]", "~bob/x", "~/../x*", "/**", "a/**", "x/..", "\"\\\u202e\t", "(a)", "/a/[b]"}
	values := []string{"/x", "com.a", "a b", "#", "é"}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 200 {
			return
		}
		pick := func(n int) int {
			if len(data) == 0 {
				return 0
			}
			c := int(data[0])
			data = data[1:]
			return c % n
		}
		list := func(from []string) []any {
			out := []any{}
			for range pick(4) {
				out = append(out, from[pick(len(from))])
			}
			return out
		}
		pathList := func() []any {
			out := list(paths)
			for i := range out {
				if pick(5) == 1 {
					out[i] = map[string]any{"path": out[i], "literal": true}
				}
			}
			return out
		}
		network := map[string]any{"allowedDomains": list(hosts), "deniedDomains": list(denied)}
		files := map[string]any{"denyRead": pathList(), "allowRead": pathList(), "allowWrite": pathList(), "denyWrite": pathList()}
		root := map[string]any{"network": network, "filesystem": files}
		switch pick(8) {
		case 1:
			network["deniedDomainReasons"] = map[string]any{denied[pick(len(denied))]: "because # \"of\" it\n"}
		case 2:
			files["disabled"] = pick(2) == 1
		case 3:
			files["allowGitConfig"] = pick(2) == 1
		case 4:
			network["tlsTerminate"], network["parentProxy"] = map[string]any{"excludeDomains": list(hosts[:2])}, map[string]any{"noProxy": values[pick(len(values))]}
		case 5:
			root["git"], root["ignoreViolations"] = map[string]any{"safeDirectories": list(values)}, map[string]any{values[pick(len(values))]: list(values)}
		case 6:
			network["allowUnixSockets"], network["deniedResolvedAddresses"], network["strictAllowlist"] = list(values), []string{"10.0.0.0/8"}, true
		case 7:
			root["credentials"] = map[string]any{
				"allowPlaintextInject": true, "sigv4": map[string]any{"presigned": "passthrough"},
				"files":   []any{map[string]any{"path": paths[pick(len(paths))], "mode": []string{"deny", "mask"}[pick(2)]}},
				"envVars": []any{map[string]any{"name": "TOKEN", "mode": "deny"}},
			}
		}
		text, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		c, err := bound(text, false)
		if err != nil {
			if !strings.Contains(err.Error(), "separator") && !strings.Contains(err.Error(), "directory") {
				t.Fatalf("%s\n%v", text, err)
			}
			return
		}
		roundTrip(t, c)
	})
}
