package core

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/core/policy"
	"github.com/srt-sh/srt/sandbox"
)

// planProbe is set where the test program is the command of a sandbox: it tries what
// the file says, a line each, and prints what worked.
const planProbe = "SRT_TEST_PLAN_PROBE"

func init() { //nolint:gochecknoinits // in place of the tests, before they start
	if name := os.Getenv(planProbe); name != "" {
		tryPaths(name)
		syscall.Exit(0)
	}
}

// tryPaths reads lines "KIND PATH". KIND is f for a file, d for a folder, and - for
// what is not there. It answers with the letters of what worked: r read, w written
// (for a folder: something made in it), m moved to another name.
func tryPaths(name string) {
	file, err := os.Open(name)
	if err != nil {
		panic(err)
	}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		kind, path, _ := strings.Cut(lines.Text(), " ")
		did := ""
		switch kind {
		case "f":
			did += worked("r", func() error { return opened(path, unix.O_RDONLY) })
			did += worked("w", func() error { return opened(path, unix.O_WRONLY) })
		case "d":
			did += worked("r", func() error { _, err := os.ReadDir(path); return err })
			did += worked("w", func() error { return made(path + "/zz-probe") })
		case "-":
			did += worked("w", func() error { return made(path) })
		}
		if kind != "-" {
			did += worked("m", func() error {
				if err := os.Rename(path, path+"-moved"); err != nil {
					return err
				}
				return os.Rename(path+"-moved", path)
			})
		}
		fmt.Printf("%s %s\n", kind+did, path)
	}
}

func worked(letter string, do func() error) string {
	if do() != nil {
		return ""
	}
	return letter
}

