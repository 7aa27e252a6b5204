package shellinit

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/policy"
	"github.com/srt-sh/srt/core/preset"
)

func TestNames(t *testing.T) {
	bin := t.TempDir()
	for _, name := range []string{"pip3.11", "python3.11", "gcc", "gcc-12", "a b", "srt-x"} {
		if err := os.WriteFile(filepath.Join(bin, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set, err := preset.Open(preset.Env{})
	if err != nil {
		t.Fatal(err)
	}
	rules := func(held bool, match ...string) []config.Command {
		c := config.Command{Held: held}
		for _, m := range match {
			c.Match = append(c.Match, policy.Rule{Text: m})
		}
		return []config.Command{c}
	}
	v := Values{Srt: "/srt", Shims: "/shims"}
	v.SetNames(set.List(), nil, bin)
	for _, name := range []string{"bash", "sh", "npm", "npx", "pip", "pip3", "pip3.11", "python", "python3", "python3.11", "make", "./configure", "../configure", "php", "composer.phar"} {
		if !slices.Contains(v.Names, name) {
			t.Errorf("no %s in %q", name, v.Names)
		}
	}
	if len(v.Whole) > 0 || slices.ContainsFunc(v.Names, func(n string) bool { return strings.ContainsAny(n, "*{},") }) {
		t.Errorf("%q, whole %q", v.Names, v.Whole)
	}
	if _, err := Script("bash", v); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		name, pattern string
		held          bool
		names, whole  []string
	}{
		{"a user's", "{my-tool,./x,python3} *", false, []string{"my-tool", "./x", "python3"}, []string{"python3"}},
		{"a pattern for programs", "gcc* *", false, []string{"gcc", "gcc-12"}, nil},
		{"every program", "* install", false, nil, nil},
		{"any folder", "tools/* *", false, nil, nil},
		{"not trusted", "my-tool", true, nil, nil},
		{"what shells have", "{cd,[,.,test,command,nvm} *", false, nil, nil},
		{"ours", "{srt,_srt_gone}", false, nil, nil},
		{"code", "'x;id' *", false, nil, nil},
		{"code in a list", "{a$IFS,$(id)}", false, nil, nil},
		{"an option", "-x", false, nil, nil},
		{"not a pattern", "a | b", false, nil, nil},
	} {
		v := Values{Srt: "/srt", Shims: "/shims"}
		v.SetNames(nil, rules(c.held, c.pattern), bin)
		if !slices.Equal(v.Names[2:], c.names) || !slices.Equal(v.Whole, c.whole) {
			t.Errorf("%s: %q, whole %q", c.name, v.Names[2:], v.Whole)
		}
	}
}

// The list has what the shells of this machine have.
func TestReserved(t *testing.T) {
	for shell, args := range map[string][]string{
		"bash": {"--norc", "--noprofile", "-c", "compgen -b; compgen -k"},
		"zsh":  {"-f", "-c", "print -l ${(k)builtins} ${(k)reswords}"},
		"fish": {"-N", "-c", "builtin -n"},
	} {
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Log(err)
			continue
		}
		out, err := exec.CommandContext(t.Context(), path, args...).Output()
		if err != nil || len(out) == 0 {
			t.Fatal(shell, err)
		}
		for name := range strings.FieldsSeq(string(out)) {
			if plain(name) && !reserved(name) {
				t.Errorf("%s has %s", shell, name)
			}
		}
	}
}

// What a pattern says never becomes anything but plain names.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"npm *", "{a,b}c *", "*/configure", "python{,3,3.*} -m pip", "$(id)", "'a b'", "{x,y", "a\nb"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		v := Values{Srt: "/srt", Shims: "/shims"}
		v.SetNames([]preset.Preset{{Match: []string{pattern}}}, nil, "")
		if _, err := Reply(v); err != nil {
			t.Error(err)
		}
	})
}
