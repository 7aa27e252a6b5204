package hooks

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/srt-sh/srt/core"
)

func TestParseGitLine(t *testing.T) {
	getenv := func(name string) string { return map[string]string{"HOOKS": "/h"}[name] }
	for _, c := range []struct {
		words string
		want  GitLine
	}{
		{"commit -m -C", GitLine{Command: "commit", Args: []string{"-m", "-C"}}},
		{"-C a -C b status", GitLine{Command: "status", Dirs: []string{"a", "b"}}},
		{"-c core.hooksPath=x commit", GitLine{Command: "commit", Configs: []GitParameter{{Key: "core.hookspath", Value: "x", Set: true}}}},
		{"-c a.B.c commit", GitLine{Command: "commit", Configs: []GitParameter{{Key: "a.B.c"}}}},
		{"--config-env=core.hooksPath=HOOKS commit", GitLine{Command: "commit", Configs: []GitParameter{{Key: "core.hookspath", Value: "/h", Set: true}}}},
		{"--config-env core.hooksPath=HOOKS commit", GitLine{Command: "commit", Configs: []GitParameter{{Key: "core.hookspath", Value: "/h", Set: true}}}},
		{"--git-dir=/x --work-tree y add", GitLine{Command: "add", GitDir: "/x"}},
		{"--git-dir /x add", GitLine{Command: "add", GitDir: "/x"}},
		{"--bare push", GitLine{Command: "push", Bare: true}},
		{"-p --no-optional-locks --namespace n log", GitLine{Command: "log"}},
		{"--exec-path=/x gc", GitLine{Command: "gc"}},
		{"--exec-path commit", GitLine{}},
		{"--version", GitLine{}},
		{"--help commit", GitLine{}},
		{"-C", GitLine{}},
		{"", GitLine{}},
	} {
		got := ParseGitLine(strings.Fields(c.words), getenv)
		if got.Command != c.want.Command || !slices.Equal(got.Dirs, c.want.Dirs) || got.GitDir != c.want.GitDir || got.Bare != c.want.Bare ||
			!slices.Equal(got.Configs, c.want.Configs) {
			t.Errorf("%q: %+v", c.words, got)
		}
		if all := slices.Concat(got.Options, []string{got.Command}, got.Args); got.Command != "" && strings.Join(all, " ") != c.words {
			t.Errorf("%q: %q", c.words, all)
		}
	}
}

func TestReads(t *testing.T) {
	for words, want := range map[string]bool{
		"status": true, "-C x log": true, "commit": false, "st": false, "branch": false, "branch --show-current": true, "branch -d x": false,
		"stash": false, "stash list": true, "stash pop": false, "symbolic-ref HEAD": true, "symbolic-ref -q --short HEAD": true,
		"symbolic-ref HEAD refs/heads/x": false, "symbolic-ref -d HEAD": false, "symbolic-ref": false,
	} {
		if got := ParseGitLine(strings.Fields(words), func(string) string { return "" }).Reads(); got != want {
			t.Errorf("%s: %v", words, got)
		}
	}
}

func TestHarmless(t *testing.T) {
	for words, want := range map[string]bool{
		"--version": true, "rev-parse HEAD": true, "-p rev-parse HEAD": false, "--paginate --version": false, "--help commit": false, "": true,
		"help commit": false, "status": false, "config x": false, "--exec-path": true,
	} {
		if got := ParseGitLine(strings.Fields(words), func(string) string { return "" }).Harmless(); got != want {
			t.Errorf("%q: %v", words, got)
		}
	}
}