func opened(path string, flags int) error {
	fd, err := unix.Open(path, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func made(path string) error {
	if err := opened(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL); err != nil {
		return err
	}
	return os.Remove(path)
}

// planWorld is a random tree and random rules about it.
type planWorld struct {
	root  string
	paths map[string]bool // relative; whether it is a folder
	links []string        // where the links lead, relative
	rules string          // TOML
}

var planNames = []string{"a", "b", "c", "x y", ".git", ".bashrc", ".vscode", "hooks", "config", "modules", "info", ".env", ".claude", "commands"}

func newPlanWorld(root string, rng *rand.Rand) (*planWorld, error) {
	w := &planWorld{root: root, paths: map[string]bool{}}
	dirs := []string{"w", "out"}
	for _, d := range dirs {
		w.paths[d] = true
	}
	for range 6 + rng.IntN(30) {
		path := dirs[rng.IntN(len(dirs))] + "/" + planNames[rng.IntN(len(planNames))]
		if _, known := w.paths[path]; known || strings.Count(path, "/") > 5 {
			continue
		}
		w.paths[path] = rng.IntN(5) > 1
		if w.paths[path] {
			dirs = append(dirs, path)
		}
	}
	for _, path := range w.sorted() {
		full := filepath.Join(root, path)
		var err error
		if w.paths[path] {
			err = os.Mkdir(full, 0o755)
		} else {
			err = os.WriteFile(full, []byte("x\n"), 0o644)
		}
		if err != nil {
			return nil, err
		}
	}
	// Links lie beside, so that they are no paths of their own, and lead anywhere.
	for i := range rng.IntN(4) {
		w.links = append(w.links, w.some(rng, false))
		target := filepath.Join(root, w.links[len(w.links)-1])
		if err := os.Symlink(target, fmt.Sprintf("%s/%s/link%d", root, dirs[rng.IntN(len(dirs))], i)); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	w.rules = w.random(rng)
	return w, nil
}

func (w *planWorld) sorted() []string {
	var out []string
	for p := range w.paths {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

// some is a random path, sometimes one that is not there.
func (w *planWorld) some(rng *rand.Rand, absent bool) string {
	all := w.sorted()
	path := all[rng.IntN(len(all))]
	if absent && rng.IntN(4) == 0 {
		return path + "/" + planNames[rng.IntN(len(planNames))]
	}
	return path
}

func (w *planWorld) random(rng *rand.Rand) string {
	var b strings.Builder
	b.WriteString("[filesystem]\n")
	list := func(key string, most int, globs bool) {
		var entries []string
		for range rng.IntN(most + 1) {
			entry := filepath.Join(w.root, w.some(rng, true))
			switch n := rng.IntN(8); {
			case globs && n == 0:
				entry = w.root + "/w/**/" + planNames[rng.IntN(len(planNames))]
			case globs && n == 1:
				entry += "/*"
			case globs && n == 2:
				entry = w.root + "/w/[a-b]*"
			}
			entries = append(entries, policy.Quote(entry))
		}
		fmt.Fprintf(&b, "%s = [%s]\n", key, strings.Join(entries, ", "))
	}
	list("deny_write", 4, true)
	list("deny_read", 3, true)
	list("allow_read", 3, false)
	// The first root is the project's, most of the time.
	roots := []string{}
	if rng.IntN(5) > 0 {
		roots = append(roots, policy.Quote(w.root+"/w"))
	}
	for range rng.IntN(3) {
		roots = append(roots, policy.Quote(filepath.Join(w.root, w.some(rng, true))))
	}
	fmt.Fprintf(&b, "allow_write = [%s]\n", strings.Join(roots, ", "))
	if rng.IntN(4) == 0 {
		return "allow_nested_user_namespaces = true\n" + b.String()
	}
	return b.String()
}

// questions are the paths to try, by kind.
func (w *planWorld) questions(rng *rand.Rand) []string {
	var out []string
	for _, path := range w.sorted() {
		kind := "f"
		if w.paths[path] {
			kind = "d"
			for range 2 {
				absent := path + "/" + planNames[rng.IntN(len(planNames))]
				if _, known := w.paths[absent]; !known {
					out = append(out, "- "+filepath.Join(w.root, absent))
				}
			}
		}
		out = append(out, kind+" "+filepath.Join(w.root, path))
	}
	return out
}

// checkPlan runs one random world and compares what the kernel did with what the
// policy says.
func checkPlan(t *testing.T, seed uint64) {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(seed, 7))
	root := base + "/t"
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	w, err := newPlanWorld(root, rng)
	if err != nil {
		t.Fatal(err)
	}
	questions := w.questions(rng)
	settings := put(t, base+"/settings.toml", w.rules, 0o644)
	asked := put(t, base+"/asked", strings.Join(questions, "\n")+"\n", 0o644)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Args: []string{self}, Dir: base, Home: base + "/home", Settings: settings,
		Environ: []string{planProbe + "=" + asked, "PATH=/usr/bin:/bin", "HOME=" + base + "/home", "XDG_STATE_HOME=" + base + "/state"},
	}
	x, err := Explain(o)
	if err != nil {
		t.Skipf("refused: %v", err) // as some random rules are
	}
	answers := capturePlan(t, o)
	for i, line := range answers {
		did, path, _ := strings.Cut(line, " ")
		if kind, askedPath, _ := strings.Cut(questions[i], " "); path != askedPath || did[:1] != kind {
			t.Fatalf("answer %q to question %q", line, questions[i])
		}
		w.compare(t, x, did[:1], did[1:], path)
	}
	if t.Failed() {
		t.Logf("seed %d, rules:\n%s\ntree: %q\nplan:\n%s", seed, w.rules, w.sorted(), x.Plan)
	}
}

func capturePlan(t *testing.T, o Options) []string {
	t.Helper()
	text, code, err := capture(context.Background(), o)
	if errors.Is(err, sandbox.ErrNoBwrap) || errors.Is(err, sandbox.ErrNoUserns) {
		t.Skip(err)
	}
	if err != nil || code != 0 {
		t.Fatalf("status %d, %v, %s", code, err, text)
	}
	return strings.Split(strings.TrimSuffix(string(bytes.TrimSpace(text)), "\n"), "\n")
}

func (w *planWorld) compare(t *testing.T, x *Explanation, kind, did, path string) {
	t.Helper()
	pol := x.Policy
	target := path
	if kind == "d" {
		target += "/zz-probe"
	}
	write, read := pol.Write(target), pol.Read(path)
	var wantRead, wantWrite bool
	switch kind {
	case "f":
		wantRead, wantWrite = read.Allow, write.Allow && read.Allow
	case "d":
		wantRead, wantWrite = read.Allow, write.Allow && read.Allow
	case "-":
		wantWrite = write.Allow && pol.Read(filepath.Dir(path)).Allow
	}
	if !write.Allow && write.Rule != nil && strings.Contains(write.Rule.Text, ".git/modules/*/") {
		return // it counts where it is a repository, which it is not here
	}
	// What was not there at the start is protected at the top only, and by no pattern.
	if kind != "f" && !write.Allow && (write.Nested || write.Rule != nil && policy.HasGlob(write.Rule.Text)) {
		if here := pol.Write(path); kind == "-" || here.Allow || here.Rule != nil && policy.HasGlob(here.Rule.Text) {
			return
		}
	}
	hidden := false
	for dir := path; len(dir) > len(w.root); dir = filepath.Dir(dir) {
		hidden = hidden || !pol.Read(dir).Allow
	}
	// A pattern hides what a link that it matches leads to.
	linked := slices.ContainsFunc(w.links, func(l string) bool {
		return path == filepath.Join(w.root, l) || strings.HasPrefix(path, filepath.Join(w.root, l)+"/")
	})
	hidden = hidden || linked
	if got := strings.Contains(did, "r"); kind != "-" && got != wantRead && !linked && (!got || kind != "d" || !leadsToOpen(pol, path)) {
		t.Errorf("reading %s: %v, the policy says %v", path, !wantRead, wantRead)
	}
	if got := strings.Contains(did, "w"); got && !wantWrite {
		t.Errorf("writing %s %s worked, the policy says: %s", kind, path, write.Reason)
	} else if !got && wantWrite && !hidden && !w.stricter(x, path) {
		t.Errorf("writing %s %s was refused, the policy allows it", kind, path)
	}
	if strings.Contains(did, "m") {
		w.compareMove(t, pol, path)
	}
}

// leadsToOpen reports whether a hidden folder is on the way to one that is not: then
// it shows the names that lead there.
func leadsToOpen(pol *policy.Policy, path string) bool {
	return slices.ContainsFunc(pol.Paths(), func(r policy.PathRule) bool {
		return (r.Kind == policy.AllowRead || r.Kind == policy.AllowWrite) && strings.HasPrefix(r.Path, path+"/")
	})
}

// stricter reports whether the plan may deny a path that the policy allows: for what
// is on the way to a protected path that is not there, for a file in the place of a
// folder, for a file .git, which the policy does not know of, and where the plan says
// so.
func (w *planWorld) stricter(x *Explanation, path string) bool {
	for _, m := range x.Plan.Make {
		if path == m.Path || strings.HasPrefix(m.Path, path+"/") {
			return true
		}
	}
	if slices.ContainsFunc(x.Policy.Paths(), func(r policy.PathRule) bool {
		return r.Kind == policy.DenyWrite && strings.HasPrefix(r.Path, path+"/")
	}) {
		return true
	}
	if slices.ContainsFunc(x.Policy.Protected(), func(p policy.Protected) bool {
		return strings.Contains(p.Name, filepath.Base(path)+"/")
	}) {
		return true
	}
	rel, err := filepath.Rel(w.root, path)
	isDir, known := w.paths[rel]
	return err == nil && known && !isDir && filepath.Base(path) == ".git" || len(x.Plan.Notes) > 0
}

// compareMove requires of what could be moved that nothing in it is denied.
func (w *planWorld) compareMove(t *testing.T, pol *policy.Policy, path string) {
	t.Helper()
	for rel := range w.paths {
		full := filepath.Join(w.root, rel)
		if full != path && !strings.HasPrefix(full, path+"/") {
			continue
		}
		// What lies in .git/modules counts where it is a repository, which it is not here.
		if d := pol.Write(full); !d.Allow && (d.Rule == nil || !strings.Contains(d.Rule.Text, "/*/")) {
			t.Errorf("%s could be moved, with %s in it: %s", path, full, d.Reason)
		}
	}
}

// The mounts have the effect that the policy decides: random trees and rules, tried
// in real sandboxes.
func TestPlanKeepsThePolicy(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { checkPlan(t, seed) })
	}
}

func FuzzPlan(f *testing.F) {
	f.Add(uint64(1_000_000))
	f.Fuzz(func(t *testing.T, seed uint64) { checkPlan(t, seed) })
}
