package policy

import (
	"slices"
	"strings"
)

// Glob is a compiled pattern of a path. The syntax has no escape character:
//
//   - any characters but /
//     **     any characters
//     **/    any number of directories, none included
//     ?      one character but /
//     [a-z]  one character of a set; no negation; * ? / inside are members
//
// Brackets that spell no set (none inside, a range that runs backwards, one
// that is not closed) are text.
type Glob struct {
	text string
	toks []globTok
}

type globKind uint8

const (
	globText  globKind = iota // one rune
	globAny                   // ?
	globStar                  // *
	globAll                   // **
	globEnter                 // before a **/: may skip it
	globDirs                  // **/
	globSet                   // [..]
)

type globTok struct {
	kind globKind
	r    rune
	set  []runeRange
}

type runeRange struct{ lo, hi rune }

// HasGlob reports whether s has a character that may make it a pattern.
func HasGlob(s string) bool { return strings.ContainsAny(s, "*?[]") }

// CompileGlob compiles a pattern. Every string is a pattern.
func CompileGlob(pattern string) Glob {
	g := Glob{text: pattern}
	rs := []rune(pattern)
	textUntil := 0 // brackets before this index were found to spell no set
	for i := 0; i < len(rs); {
		switch c := rs[i]; {
		case c == '?':
			g.toks = append(g.toks, globTok{kind: globAny})
			i++
		case c == '*':
			start := i
			for i < len(rs) && rs[i] == '*' {
				i++
			}
			rest := i - start
			dirs := rest >= 2 && i < len(rs) && rs[i] == '/'
			if dirs {
				rest -= 2
				i++
			}
			switch {
			case rest >= 2:
				g.add(globAll)
			case rest == 1:
				g.add(globStar)
			}
			if dirs {
				g.add(globDirs)
			}
		case c == '[' && i >= textUntil:
			end := i + 1
			for end < len(rs) && rs[end] != ']' {
				end++
			}
			if end == len(rs) {
				textUntil = len(rs)
				continue
			}
			set, ok := parseSet(rs[i+1 : end])
			if !ok {
				textUntil = end + 1
				continue
			}
			g.toks = append(g.toks, globTok{kind: globSet, set: set})
			i = end + 1
		default:
			g.toks = append(g.toks, globTok{kind: globText, r: c})
			i++
		}
	}
	return g
}

// add appends a wildcard unless the one before it already matches as much.
func (g *Glob) add(k globKind) {
	if n := len(g.toks); n > 0 && (g.toks[n-1].kind == globAll || g.toks[n-1].kind == k) {
		return
	}
	if k == globDirs {
		g.toks = append(g.toks, globTok{kind: globEnter})
	}
	g.toks = append(g.toks, globTok{kind: k})
}

func parseSet(members []rune) ([]runeRange, bool) {
	var set []runeRange
	for i := 0; i < len(members); i++ {
		lo := members[i]
		hi := lo
		if i+2 < len(members) && members[i+1] == '-' {
			hi = members[i+2]
			i += 2
		}
		if hi < lo {
			return nil, false
		}
		set = append(set, runeRange{lo, hi})
	}
	return set, set != nil
}

// literal reports whether the pattern matches itself alone.
func (g Glob) literal() bool {
	return !slices.ContainsFunc(g.toks, func(t globTok) bool { return t.kind != globText })
}

// String returns the pattern.
func (g Glob) String() string { return g.text }

// Match reports whether the pattern matches the whole path. The time grows
// with the product of the two lengths, never faster.
func (g Glob) Match(path string) bool {
	cur := make([]bool, len(g.toks)+1)
	next := make([]bool, len(g.toks)+1)
	cur[0] = true
	g.skip(cur)
	for _, r := range path {
		clear(next)
		for i, on := range cur[:len(g.toks)] {
			if !on {
				continue
			}
			switch t := g.toks[i]; t.kind {
			case globText:
				next[i+1] = next[i+1] || t.r == r
			case globAny:
				next[i+1] = next[i+1] || r != '/'
			case globSet:
				next[i+1] = next[i+1] || inSet(t.set, r)
			case globStar:
				next[i] = next[i] || r != '/'
			case globAll:
				next[i] = true
			case globDirs:
				next[i] = true
				next[i+1] = next[i+1] || r == '/'
			case globEnter:
			}
		}
		g.skip(next)
		cur, next = next, cur
	}
	return cur[len(g.toks)]
}

// skip follows the moves that take no character.
func (g Glob) skip(state []bool) {
	for i, t := range g.toks {
		if !state[i] {
			continue
		}
		switch t.kind {
		case globStar, globAll:
			state[i+1] = true
		case globEnter:
			state[i+1], state[i+2] = true, true
		case globText, globAny, globSet, globDirs:
		}
	}
}

func inSet(set []runeRange, r rune) bool {
	for _, s := range set {
		if s.lo <= r && r <= s.hi {
			return true
		}
	}
	return false
}

// MatchGlob reports whether pattern matches the whole path; see Glob.
func MatchGlob(pattern, path string) bool { return CompileGlob(pattern).Match(path) }

// GlobBase returns the deepest directory that every match of an absolute
// pattern lies below: what has to be walked to expand it. For a name without
// glob characters it is the name itself.
func GlobBase(pattern string) string {
	i := strings.IndexAny(pattern, "*?[]")
	if i < 0 {
		return pattern
	}
	slash := strings.LastIndexByte(pattern[:i], '/')
	if slash <= 0 {
		return pattern[:slash+1]
	}
	return pattern[:slash]
}
