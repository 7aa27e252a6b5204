package hooks

import (
	"slices"
	"strings"
	"testing"

	"github.com/srt-sh/srt/core"
)

func TestLocalRemotes(t *testing.T) {
	settings := func(pairs ...string) []core.GitSetting {
		var out []core.GitSetting
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, core.GitSetting{Key: pairs[i], Value: pairs[i+1], Set: true, Scope: core.GitLocal})
		}
		return out
	}
	remotes := settings("remote.here.url", "../bare.git", "remote.there.url", "git@example.com:x.git", "remote.web.url", "https://example.com/x",
		"remote.both.pushurl", "/srv/x.git", "remote.both.pushurl", "ssh://example.com/x", "remote.file.url", "file:///srv/x.git",
		"remote.own.url", "/srv/x", "remote.own.receivepack", "mine")
	for _, c := range []struct {
		words string
		extra []core.GitSetting
		want  string
	}{
		{"push", nil, "file here"},
		{"push here main", nil, "file here"},
		{"push ../other main", nil, "../other file here"},
		{"push -o x --force-with-lease=a --repo=../other", nil, "../other file here"},
		{"push --repo ../other", nil, "../other file here"},
		{"push --push-option here git@example.com:y.git", nil, "file here"},
		{"push -- ../other", nil, "../other file here"},
		{"push --receive-pack=x ../other", nil, ""},
		{"push --exec x ../other", nil, ""},
		{"push --recurse-submodules=on-demand", nil, ""},
		{"push --recurse-submodules only here", nil, ""},
		{"push --recurse-submodules=check", nil, "file here"},
		{"push", settings("push.recursesubmodules", "on-demand"), ""},
		{"push", settings("url./srv/.insteadof", "git@example.com:"), "file here there"},
		{"push", settings("url.git@example.com:.pushinsteadof", "../"), "file"},
		{"fetch", nil, ""},
	} {
		l := ParseGitLine(strings.Fields(c.words), func(string) string { return "" })
		if got := strings.Join(localRemotes(l, slices.Concat(remotes, c.extra)), " "); got != c.want {
			t.Errorf("%q: %q, want %q", c.words, got, c.want)
		}
	}
}

// Whatever is typed, git gets all of it, and nothing is read that is not there.
func FuzzParseGitLine(f *testing.F) {
	for _, seed := range []string{"commit -m x", "-C a -c b=c --git-dir d push --repo e", "--config-env=a.b=C", "-c", "--", "-C  commit", "--git-dir= push -- x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, " ")
		l := ParseGitLine(args, func(string) string { return "" })
		all := slices.Clone(l.Options)
		if l.Command != "" || len(l.Options) < len(args) {
			all = slices.Concat(l.Options, []string{l.Command}, l.Args)
		}
		if !slices.Equal(all, args) {
			t.Errorf("%q became %q", args, all)
		}
		localRemotes(l, nil)
		l.Dir("/")
	})
}

func FuzzDiff(f *testing.F) {
	f.Add("a\nb\n", "a\nc\n")
	f.Add("", "x")
	f.Fuzz(func(t *testing.T, from, to string) {
		text := Diff("f", from, to)
		if (text == "") != (from == to) {
			t.Errorf("%q and %q: %q", from, to, text)
		}
	})
}
