package core

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// gitWorld is a home and a folder, with git to ask and the variables that it gets.
type gitWorld struct {
	t    *testing.T
	home string
	env  []string
}

func newGitWorld(t *testing.T) *gitWorld {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is missing")
	}
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &gitWorld{t: t, home: home, env: []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b", "GIT_ALLOW_PROTOCOL=file",
	}}
}

func (w *gitWorld) getenv(name string) string { return getenv(w.env, name) }

func (w *gitWorld) git(dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(context.Background(), "git", args...)
	cmd.Dir, cmd.Env = dir, w.env
	out, err := cmd.Output()
	return strings.TrimSuffix(string(out), "\n"), err
}

func (w *gitWorld) must(dir string, args ...string) {
	w.t.Helper()
	if _, err := w.git(dir, args...); err != nil {
		w.t.Fatalf("git %v: %v", args, err)
	}
}

func (w *gitWorld) write(name, text string) {
	w.t.Helper()
	name = filepath.Join(w.home, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// What is found without git is what git finds.
func TestFindGit(t *testing.T) {
	w := newGitWorld(t)
	w.must(w.home, "init", "-q", "repo")
	repo := filepath.Join(w.home, "repo")
	w.must(repo, "commit", "-q", "--allow-empty", "-m", "x")
	w.must(repo, "worktree", "add", "-q", "../tree")
	w.must(w.home, "init", "-q", "--bare", "repo/bare")
	w.must(w.home, "clone", "-q", "--separate-git-dir", "elsewhere", "repo", "apart")
	w.must(repo, "submodule", "--quiet", "add", repo, "part")
	w.write("repo/sub/deep/x", "")
	w.write("repo/false/.git/config", "")               // no repository
	w.write("repo/half/HEAD", "ref: refs/heads/main\n") // nor this
	w.write("repo/odd/.git", "gitdir: nowhere\n")       // git refuses to go on here
	w.write("repo/detached/.git/refs/x", "")            //
	w.write("repo/detached/.git/objects/x", "")         //
	w.write("repo/detached/.git/HEAD", "0123456789abcdef0123456789abcdef01234567\n")
	w.write("repo/broken/.git/refs/x", "")
	w.write("repo/broken/.git/objects/x", "")
	w.write("repo/broken/.git/HEAD", "what\n")
	for _, dir := range []string{
		".", "repo", "repo/sub/deep", "tree", "repo/bare", "repo/bare/objects", "apart", "repo/part", "repo/false", "repo/half",
		"repo/.git", "repo/.git/objects", "repo/detached", "repo/broken", "repo/.git/worktrees/tree", "repo/.git/modules/part",
	} {
		at := filepath.Join(w.home, dir)
		want, err := w.git(at, "rev-parse", "--path-format=absolute", "--git-dir")
		common, _ := w.git(at, "rev-parse", "--path-format=absolute", "--git-common-dir")
		got, wrong := FindGit(at, w.getenv)
		switch {
		case wrong != nil:
			t.Errorf("%s: %v", dir, wrong)
		case err != nil && got != nil:
			t.Errorf("%s: %+v, where git finds none", dir, got)
		case err == nil && (got == nil || got.Dir != want || got.Common != common):
			t.Errorf("%s: %+v, git has %s and %s", dir, got, want, common)
		}
	}
	for _, c := range []struct{ dir, env string }{{".", "repo/.git"}, {"repo", "bare"}, {"repo", "../apart/.git"}, {"repo", "sub"}} {
		w.env = append(w.env[:8:8], "GIT_DIR="+c.env)
		at := filepath.Join(w.home, c.dir)
		want, err := w.git(at, "rev-parse", "--path-format=absolute", "--git-dir")
		got, wrong := FindGit(at, w.getenv)
		if wrong != nil || (err != nil) != (got == nil) || got != nil && got.Dir != want {
			t.Errorf("GIT_DIR=%s in %s: %+v, %v, git has %q", c.env, c.dir, got, wrong, want)
		}
	}
}

// The settings are those that git reads, in its order.
func TestGitSettings(t *testing.T) {
	w := newGitWorld(t)
	w.must(w.home, "init", "-q", "repo")
	repo := filepath.Join(w.home, "repo")
	w.write(".gitconfig", "[core]\n\thooksPath = ~/global\n[include]\n\tpath = more\n[a \"B.c\"]\n\tD\n")
	w.write(".config/git/config", "[x]\n\ty = \"z # \" # w\n")
	w.write("more", "[core]\n\tpager = less\n[includeIf \"gitdir:~/repo/\"]\n\tpath = cond\n")
	w.write("cond", "[user]\n\tname = c\n")
	w.write("repo/.git/config.worktree", "[core]\n\teditor = vi\n")
	for _, args := range [][]string{{"extensions.worktreeConfig", "true"}, {"core.hooksPath", "my"}, {"alias.x", "!y"}} {
		w.must(repo, append([]string{"config"}, args...)...)
	}
	text, err := w.git(repo, "config", "--list", "--includes", "-z")
	if err != nil {
		t.Fatal(err)
	}
	r, err := FindGit(repo, w.getenv)
	if err != nil || r == nil {
		t.Fatal(r, err)
	}
	settings, err := r.Settings(w.home, w.getenv)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, s := range settings {
		got.WriteString(s.Key)
		if s.Set {
			got.WriteString("\n" + s.Value)
		}
		got.WriteByte(0)
	}
	if got.String() != text+"" {
		t.Errorf("%q, git has\n%q", got.String(), text)
	}
	for _, s := range settings {
		if s.Doubt != (s.Key == "user.name") {
			t.Errorf("%+v", s)
		}
	}
	var keys []string
	for _, s := range r.Runs(settings) {
		keys = append(keys, s.Key)
	}
	if strings.Join(keys, " ") != "alias.x core.editor" {
		t.Errorf("git runs %v", keys)
	}
}

func TestGitRunsValue(t *testing.T) {
	for _, c := range []struct {
		key, value string
		want       bool
	}{
		{"core.fsmonitor", "x", true},
		{"core.fsmonitor", "true", false},
		{"core.fsmonitor", "false", false},
		{"alias.x", "log", false},
		{"alias.x", "!log", true},
		{"alias.x", " -c core.pager=x log", true},
		{"filter.lfs.clean", "git-lfs clean -- %f", false},
		{"filter.lfs.clean", "git-lfs clean -- %f; x", true},
		{"credential.helper", "store", false},
		{"credential.https://x.helper", "/x", true},
		{"credential.helper", "!x", true},
		{"credential.helper", "store --file x", true},
		{"protocol.ext.allow", "always", true},
		{"protocol.ext.allow", "never", false},
		{"protocol.allow", "always", true},
		{"protocol.file.allow", "always", false},
		{"hook.x.command", "y", true},
		{"hook.x.event", "pre-commit", false},
		{"tar.tar.gz.command", "x", true},
		{"lfs.customtransfer.x.path", "y", true},
		{"lfs.url", "y", false},
		{"sendemail.smtpserver", "/x", true},
		{"sendemail.smtpserver", "example.com", false},
		{"sendemail.id.tocmd", "x", true},
		{"gc.recentobjectshook", "x", true},
		{"guitool.x.cmd", "y", true},
		{"submodule.x.update", "!y", true},
		{"submodule.x.update", "rebase", false},
		{"user.name", "!x", false},
	} {
		if got := GitRuns(c.key, c.value); got != c.want {
			t.Errorf("%s = %s: %v", c.key, c.value, got)
		}
	}
}
