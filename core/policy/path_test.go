package policy

import (
	"os"
	"path/filepath"
	"testing"
)

func entries(kind PathKind, texts ...string) []PathEntry {
	var out []PathEntry
	for _, s := range texts {
		out = append(out, PathEntry{Kind: kind, Rule: Rule{Text: s, Origin: Origin{Layer: LayerUser}}})
	}
	return out
}

func newPolicy(t *testing.T, in Input) *Policy {
	t.Helper()
	if in.Roots == (Roots{}) {
		in.Roots = Roots{Home: "/home/u", Dir: "/home/u/p"}
	}
	pol, err := New(in)
	if err != nil {
		t.Fatal(err)
	}
	return pol
}

func TestWrite(t *testing.T) {
	var paths []PathEntry
	paths = append(paths, entries(AllowWrite, ".", "/data/**", "~/proj", "/data2", "sub")...)
	paths = append(paths, entries(DenyWrite, "secret.txt", "new/deep", "/data2", "**/*.pem", "build/*/")...)
	pol := newPolicy(t, Input{Paths: paths})
	for p, want := range map[string]bool{
		"/home/u/p":             true,
		"/home/u/p/a":           true,
		"/home/u/p/sub/x":       true,
		"/home/u/p/secret.txt":  false,
		"/home/u/p/secret.txtx": true,
		"/home/u/p/new/deep":    false,
		"/home/u/p/new/deep/f":  false,
		"/home/u/p/new/other":   true,
		"/home/u/p/a/b/key.pem": false,
		"/home/u/p/key.pem/x":   false,
		"/home/u/p/build/x":     false,
		"/home/u/p/build/x/y":   false,
		"/home/u/p/build":       true,
		"/home/u/px":            false,
		"/home/u/proj/x":        true,
		"/home/u/x":             false,
		"/data":                 true,
		"/data/x":               true,
		"/data2/x":              false,
		"/etc/passwd":           false,
		"/":                     false,
		"/dev/null":             true,
		"/dev/sda":              false,
		"/dev/pts/3":            true,
	} {
		if d := pol.Write(p); d.Allow != want {
			t.Errorf("Write(%q) = %+v", p, d)
		}
	}
	if d := pol.Write("/etc/passwd"); d.Rule != nil || d.Hint != `allow_write = ["/etc/passwd"]` {
		t.Errorf("outside of any root: %+v", d)
	}
	if d := pol.Write("/home/u/x"); d.Hint != `allow_write = ["~/x"]` {
		t.Errorf("hint below the home: %+v", d)
	}
	// A deny at or above an allow wins.
	over := newPolicy(t, Input{Paths: append(entries(AllowWrite, ".", "sub"), entries(DenyWrite, ".")...)})
	if over.Write("/home/u/p/sub/f").Allow {
		t.Error("a deny above an allow does not win")
	}
	none := newPolicy(t, Input{})
	if none.Write("/home/u/p/x").Allow || !none.Read("/etc/passwd").Allow {
		t.Error("the policy of nothing writes, or does not read")
	}
	off := newPolicy(t, Input{NoFiles: true, Paths: paths})
	if !off.Write("/home/u/p/.bashrc").Allow || !off.Read("/x").Allow || len(off.Protected()) != 0 || len(off.Paths()) != 0 || !off.FilesDisabled() {
		t.Error("filesystem.disabled leaves a rule")
	}
}

