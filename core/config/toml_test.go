package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
)

const fullTOML = `
enable_weaker_nested_sandbox = false
mandatory_deny_search_depth = 5
bwrap_path = "/usr/bin/bwrap"

[network]
allowed_domains = ["github.com", "*.github.com:443"]
denied_domains = ["*:22"]
denied_resolved_addresses = ["private", "192.0.2.0/24"]
strict_allowlist = true

[network.denied_domain_reasons]
"*:22" = "use https"

[network.tls_terminate]
max_tunnels = 10

[network.parent_proxy]
http = "http://proxy.example:3128"

[filesystem]
deny_read = ["~/private", { path = "a*", literal = true }]
allow_read = []
allow_write = ["."]
allow_cache = ["~/.cache/x"]
deny_write = [".env", "**/*.pem"]
allow_git_config = true

[environment]
deny = ["AWS_*", "GITHUB_TOKEN"]
keep = ["AWS_REGION"]

[permissions]
allow = ["WebFetch(domain:example.org)", "Read(.)", "Edit(./src)"]
deny = ["Read(~/.ssh)", "Edit(.env)", "WebFetch(domain:malicious.com)"]

[[command]]
match = ["npm", "npm *", "./configure *"]
preset = "npm"

[credentials]
allow_plaintext_inject = false

[[credentials.env_vars]]
name = "TOKEN"
mode = "mask"
inject_hosts = ["github.com"]

[ignore_violations]
"*" = ["/tmp/x"]

[git]
safe_directories = ["/w"]
`

