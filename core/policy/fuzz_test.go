package policy

import (
	"strings"
	"testing"
)

// The reference below decides path rules by trying everything, component by
// component and character by character, on the text of the entry.

// refRule is an entry resolved: the components that are names whatever their
// characters, and the pattern that follows.
type refRule struct {
	kind    PathKind
	fixed   []string
	pattern string
}

func refResolve(kind PathKind, spelling, home, dir string) (refRule, bool) {
	if spelling == "" || strings.ContainsRune(spelling, 0) {
		return refRule{}, false
	}
	if trimmed, ok := strings.CutSuffix(spelling, "/**"); ok {
		if spelling = trimmed; spelling == "" {
			spelling = "/"
		}
	}
	var parts []string
	base := 0 // so many of the parts come from the home or the directory
	switch {
	case spelling == "~" || strings.HasPrefix(spelling, "~/"):
		parts, spelling = strings.Split(home, "/")[1:], spelling[1:]
		base = len(parts)
	case spelling[0] != '/':
		parts = strings.Split(dir, "/")[1:]
		base = len(parts)
	}
	for part := range strings.SplitSeq(spelling, "/") {
		switch part {
		case "", ".":
		case "..":
			if len(parts) > 0 {
				parts = parts[:len(parts)-1]
			}
			base = min(base, len(parts))
		default:
			parts = append(parts, part)
		}
	}
	return refRule{kind, append([]string(nil), parts[:base]...), strings.Join(parts[base:], "/")}, true
}

// covers counts the components of the deepest part of path that the rule names,
// the root included; 0 where there is none.
func (r refRule) covers(path string) int {
	var parts []string
	if path != "/" {
		parts = strings.Split(path, "/")[1:]
	}
	deepest := 0
	start := len(r.fixed)
	if r.pattern != "" {
		start++ // a pattern speaks of what is in the directory
	}
	for n := start; n <= len(parts); n++ {
		ok := true
		for i, name := range r.fixed {
			ok = ok && parts[i] == name
		}
		if ok && refMatch(r.pattern, strings.Join(parts[len(r.fixed):n], "/"), 0) {
			deepest = n + 1
		}
	}
	return deepest
}

// refMatch matches by trying. Brackets in the first text bytes of the pattern
// spell no set.
func refMatch(pattern, s string, text int) bool {
	if pattern == "" {
		return s == ""
	}
	next := func(n int) int { return max(0, text-n) }
	stars := 0
	for stars < len(pattern) && pattern[stars] == '*' {
		stars++
	}
	rest := pattern[stars:]
	switch {
	case stars >= 2 && strings.HasPrefix(rest, "/"):
		if stars > 2 { // what is more than two stands before
			for i := 0; i <= len(s); i++ {
				if (stars > 3 || !strings.Contains(s[:i], "/")) && refMatch("**"+rest, s[i:], next(stars-2)) {
					return true
				}
			}
			return false
		}
		if refMatch(rest[1:], s, next(3)) {
			return true
		}
		for i := range len(s) {
			if s[i] == '/' && refMatch(rest[1:], s[i+1:], next(3)) {
				return true
			}
		}
		return false
	case stars > 0:
		for i := 0; i <= len(s); i++ {
			if (stars > 1 || !strings.Contains(s[:i], "/")) && refMatch(rest, s[i:], next(stars)) {
				return true
			}
		}
		return false
	case pattern[0] == '[' && text == 0:
		end := strings.IndexByte(pattern, ']')
		if end < 0 {
			return refMatch(pattern, s, len(pattern))
		}
		members, ok := refSet(pattern[1:end])
		if !ok {
			return refMatch(pattern, s, end+1)
		}
		return s != "" && strings.IndexByte(members, s[0]) >= 0 && refMatch(pattern[end+1:], s[1:], 0)
	}
	return s != "" && (pattern[0] == s[0] || pattern[0] == '?' && s[0] != '/') && refMatch(pattern[1:], s[1:], next(1))
}

// refSet spells out the members of a set.
func refSet(inner string) (string, bool) {
	members := ""
	for inner != "" {
		lo, hi, used := inner[0], inner[0], 1
		if len(inner) >= 3 && inner[1] == '-' {
			hi, used = inner[2], 3
		}
		if hi < lo {
			return "", false
		}
		for c := int(lo); c <= int(hi); c++ {
			members += string(rune(c))
		}
		inner = inner[used:]
	}
	return members, members != ""
}

// pathWord makes a spelling of bytes, out of what matters to the grammar.
func pathWord(data []byte) string {
	pieces := []string{
		"/", "a", "b", "/", "*", "?", "[", "]", "-", ".", "..", "/../", "~", "~/", "**", "**/", "/**", "x", "[ab]", "[b-a]", "[!a]", "u", "p", "/a/b",
	}
	var b strings.Builder
	for _, c := range data {
		b.WriteString(pieces[int(c)%len(pieces)])
	}
	return b.String()
}

