package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// npmSettings puts members into the three sections of a minimal file.
func npmSettings(network, filesystem, top string) string {
	comma := func(s string) string {
		if s == "" {
			return ""
		}
		return "," + s
	}
	def := func(s, key, value string) string {
		if strings.Contains(s, `"`+key+`"`) {
			return s
		}
		if s != "" {
			s += ","
		}
		return s + `"` + key + `":` + value
	}
	network = def(def(network, "allowedDomains", "[]"), "deniedDomains", "[]")
	filesystem = def(def(def(filesystem, "denyRead", "[]"), "allowWrite", `["."]`), "denyWrite", "[]")
	return fmt.Sprintf(`{"network":{%s},"filesystem":{%s}%s}`, network, filesystem, comma(top))
}

// What npm srt 0.0.83 accepts and refuses, with the key that it names.
func TestNPMSettings(t *testing.T) {
	quoted := func(key string, words ...string) string {
		return `"` + key + `":["` + strings.Join(words, `","`) + `"]`
	}
	for _, c := range []struct{ network, filesystem, top, want string }{
		{"", "", "", ""},
		{quoted("allowedDomains", "example.com"), "", "", ""},
		{quoted("allowedDomains", "*.example.com"), "", "", ""},
		{quoted("allowedDomains", "*.co.uk"), "", "", ""},
		{quoted("allowedDomains", "localhost"), "", "", ""},
		{quoted("allowedDomains", "example.com:443"), "", "", ""},
		{quoted("allowedDomains", "*.example.com:8443"), "", "", ""},
		{quoted("allowedDomains", "[::1]"), "", "", ""},
		{quoted("allowedDomains", "[2001:db8::1]:443"), "", "", ""},
		{quoted("allowedDomains", "[fe80::1%eth0]"), "", "", ""},
		{quoted("allowedDomains", "10.0.0.1"), "", "", ""},
		{quoted("allowedDomains", "exa mple.com"), "", "", ""},
		{quoted("allowedDomains", "*"), "", "", "network.allowedDomains.0: Invalid domain pattern"},
		{quoted("allowedDomains", "*.com"), "", "", "network.allowedDomains.0"},
		{quoted("allowedDomains", "ok.com", "*.com"), "", "", "network.allowedDomains.1"},
		{quoted("allowedDomains", "http://example.com"), "", "", "network.allowedDomains.0"},
		{quoted("allowedDomains", "example.com/x"), "", "", "network.allowedDomains.0"},
		{quoted("allowedDomains", "example"), "", "", "network.allowedDomains.0"},
		{quoted("allowedDomains", "example.com:0"), "", "", "network.allowedDomains.0"},
		{quoted("allowedDomains", "example.com:080"), "", "", "network.allowedDomains.0"},
		{quoted("allowedDomains", "example.com:65536"), "", "", "network.allowedDomains.0"},
		{quoted("allowedDomains", "::1"), "", "", "network.allowedDomains.0"},
		{quoted("allowedDomains", "2001:db8::1:443"), "", "", "network.allowedDomains.0"},
		{quoted("allowedDomains", ".example.com"), "", "", "network.allowedDomains.0"},
		{quoted("allowedDomains", "example.com."), "", "", "network.allowedDomains.0"},
		{quoted("allowedDomains", "a*.example.com"), "", "", "network.allowedDomains.0"},
		{quoted("allowedDomains", "*:22"), "", "", "network.allowedDomains.0"},
		{quoted("allowedDomains", "evil.com:443.good.com"), "", "", "network.allowedDomains.0"},
		{quoted("allowedDomains", ""), "", "", "network.allowedDomains.0"},
		{`"allowedDomains":"x.com"`, "", "", "network.allowedDomains: Expected array, received string"},
		{`"allowedDomains":[1]`, "", "", "network.allowedDomains.0: Expected string, received number"},
		{`"allowedDomains":null`, "", "", "network.allowedDomains: Expected array, received null"},
		{quoted("deniedDomains", "*", "*:22"), "", "", ""},
		{quoted("deniedDomains", "*.com"), "", "", "network.deniedDomains.0"},
		{quoted("deniedDomains", "*:0"), "", "", "network.deniedDomains.0"},
		{`"deniedDomainReasons":{"github.com:22":"no"}`, "", "", ""},
		{`"deniedDomainReasons":{"github.com:22":""}`, "", "", "network.deniedDomainReasons.github.com:22"},
		{`"deniedDomainReasons":{"x.y":1}`, "", "", "network.deniedDomainReasons.x.y: Expected string, received number"},
		{`"strictAllowlist":true`, "", "", ""},
		{`"strictAllowlist":"true"`, "", "", "network.strictAllowlist: Expected boolean, received string"},
		{quoted("deniedResolvedAddresses", "10.0.0.0/8", "fc00::/7", "::1"), "", "", ""},
		{quoted("deniedResolvedAddresses", "private"), "", "", "network.deniedResolvedAddresses.0"},
		{quoted("deniedResolvedAddresses", "10.0.0.0/33"), "", "", "network.deniedResolvedAddresses.0"},
		{quoted("deniedResolvedAddresses", "::ffff:1.2.3.4/95"), "", "", "network.deniedResolvedAddresses.0"},
		{quoted("deniedResolvedAddresses", "[::1]"), "", "", "network.deniedResolvedAddresses.0"},
		{quoted("allowUnixSockets", "/x"), "", "", ""},
		{quoted("allowMachLookup", "com.a.*", "*"), "", "", ""},
		{quoted("allowMachLookup", "com.*.a"), "", "", "network.allowMachLookup.0"},
		{`"httpProxyPort":8080.0,"socksProxyPort":1`, "", "", ""},
		{`"httpProxyPort":0`, "", "", "network.httpProxyPort: Number must be greater than or equal to 1"},
		{`"httpProxyPort":65536`, "", "", "network.httpProxyPort: Number must be less than or equal to 65535"},
		{`"httpProxyPort":1.5`, "", "", "network.httpProxyPort: Expected integer, received float"},
		{`"httpProxyPort":"80"`, "", "", "network.httpProxyPort: Expected number, received string"},
		{`"mitmProxy":{"socketPath":"/s","domains":["a.b"]}`, "", "", ""},
		{`"mitmProxy":{"socketPath":"/s","domains":["a.b:80"]}`, "", "", "network.mitmProxy.domains.0"},
		{`"mitmProxy":{"socketPath":"","domains":[]}`, "", "", "network.mitmProxy.socketPath: String must contain at least 1 character(s); network.mitmProxy.domains: Array must contain at least 1 element(s)"},
		{`"mitmProxy":{}`, "", "", "network.mitmProxy.socketPath: Required; network.mitmProxy.domains: Required"},
		{`"filterRequest":{}`, "", "", "network.filterRequest: filterRequest must be a function"},
		{`"filterRequest":null`, "", "", "filterRequest must be a function"},
		{`"stripResponseHeaders":[""]`, "", "", "network.stripResponseHeaders.0"},
		{`"ambiguousRequestTarget":"asSpelled"`, "", "", ""},
		{`"ambiguousRequestTarget":"x"`, "", "", "network.ambiguousRequestTarget: Invalid enum value. Expected 'refuse' | 'asSpelled' | 'normalize', received 'x'"},
		{`"tlsTerminate":{}`, "", "", ""},
		{`"tlsTerminate":{"caCertPath":"a","caKeyPath":"b","maxTunnels":65536,"handshakeTimeoutMs":100}`, "", "", ""},
		{`"tlsTerminate":{"caCertPath":"a"}`, "", "", "network.tlsTerminate: caCertPath and caKeyPath must be provided together"},
		{`"tlsTerminate":{"maxTunnels":0}`, "", "", "network.tlsTerminate.maxTunnels"},
		{`"tlsTerminate":{"handshakeTimeoutMs":600001}`, "", "", "network.tlsTerminate.handshakeTimeoutMs"},
		{`"tlsTerminate":{"excludeDomains":["*"]}`, "", "", "network.tlsTerminate.excludeDomains.0"},
		{`"tlsTerminate":true`, "", "", "network.tlsTerminate: Expected object, received boolean"},
		{`"parentProxy":{"http":"http://p:3128","https":"p:80","noProxy":""}`, "", "", ""},
		{`"parentProxy":{"http":"proxy"}`, "", "", "network.parentProxy.http: Invalid url"},
		{`"parentProxy":{"https":"http://p:99999"}`, "", "", "network.parentProxy.https: Invalid url"},
		{"", `"denyRead":["/data/*/"]`, "", "ends in a separator"},
		{"", `"denyWrite":["~/x[a]/"]`, "", "filesystem.denyWrite.0"},
		{"", `"denyWrite":["build/*/"]`, "", ""},
		{"", `"allowRead":["/data/*/"],"allowWrite":["/x*/"]`, "", ""},
		{"", `"denyRead":["/data/*/"],"disabled":true`, "", ""},
		{"", `"denyRead":["/data/*"]`, "", ""},
		{"", `"denyRead":[{"path":"/data/*/","literal":true}]`, "", ""},
		{"", `"denyRead":[{"path":"x"}]`, "", `filesystem.denyRead.0: Expected a path, or { "path": "<path>", "literal": true }`},
		{"", `"denyRead":[{"path":"x","literal":false}]`, "", "filesystem.denyRead.0"},
		{"", `"denyRead":[{"path":"x","literal":true,"z":1}]`, "", "filesystem.denyRead.0: Unrecognized key(s) in object: 'z'"},
		{"", `"denyRead":[""]`, "", "filesystem.denyRead.0: Path cannot be empty"},
		{"", `"denyRead":[1]`, "", "filesystem.denyRead.0"},
		{"", `"denyRead":"x"`, "", "filesystem.denyRead: Expected array, received string"},
		{"", `"allowGitConfig":1`, "", "filesystem.allowGitConfig"},
		{"", "", `"mandatoryDenySearchDepth":10`, ""},
		{"", "", `"mandatoryDenySearchDepth":0`, "mandatoryDenySearchDepth"},
		{"", "", `"mandatoryDenySearchDepth":11`, "mandatoryDenySearchDepth"},
		{"", "", `"mandatoryDenySearchDepth":2.5`, "mandatoryDenySearchDepth"},
		{"", "", `"bwrapPath":"/usr/bin/bwrap"`, ""},
		{"", "", `"bwrapPath":"bwrap"`, "bwrapPath: Binary path must be absolute"},
		{"", "", `"socatPath":""`, "socatPath: Path cannot be empty; socatPath: Binary path must be absolute"},
		{"", "", `"ripgrep":{"command":"rg","args":["-x"]}`, ""},
		{"", "", `"ripgrep":{}`, "ripgrep.command: Required"},
		{"", "", `"seccomp":{"applyPath":"x"},"allowPty":true`, ""},
		{"", "", `"git":{}`, ""},
		{"", "", `"git":{"safeDirectories":[1]}`, "git.safeDirectories.0"},
		{"", "", `"ignoreViolations":{"*":["x"]}`, ""},
		{"", "", `"ignoreViolations":{"*":"x"}`, "ignoreViolations.*: Expected array, received string"},
		{"", "", `"windows":{"backend":"mxc","proxyPortRange":[60000,60064],"sublayerGuid":"00000000-0000-0000-0000-000000000000"}`, ""},
		{"", "", `"windows":{"proxyPortRange":[1,66]}`, "windows.proxyPortRange"},
		{"", "", `"windows":{"proxyPortRange":[1]}`, "windows.proxyPortRange: Array must contain at least 2 element(s)"},
		{"", "", `"windows":{"sandboxUser":"aaaaaaaaaaaaaaaaaaaaa","sublayerGuid":"x"}`, "windows.sandboxUser"},
		{`"nope":1`, `"nope":1`, `"nope":1`, ""},
		{"", "", `"credentials":{}`, ""},
		{"", "", `"credentials":{"injectHosts":[]}`, "credentials: Unrecognized key(s) in object: 'injectHosts'"},
		{"", "", `"credentials":{"sigv4":{"x":1}}`, "credentials.sigv4: Unrecognized key(s) in object: 'x'"},
		{"", "", `"credentials":{"awsPairs":[{}]}`, "credentials.awsPairs.0.accessKeyIdVar: Required"},
		{"", "", `"credentials":{"envVars":[{"name":"T","mode":"deny","nope":1}]}`, ""},
		{"", "", `"credentials":{"envVars":[{"name":"1T","mode":"deny"}]}`, "credentials.envVars.0.name"},
		{"", "", `"credentials":{"envVars":[{"name":"T","mode":"hide"}]}`, "credentials.envVars.0.mode: Invalid enum value. Expected 'deny' | 'mask', received 'hide'"},
		{"", "", `"credentials":{"envVars":[{"name":"T","mode":"mask"}]}`, "requires network.tlsTerminate"},
		{"", "", `"credentials":{"envVars":[{"name":"T","mode":"mask"}],"allowPlaintextInject":true}`, ""},
		{`"tlsTerminate":{}`, "", `"credentials":{"envVars":[{"name":"T","mode":"mask"}]}`, ""},
		{`"tlsTerminate":{},"allowedDomains":["*.github.com"]`, "", `"credentials":{"envVars":[{"name":"T","mode":"mask","injectHosts":["api.github.com"]}]}`, ""},
		{`"tlsTerminate":{},"allowedDomains":["*.github.com:443"]`, "", `"credentials":{"envVars":[{"name":"T","mode":"mask","injectHosts":["*.api.github.com"]}]}`, ""},
		{`"tlsTerminate":{},"allowedDomains":["api.github.com"]`, "", `"credentials":{"envVars":[{"name":"T","mode":"mask","injectHosts":["*.github.com"]}]}`, "credentials.envVars.0.injectHosts.0"},
		{`"tlsTerminate":{},"allowedDomains":["*.github.com"]`, "", `"credentials":{"files":[{"path":"/t","mode":"deny","injectHosts":["github.com"]}]}`, "is not reachable via network.allowedDomains"},
		{`"tlsTerminate":{},"allowedDomains":["a.b"]`, "", `"credentials":{"files":[{"path":"/t","mode":"mask","injectHosts":[]}]}`, "credentials.files.0: injectHosts is explicitly empty"},
		{`"tlsTerminate":{"excludeDomains":["*.a.b"]},"allowedDomains":["x.a.b","c.d"]`, "", `"credentials":{"files":[{"path":"/t","mode":"mask","injectHosts":["x.a.b"]}]}`, "entirely covered by network.tlsTerminate.excludeDomains"},
		{`"tlsTerminate":{"excludeDomains":["*.a.b"]},"allowedDomains":["x.a.b"]`, "", `"credentials":{"files":[{"path":"/t","mode":"mask"}]}`, "excludeDomains covers every allowed"},
		{`"tlsTerminate":{"excludeDomains":["*.a.b"]},"allowedDomains":["x.a.b","c.d"]`, "", `"credentials":{"files":[{"path":"/t","mode":"mask"}]}`, ""},
		{`"tlsTerminate":{}`, "", `"credentials":{"files":[{"path":"/t","mode":"mask","maskClaims":["x"]}]}`, "maskClaims requires decode"},
		{`"tlsTerminate":{}`, "", `"credentials":{"files":[{"path":"/t","mode":"mask","decode":"jwt","maskClaims":[]}]}`, "maskClaims is explicitly empty"},
		{`"tlsTerminate":{}`, "", `"credentials":{"files":[{"path":"/t","mode":"mask","decode":"jwt","maskClaims":["a"],"extract":"(x)"}]}`, ""},
		{`"tlsTerminate":{}`, "", `"credentials":{"files":[{"path":"/t/","mode":"mask"}]}`, "credentials.files.0.path"},
		{"", "", `"credentials":{"files":[{"path":"/t/","mode":"deny"}]}`, ""},
		{"", "", `"credentials":{"files":[{"path":"/t*/","mode":"deny"}]}`, "ends in a separator"},
		{"", "", `"credentials":{"files":[{"path":"/t","mode":"deny","extract":"("}]}`, "extract is not a valid regular expression"},
		{"", "", `"credentials":{"files":[{"path":"/t","mode":"deny","extract":"(?:x)"}]}`, "at least one capturing group"},
		{"", "", `"credentials":{"files":[{"path":"/t","mode":"deny","extract":"(?<=a)(?<n>x)\\1"}]}`, ""},
		{`"tlsTerminate":{}`, "", `"credentials":{"envVars":[{"name":"A","mode":"mask"},{"name":"B","mode":"mask"}],"awsPairs":[{"accessKeyIdVar":"A","secretAccessKeyVar":"B"}]}`, ""},
		{`"tlsTerminate":{}`, "", `"credentials":{"envVars":[{"name":"A","mode":"mask"}],"awsPairs":[{"accessKeyIdVar":"A","secretAccessKeyVar":"A"}]}`, "credentials.awsPairs.0.secretAccessKeyVar"},
		{`"tlsTerminate":{}`, "", `"credentials":{"envVars":[{"name":"A","mode":"mask"},{"name":"B","mode":"deny"}],"awsPairs":[{"accessKeyIdVar":"A","secretAccessKeyVar":"B"}]}`, "credentials.awsPairs.0.secretAccessKeyVar"},
		{`"tlsTerminate":{}`, "", `"credentials":{"envVars":[{"name":"A","mode":"mask"},{"name":"B","mode":"mask","decode":"jwt"}],"awsPairs":[{"accessKeyIdVar":"A","secretAccessKeyVar":"B"}]}`, "credentials.awsPairs.0.secretAccessKeyVar"},
	} {
		text := npmSettings(c.network, c.filesystem, c.top)
		_, err := parseFile([]byte(text), "t.json", false, false)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s\n\tis refused: %v", text, err)
		case c.want != "" && err == nil:
			t.Errorf("%s\n\tis accepted", text)
		case c.want != "" && !strings.Contains(err.Error(), c.want):
			t.Errorf("%s\n\tgives %q\n\twithout %q", text, err, c.want)
		}
	}
}

