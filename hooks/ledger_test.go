package hooks

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ledgerWorld is a folder with a ledger and some files.
type ledgerWorld struct {
	*testing.T
	dir    string
	ledger Ledger
}

func newLedgerWorld(t *testing.T, files map[string]string) ledgerWorld {
	t.Helper()
	w := ledgerWorld{T: t, dir: t.TempDir()}
	w.ledger = LedgerOf("try", w.dir, func(string) string { return "" })
	for name, text := range files {
		w.put(name, text)
	}
	return w
}

func (w ledgerWorld) put(name, text string) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o640); err != nil {
		w.Fatal(err)
	}
}

func (w ledgerWorld) get(name string) string {
	w.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		return "none"
	}
	return string(text)
}

func (w ledgerWorld) apply(p *Plan, err error) *Plan {
	w.Helper()
	if err == nil {
		err = p.Apply()
	}
	if err != nil {
		w.Fatal(err)
	}
	return p
}

func (w ledgerWorld) block(file, text, under string) Entry {
	return Entry{Kind: KindBlock, File: filepath.Join(w.dir, file), Name: "srt hook try", Text: text, Under: under}
}

func TestLedgerRestores(t *testing.T) {
	files := map[string]string{
		"plain": "one\ntwo\n", "unended": "one\ntwo", "ini": "[global]\na = 1\n[other]\n", "bare": "[other]\n",
		"git": "[user]\n\tname = x ; why\n", "gitset": "[core]\n\thooksPath = old\n\thooksPath = older\n", "empty": "",
	}
	w := newLedgerWorld(t, files)
	if err := os.Symlink("elsewhere", filepath.Join(w.dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("plain", filepath.Join(w.dir, "toplain")); err != nil {
		t.Fatal(err)
	}
	git := func(file string) Entry {
		return Entry{Kind: KindGit, File: filepath.Join(w.dir, file), Name: "core.hooksPath", Text: "/x y"}
	}
	want := []Entry{
		w.block("toplain", "three", ""), w.block("unended", "three", ""), w.block("ini", "b = 2", "[global]"), w.block("bare", "b = 2", "[global]"),
		w.block("empty", "x", ""), w.block("new/deep/file", "x", ""), git("git"), git("gitset"), git("gitnew"),
		{Kind: KindLink, File: filepath.Join(w.dir, "link"), Text: "/srt"},
		{Kind: KindLink, File: filepath.Join(w.dir, "made/link"), Text: "/srt"},
	}
	plan, err := w.ledger.Install(want)
	if err != nil || plan.Empty() || len(plan.Left) > 0 {
		t.Fatal(plan, err)
	}
	if diff := plan.Diff(); !strings.Contains(diff, "+three\n") || !strings.Contains(diff, "-"+w.dir+"/link -> elsewhere\n+"+w.dir+"/link -> /srt\n") {
		t.Errorf("the diff is %q", diff)
	}
	if w.get("plain") != files["plain"] || w.get("new/deep/file") != "none" {
		t.Error("a plan has written something")
	}
	w.apply(plan, nil)
	for name, text := range map[string]string{
		"plain": "one\ntwo\n# >>> srt hook try >>>\nthree\n# <<< srt hook try <<<\n",
		"ini":   "[global]\n# >>> srt hook try >>>\nb = 2\n# <<< srt hook try <<<\na = 1\n[other]\n",
		"bare":  "[other]\n[global]\n# >>> srt hook try >>>\nb = 2\n# <<< srt hook try <<<\n",
	} {
		if got := w.get(name); got != text {
			t.Errorf("%s is %q", name, got)
		}
	}
	if !strings.Contains(w.get("git"), "name = x ; why\n[core]\n\thooksPath = /x y\n") {
		t.Errorf("git is %q", w.get("git"))
	}
	if again, err := w.ledger.Install(want); err != nil || !again.Empty() || again.Diff() != "" {
		t.Errorf("a second time: %q, %v", again.Diff(), err)
	}
	if info, err := os.Stat(filepath.Join(w.dir, "plain")); err != nil || info.Mode() != 0o640 {
		t.Error("the mode is another", err)
	}
	// An upgrade that wants something else.
	changed := slices.Clone(want)
	changed[0].Text = "four"
	w.apply(w.ledger.Install(changed[:9]))
	if got := w.get("plain"); got != "one\ntwo\n# >>> srt hook try >>>\nfour\n# <<< srt hook try <<<\n" {
		t.Errorf("the upgrade gives %q", got)
	}
	if target, _ := os.Readlink(filepath.Join(w.dir, "link")); target != "elsewhere" {
		t.Errorf("what is not wanted any more leads to %q", target)
	}
	if gone := w.apply(w.ledger.Uninstall()); len(gone.Left) > 0 {
		t.Errorf("left is %q", gone.Left)
	}
	for name, text := range files {
		if got := w.get(name); got != text {
			t.Errorf("%s is %q after all, and was %q", name, got, text)
		}
	}
	for _, name := range []string{"new", "made", "gitnew", w.ledger.File} {
		if _, err := os.Lstat(filepath.Join(w.dir, strings.TrimPrefix(name, w.dir))); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	if none, err := w.ledger.Uninstall(); err != nil || !none.Empty() {
		t.Error("there is something left to do", err)
	}
}

// Two ledgers that write the same new file leave nothing, whichever goes first.
func TestLedgerShared(t *testing.T) {
	for _, first := range []string{"a", "b"} {
		w := newLedgerWorld(t, nil)
		ledgers := map[string]Ledger{}
		for _, tool := range []string{"a", "b"} {
			ledgers[tool] = LedgerOf(tool, w.dir, func(string) string { return "" })
			e := w.block("new/file", "x", "")
			e.Name += " " + tool
			link := Entry{Kind: KindLink, File: filepath.Join(w.dir, "new", "links", tool), Text: "/srt"}
			w.apply(ledgers[tool].Install([]Entry{e, link}))
		}
		w.apply(ledgers[first].Uninstall())
		if !strings.Contains(w.get("new/file"), "x") {
			t.Errorf("what is left is %q", w.get("new/file"))
		}
		w.apply(ledgers[map[string]string{"a": "b", "b": "a"}[first]].Uninstall())
		if _, err := os.Lstat(filepath.Join(w.dir, "new")); err == nil {
			t.Errorf("with %s first, there is still %q", first, w.get("new/file"))
		}
	}
}

// The end that the last line of a file was given goes with the last block, in either order.
func TestLedgerSharedEnd(t *testing.T) {
	for _, order := range []string{"ab", "ba"} {
		for _, text := range []string{"one", "one\n"} {
			w := newLedgerWorld(t, map[string]string{"file": text})
			ledgers := map[string]Ledger{}
			for _, tool := range []string{"a", "b"} {
				ledgers[tool] = LedgerOf(tool, w.dir, func(string) string { return "" })
				e := w.block("file", "x", "")
				e.Name += " " + tool
				w.apply(ledgers[tool].Install([]Entry{e}))
			}
			for _, tool := range order {
				w.apply(ledgers[string(tool)].Uninstall())
			}
			if got := w.get("file"); got != text {
				t.Errorf("%s: %q became %q", order, text, got)
			}
		}
	}
}

// What somebody has changed stays as it is.
func TestLedgerLeaves(t *testing.T) {
	w := newLedgerWorld(t, map[string]string{"a": "one\n", "b": "[global]\n", "c": "x\n", "git": ""})
	link := Entry{Kind: KindLink, File: filepath.Join(w.dir, "link"), Text: "/srt"}
	git := Entry{Kind: KindGit, File: filepath.Join(w.dir, "git"), Name: "core.hooksPath", Text: "/x"}
	want := []Entry{w.block("a", "two", ""), w.block("b", "k = v", "[global]"), w.block("c", "y", ""), link, git}
	w.apply(w.ledger.Install(want))
	w.put("a", strings.Replace(w.get("a"), "two", "mine", 1))
	w.put("b", "[global]\nk = v\nz = 1\n") // as a tool writes it that drops comments
	w.put("c", w.get("c")+"more\n")
	w.put("git", "[core]\n\thooksPath = /mine\n")
	if err := os.Remove(link.File); err != nil {
		t.Fatal(err)
	}
	w.put("link", "a file")
	again, err := w.ledger.Install(want)
	if err != nil || len(again.Left) != 3 {
		t.Errorf("left is %q, %v", again.Left, err)
	}
	gone := w.apply(w.ledger.Uninstall())
	var left []string
	for _, l := range gone.Left {
		left = append(left, filepath.Base(l.File))
	}
	slices.Sort(left)
	if !slices.Equal(left, []string{"a", "git", "link"}) {
		t.Errorf("left is %q", gone.Left)
	}
	for name, text := range map[string]string{
		"a": "one\n# >>> srt hook try >>>\nmine\n# <<< srt hook try <<<\n",
		"b": "[global]\nz = 1\n", "c": "x\nmore\n", "git": "[core]\n\thooksPath = /mine\n", "link": "a file",
	} {
		if got := w.get(name); got != text {
			t.Errorf("%s is %q", name, got)
		}
	}
}

// A file that is changed between the plan and its use is not written.
func TestLedgerMeanwhile(t *testing.T) {
	w := newLedgerWorld(t, map[string]string{"a": "one\n"})
	plan, err := w.ledger.Install([]Entry{w.block("a", "two", "")})
	if err != nil {
		t.Fatal(err)
	}
	w.put("a", "other\n")
	if err := plan.Apply(); err == nil || w.get("a") != "other\n" {
		t.Errorf("it is %q, %v", w.get("a"), err)
	}
	w.put(strings.TrimPrefix(w.ledger.File, w.dir+"/"), "{")
	if _, err := w.ledger.Uninstall(); err == nil || !strings.Contains(err.Error(), "try.json") {
		t.Error("a ledger that cannot be read is taken for an empty one", err)
	}
}

// The lines for login shells mean what they should, whatever the folder is called, and
// change nothing the second time.
func TestLoginEnv(t *testing.T) {
	w := newLedgerWorld(t, map[string]string{".bash_profile": "", ".zprofile": ""})
	dir := filepath.Join(w.dir, `it's a "$dir" \ x`)
	entries, err := LoginEnv("srt hook try", dir, []Setting{{Name: "TRY_IT", Value: `a 'b' "$c" \ d`}, {Name: "TRY_ON", Value: `S=/a\ b`, Keep: true}}, w.dir, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	w.put(".profile", "TRY_ON=-j2\n. \"$HOME/.more\"\n")
	w.apply(w.ledger.Install(entries))
	// A second time, with something in front.
	w.put(".more", "PATH=/front:$PATH\n"+w.get(".zprofile")+"PATH=/front:$PATH\n"+w.get(".zprofile"))
	for _, shell := range []string{"sh", "bash", "zsh", "fish"} {
		if !installed(shell) {
			t.Log("no", shell)
			continue
		}
		t.Setenv("ZDOTDIR", "")
		environ, err := LoginEnviron(t.Context(), shell, w.dir)
		if err != nil {
			t.Fatal(err)
		}
		path := ""
		for _, e := range environ {
			if value, ok := strings.CutPrefix(e, "PATH="); ok {
				path = value
			}
		}
		if !strings.HasPrefix(path, dir+":") || strings.Count(path, dir) != 1 || !slices.Contains(environ, `TRY_IT=a 'b' "$c" \ d`) {
			t.Errorf("%s has %q", shell, environ)
		}
		if want := map[string]string{"sh": `TRY_ON=-j2 S=/a\ b`}[shell]; want != "" && !slices.Contains(environ, want) {
			t.Errorf("%s has %q", shell, environ)
		}
	}
	if text := w.get(".config/environment.d/60-srt-hook-try.conf"); !strings.Contains(text, `:$PATH"`) || !strings.Contains(text, `TRY_IT="a 'b' \"\$c\" \\ d"`) {
		t.Errorf("environment.d has %q", text)
	}
	if _, err := LoginEnv("x", "/a:b", nil, w.dir, os.Getenv); err == nil {
		t.Error("a colon is taken")
	}
	if _, err := LoginEnv("x", "/a", []Setting{{Name: "A", Value: "b\nc"}}, w.dir, os.Getenv); err == nil {
		t.Error("two lines are taken")
	}
}

// A probe tells what holds from what does not, and from what did not run.
func TestProbe(t *testing.T) {
	for want, script := range map[Tried]string{
		{Ran: true, Escaped: true}: "WRITE",
		{Ran: true}:                ": >inside",
		{Output: "no"}:             "echo no; exit 1",
	} {
		got, err := Probe{Environ: []string{"PATH=/usr/bin:/bin"}, Prepare: func(_, write string) ([]string, error) {
			return []string{"sh", "-c", strings.Replace(script, "WRITE", write, 1)}, nil
		}}.Try(t.Context())
		if err != nil || got != want {
			t.Errorf("%s gives %+v, %v", script, got, err)
		}
	}
}
