package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A write root inside of what holds protected names opens none of them, but those
// that it names.
func TestProtectedBelowTheRoot(t *testing.T) {
	for root, paths := range map[string]map[string]bool{
		"/r/.git":             {"/r/.git/hooks/x": false, "/r/.git/config": false, "/r/.git/HEAD": true, "/r/.git/modules/a/b/hooks/x": false, "/r/.git/info/exclude": true},
		"/r/.git/modules":     {"/r/.git/modules/a/config": false, "/r/.git/modules/a/HEAD": true},
		"/r/.git/modules/sub": {"/r/.git/modules/sub/config": false, "/r/.git/modules/sub/modules/x/hooks/y": false, "/r/.git/modules/sub/index": true},
		"/r/.git/hooks":       {"/r/.git/hooks/x": true, "/r/.git/config": false},
		"/r/.vscode/ext":      {"/r/.vscode/ext/x": true, "/r/.vscode/tasks.json": false, "/r/.vscode/ext/.bashrc": false},
		"/r/.claude":          {"/r/.claude/commands/x": false, "/r/.claude/notes": true},
	} {
		pol := newPolicy(t, Input{Paths: entries(AllowWrite, root)})
		for p, want := range paths {
			if d := pol.Write(p); d.Allow != want {
				t.Errorf("allow_write %q: Write(%q) = %+v", root, p, d)
			}
		}
	}
}

// Settings in the npm form cannot name a protected path of the project to open it.
func TestProtectedNamedByNPM(t *testing.T) {
	e := entries(AllowWrite, ".git/hooks", "/elsewhere/.git/hooks")
	for i := range e {
		e[i].Closed = true
	}
	pol := newPolicy(t, Input{Paths: e})
	if pol.Write("/home/u/p/.git/hooks/x").Allow || !pol.Write("/elsewhere/.git/hooks/x").Allow {
		t.Error("a path in the project is open, or one outside of it closed")
	}
}

// npm srt lets a command write an agent's settings, and leaves it to the agent to
// deny them.
func TestProtectedInTheNPMForm(t *testing.T) {
	pol := newPolicy(t, Input{NPM: true, Paths: entries(AllowWrite, ".")})
	if !pol.Write("/home/u/p/.claude/settings.json").Allow || pol.Write("/home/u/p/.claude/commands/x").Allow {
		t.Error("settings.json is closed, or commands open")
	}
}

func TestProtected(t *testing.T) {
	pol := newPolicy(t, Input{
		Paths: append(entries(AllowWrite, ".", "/other", "~"), PathEntry{Kind: AllowWrite, Cache: true, Rule: Rule{Text: "/cache"}}),
		Own:   []string{"/home/u/.config/srt", "/home/u/.srt-settings.json", "relative"},
	})
	for _, p := range []string{
		".gitconfig", ".gitmodules", ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout",
		".profile", ".ripgreprc", ".mcp.json", ".envrc", ".config/fish/config.fish", ".vscode/settings.json", ".idea/x", ".claude/commands/x.md",
		".claude/agents/a", ".git/hooks/pre-commit", ".git/hooks", ".git/config", ".git/config.worktree", ".git/info/attributes",
		".git/modules/sub/hooks/x", ".git/modules/sub/config", ".git/modules/a/b/config", ".git/modules/a/modules/b/hooks/x",
		".git/worktrees/w/gitdir", ".git/worktrees/w/config.worktree", ".srt.toml", ".srt.local.toml", ".sandbox/settings.json",
		".claude/settings.json", ".claude/settings.local.json", ".claude/hooks/x", ".cursor/rules/x", ".codex/config.toml", ".zed/tasks.json",
		".devcontainer/devcontainer.json", ".husky/pre-commit", "AGENTS.md", "CLAUDE.md", "GEMINI.md",
	} {
		for _, root := range []string{"/home/u/p/", "/other/", "/home/u/p/a/b/c/d/"} {
			for _, spelled := range []string{p, strings.ToUpper(p)} {
				d := pol.Write(root + spelled)
				if d.Allow || d.Reason == "" || d.Rule == nil {
					t.Errorf("Write(%q) = %+v", root+spelled, d)
				}
				if d.Nested != strings.HasPrefix(root, "/home/u/p/a") {
					t.Errorf("Write(%q): nested is %v", root+spelled, d.Nested)
				}
			}
		}
	}
	for _, p := range []string{
		".claude", ".git", ".git/HEAD", ".git/objects/x", ".git/index", ".git/info/exclude", ".git/modules/sub/HEAD",
		".gitignore", ".npmrc", "bashrc", "x.bashrc", ".bashrc.d", ".config/other", "config", "hooks/x", "a.git/hooks/x", ".sandbox/x", "bin/x",
		".github/workflows/x.yml", ".ssh/x",
	} {
		if d := pol.Write("/other/" + p); !d.Allow {
			t.Errorf("Write(/other/%s) = %+v", p, d)
		}
	}
	for _, p := range []string{
		".ssh/rc", ".ssh/authorized_keys", ".config/systemd/user/x.service", ".config/autostart/x", ".config/fish/x", ".config/git/config", ".local/bin/git",
		"bin/ls", ".local/share/applications/x", ".pam_environment", ".npmrc", ".config/srt/config.toml", ".srt-settings.json", "Library/LaunchAgents/x",
	} {
		if d := pol.Write("/home/u/" + p); d.Allow {
			t.Errorf("Write(~/%s) is allowed", p)
		}
	}
	if !pol.Write("/home/u/.config/other").Allow || !pol.Write("/home/u/notes").Allow {
		t.Error("the rest of the home is closed")
	}
	if d := pol.Write("/cache/x/.git/hooks/h"); !d.Allow {
		t.Errorf("a name deep in a cache is protected: %+v", d)
	}
	if pol.Write("/cache/.bashrc").Allow {
		t.Error("a name at the top of a cache is not protected")
	}
}