func TestTOML(t *testing.T) {
	if _, err := parseFile([]byte(fullTOML), "c.toml", true, false); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, want string }{
		{"# only a comment", ""},
		{"[network]\nallowed_domains = [\n \"a.test\", # x\n]\n", ""},
		{"network.allowed_domains = ['a.test']\nnetwork.denied_domains = []\n", ""},
		{"network = { allowed_domains = ['a.test'] }\n", ""},
		{"a = ", "c.toml:1: not valid TOML"},
		{"[network]\n\nx = 1\n", "c.toml:3: network.x: unknown key"},
		{"[network]\nallowed_domain = []\n", "c.toml:2: network.allowed_domain: unknown key; did you mean allowed_domains?"},
		{"[network]\nallowedDomains = []\n", "unknown key; write allowed_domains"},
		{"[network]\nallow_write = []\n", "allow_write belongs to [filesystem]"},
		{"allow_write = []\n", "c.toml:1: allow_write: unknown key; allow_write belongs to [filesystem]"},
		{"[filesytem]\nallow_write = []\n", "c.toml:1: filesytem: unknown key; did you mean filesystem?"},
		{"[network]\nfilter_request = 1\n", "network.filter_request: unknown key"},
		{"[windows]\n", "windows: unknown key"},
		{"[network]\nallowed_domains = 'x.test'\n", "c.toml:2: network.allowed_domains: expected a list, found a string; write allowed_domains = [\"example.com\"]"},
		{"[network]\nallowed_domains = [\n 'ok.test',\n 7,\n]\n", "c.toml:4: network.allowed_domains.1: expected a string, found a number"},
		{"[network]\nallowed_domains = [\n 'ok.test',\n '*',\n]\n", "c.toml:4: network.allowed_domains.1: Invalid domain pattern"},
		{"[network]\nallowed_domains = ['*.*.com']\n", "can match no host"},
		{"[network]\nstrict_allowlist = 1\n", "c.toml:2: network.strict_allowlist: expected true or false, found a number; write strict_allowlist = true"},
		{"[network]\nhttp_proxy_port = 70000\n", "c.toml:2: network.http_proxy_port: expected a number from 1 to 65535"},
		{"[network]\nhttp_proxy_port = 1.5\n", "expected a whole number"},
		{"[network]\nhttp_proxy_port = 2026-01-01\n", "expected a number, found a date"},
		{"[network]\ndenied_domain_reasons = { 'x.test' = 'y' }\n", "no entry of denied_domains is spelled so"},
		{"[network.mitm_proxy]\nsocket_path = '/s'\n", "c.toml:1: network.mitm_proxy.domains: the key is missing"},
		{"[network]\nmitm_proxy = { socket_path = '/s', domains = ['a.b'] }\ntls_terminate = {}\n", "cannot be combined with tls_terminate"},
		{"[filesystem]\ndeny_read = ['/data/*/']\n", "c.toml:2: filesystem.deny_read.0: Deny glob \"/data/*/\" ends in a separator"},
		{"[filesystem]\ndeny_read = [{ path = 'x' }]\n", "expected a path, or { path = "},
		{"[filesystem]\ndeny_read = [{ path = 'x', literal = true, z = 1 }]\n", "unknown key z"},
		{"[filesystem]\ndeny_read = [\"a\\u0000b\"]\n", "has a NUL"},
		{"[environment]\ndeny = ['A B']\n", "c.toml:2: environment.deny.0: expected the name of a variable"},
		{"[permissions]\ndeny = ['Bash(rm *)']\n", "c.toml:2: permissions.deny: not an enforceable permission"},
		{"[[command]]\npreset = 'npm'\n", "command.0.match: the key is missing"},
		{"[[command]]\nmatch = ['a \"b']\n", "expected the words of a command"},
		{"[limits]\nmemory = '1MiB'\n", "c.toml:2: limits.memory: at least 16MiB is needed"},
		{"[limits]\nprocesses = 3\n", "expected a number from 16 to"},
		{"[limits]\ntmp = '0'\n", "expected an amount of memory"},
		{"[limits]\nmemry = '4GiB'\n", "did you mean memory?"},
		{"memory = '4GiB'\n", "memory belongs to [limits]"},
		{"allow_weaker = ['walls']\n", "expected 'limits', found \"walls\""},
		{"[limits]\nmemory = 'lots'\n", "expected an amount of memory"},
		{"[limits]\ntime = 'x'\n", "expected a duration"},
		{"[guard]\nmin_release_age = '3 days'\n", "c.toml:2: guard.min_release_age: expected an age such as \"72h\" or \"3d\""},
		{"[guard]\nmin_release_age = 72\n", "guard.min_release_age: expected a string, found a number"},
		{"[guard]\nmin_age = '3d'\n", "guard.min_age: unknown key"},
		{"min_release_age = '3d'\n", "min_release_age belongs to [guard]"},
		{"[limits]\ncpu = -1\n", "expected a number of processors"},
		{"[network]\nallowed_domains = [\".example.com:443\"]\ndenied_domains = [\".evil.example\"]\n", ""},
		{"[network]\nallowed_domains = [\".com\"]\n", "network.allowed_domains.0: Invalid domain pattern \".com\""},
		{"[network]\nforward_loopback = [5432]\nlisten = [3000, 8080]\n", ""},
		{"[network]\nforward_loopback = [5432, 3128]\n", "network.forward_loopback: srt's own proxy listens on port 3128 inside"},
		{"[network]\nlisten = [1080]\n", "network.listen: srt's own proxy listens on port 1080 inside"},
		{"[network]\nlisten = [0]\n", "network.listen.0: expected a number from 1024 to 65535"},
		{"[network]\nlisten = [\"3000\"]\n", "network.listen.0: expected a number, found a string"},
		{"[network]\nlisten = 3000\n", "network.listen: expected a list, found a number"},
		{"[network]\nallow_unix_sockets = [\"/run/x\"]\n", ""},
		{"[network]\nallow_unix_sockets = []\n", ""},
		{"[network]\nallow_unix_sockets = '/run/x'\n", "network.allow_unix_sockets: "},
		{"[credentials]\nfoo = 1\n", "credentials.foo: unknown key"},
		{"[[credentials.files]]\npath = '/x'\n", "credentials.files.0.mode: the key is missing"},
		{"[[credentials.env_vars]]\nname = 'A'\nmode = 'mask'\n", "requires network.tlsTerminate"},
		// What go-toml's parser leaves to its decoder.
		{"a = 1\na = 2\n", "c.toml:2: a: not valid TOML: the key is already set"},
		{"[network]\n[network]\n", "c.toml:2: network: not valid TOML: the table is already there"},
		{"[network]\nstrict_allowlist = true\n[network.strict_allowlist]\n", "not valid TOML"},
		{"network = {}\n[network]\n", "not valid TOML"},
		{"[network.tls_terminate]\n[network]\n[filesystem]\n", ""},
		{"command = []\n[[command]]\n", "not valid TOML"},
		{"[network]\n[[network]]\n", "not valid TOML"},
		{"[filesystem]\nallow_write = ['.']\n[network]\n[filesystem.x]\n", "filesystem.x: unknown key"},
		{"[network]\ntls_terminate = {}\ntls_terminate.max_tunnels = 1\n", "not valid TOML"},
		{"a = 99999999999999999999\n", "out of range"},
		{strings.Repeat("a.", 5000) + "a = 1", "parts"},
		{"a = " + strings.Repeat("[", 50000), "not valid TOML"},
		{"\ufeff", "is empty"},
	} {
		_, err := parseFile([]byte(c.text), "c.toml", true, false)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%.80q is refused: %v", c.text, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%.80q gives %.300v\n\twithout %q", c.text, err, c.want)
		}
	}
}

