package core

import (
	"bytes"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/srt-sh/srt/sandbox"
)

// gitSyntax are texts of configuration files, good and bad.
func gitSyntax() []string {
	return []string{
		"", "\n", "# c\n; d\n", "\ufeff[core]\n\thooksPath = a\n",
		"[core]\n\thooksPath = .husky/_\n", "[Core]\n HOOKSPATH=\"/abs/hooks\"\n", "[core] hooksPath = ~/h # c\n",
		"[core]hooksPath=a", "[core]\r\nhooksPath = a\r\n[x]\r\n", "[core]\nhooksPath = a \\\n  b\n", "[core]\nhooksPath = a\\",
		"[core]\nhooksPath = a \" b ; \" c ; d\n", "[core]\nhooksPath = \"a\\\"b\\\\c\\td\\ne\"\n", "[core]\nhooksPath = a\tb\n",
		"[core]\nhooksPath = \"a\\\n b\"\n", "[core]\nhooksPath = \"a\n", "[core]\nhooksPath = \\x\n", "[core]\nhooksPath\n", "[core]\nhooksPath # c\n",
		"[core]\nhooksPath =\n", "[core]\nhooks Path = a\n", "[core]\n1a = b\n", "[core]\na-1 = b\n", "[core]\na_b = c\n",
		"[core \"x\"]\nhooksPath = a\n", "[core.X]\nhooksPath = a\n", "[CORE \"Xy\\\"\\z\"]\nA = b\n", "[core\"x\"]\na = b\n", "[core \"x\" ]\na = b\n",
		"[core\n]\na = b\n", "[core \"a\nb\"]\na = b\n", "[core ]\na = b\n", "[core \"]\"]\na = b\n", "[]\na = b\n", "[core", "[core]]\n", "[core]\n[a] b = c [d]\n",
		"[core]\n\thooksPath = a # \\\n\thooksPath = b\n", "[core]\n# a \\\nhooksPath = b\n", "[core]\nhooksPath = a\rb\n", "[core]\nhooksPath = a \"\"\n",
		"[core]\nhooksPath=a ;\n\n\n  \f\v\n[x]\ny\n", "x\n", "[a]\nb = \"c\" \"d\"  e\\\\\n", "[include]\npath = x\n[includeIf \"gitdir:/A\"]\n\tPath = ~/y\n",
		"[core]\n\thooksPath = " + strings.Repeat("a", 70000) + "\n", "[core]\nhooksPath = é\n", "é\n",
	}
}

// asGit lists the variables as git does, but for what old and new versions of git
// differ in. ok tells whether git reads the file.
func asGit(t *testing.T, text string) (entries []string, ok bool) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "git", "config", "--file", name, "--no-includes", "--null", "--list")
	out, err := cmd.Output()
	for entry := range bytes.SplitSeq(bytes.TrimSuffix(out, []byte{0}), []byte{0}) {
		if len(entry) > 0 {
			entries = append(entries, string(entry))
		}
	}
	return entries, err == nil
}

func TestGitConfigAsGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	for _, text := range gitSyntax() {
		compareWithGit(t, text)
	}
}

func compareWithGit(t *testing.T, text string) {
	t.Helper()
	entries, err := parseGitConfig([]byte(text))
	want, ok := asGit(t, text)
	if (err == nil) != ok {
		t.Errorf("%.80q: %v, and git says %v", text, err, ok)
		return
	}
	var got []string
	for _, e := range entries {
		word := e.name
		if e.set {
			word += "\n" + e.value
		}
		got = append(got, word)
	}
	for _, word := range want {
		i := slices.Index(got, word)
		if ok && i < 0 {
			t.Errorf("%.80q: git reads %.80q, and we %.200q", text, word, got)
		}
	}
}

func FuzzGitConfig(f *testing.F) {
	for _, text := range gitSyntax() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := parseGitConfig([]byte(text))
		if err != nil && entries != nil {
			t.Error("entries of a file that cannot be read")
		}
		for _, e := range entries {
			section, _, _ := strings.Cut(e.name, ".")
			if section != strings.ToLower(section) || e.line < 1 || e.line > strings.Count(text, "\n")+1 || !e.set && e.value != "" {
				t.Errorf("%+v", e)
			}
		}
		// Nothing that follows may change what is read before it.
		if more, err2 := parseGitConfig([]byte(text + "\n[z]\nz = z\n")); err == nil && (err2 != nil || len(more) < len(entries)) && !strings.HasSuffix(text, "\\") {
			t.Errorf("a further section: %v", err2)
		}
		if os.Getenv("SRT_FUZZ_GIT") != "" && !strings.ContainsRune(text, 0) {
			compareWithGit(t, text)
		}
	})
}

func repoPaths(paths []sandbox.RepoPath) []string {
	out := []string{}
	for _, p := range paths {
		out = append(out, p.Path)
	}
	return out
}

