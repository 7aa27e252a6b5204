package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// denied are the paths of a plan that are read-only or have a placeholder, relative to
// a folder.
func denied(t *testing.T, spec *Spec, work string) []string {
	t.Helper()
	plan, err := NewPlan(spec)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, path := range plan.Watch {
		if rel, err := filepath.Rel(work, path); err == nil {
			out = append(out, rel)
		}
	}
	slices.Sort(out)
	return out
}

func gitSpec(work string) *Spec {
	return &Spec{
		Program: "/bin/true", Args: []string{"true"}, Dir: work,
		Rules: []PathRule{{Op: AllowWrite, Path: work, Reason: "work"}},
		Protect: []Protected{
			{Name: ".git/hooks", Absent: PlaceholderDir},
			{Name: ".git/config", Absent: PlaceholderFile},
			{Name: ".git/commondir", Absent: PlaceholderDot},
			{Name: ".git/modules/*/hooks", Absent: PlaceholderDir},
			{Name: ".git/modules/*/config", Absent: PlaceholderFile},
		},
	}
}

// A repository is protected under whatever name its folder has, also after a command
// took away what tells it most plainly.
func TestProtectBare(t *testing.T) {
	work := folder(t)
	for _, name := range []string{"b.git", "sub/store"} {
		write(t, filepath.Join(work, name, "HEAD"), "ref: refs/heads/main\n")
		write(t, filepath.Join(work, name, "objects/x"), "")
		write(t, filepath.Join(work, name, "refs/x"), "")
	}
	write(t, filepath.Join(work, "broken/config"), "[core]\n\trepositoryFormatVersion = 0\n")
	write(t, filepath.Join(work, "plain/config"), "[core]\n")
	write(t, filepath.Join(work, "plain/HEAD"), "")
	want := []string{
		"b.git/commondir", "b.git/config", "b.git/hooks", "broken/commondir", "broken/config", "broken/hooks",
		"sub/store/commondir", "sub/store/config", "sub/store/hooks",
	}
	if got := denied(t, gitSpec(work), work); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// So are submodules, nested and with slashes in their names, and with branches that
// are called as git's own files.
func TestProtectModules(t *testing.T) {
	work := folder(t)
	for _, name := range []string{"a", "b/c", "a/modules/d", "objects"} {
		write(t, filepath.Join(work, ".git/modules", name, "HEAD"), "")
		write(t, filepath.Join(work, ".git/modules", name, "refs/heads/config"), "")
	}
	write(t, filepath.Join(work, ".git/modules/headless/config"), "")
	want := []string{".git/commondir", ".git/config", ".git/hooks"}
	for _, name := range []string{"a", "b/c", "a/modules/d", "objects", "headless"} {
		want = append(want, ".git/modules/"+name+"/config", ".git/modules/"+name+"/hooks")
	}
	slices.Sort(want)
	if got := denied(t, gitSpec(work), work); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What links in a protected folder lead to is protected with it, unless that is all.
func TestProtectLinks(t *testing.T) {
	work := folder(t)
	write(t, filepath.Join(work, "scripts/check"), "")
	write(t, filepath.Join(work, ".git/hooks/own"), "")
	for link, to := range map[string]string{
		"check": "../../scripts/check", "later": "../../scripts/absent", "all": "../..", "self": "own", "round": "round", "out": "/etc/hostname",
	} {
		if err := os.Symlink(to, filepath.Join(work, ".git/hooks", link)); err != nil {
			t.Fatal(err)
		}
	}
	spec := gitSpec(work)
	spec.Protect = spec.Protect[:1]
	want := []string{".git/hooks", ".git/hooks/own", "scripts/absent", "scripts/check"}
	got := slices.DeleteFunc(denied(t, spec, work), func(path string) bool { // the links themselves
		info, err := os.Lstat(filepath.Join(work, path))
		return err == nil && info.Mode()&os.ModeSymlink != 0
	})
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What configuration leads to is protected where it lies in a write root.
func TestRepoPaths(t *testing.T) {
	work := folder(t)
	write(t, filepath.Join(work, "repo/.git/HEAD"), "")
	write(t, filepath.Join(work, "shared"), "")
	spec := gitSpec(work)
	spec.Protect = spec.Protect[:1]
	spec.RepoPaths = func(git string) ([]RepoPath, error) {
		if git == "" {
			return []RepoPath{{Path: filepath.Join(work, "shared")}, {Path: work}, {Path: "/etc/hostname"}}, nil
		}
		return []RepoPath{{Path: filepath.Join(filepath.Dir(git), "later"), Absent: PlaceholderFile}}, nil
	}
	want := []string{"repo/.git/hooks", "repo/later", "shared"}
	if got := denied(t, spec, work); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPlaceholderDot(t *testing.T) {
	work, state := folder(t), folder(t)
	path := filepath.Join(work, "commondir")
	holds, err := makePlaceholders(state, []Make{{path, PlaceholderDot}}, rests{})
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, dot)
	holds.release()
	wantEmpty(t, work)

	// So does one whose maker was killed before it was complete.
	write(t, path, "")
	if holds, err = makePlaceholders(state, []Make{{path, PlaceholderDot}}, rests{}); err != nil {
		t.Fatal(err)
	}
	holds.release()
	wantEmpty(t, work)

	// What somebody else put there stays.
	write(t, path, "..\n")
	if holds, err = makePlaceholders(state, []Make{{path, PlaceholderDot}}, rests{paths: []string{path}}); err != nil {
		t.Fatal(err)
	}
	holds.release()
	wantFile(t, path, "..\n")
}

// The end of a run tells of repositories that were made such that git runs something,
// and of what was bent in the others; not of what was there.
func TestGitLedger(t *testing.T) {
	work := folder(t)
	repo := func(name string) {
		write(t, filepath.Join(work, name, "HEAD"), "ref: refs/heads/main\n")
		write(t, filepath.Join(work, name, "objects/x"), "")
		write(t, filepath.Join(work, name, "refs/x"), "")
	}
	repo("old/.git")
	repo("old.git")
	repo("old/.git/modules/part")
	repo("bent/.git")
	repo("begun/.git")
	const todo = "rebase-merge/git-rebase-todo"
	write(t, filepath.Join(work, "begun/.git", todo), "exec x\n") // by the user, before
	write(t, filepath.Join(work, "early/git-rebase-todo"), "exec x\n")
	symlink(t, "/etc/x", filepath.Join(work, "early.logs/HEAD"))
	write(t, filepath.Join(work, "old/.git/hooks/own"), "")
	if err := os.Chmod(filepath.Join(work, "old/.git/hooks/own"), 0o755); err != nil {
		t.Fatal(err)
	}
	spec := gitSpec(work)
	spec.RepoRuns = func(git string, known func(string) bool) []string {
		if known(git) {
			t.Errorf("asked for %s", git)
		}
		return []string{"runs"}
	}
	plan, err := NewPlan(spec)
	if err != nil {
		t.Fatal(err)
	}
	w := plan.ledger.watch()
	// Files that are older than the run, moved with their folders.
	for from, to := range map[string]string{"early": "bent/.git/rebase-merge", "early.logs": "bent/.git/logs"} {
		if err := os.Rename(filepath.Join(work, from), filepath.Join(work, to)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(work, "bent/.git/sequencer/opts"), "[options]\n\tstrategy = x/evil\n")
	write(t, filepath.Join(work, "old/.git/modules/part", todo), "pick 1\n\t x\tevil\n")
	write(t, filepath.Join(work, "old/.git/modules/part/rebase-merge/strategy"), "x/evil\n")
	symlink(t, "/etc/x", filepath.Join(work, "old/.git/modules/part/refs/x2"))
	repo("half/.git")
	write(t, filepath.Join(work, "half/.git", todo), "exec x\n")
	repo("new")
	repo("old/sub/.git")
	repo("old/.git/modules/more/of")
	repo("old/bare")
	write(t, filepath.Join(work, "old/file/.git"), "gitdir: ../../new\n")
	write(t, filepath.Join(work, "old.git/rebase-merge/git-rebase-todo"), "pick 1\nexec x\n")
	write(t, filepath.Join(work, "old/.git/rebase-merge/git-rebase-todo"), "pick 1\n# exec x\n")
	for link, to := range map[string]string{"logs/HEAD": "/etc/x", "refs/own": "../HEAD", "FETCH_HEAD": "../../.."} {
		symlink(t, to, filepath.Join(work, "old/.git", link))
	}
	var got []string
	for _, c := range w.changes() {
		if rel, err := filepath.Rel(work, c.Path); err == nil {
			got = append(got, rel)
		}
	}
	want := []string{
		"bent/.git/logs/HEAD", "bent/.git/rebase-merge/git-rebase-todo", "bent/.git/sequencer/opts",
		"half/.git", "half/.git/rebase-merge/git-rebase-todo",
		"old/.git/modules/part/rebase-merge/git-rebase-todo", "old/.git/modules/part/rebase-merge/strategy", "old/.git/modules/part/refs/x2",
		"new", "old.git/rebase-merge/git-rebase-todo", "old/.git/FETCH_HEAD", "old/.git/logs/HEAD", "old/.git/modules/more/of", "old/bare",
		"old/file/.git", "old/sub/.git",
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func symlink(t *testing.T, to, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

func TestRunsCommands(t *testing.T) {
	path := filepath.Join(t.TempDir(), "todo")
	for text, want := range map[string]bool{
		"":                                 false,
		"pick 1 exec\n":                    false,
		"# exec x\n":                       false,
		"execute x\n":                      false,
		"exec x":                           true,
		"exec\tx":                          true,
		"pick 1\r\nx\r\n":                  true,
		" \t x\tevil\n":                    true,
		strings.Repeat(" ", 1<<20) + "x y": true,
		"#" + strings.Repeat("a", 17<<20) + "\nexec y\n": true,
		strings.Repeat("\n", 17<<20):                     false,
	} {
		write(t, path, text)
		if got := runsCommands(path); got != want {
			t.Errorf("%.20q (%d bytes): %v", text, len(text), got)
		}
	}
	if err := os.Truncate(path, maxTodo+1); err != nil {
		t.Fatal(err)
	}
	if !runsCommands(path) {
		t.Error("what is too large to be read counts as harmless")
	}
}

func TestOptsNameStrategy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "opts")
	for text, want := range map[string]bool{
		"": false,
		"[options]\n\tstrategy = ort\n\tstrategy-option = theirs\n": false,
		"[options]\n\tmainline = 1\n":                               false,
		"[options]\n\tstrategy = x/evil\n":                          true,
		"[options]strategy=x/evil\n":                                true,
		"[options]\n\tstrategy = ort\n\tSTRATEGY = x/evil\n":        true,
		"[options]\n\tstrategy \\\n = x\n":                          true,
	} {
		write(t, path, text)
		if got := optsNameStrategy(path); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// A flood of one kind of change hides no other, and what cannot be told says so.
func TestFewerAlike(t *testing.T) {
	var list []Change
	for i := range 3 * maxAlike {
		list = append(list, Change{Kind: ChangedHook, Path: strconv.Itoa(i)})
	}
	list = append(list, Change{Kind: ChangedLater, Path: "z", Reason: "r"})
	if got := fewerAlike(list); len(got) != maxAlike+1 || got[maxAlike].Path != "z" {
		t.Errorf("%d changes, the last %v", len(got), got[len(got)-1])
	}
	list = nil
	for i := range maxChanges + 5 {
		list = append(list, Change{Kind: ChangedRepo, Path: "p", Reason: strconv.Itoa(i)})
	}
	if got := fewerAlike(list); len(got) != maxChanges+1 || got[maxChanges].Kind != ChangedUnseen {
		t.Errorf("%d changes, the last %v", len(got), got[len(got)-1])
	}
}