func TestRead(t *testing.T) {
	var paths []PathEntry
	paths = append(paths, entries(DenyRead, "~/.ssh", "/o", "p2", "same", "**/.env")...)
	paths = append(paths, entries(AllowRead, "~/.ssh/known_hosts", "/o/a/b", "same", "cfg/.env")...)
	paths = append(paths, entries(DenyRead, "/o/a/b/c")...)
	paths = append(paths, entries(AllowWrite, "/o/w", "p2/w")...)
	paths = append(paths, PathEntry{Kind: DenyRead, Firm: true, Rule: Rule{Text: "/firm"}}, PathEntry{Kind: AllowRead, Rule: Rule{Text: "/firm/x"}})
	pol := newPolicy(t, Input{Paths: paths})
	for p, want := range map[string]bool{
		"/etc/passwd":              true,
		"/home/u/.ssh":             false,
		"/home/u/.ssh/id":          false,
		"/home/u/.ssh/known_hosts": true,
		"/home/u/.sshx":            true,
		"/o/x":                     false,
		"/o/a":                     false,
		"/o/a/b":                   true,
		"/o/a/b/x":                 true,
		"/o/a/b/c/x":               false,
		"/o/w/x":                   true,
		"/home/u/p/p2/x":           false,
		"/home/u/p/p2/w/x":         true,
		"/home/u/p/same":           false, // equal depth: deny
		"/home/u/p/a/.env":         false,
		"/home/u/p/.env":           false,
		"/home/u/p/a/.env/x":       false,
		"/home/u/p/cfg/.env":       false, // the same depth again
		"/firm/x":                  false,
	} {
		if d := pol.Read(p); d.Allow != want {
			t.Errorf("Read(%q) = %+v", p, d)
		}
	}
	if d := pol.Read("/home/u/.ssh/id"); d.Rule == nil || d.Rule.Text != "~/.ssh" || d.Hint != `allow_read = ["~/.ssh/id"]` {
		t.Errorf("the answer does not name its rule: %+v", d)
	}
	if d := pol.Read("/firm/x"); d.Hint != "" {
		t.Errorf("a firm deny has a hint: %+v", d)
	}
}

func TestLiteralEntries(t *testing.T) {
	pol := newPolicy(t, Input{Paths: []PathEntry{
		{Kind: DenyRead, Literal: true, Rule: Rule{Text: "a*"}},
		{Kind: DenyRead, Rule: Rule{Text: "b*"}},
	}})
	for p, want := range map[string]bool{"/home/u/p/a*": false, "/home/u/p/ab": true, "/home/u/p/b*": false, "/home/u/p/bc": false} {
		if pol.Read(p).Allow != want {
			t.Errorf("Read(%q) is not %v", p, want)
		}
	}
}

// A spelling with glob characters is also the name that it spells, where that
// is there.
func TestNameReadings(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"[WIP] p/keep", "[WIP] p/sub", "[ok]", "real"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("real", filepath.Join(dir, "[ln]")); err != nil {
		t.Fatal(err)
	}
	pol := newPolicy(t, Input{
		Roots: Roots{"/home/u", dir},
		Paths: append(entries(DenyRead, "[WIP] p/keep", "[WIP] p/*.key", "[gone]/x", "[ln]"), entries(AllowWrite, "[ok]", "[ln]", "[no]")...),
		Lstat: os.Lstat,
	})
	for p, want := range map[string]bool{
		"[WIP] p/keep/x": false, "[WIP] p/a.key": false, "[WIP] p/other": true, "W p/keep": false, "W/keep": true, "[gone]/x": true, "g/x": false,
		"X p/keep": true, "[ln]/x": false, "l/x": false,
	} {
		if d := pol.Read(filepath.Join(dir, p)); d.Allow != want {
			t.Errorf("Read(%q) = %+v", p, d)
		}
	}
	for p, want := range map[string]bool{"[ok]/x": true, "o/x": false, "[ln]/x": false, "[no]/x": false} {
		if d := pol.Write(filepath.Join(dir, p)); d.Allow != want {
			t.Errorf("Write(%q) = %+v", p, d)
		}
	}
	if n := len(pol.Skipped()); n != 3 {
		t.Errorf("%d patterns skipped, want 3", n)
	}
	globs := newPolicy(t, Input{Paths: entries(AllowWrite, "*.txt"), WriteGlobs: true})
	if !globs.Write("/home/u/p/a.txt").Allow || globs.Write("/home/u/p/a.bin").Allow {
		t.Error("a write pattern does not hold where it can be enforced")
	}
}