// pathTarget makes an absolute, clean path.
func pathTarget(data []byte) string {
	names := []string{"a", "b", "[u]", "p*", "h", "x", "ab", "[", "]", "-", "u", "p", ".a", "[ab]"}
	var b strings.Builder
	for _, c := range data {
		b.WriteString("/" + names[int(c)%len(names)])
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

func FuzzPathRule(f *testing.F) {
	for _, seed := range [][4]string{
		{"\x01", "\x04\x01", "\x0d\x01", "\x04\x02\x03\x00"},
		{"\x0d\x0a\x00\x11\x04", "\x0a\x00\x04", "\x0f\x01", "\x04\x05"},
		{"\x12\x00\x0f\x01", "\x06\x01", "\x00\x13", "\x00\x01\x02"},
		{"\x09", "\x10", "\x00", "\x04\x02\x03"},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]), []byte(seed[2]), []byte(seed[3]))
	}
	// The roots have characters of patterns in their names, which mean nothing.
	const home, dir = "/h/[u]", "/h/[u]/p*"
	f.Fuzz(func(t *testing.T, first, second, third, at []byte) {
		if len(first)+len(second)+len(third) > 24 || len(at) > 8 {
			return
		}
		kinds := []PathKind{AllowWrite, DenyWrite, AllowRead, DenyRead}
		var paths []PathEntry
		var rules []refRule
		for i, data := range [][]byte{first, second, third} {
			if len(data) < 2 {
				continue
			}
			kind, word := kinds[int(data[0])%4], pathWord(data[1:])
			r, ok := refResolve(kind, word, home, dir)
			if _, err := (Roots{Home: home, Dir: dir}).Resolve(word); (err == nil) != ok {
				t.Fatalf("entry %d %q: %v", i, word, err)
			}
			if ok {
				paths = append(paths, entries(kind, word)...)
				rules = append(rules, r)
			}
		}
		target := pathTarget(at)
		canWrite, denied, allowDepth, denyDepth := false, false, 0, 0
		for _, r := range rules {
			depth := r.covers(target)
			switch r.kind {
			case AllowWrite:
				canWrite = canWrite || depth > 0
				allowDepth = max(allowDepth, depth)
			case DenyWrite:
				denied = denied || depth > 0
			case AllowRead:
				allowDepth = max(allowDepth, depth)
			case DenyRead:
				denyDepth = max(denyDepth, depth)
			}
		}
		pol, err := New(Input{Roots: Roots{Home: home, Dir: dir}, Paths: paths, WriteGlobs: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := pol.Write(target).Allow; got != (canWrite && !denied) {
			t.Errorf("%v: Write(%q) = %v", spelled(paths), target, got)
		}
		if got := pol.Read(target).Allow; got != (denyDepth == 0 || allowDepth > denyDepth) {
			t.Errorf("%v: Read(%q) = %v, allowed at %d, denied at %d", spelled(paths), target, got, allowDepth, denyDepth)
		}
	})
}

func spelled(paths []PathEntry) (out []string) {
	for _, e := range paths {
		out = append(out, e.Kind.String()+" "+e.Rule.Text)
	}
	return out
}

func FuzzPermission(f *testing.F) {
	for _, s := range []string{
		"WebFetch(domain:github.com)", "WebFetch", "WebFetch(domain:*)", "WebFetch(domain:*.a*.com)", "Read(~/.ssh)", "Read(//etc)", "Read(/x)", "Read(a)b)", "Edit(.)",
		"Edit", "Write(//**)", "Read(/a*/)", "Read(//a*/)", "Read(~bob/x)", "Bash(ls)", "Read()", "Read(", "Edit(\x00)", "Edit([a])", "", "()", "Read(\xff)",
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, deny bool) {
		p, err := ParsePermission(s, deny)
		if err != nil {
			return
		}
		tool, arg, _ := strings.Cut(s, "(")
		if p.Domain != nil {
			entry := strings.TrimSuffix(strings.TrimPrefix(arg, "domain:"), ")")
			if tool != "WebFetch" || p.Domain.Inert() || arg != "" && p.Domain.String() != entry || arg == "" && !deny {
				t.Errorf("%q: %+v", s, p.Domain)
			}
			return
		}
		want := map[string]PathKind{"Read": AllowRead, "Edit": AllowWrite, "Write": AllowWrite}
		kind, known := want[tool]
		if deny {
			if tool == "Read" {
				kind = DenyRead
			} else {
				kind = DenyWrite
			}
		}
		if !known || p.Kind != kind {
			t.Errorf("%q: %v", s, p.Kind)
		}
		// The path says the same as an entry of the path lists, and never less than
		// the whole argument.
		if _, err := (Roots{Home: "/h", Dir: "/d"}).Resolve(p.Path); err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if arg != "" && p.Path+")" != arg && "/"+p.Path+")" != arg {
			t.Errorf("%q became %q", s, p.Path)
		}
		if deny && SlashedGlob(p.Path) || OtherHome(p.Path) {
			t.Errorf("%q can match nothing", s)
		}
	})
}