func TestNPMDocuments(t *testing.T) {
	valid := npmSettings("", "", "")
	for _, c := range []struct{ text, want string }{
		{"", "F is empty. Delete it, or put a config in it."},
		{" \n\t\u00a0", "is empty"},
		{"\ufeff", "is empty"},
		{"{ nope", "F is not valid JSON: "},
		{"{'a':1}", "is not valid JSON"},
		{valid + "x", "is not valid JSON"},
		{valid + valid, "is not valid JSON"},
		{valid + "// c", "is not valid JSON"},
		{"\ufeff" + valid, "is not valid JSON"},
		{valid[:len(valid)-1], "unexpected end of JSON input"},
		{`{"a":1,}`, "is not valid JSON"},
		{"{\n\n\"a\" 1}", "(line 3)"},
		{strings.Repeat("[", 100000), "levels of nesting"},
		{strings.Repeat("[", 100000) + strings.Repeat("]", 100000), "levels of nesting"},
		{"[]", "F does not hold a valid config — (root): Expected object, received array"},
		{"null", "(root): Expected object, received null"},
		{"{}", "network: Required; filesystem: Required"},
		{`{"network":{}}`, "network.allowedDomains: Required; network.deniedDomains: Required; filesystem: Required"},
		{`{"network":1,"network":{"allowedDomains":[],"deniedDomains":[]},"filesystem":null}`, "config — filesystem: Expected object, received null"},
	} {
		_, err := parseFile([]byte(c.text), "F", false, false)
		var refused *RefusedError
		if !errors.As(err, &refused) || !strings.Contains(refused.Reason, c.want) {
			t.Errorf("%.60q: %.200v, want %q", c.text, err, c.want)
			continue
		}
		if first, second, _ := strings.Cut(err.Error(), "\n"); first != "Error: "+refused.Reason ||
			second != "Refusing to run with the built-in defaults, which would drop this file's rules (its denyRead, allowRead and credential entries included)." {
			t.Errorf("%.60q prints %q", c.text, err)
		}
	}
	for _, text := range []string{valid, " " + valid + "\n", strings.Replace(valid, `"deniedDomains":[]`, `"deniedDomains":["bad"],"deniedDomains":[]`, 1)} {
		if _, err := parseFile([]byte(text), "F", false, false); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSettingsFile(t *testing.T) {
	dir := t.TempDir()
	load := func(settings string) (*Config, error) {
		return Load(Options{Home: filepath.Join(dir, "h"), Dir: dir, Settings: settings, SettingsSet: true, ManagedPath: filepath.Join(dir, "etc/none")})
	}
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	_, err := load(filepath.Join(dir, "gone.json"))
	if err == nil || err.Error() != "Error: "+dir+"/gone.json does not exist.\nRefusing to run with the built-in defaults, which would drop the rules --settings asked for." {
		t.Errorf("a missing file: %v", err)
	}
	if _, err = load(""); err == nil {
		t.Error("--settings '' is accepted")
	}
	if _, err = load(dir); err == nil || !strings.Contains(err.Error(), dir+" could not be read (EISDIR).") {
		t.Errorf("a directory: %v", err)
	}
	if _, err = load(write("f", "x") + "/x"); err == nil || !strings.Contains(err.Error(), "could not be read (ENOTDIR)") {
		t.Errorf("below a file: %v", err)
	}
	if _, err = load(write("big.json", strings.Repeat(" ", maxFile+1))); err == nil || !strings.Contains(err.Error(), "is larger than 8 MiB.") {
		t.Errorf("a huge file: %v", err)
	}
	write("rel.json", npmSettings(`"allowedDomains":["x.test"]`, "", ""))
	c, err := load("rel.json")
	if err != nil || !c.NPM || len(c.Network.AllowedDomains) != 1 {
		t.Errorf("a relative path: %+v, %v", c, err)
	}
	c, err = load(write("s.toml", "[filesystem]\nallow_write = ['.']\n"))
	if err != nil || c.NPM {
		t.Errorf("TOML: %+v, %v", c, err)
	}
	pol, err := c.Policy()
	if err != nil || pol.Write(filepath.Join(dir, "s.toml")).Allow || !pol.Write(filepath.Join(dir, "x")).Allow {
		t.Errorf("the settings file can be written from inside: %v", err)
	}
}

func FuzzParseJSON(f *testing.F) {
	f.Add(npmSettings("", "", ""))
	f.Add(npmSettings(`"tlsTerminate":{}`, `"denyRead":[{"path":"x","literal":true}]`, `"credentials":{"envVars":[{"name":"A","mode":"mask"}]}`))
	f.Add("{\n\"network\": [1,2,\n{\"a\"")
	f.Add(`{"network":{"mitmProxy":{}},"windows":{"proxyPortRange":[1,"a"]}}`)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		fuzzFile(t, text, dir, false)
	})
}

