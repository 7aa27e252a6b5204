package core

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/srt-sh/srt/core/event"
)

func TestLearn(t *testing.T) {
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(home, "src/p")
	put(t, filepath.Join(dir, "package.json"), "{}", 0o644)
	d, err := Decide(Options{Args: []string{"npm"}, Dir: dir, Home: home, Preset: "none", Environ: []string{"PATH=/bin"}})
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string) event.Event {
		return event.Event{Kind: event.Write, Target: filepath.Join(home, name), Call: "openat"}
	}
	rules, left := d.Learn([]event.Event{
		write("src/p/node_modules/a"), write("src/p/package-lock.json"), write(".npm/_cacache/x"), write(".npm"), write(".cache/node-gyp/1/x"), write(".cache/node-gyp/2"),
		{Kind: event.Connect, Target: "registry.example:443", Hint: "allowed_domains = []"},
		write(".bashrc"), write(".ssh/id"), write("src/other/x"), write(".config/configstore/x.json"), write("src/p/.git/hooks/x"),
		{Kind: event.Read, Target: filepath.Join(home, ".aws/credentials")},
		{Kind: event.Unix, Target: "/run/docker.sock"},
		{Kind: event.Later, Target: "/x"},
	})
	var got []string
	for _, p := range rules {
		got = append(got, p.Addition.Key+" "+p.Addition.Entry)
	}
	want := []string{`allow_write "."`, `allow_write "~/.npm"`, `allow_write "~/.cache/node-gyp"`, `allowed_domains "registry.example"`}
	if !slices.Equal(got, want) {
		t.Errorf("rules %q", got)
	}
	if len(left) != 7 {
		t.Errorf("left %+v", left)
	}
	for _, p := range left {
		if p.Careful == "" && p.Never == "" {
			t.Errorf("%s is left without a reason", p.Event.Target)
		}
	}
	if o := (Options{}).With(rules); !slices.Equal(o.Flags.AllowDomain, []string{"registry.example"}) || !slices.Equal(o.Flags.AllowWrite, []string{".", filepath.Join(home, ".npm"), filepath.Join(home, ".cache/node-gyp")}) {
		t.Errorf("flags %+v", o.Flags)
	}
}
