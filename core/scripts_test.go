package core

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseNpmrc(t *testing.T) {
	for _, c := range []struct {
		text           string
		secrets, names []string
	}{
		{"//r.example/:_authToken=abc", []string{"abc"}, nil},
		{"//r.example/:_authToken = \"abc\" \n", []string{"abc"}, nil},
		{"//r.example/:_authToken=${NPM_TOKEN}", nil, []string{"NPM_TOKEN"}},
		{"//r.example/:_authToken=${NPM_TOKEN?}", nil, []string{"NPM_TOKEN"}},
		{"//r.example/:_authToken=${A}x${B}", []string{"${A}x${B}"}, []string{"A", "B"}},
		{"//r.example/:_authToken=${A:-xyz}", []string{"${A:-xyz}"}, []string{"A"}},
		{"_auth=YWJj\n_password=x", []string{"YWJj", "x"}, nil},
		{"//r.example/:_password=eA==\n//r.example/:username=me", []string{"eA=="}, nil},
		{"//r.example/:tokenHelper=/bin/x", []string{"/bin/x"}, nil},
		{"key=\"-----BEGIN\"", []string{"-----BEGIN"}, nil},
		{"; //r.example/:_authToken=abc\n# _auth=x\nregistry=https://r.example/", nil, nil},
		{"[section]\n_auth=x", nil, nil},
		{"_authToken", []string{"true"}, nil},
		{"registry=https://me:abc@r.example/", []string{"https://me:abc@r.example/"}, nil},
		{"https-proxy = http://me:${PW}@p.example:3128", []string{"http://me:${PW}@p.example:3128"}, []string{"PW"}},
		{"@s:registry=https://r.example/@s", nil, nil},
		{"_auth=", nil, nil},
		{"//r.example:8080/a:b/:_authToken=${X", []string{"${X"}, nil},
	} {
		got := parseNpmrc(c.text)
		if !slices.Equal(got.secrets, c.secrets) || !slices.Equal(got.vars, c.names) {
			t.Errorf("%q: secrets %q, variables %q", c.text, got.secrets, got.vars)
		}
	}
}

// Whatever a file says: a line with a credential in it is found where npm finds one, and
// what is handed on has no section in it, which would swallow what follows.
func FuzzParseNpmrc(f *testing.F) {
	for _, seed := range []string{"//r/:_authToken=x", "[a]\nb=c", "a=\"b;c\" ; d", "${", "_auth=${A}${B", "=\n= =", "key[]=v"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rc := parseNpmrc(text)
		for line := range strings.Lines(rc.body) {
			if strings.HasPrefix(strings.TrimSpace(line), "[") {
				t.Errorf("a section in %q", rc.body)
			}
		}
		again := parseNpmrc(rc.body + "//fuzz.example/:_authToken=planted\n")
		if !slices.Contains(again.secrets, "planted") {
			t.Errorf("%q hides what follows", text)
		}
		if again := parseNpmrc(rc.body); !slices.Equal(again.secrets, rc.secrets) {
			t.Errorf("%q: %q, then %q", text, rc.secrets, again.secrets)
		}
	})
}

// A script starts in the folder of its package, or beneath it, however the way there is
// spelled.
func TestCheckFolder(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"w/node_modules/a/node_modules/b", "w/packages/p", "w/shared", "clone/ws", "else"} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("w", filepath.Join(top, "link")); err != nil {
		t.Fatal(err)
	}
	s := scriptOrder{Roots: []string{top + "/w"}}
	for _, c := range []struct {
		pkg, prefix, dir string
		ok               bool
	}{
		{"/w", "/w", "/w", true},
		{"/w/node_modules/a", "/w", "/w/node_modules/a", true},
		{"/link/node_modules/a", "/link", "/w/node_modules/a", true},
		{"/link/node_modules/a", "", "/w/node_modules/a", true},
		{"/link/packages/p", "", "/w/packages/p", true},
		{"/w", "/w", "/w/packages/p", true},
		{"/w/packages/x", "/w", "/w/shared", true},
		{"/w/node_modules/a/node_modules/b", "/w", "/w", false},
		{"/w/node_modules/a/node_modules/b", "", "/w", false},
		{"/w/node_modules/a/node_modules/b", "/w", "/w/node_modules/a", false},
		{"/w/node_modules/a/node_modules/b", "/w", "/w/node_modules/sibling", false},
		{"/w/node_modules/a/node_modules/b", "/w", "/else", false},
		{"/w/packages/x", "/w", "/w/node_modules/sibling", false},
		{"/w/packages/x", "/w", "/else", false},
		{"/clone/ws", "/clone", "/w", false},
		{"/nowhere/node_modules/a", "", "/w", false},
	} {
		environ := []string{"npm_package_json=" + top + c.pkg + "/package.json"}
		if c.prefix != "" {
			environ = append(environ, "npm_config_local_prefix="+top+c.prefix)
		}
		if err := s.checkFolder(top+c.dir, environ); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if err := s.checkFolder("/w", nil); err != nil {
		t.Error(err)
	}
}