func TestErrorFields(t *testing.T) {
	_, err := parseFile([]byte("[network]\n\nallowd_domains = []\n"), "~/c.toml", true, false)
	var e *Error
	if !errors.As(err, &e) || e.File != "~/c.toml" || e.Line != 3 || e.Key != "network.allowd_domains" || e.Hint != "did you mean allowed_domains?" {
		t.Errorf("%+v", e)
	}
}

func TestLargeTOML(t *testing.T) {
	var b strings.Builder
	b.WriteString("[filesystem]\ndeny_read = [\n")
	for i := range 20000 {
		fmt.Fprintf(&b, "  '/data/%d',\n", i)
	}
	b.WriteString("]\n")
	start := time.Now()
	f, err := parseFile([]byte(b.String()), "c.toml", true, false)
	if err != nil {
		t.Fatal(err)
	}
	list := f.root.get("filesystem", "denyRead").items()
	if len(list) != 20000 || list[19999].line != 20002 {
		t.Errorf("%d entries", len(list))
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("took %v", d)
	}
}

func FuzzParseTOML(f *testing.F) {
	f.Add(fullTOML)
	f.Add("[network]\nallowed_domains = [\"a\\u00e9.test\"]")
	f.Add("[a]\n[[a.b]]\nc.d = {e = 1, f.g = [1, 2]}\n")
	f.Add("a = '''x\ny'''\nb = 0x1F\nc = 1979-05-27T07:32:00Z\n")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		fuzzFile(t, text, dir, true)
		// The reader of nodes takes no document that the library's decoder refuses.
		var doc map[string]any
		if root, err := parseTOML([]byte(text)); err == nil && !hasLoose(root) {
			if err := toml.Unmarshal([]byte(text), &doc); err != nil {
				t.Errorf("%q is not TOML: %v", text, err)
			}
		}
	})
}

// hasLoose reports whether a tree has a date or a fraction, whose digits only
// the library's decoder checks; no setting is a date.
func hasLoose(n *node) bool {
	if n.kind == kindDate || n.kind == kindNumber && n.str == "" {
		return true
	}
	if slices.ContainsFunc(n.list, hasLoose) {
		return true
	}
	if n.kind == kindObject {
		return slices.ContainsFunc(n.keys, func(k string) bool { return hasLoose(n.fields[k]) })
	}
	return false
}

func FuzzExtractPattern(f *testing.F) {
	for _, s := range []string{"(a)", "(?<n>a)\\k<n>", "[a-z]{1,2}(b)", "((", "a|*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		groups, fault := scanRegexp(s)
		if groups > strings.Count(s, "(") || fault != "" && groups != 0 {
			t.Errorf("%q: %d groups, %q", s, groups, fault)
		}
	})
}