func TestProtectedOpened(t *testing.T) {
	at := func(layer Layer, closed bool, texts ...string) []PathEntry {
		out := entries(AllowWrite, texts...)
		for i := range out {
			out[i].Rule.Origin.Layer = layer
			out[i].Closed = closed
		}
		return out
	}
	for _, c := range []struct {
		name  string
		paths []PathEntry
		in    Input
		write string
		want  bool
	}{
		{"named", at(LayerUser, false, ".", ".vscode"), Input{}, "/home/u/p/.vscode/x", true},
		{"named inside", at(LayerUser, false, ".", ".vscode/settings.json"), Input{}, "/home/u/p/.vscode/settings.json", true},
		{"the rest stays", at(LayerUser, false, ".", ".vscode/settings.json"), Input{}, "/home/u/p/.vscode/tasks.json", false},
		{"elsewhere stays", at(LayerUser, false, ".", ".vscode"), Input{}, "/home/u/p/a/.vscode/x", false},
		{"by a flag", at(LayerFlag, false, ".", ".envrc"), Input{}, "/home/u/p/.envrc", true},
		{"by a repository", at(LayerProject, false, ".", ".vscode"), Input{}, "/home/u/p/.vscode/x", false},
		{"in npm settings", at(LayerSettings, true, ".", ".vscode"), Input{}, "/home/u/p/.vscode/x", false},
		{"own files never", at(LayerUser, false, ".", "~/.config/srt"), Input{Own: []string{"/home/u/.config/srt"}}, "/home/u/.config/srt/x", false},
		{"git config", at(LayerUser, false, "."), Input{GitConfig: true}, "/home/u/p/.git/config", true},
		{"git config of a submodule", at(LayerUser, false, "."), Input{GitConfig: true}, "/home/u/p/.git/modules/x/config", true},
		{"git config opens no hook", at(LayerUser, false, "."), Input{GitConfig: true}, "/home/u/p/.git/hooks/x", false},
		{"git config by name", at(LayerUser, false, ".", ".git/config"), Input{}, "/home/u/p/.git/config", true},
		{"home by name", at(LayerUser, false, "~/.cargo/bin"), Input{}, "/home/u/.cargo/bin/x", true},
		{"inside by name", at(LayerUser, false, "~/.ssh/known_hosts"), Input{}, "/home/u/.ssh/known_hosts", true},
		{"a project in ~/bin", at(LayerUser, false, "."), Input{Roots: Roots{"/home/u", "/home/u/bin/p"}}, "/home/u/bin/p/x", true},
		{"~/bin as the directory", at(LayerUser, false, "."), Input{Roots: Roots{"/home/u", "/home/u/bin"}}, "/home/u/bin/x", false},
	} {
		c.in.Paths = c.paths
		pol := newPolicy(t, c.in)
		if d := pol.Write(c.write); d.Allow != c.want {
			t.Errorf("%s: Write(%q) = %+v", c.name, c.write, d)
		}
	}
	pol := newPolicy(t, Input{Paths: entries(AllowWrite, ".")})
	if d := pol.Write("/home/u/p/.git/config"); d.Hint != "allow_git_config = true" {
		t.Errorf("%+v", d)
	}
	if d := pol.Write("/home/u/p/.envrc"); d.Hint != `allow_write = ["~/p/.envrc"]` {
		t.Errorf("%+v", d)
	}
}