// fuzzFile checks what holds for every text: it is refused with a place in
// words, or it binds, makes a policy or says why not, and prints as TOML.
func fuzzFile(t *testing.T, text, dir string, toml bool) {
	t.Helper()
	parsed, err := parseFile([]byte(text), "F", toml, false)
	if err != nil {
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Lost == "" {
			t.Fatalf("%q: %v is no refusal", text, err)
		}
		var e *Error
		if errors.As(err, &e) && (e.Line < 1 || e.Line > strings.Count(text, "\n")+1) {
			t.Errorf("%q: %v names line %d", text, err, e.Line)
		}
		return
	}
	c := &Config{Home: "/h", Dir: dir, goos: "linux", Lstat: os.Lstat, NPM: !toml}
	b := binder{c: c}
	if err := b.file(parsed, 2); err != nil {
		return
	}
	if _, err := c.Policy(); err != nil {
		return
	}
	merged := c.Merged(true)
	if len(c.Network.AllowUnixSockets) > 0 || strings.ContainsRune(merged, '\ufffd') || strings.Contains(merged, `\u0000`) {
		return // not in TOML, or not the same text
	}
	if strings.TrimSpace(merged) == "" {
		return
	}
	if _, err := parseFile([]byte(merged), "merged", true, false); err != nil && toml {
		t.Errorf("%q prints as\n%s\nwhich is refused: %v", text, merged, err)
	}
}