func TestParameters(t *testing.T) {
	for text, want := range map[string][]GitParameter{
		"":                                nil,
		"'core.hooksPath=/x'":             {{Key: "core.hookspath", Value: "/x", Set: true}},
		"'core.hooksPath'='/x'":           {{Key: "core.hookspath", Value: "/x", Set: true}},
		"'a.b'=":                          {{Key: "a.b"}},
		"'a.b'":                           {{Key: "a.b"}},
		" 'A.b=c'  'd.E.F'='g=h'":         {{Key: "a.b", Value: "c", Set: true}, {Key: "d.E.f", Value: "g=h", Set: true}},
		`'a.b'='it'\''s'`:                 {{Key: "a.b", Value: "it's", Set: true}},
		`'hook.x.command'=''\''/v'\'' y'`: {{Key: "hook.x.command", Value: "'/v' y", Set: true}},
	} {
		got, ok := parseParameters(text)
		for i := range got {
			got[i].raw = ""
		}
		if !ok || !slices.Equal(got, want) {
			t.Errorf("%q: %+v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"x", "'a", "'a'b", "'a.b'='c'd", `'a'\`, "'a'='b"} {
		if got, ok := parseParameters(text); ok {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestWithoutOwn(t *testing.T) {
	v := Views{Base: "/s/srt/git"}
	const own = "/s/srt/git/hooks-12"
	for _, c := range []struct{ environ, want []string }{
		{[]string{"A=b", "GIT_CONFIG_PARAMETERS='core.hooksPath'='" + own + "'"}, []string{"A=b"}},
		{[]string{"GIT_CONFIG_PARAMETERS='core.hookspath=" + own + "'"}, nil},
		{
			[]string{"GIT_CONFIG_PARAMETERS='a.b'='c'  'core.hooksPath'='" + own + "' 'd'"},
			[]string{"GIT_CONFIG_PARAMETERS='a.b'='c' 'd'"},
		},
		{
			[]string{"GIT_CONFIG_PARAMETERS= 'core.hooksPath'='/mine'  'x.y'"},
			[]string{"GIT_CONFIG_PARAMETERS= 'core.hooksPath'='/mine'  'x.y'"},
		},
		{[]string{`GIT_CONFIG_PARAMETERS='hook.x.command'=''\''` + own + `/config_hook'\'' '\''x'\'''`}, nil},
		{[]string{"GIT_CONFIG_PARAMETERS=broken"}, []string{"GIT_CONFIG_PARAMETERS=broken"}},
		{
			[]string{"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=core.hooksPath", "GIT_CONFIG_VALUE_0=" + own, "GIT_CONFIG_KEY_1=User.Name", "GIT_CONFIG_VALUE_1=x"},
			[]string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=User.Name", "GIT_CONFIG_VALUE_0=x"},
		},
		{
			[]string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.hooksPath", "GIT_CONFIG_VALUE_0=/mine"},
			[]string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.hooksPath", "GIT_CONFIG_VALUE_0=/mine"},
		},
	} {
		if got, _ := withoutOwn(c.environ, v.added); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q", c.environ, got)
		}
	}
	_, words := withoutOwn([]string{
		"GIT_CONFIG_PARAMETERS='core.hooksPath'='/late' 'core.hooksPath'='" + own + "'",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.hooksPath", "GIT_CONFIG_VALUE_0=/early",
	}, v.added)
	if len(words) != 2 || words[0].Value != "/early" || words[1].Value != "/late" {
		t.Errorf("settings in the wrong order: %+v", words)
	}
}

// What is not srt's stays to the byte.
func FuzzWithoutOwn(f *testing.F) {
	for _, seed := range []string{"'a.b'='c'", "'core.hooksPath=/x'", `'a'\''b'`, "x", "'core.hooksPath'='/s/srt/git/hooks-1'", "'a' 'b'=", "'\\''", "'a'\\!'b'"} {
		f.Add(seed)
	}
	v := Views{Base: "/s/srt/git"}
	f.Fuzz(func(t *testing.T, text string) {
		environ := []string{"GIT_CONFIG_PARAMETERS=" + text}
		left, words := withoutOwn(environ, v.added)
		if !strings.Contains(strings.ToLower(text), "hook") && !slices.Equal(left, environ) {
			t.Errorf("%q became %q", text, left)
		}
		for _, w := range words {
			if v.added(w) {
				t.Errorf("%q: %+v stays", text, w)
			}
		}
		if again, _ := withoutOwn(left, v.added); !slices.Equal(again, left) {
			t.Errorf("%q: %q, and then %q", text, left, again)
		}
	})
}

func TestViews(t *testing.T) {
	v := Views{Base: filepath.Join(t.TempDir(), "srt", "git"), Srt: "/usr/bin/srt"}
	dir, err := v.View([]string{"pre-push", "pre-commit", "pre-push"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeView(dir) })
	words, views, called := Called([]string{"srt", "--git-hook", dir + "/pre-commit", "x"})
	if !called || views.Base != v.Base || !v.Own(dir) || !slices.Equal(words, []string{dir + "/pre-commit", "x"}) {
		t.Errorf("%q is no view", dir)
	}
	if _, _, called := Called([]string{"srt", "--git-hook", "/bin/sh"}); called {
		t.Error("/bin/sh is in a view")
	}
	const script = "#!/usr/bin/srt --git-hook\n"
	for _, name := range []string{"pre-commit", "pre-push"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != script {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	odd := Views{Srt: "/a b/it's srt"}
	if text := string(odd.script()); text != "#!/bin/sh\nexec '/a b/it'\\''s srt' --git-hook \"$0\" \"$@\"\n" {
		t.Errorf("a name with blanks: %q", text)
	}
	before, _ := os.Stat(dir)
	if again, err := v.View([]string{"pre-commit", "pre-push"}); again != dir || err != nil {
		t.Errorf("again: %q, %v", again, err)
	}
	after, _ := os.Stat(dir)
	if !os.SameFile(before, after) {
		t.Error("a view that is right was made again")
	}
	// Somebody has put a hook of its own there.
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "pre-push")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pre-push"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := v.View([]string{"pre-commit", "pre-push"}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "pre-push")); err != nil || string(text) != script {
		t.Errorf("the hook of somebody else stays: %q, %v", text, err)
	}
	if entries, _ := os.ReadDir(v.Base); len(entries) != 1 {
		t.Errorf("left over: %v", entries)
	}
	// Others could write it.
	if err := os.Chmod(v.Base, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := v.View([]string{"post-commit"}); err == nil {
		t.Error("a view in a folder that anybody may write")
	}
}

func TestHookCommands(t *testing.T) {
	at := func(scope core.GitScope, key, value string) core.GitSetting {
		return core.GitSetting{Key: key, Value: value, Set: true, Scope: scope}
	}
	got := hookCommands([]core.GitSetting{
		at(core.GitSystem, "hook.lint.command", "old"),
		at(core.GitGlobal, "hook.lint.command", "~/bin/lint"),
		at(core.GitGlobal, "hook.lint.event", "pre-commit"),
		at(core.GitGlobal, "hook.off.command", "x"),
		at(core.GitGlobal, "hook.off.enabled", "false"),
		at(core.GitGlobal, "hook.a.b.command", "y"),
		at(core.GitLocal, "hook.evil.command", "z"),
	})
	if len(got) != 2 || got[0].Value != "~/bin/lint" || commandName(got[1].Key) != "a.b" {
		t.Errorf("%+v", got)
	}
}

// A hook that the user's configuration names goes by a file of a view; one that a
// repository's names is a reason to hold all of git.
func TestConfiguredHooks(t *testing.T) {
	home, repo := t.TempDir(), filepath.Join(t.TempDir(), "r")
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(home+"/.gitconfig", "[hook \"lint\"]\n\tevent = pre-commit\n\tcommand = lint --fast\n")
	write(repo+"/.git/HEAD", "ref: refs/heads/main\n")
	write(repo+"/.git/refs/x", "")
	write(repo+"/.git/objects/x", "")
	g := Git{Home: home, Dir: repo, Environ: []string{"GIT_CONFIG_NOSYSTEM=1"}, Views: Views{Base: home + "/srt/git", Srt: "/usr/bin/srt"}}
	p, err := g.Plan([]string{"commit", "-m", "x"})
	if err != nil || len(p.Runs) > 0 || len(p.Args) != 7 {
		t.Fatalf("%+v, %v", p, err)
	}
	view := strings.TrimPrefix(p.Args[1], "core.hooksPath=")
	t.Cleanup(func() { removeView(view) })
	if want := "hook.lint.command='" + view + "/config_hook' 'lint'"; p.Args[3] != want {
		t.Errorf("%q, want %q", p.Args[3], want)
	}
	g.Environ = append(g.Environ, "GIT_CONFIG_PARAMETERS='"+p.Args[1]+"' "+quoteSh(p.Args[3]))
	h, err := g.Hook([]string{view + "/config_hook", "lint", "a b"})
	if err != nil || !slices.Equal(h.Args, []string{"/bin/sh", "-c", `lint --fast "$@"`, "lint --fast", "a b"}) || !slices.Equal(h.Environ, []string{"GIT_CONFIG_NOSYSTEM=1"}) {
		t.Errorf("%+v, %v", h, err)
	}
	if p, err := g.Plan([]string{"status"}); err != nil || !slices.Equal(p.Args, []string{"status"}) {
		t.Errorf("status: %+v, %v", p, err)
	}
	write(repo+"/.git/config", "[hook \"evil\"]\n\tevent = post-index-change\n\tcommand = touch /tmp/x\n")
	if p, err := g.Plan([]string{"status"}); err != nil || len(p.Runs) != 1 || p.Runs[0].Key != "hook.evil.command" {
		t.Errorf("a repository's own: %+v, %v", p, err)
	}
}

func TestSeen(t *testing.T) {
	dir := t.TempDir()
	hook := filepath.Join(dir, "t", ".husky", "_", "pre-commit")
	if err := os.MkdirAll(filepath.Dir(hook), 0o700); err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put(hook, "#!/bin/sh\n. h\n")
	put(filepath.Join(dir, "t", ".husky", "pre-commit"), "npm test\n")
	s := Seen{filepath.Join(dir, "seen")}
	state := func() SeenState {
		t.Helper()
		now, err := Sources(hook, filepath.Join(dir, "t"))
		if err != nil || len(now) != 2 {
			t.Fatalf("%+v, %v", now, err)
		}
		state, _ := s.Compare(hook, now)
		if err := s.Record(hook, now); err != nil {
			t.Fatal(err)
		}
		return state
	}
	if a, b := state(), state(); a != SeenNew || b != SeenSame {
		t.Errorf("first %v, then %v", a, b)
	}
	put(filepath.Join(dir, "t", ".husky", "pre-commit"), "npm run evil\n")
	if a, b := state(), state(); a != SeenChanged || b != SeenSame {
		t.Errorf("changed %v, then %v", a, b)
	}
}