func TestGitPointer(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".git"), []byte("gitdir: /x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pol := newPolicy(t, Input{Roots: Roots{"/home/u", dir}, Paths: entries(AllowWrite, "."), Lstat: os.Lstat})
	if pol.Write(filepath.Join(dir, ".git")).Allow {
		t.Error("a .git file can be written")
	}
	repo := t.TempDir()
	if err := os.Mkdir(filepath.Join(repo, ".git"), 0o750); err != nil {
		t.Fatal(err)
	}
	pol = newPolicy(t, Input{Roots: Roots{"/home/u", repo}, Paths: entries(AllowWrite, "."), Lstat: os.Lstat})
	if !pol.Write(filepath.Join(repo, ".git")).Allow {
		t.Error("a .git directory cannot be written")
	}
}

func TestProtectedTable(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range newPolicy(t, Input{Own: []string{"/home/u/.config/srt"}}).Protected() {
		key := p.Name + p.Path
		if seen[key] {
			t.Errorf("%s is listed twice", key)
		}
		seen[key] = true
		if (p.Name == "") == (p.Path == "") || p.Reason == "" || strings.HasSuffix(p.Reason, ".") {
			t.Errorf("%+v", p)
		}
	}
}

func TestCredentialRules(t *testing.T) {
	pol := newPolicy(t, Input{Paths: append(CredentialRules(), entries(AllowWrite, ".")...)})
	seen := map[string]bool{}
	for _, e := range CredentialRules() {
		if seen[e.Rule.Text] {
			t.Errorf("%s is listed twice", e.Rule.Text)
		}
		seen[e.Rule.Text] = true
		if e.Rule.Reason == "" || e.Rule.Origin.Layer != LayerDefault {
			t.Errorf("%+v", e)
		}
	}
	for p, want := range map[string]bool{
		"/home/u/.ssh/id_ed25519": false, "/home/u/.ssh/known_hosts": true, "/home/u/.ssh/config": true, "/home/u/.aws/credentials": false,
		"/home/u/.npmrc": false, "/home/u/.netrc": false, "/home/u/.docker/config.json": false, "/home/u/.docker/x": true,
		"/home/u/.mozilla/firefox/x": false, "/home/u/.bash_history": false, "/home/u/.config/gh/hosts.yml": false, "/etc/shadow": false,
		"/home/u/Library/Keychains/x": false, "/home/u/p/x": true, "/home/u/.gitconfig": true, "/etc/passwd": true,
	} {
		if d := pol.Read(p); d.Allow != want {
			t.Errorf("Read(%q) = %+v", p, d)
		}
	}
	if d := pol.Read("/home/u/.aws/credentials"); d.Reason != "it holds cloud credentials" || d.Hint == "" {
		t.Errorf("%+v", d)
	}
	reopened := newPolicy(t, Input{Paths: append(append(CredentialRules(), entries(AllowRead, "~/.npmrc", "~")...), entries(DenyRead, "~/.netrc")...)})
	for p, want := range map[string]bool{"/home/u/.npmrc": true, "/home/u/.aws/x": false, "/home/u/.netrc": false} {
		if reopened.Read(p).Allow != want {
			t.Errorf("after allow_read: Read(%q) is not %v", p, want)
		}
	}
	for _, r := range reopened.Paths() {
		if r.Kind == DenyRead && r.Path == "/home/u/.npmrc" {
			t.Error("the re-opened deny is still handed to the mechanism")
		}
	}
}

// A root that happens to be a protected directory does not name it.
func TestUnnamedRoots(t *testing.T) {
	for _, text := range []string{".", "./", "./.", "./**", "x/..", "../bin"} {
		pol := newPolicy(t, Input{Roots: Roots{Home: "/home/u", Dir: "/home/u/bin"}, Paths: entries(AllowWrite, text)})
		if named := text == "../bin"; pol.Write("/home/u/bin/x").Allow != named {
			t.Errorf("%q opens ~/bin: %v", text, !named)
		}
		pol = newPolicy(t, Input{Roots: Roots{Home: "/home/u", Dir: "/w/.git/hooks"}, Paths: entries(AllowWrite, "/w", text)})
		if pol.Write("/w/.git/hooks/pre-commit").Allow {
			t.Errorf("%q opens .git/hooks", text)
		}
	}
}