func TestGitPaths(t *testing.T) {
	top := t.TempDir()
	home := top + "/home"
	me, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	git := top + "/repo/.git"
	for text, want := range map[string][]string{
		"[core]\n\thooksPath = .husky/_\n":                          {top + "/repo/.husky/_", git + "/.husky/_"},
		"[core]\nhooksPath = \"/a b\" # c":                          {"/a b"},
		"[core]\nhooksPath = ~/h":                                   {home + "/h"},
		"[core]\nhooksPath = ~\n":                                   {home},
		"[core]\nhooksPath = ~" + me.Username + "/h":                {me.HomeDir + "/h"},
		"[core]\nhooksPath = :(optional)/o":                         {"/o"},
		"[core]\nhooksPath =\n":                                     {"/"},
		"[core]\nhooksPath = /a\nhooksPath = /b\n":                  {"/a", "/b"},
		"[core \"x\"]\nhooksPath = /a\n[other]\nhooksPath = x\n":    {},
		"[core]\nworktree = ../../w\nhooksPath = h\n":               {top + "/repo/h", git + "/h", top + "/w/h"},
		"[include]\npath = ../shared\n":                             {"/from/shared", top + "/repo/shared"},
		"[includeIf \"gitdir:/no\"]\npath = ../shared\n":            {"/from/shared", top + "/repo/shared"},
		"[include]\npath = none\n":                                  {git + "/none"},
		"[include]\npath = ../loop\n":                               {top + "/repo/loop"},
		"[core]\nhooksPath = " + strings.Repeat("x", 100000) + "/y": {top + "/repo/" + strings.Repeat("x", 100000) + "/y", git + "/" + strings.Repeat("x", 100000) + "/y"},
	} {
		put(t, git+"/config", text, 0o644)
		put(t, top+"/repo/shared", "[core]\nhooksPath = /from/shared\n", 0o644)
		put(t, top+"/repo/loop", "[include]\npath = loop\n", 0o644)
		g := gitPaths{home: home, get: func(string) string { return "" }}
		got, err := g.of(git)
		if err != nil || !slices.Equal(repoPaths(got), want) {
			t.Errorf("%.80q: %.300q, %v, want %.300q", text, repoPaths(got), err, want)
		}
	}
}

// What cannot be understood is an error and never an empty answer.
func TestGitPathsUnsure(t *testing.T) {
	top := t.TempDir()
	git := top + "/.git"
	deep := ""
	for i := range 15 {
		put(t, git+"/i"+strings.Repeat("x", i), "[include]\npath = i"+strings.Repeat("x", i+1)+"\n", 0o644)
	}
	for text, want := range map[string]string{
		"[core\n":                               "line 2: no valid section",
		"[core]\nhooksPath\n":                   "core.hookspath: the key has no value",
		"[core]\nhooksPath = \"x\n":             "no valid value",
		"[core]\nhooksPath = ~no-such-user-1/x": "finding the home folder",
		"[core]\nhooksPath = %(prefix)/x":       "%(prefix)",
		"[include]\npath = i\n":                 "too many files",
		"[include]\npath = ..\n":                "no regular file",
		"\x00":                                  "NUL",
		strings.Repeat("\n", maxGitConfig+1):    "larger than 1 MiB",
	} {
		put(t, git+"/config", deep+text, 0o644)
		g := gitPaths{home: top, get: func(string) string { return "" }}
		if got, err := g.of(git); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: %v, %v", text, got, err)
		}
	}
	if err := os.Remove(git + "/config"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(git+"/config", 0o600); err != nil {
		t.Fatal(err)
	}
	g := gitPaths{home: top, get: func(string) string { return "" }}
	if _, err := g.of(git); err == nil {
		t.Error("a named pipe is a configuration")
	}
}

func TestGitPathsElsewhere(t *testing.T) {
	top := t.TempDir()
	home := top + "/home"
	vars := map[string]string{}
	of := func(dotGit string) []string {
		t.Helper()
		g := gitPaths{home: home, get: func(name string) string { return vars[name] }}
		got, err := g.of(dotGit)
		if err != nil {
			t.Fatal(err)
		}
		return repoPaths(got)
	}
	// A linked work tree takes the settings of the repository that it belongs to.
	put(t, top+"/main/.git/config", "[core]\nhooksPath = h\n", 0o644)
	put(t, top+"/main/.git/worktrees/w/commondir", "../..\n", 0o644)
	put(t, top+"/main/.git/worktrees/w/config.worktree", "[core]\nhooksPath = own\n", 0o644)
	put(t, top+"/w/.git", "gitdir: "+top+"/main/.git/worktrees/w\n", 0o644)
	got := of(top + "/w/.git")
	for _, want := range []string{top + "/w/h", top + "/w/own", top + "/main/.git/h"} {
		if !slices.Contains(got, want) {
			t.Errorf("a linked work tree: %q has no %q", got, want)
		}
	}
	put(t, top+"/sub/.git", "gitdir: ../main/.git\n", 0o644)
	if got := of(top + "/sub/.git"); !slices.Contains(got, top+"/sub/h") {
		t.Errorf("a relative pointer: %q", got)
	}
	put(t, top+"/odd/.git", "nothing\n", 0o644)
	if got := of(top + "/odd/.git"); len(got) != 0 {
		t.Errorf("no pointer: %q", got)
	}

	// The user's own settings hold everywhere.
	put(t, home+"/.gitconfig", "[core]\nhooksPath = .hooks\n[include]\npath = dotfiles/git\n", 0o644)
	put(t, home+"/xdg/git/config", "[core]\nhooksPath = /all\n", 0o644)
	vars["XDG_CONFIG_HOME"] = home + "/xdg"
	if got := of(""); !slices.Equal(got, []string{"/all", home + "/dotfiles/git"}) {
		t.Errorf("without a repository: %q", got)
	}
	if got := of(top + "/main/.git"); !slices.Contains(got, top+"/main/.hooks") || !slices.Contains(got, "/all") {
		t.Errorf("in a repository: %q", got)
	}
	vars["GIT_CONFIG_GLOBAL"] = top + "/global"
	put(t, top+"/global", "[core]\nhooksPath = /global\n", 0o644)
	if got := of(""); !slices.Contains(got, "/global") {
		t.Errorf("GIT_CONFIG_GLOBAL: %q", got)
	}
}

