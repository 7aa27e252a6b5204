package policy

import (
	"strings"
	"testing"
	"time"
)

func TestMatchGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"/a/*.c", "/a/x.c", true},
		{"/a/*.c", "/a/.c", true},
		{"/a/*.c", "/a/b/x.c", false},
		{"/a/**", "/a/b/x.c", true},
		{"/a/**/x.c", "/a/x.c", true},
		{"/a/**/x.c", "/a/b/c/x.c", true},
		{"/a/**/x.c", "/a/bx.c", false},
		{"/a/b**c", "/a/b/x/c", true},
		{"/a/?", "/a/b", true},
		{"/a/?", "/a/", false},
		{"/a/?", "/a/é", true},
		{"/a?b", "/a/b", false},
		{"[abc]x", "bx", true},
		{"[a-c]x", "bx", true},
		{"[a-c]x", "dx", false},
		{"[!a]x", "!x", true},
		{"[!a]x", "bx", false},
		{"[^a]x", "bx", false},
		{"[a-]", "-", true},
		{"[-a]", "-", true},
		{"[*?]", "*", true},
		{"[*?]", "x", false},
		{"a[/]b", "a/b", true},
		{"[]", "[]", true},
		{"[z-a]", "[z-a]", true},
		{"[user-id]*", "[user-id]x", true},
		{"[user-id]*", "[user-id", false},
		{"[abc", "[abc", true},
		{"abc]", "abc]", true},
		{"a\\*", "a\\x", true}, // no escape character
		{"***", "a/b", true},
		{"***/x", "a/b/x", true},
		{"****/x", "ax/b/x", true},
		{"**/", "a/", true},
		{"**/", "", true},
		{"**/**/x", "x", true},
		{"a**/b", "ab", true},
		{"a**/b", "ax/b", true},
		{"a**/b", "axb", false},
		{"*", "", true},
		{"", "", true},
		{"", "x", false},
		{"/x/*/", "/x/y/", true},
		{"/x/*/", "/x/y", false},
		{"**/a\nb", "x/a\nb", true},
		{"**", "a\nb", true},
	} {
		if got := MatchGlob(c.pattern, c.path); got != c.want {
			t.Errorf("MatchGlob(%q, %q) = %v", c.pattern, c.path, got)
		}
	}
}

func TestMatchGlobTime(t *testing.T) {
	start := time.Now()
	MatchGlob(strings.Repeat("*a**/", 200)+"b", strings.Repeat("a/", 2000))
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %v", d)
	}
}

func TestGlobBase(t *testing.T) {
	for in, want := range map[string]string{
		"/a/b/*.c": "/a/b", "/a/b*/c": "/a", "/*": "/", "/**/x": "/", "/a/b": "/a/b", "/a/[x]/b": "/a", "/": "/", "/a]/b": "/",
	} {
		if got := GlobBase(in); got != want {
			t.Errorf("GlobBase(%q) = %q, want %q", in, got, want)
		}
	}
}

// slowGlob is the syntax read naively: it tries every way.
func slowGlob(p, s []rune) bool {
	if len(p) == 0 {
		return len(s) == 0
	}
	switch p[0] {
	case '?':
		return len(s) > 0 && s[0] != '/' && slowGlob(p[1:], s[1:])
	case '*':
		n := 0
		for n < len(p) && p[n] == '*' {
			n++
		}
		dirs := n >= 2 && n < len(p) && p[n] == '/'
		rest := p[n:]
		if dirs {
			n -= 2
			rest = rest[1:]
		}
		tail := func(s []rune) bool {
			if !dirs {
				return slowGlob(rest, s)
			}
			if slowGlob(rest, s) {
				return true
			}
			for i, r := range s {
				if r == '/' && slowGlob(rest, s[i+1:]) {
					return true
				}
			}
			return false
		}
		if n == 0 {
			return tail(s)
		}
		for i := 0; ; i++ {
			if tail(s[i:]) {
				return true
			}
			if i == len(s) || n == 1 && s[i] == '/' {
				return false
			}
		}
	case '[':
		for end := 1; end < len(p); end++ {
			if p[end] != ']' {
				continue
			}
			set, _ := parseSet(p[1:end])
			return len(s) > 0 && inSet(set, s[0]) && slowGlob(p[end+1:], s[1:])
		}
	}
	return len(s) > 0 && s[0] == p[0] && slowGlob(p[1:], s[1:])
}

func FuzzMatchGlob(f *testing.F) {
	for _, p := range []string{"/a/*.c", "**/x", "a**/b", "*", "?a", "[a-c]*", "***/b", "**/*/**", "*/**/*", "a?**/"} {
		f.Add(p, "/a/b/x.c")
		f.Add(p, "ab")
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		got := MatchGlob(pattern, path)
		if len(pattern) > 16 || len(path) > 16 {
			return
		}
		if textBrackets(pattern) {
			return
		}
		if want := slowGlob([]rune(pattern), []rune(path)); got != want {
			t.Errorf("MatchGlob(%q, %q) = %v", pattern, path, got)
		}
	})
}

// textBrackets reports whether a bracket of the pattern is text, which the
// slow matcher does not know.
func textBrackets(pattern string) bool {
	rest := []rune(pattern)
	for i := 0; i < len(rest); i++ {
		if rest[i] != '[' {
			continue
		}
		end := i + 1
		for end < len(rest) && rest[end] != ']' {
			end++
		}
		if end == len(rest) {
			return true
		}
		if _, ok := parseSet(rest[i+1 : end]); !ok {
			return true
		}
		i = end
	}
	return false
}