func TestScriptPlaces(t *testing.T) {
	s := scriptOrder{Roots: []string{"/w", "/more"}}
	for _, c := range []struct {
		dir, prefix string
		want        []string
		dependency  bool
	}{
		{"/w", "/w", []string{"/w", "/more"}, false},
		{"/w/packages/a", "/w", []string{"/w", "/more"}, false},
		{"/w/node_modules/a", "/w", []string{"/w/node_modules/a"}, true},
		{"/w/node_modules/.pnpm/a@1/node_modules/@s/a", "/w", []string{"/w/node_modules/.pnpm/a@1/node_modules/@s/a"}, true},
		{"/home/.npm/_cacache/tmp/clone", "/home/.npm/_cacache/tmp/clone", []string{"/home/.npm/_cacache/tmp/clone"}, false},
		{"/clone/packages/a", "/clone", []string{"/clone"}, false},
		{"/clone/a", "/", []string{"/clone/a"}, false},
		{"/clone/a", "rel", []string{"/clone/a"}, false},
		{"/wx", "", []string{"/wx"}, false},
	} {
		got, dependency := s.scriptPlaces(c.dir, c.prefix)
		if !slices.Equal(got, c.want) || dependency != c.dependency {
			t.Errorf("%s: %q, %v", c.dir, got, dependency)
		}
	}
}

func TestScriptEnv(t *testing.T) {
	const token = "cafe"
	s := scriptOrder{Token: token, Temp: "/tmp/claude", Secrets: []string{"MY_TOKEN"}}
	environ := []string{
		"A=b", "MY_TOKEN=1", "NPM_TOKEN=2", "npm_config_//r.example/:_authToken=3", "NPM_CONFIG__AUTH=4", "pnpm_config__password=5",
		"npm_config_otp=6", "HTTP_PROXY=http://srt:" + token + "@localhost:3128", "RSYNC_PROXY=srt:" + token + "@localhost:3128",
		"OTHER=x" + token, "npm_config_userconfig=/tmp/claude/npm/npmrc", "TMPDIR=/tmp/claude", "npm_config_cache=/home/.npm",
		"npm_config_registry=https://r.example/", "npm_package_config_key=kept", scriptsVariable + "={}",
	}
	got := s.scriptEnv(environ, "/tmp/claude/t")
	text := strings.Join(got, "\n")
	for _, gone := range []string{token, "=1\n", "=2\n", "=3\n", "=4\n", "=5\n", "=6\n", "/npm/npmrc", "/home/.npm"} {
		if strings.Contains(text+"\n", gone) {
			t.Errorf("%q stays", gone)
		}
	}
	own := scriptToken(token)
	for _, want := range []string{
		"A=b", "TMPDIR=/tmp/claude/t", "npm_config_registry=https://r.example/", "npm_package_config_key=kept",
		"HTTP_PROXY=http://srt-scripts:" + own + "@localhost:3128", "RSYNC_PROXY=srt-scripts:" + own + "@localhost:3128", "OTHER=x" + own,
		"npm_config_cache=/tmp/claude/t/npm-cache",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is missing in %q", want, got)
		}
	}
	// What a script starts is told the same again.
	next, err := readScriptOrder(got)
	if err != nil || next.Token != "" || next.Temp != "/tmp/claude/t" || !slices.Equal(next.Secrets, s.Secrets) {
		t.Errorf("%+v, %v", next, err)
	}
	s.Network = true
	if open := s.scriptEnv(environ, "/t"); !slices.Contains(open, "HTTP_PROXY=http://srt:"+token+"@localhost:3128") {
		t.Errorf("with a network: %q", open)
	}
}

func TestReadScriptOrder(t *testing.T) {
	if _, err := readScriptOrder([]string{scriptsVariable + "=nonsense"}); err == nil {
		t.Error("nonsense is read")
	}
	var zero scriptOrder
	if got, err := readScriptOrder(nil); err != nil || got.Network != zero.Network || got.Roots != nil {
		t.Errorf("%+v, %v", got, err)
	}
	text, _ := json.Marshal(scriptOrder{Network: true, Roots: []string{"/w"}})
	if got, err := readScriptOrder([]string{scriptsVariable + "=" + string(text)}); err != nil || !got.Network || got.Roots[0] != "/w" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestNpmFiles(t *testing.T) {
	disk := map[string]string{
		"/usr/etc/npmrc":             "fund=false\n",
		"/h/.npmrc":                  "script-shell=/bin/zsh\n//r.example/:_authToken=user\ngit=/opt/git\n",
		"/h/src/app/.npmrc":          "git = ./evil\ninit-module=./evil.js\nscript-shell=bash\n",
		"/h/src/app/sub/.npmrc":      "shell-emulator=true\n",
		"/h/src/pnpm-workspace.yaml": "packages:\n  - a\n  scriptShell: no\nscriptShell: /bin/dash\nshellEmulator: false\n",
	}
	read := func(name string) ([]byte, error) {
		text, found := disk[name]
		if !found {
			return nil, fs.ErrNotExist
		}
		return []byte(text), nil
	}
	files := npmFiles("/h", "/h/src/app/sub", func(string) string { return "" }, read)
	var names []string
	for _, f := range files {
		names = append(names, f.path)
	}
	if want := []string{"/usr/etc/npmrc", "/h/.npmrc", "/h/src/app/.npmrc", "/h/src/app/sub/.npmrc"}; !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
	if got := scriptShellOf(files); got != "bash" {
		t.Errorf("shell %q", got)
	}
	var lines []string
	for _, u := range append(undoings(files), workspaceUndoings("/h/src/app/sub", "/h", read)...) {
		lines = append(lines, u.Text)
	}
	if want := []string{"git = ./evil", "init-module = ./evil.js", "shell-emulator = true", "scriptShell: /bin/dash"}; !slices.Equal(lines, want) {
		t.Errorf("%q", lines)
	}
	moved := npmFiles("/h", "/x", func(name string) string {
		return map[string]string{"npm_config_userconfig": "/h/src/app/.npmrc"}[name]
	}, read)
	if len(moved) != 2 || moved[1].path != "/h/src/app/.npmrc" || moved[1].project {
		t.Errorf("%+v", moved)
	}
}