// What git is led to by other keys is found too.
func TestGitPathsOfCommands(t *testing.T) {
	root := t.TempDir()
	home, top := root+"/home", root+"/repo"
	put(t, home+"/.gitconfig", "[init]\n\ttemplateDir = ~/tmpl\n", 0o644)
	put(t, top+"/tools/strip.sh", "", 0o755)
	put(t, top+"/less", "", 0o644)
	put(t, top+"/.git/config", "[core]\npager = less -R\nattributesFile = attrs\n[filter \"s\"]\nclean = sh tools/strip.sh %f | cat\n"+
		"[diff \"x\"]\ntextconv=/abs/absent\n[alias]\nplain = tools/strip.sh\n", 0o644)
	g := gitPaths{home: home, get: func(string) string { return "" }}
	named := func(dotGit string) (out []string) {
		list, err := g.of(dotGit)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			out = append(out, strings.TrimPrefix(p.Path, root))
		}
		slices.Sort(out)
		return out
	}
	if got, want := named(""), []string{"/home/tmpl"}; !slices.Equal(got, want) {
		t.Errorf("the user's: %q, want %q", got, want)
	}
	if got, want := named(top+"/.git"), []string{"/repo/.git/attrs", "/repo/attrs", "/repo/tools/strip.sh"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestGitRuns(t *testing.T) {
	g := gitPaths{home: t.TempDir(), get: func(string) string { return "" }}
	git := t.TempDir() + "/.git"
	nothing := func(string) bool { return false }
	for text, want := range map[string]string{
		"[core]\nfsmonitor = true\nbare = false\n[alias]\nx = status\n[filter \"lfs\"]\nclean = git-lfs clean -- %f\n": "",
		"[Alias]\ny = !sh\n[credential]\nhelper = store\n[core]\nhooksPath = x\n":                                      "alias.y, credential.helper, core.hookspath",
		"[includeIf \"x\"]\npath = y\n": "include.path",
		"nonsense [":                    "cannot read",
	} {
		put(t, git+"/config", text, 0o644)
		got := strings.Join(g.runs(git, nothing), "")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if got := g.runs(git, func(dir string) bool { return dir == git }); got != nil {
			t.Errorf("%q, known: %q", text, got)
		}
	}
}

// A work tree cannot choose the repository that it is trusted with.
func TestRepository(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	put(t, top+"/main/.git/config", "", 0o644)
	put(t, top+"/main/.git/worktrees/w/commondir", "../..\n", 0o644)
	put(t, top+"/main/.git/worktrees/w/gitdir", top+"/w/.git\n", 0o644)
	put(t, top+"/main/.git/modules/s/config", "[core]\nworktree = ../../../s\n", 0o644)
	put(t, top+"/w/.git", "gitdir: "+top+"/main/.git/worktrees/w\n", 0o644)
	put(t, top+"/main/s/.git", "gitdir: ../.git/modules/s\n", 0o644)
	put(t, top+"/thief/.git", "gitdir: "+top+"/main/.git/worktrees/w\n", 0o644)
	put(t, top+"/other/.git", "gitdir: "+top+"/main/.git\n", 0o644)
	put(t, top+"/common/.git/commondir", top+"/main/.git\n", 0o644)
	put(t, top+"/plain/x", "", 0o644)
	put(t, top+"/link/x", "", 0o644)
	if err := os.Symlink(top+"/main/.git", top+"/link/.git"); err != nil {
		t.Fatal(err)
	}
	for tree, want := range map[string]string{
		"/main": "/main/.git", "/w": "/main/.git", "/main/s": "/main/.git/modules/s",
		"/thief": "/thief", "/other": "/other", "/common": "/common/.git", "/plain": "/plain", "/link": "/link",
	} {
		if got := Repository(top + tree); got != top+want {
			t.Errorf("%s belongs to %s, want %s", tree, got, want)
		}
	}
}