func TestResolve(t *testing.T) {
	roots := Roots{Home: "/home/u", Dir: "/w/d"}
	for in, want := range map[string]string{
		"~": "/home/u", "~/": "/home/u", "~/x": "/home/u/x", "~x": "/w/d/~x", ".": "/w/d", "./": "/w/d", "./x": "/w/d/x", "../x": "/w/x",
		"x//y/./z/": "/w/d/x/y/z", "/a//b/": "/a/b", "/a/../b": "/b", "/": "/", "~/../x": "/home/x", "/..": "/",
	} {
		if got, err := roots.Resolve(in); err != nil || got != want {
			t.Errorf("Resolve(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", "a\x00b"} {
		if got, err := roots.Resolve(in); err == nil {
			t.Errorf("Resolve(%q) = %q", in, got)
		}
	}
	if _, err := (Roots{Dir: "/w"}).Resolve("~/x"); err == nil {
		t.Error("~ without a home resolves")
	}
	if _, err := (Roots{Home: "/h"}).Resolve("x"); err == nil {
		t.Error("a relative path without a directory resolves")
	}
	if _, err := New(Input{Roots: roots, Paths: entries(DenyRead, "a\x00b")}); err == nil {
		t.Error("an entry with a NUL is accepted")
	}
}

func TestSlashedGlob(t *testing.T) {
	for in, want := range map[string]bool{
		"/a*/": true, "~/a*/": true, "~x[b]/": true, "/a[b]//": true, "a*/": false, "/a/": false, "/a*": false, "./a*/": false,
	} {
		if SlashedGlob(in) != want {
			t.Errorf("SlashedGlob(%q) is not %v", in, want)
		}
	}
}

func TestGlobRule(t *testing.T) {
	pol := newPolicy(t, Input{Paths: entries(DenyRead, "/srv/*/keys/**/x[0-9]", "../o*", "**/secrets/**")})
	var bases []string
	for _, r := range pol.Paths() {
		bases = append(bases, r.Base)
	}
	if want := []string{"/srv", "/", "/home/u/p"}; len(bases) != 3 || bases[0] != want[0] || bases[1] != "/home/u" || bases[2] != want[2] {
		t.Errorf("bases are %q", bases)
	}
	match := pol.Paths()[0].Match()
	if !match("/srv/a/keys/x1") || !match("/srv/a/keys/b/c/x2") || match("/srv/a/keys/b/c/x2/y") || match("/srv/a/keys/x") || match("/srv") {
		t.Error("the rule's match func disagrees with the pattern")
	}
	for p, want := range map[string]bool{"/home/u/o1/x": false, "/home/u/x": true, "/home/u/p/a/secrets/k": false, "/home/u/p/secrets": false, "/home/u/secrets": true} {
		if pol.Read(p).Allow != want {
			t.Errorf("Read(%q) is not %v", p, want)
		}
	}
}

func TestRootsAreNames(t *testing.T) {
	roots := Roots{Home: "/h/[u]", Dir: "/h/[u]/p*"}
	pol := newPolicy(t, Input{Roots: roots, Paths: entries(DenyRead, "~/../x*", "../y*", "../../z*", "a]b", "c[]d", "[z-a]")})
	for p, want := range map[string]bool{
		"/h/xa": false, "/h/[u]/h/xa": true, // below the home's parent
		"/h/[u]/ya": false, "/h/u/ya": true, // the home's characters mean nothing
		"/h/za":        false,
		"/h/[u]/p*/ya": true,
	} {
		if d := pol.Read(p); d.Allow != want {
			t.Errorf("Read(%q) = %+v", p, d)
		}
	}
	// Brackets that spell no set make a name, which is protected even if absent.
	for _, r := range pol.Paths()[3:] {
		if r.Glob {
			t.Errorf("%q is a pattern", r.Rule.Text)
		}
	}
}
