package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// PathKind says what a path rule does.
type PathKind uint8

// The kinds of path rules.
const (
	AllowWrite PathKind = iota
	DenyWrite
	AllowRead
	DenyRead
)

// String returns the kind as the key of the settings that makes it.
func (k PathKind) String() string {
	switch k {
	case AllowWrite:
		return "allow_write"
	case DenyWrite:
		return "deny_write"
	case AllowRead:
		return "allow_read"
	case DenyRead:
		return "deny_read"
	}
	return "path kind"
}

func (k PathKind) deny() bool { return k == DenyWrite || k == DenyRead }

// PathRule is a resolved entry of one of the four lists.
type PathRule struct {
	Kind    PathKind
	Path    string // absolute and cleaned; a pattern when Glob is set
	Base    string // the directory, a name and no pattern, below which a Glob has to be expanded; Path itself for a name
	Glob    bool
	Literal bool // marked as a name in the settings, so that no character of it is special
	Cache   bool // of AllowWrite: a tool's cache, which is not scanned for protected names below its top
	Firm    bool // of DenyRead: no allow re-opens it (a credential denied by npm settings, or the managed layer)
	Rule    Rule

	glob Glob // of what follows Base
}

// Covers reports whether the rule speaks about path: the path itself, what a
// pattern matches, and everything beneath either.
func (r PathRule) Covers(path string) bool { return r.depth(path) > 0 }

// depth returns how deep in path the rule takes hold, counted in components
// from 1 for the root directory, or 0 when it does not. The deeper rule is the
// more specific one.
func (r PathRule) depth(p string) int {
	if !r.Glob {
		if !within(p, r.Path) {
			return 0
		}
		return components(r.Path)
	}
	if !within(p, r.Base) {
		return 0
	}
	for end := len(p); end > 0; end = strings.LastIndexByte(p[:end], '/') {
		if len(r.Base) >= end {
			break
		}
		if r.glob.Match(strings.TrimPrefix(p[len(r.Base):end], "/")) {
			return components(p[:end])
		}
	}
	return 0
}

// Match returns a func that reports whether the pattern of a Glob matches the
// whole of a path, which is absolute; what is beneath it does not count here. It
// is for whoever does not know this package.
func (r PathRule) Match() func(path string) bool {
	return func(p string) bool {
		return within(p, r.Base) && len(p) > len(r.Base) && r.glob.Match(strings.TrimPrefix(p[len(r.Base):], "/"))
	}
}

func within(p, dir string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, dir) && len(p) > len(dir) && p[len(dir)] == '/'
}

func components(p string) int {
	if p == "/" {
		return 1
	}
	return strings.Count(p, "/") + 1
}

// Roots are the directories that spellings are resolved against. Both are
// absolute.
type Roots struct {
	Home string // for ~ and ~/x
	Dir  string // for relative spellings
}

// ErrPath is the cause of every refusal of a path's spelling.
var ErrPath = errors.New("not a usable path")

// Resolve makes a spelling absolute and cleans it: ~ and ~/x against Home,
// anything else relative against Dir, .. folded by text. A spelling with a NUL
// or without a root to resolve against is refused with ErrPath.
func (r Roots) Resolve(spelling string) (string, error) {
	if spelling == "" {
		return "", fmt.Errorf("%w: empty", ErrPath)
	}
	if strings.ContainsRune(spelling, 0) {
		return "", fmt.Errorf("%w: %q has a NUL", ErrPath, spelling)
	}
	abs := spelling
	switch {
	case spelling == "~" || strings.HasPrefix(spelling, "~/"):
		if !path.IsAbs(r.Home) {
			return "", fmt.Errorf("%w: no home directory for %q", ErrPath, spelling)
		}
		abs = r.Home + spelling[1:]
	case !path.IsAbs(spelling):
		if !path.IsAbs(r.Dir) {
			return "", fmt.Errorf("%w: no working directory for %q", ErrPath, spelling)
		}
		abs = r.Dir + "/" + spelling
	}
	return path.Clean(abs), nil
}

// PathEntry is an entry of a path list as written.
type PathEntry struct {
	Kind    PathKind
	Literal bool   // a name, never a pattern
	Cache   bool   // see PathRule
	Firm    bool   // see PathRule
	Closed  bool   // of AllowWrite: does not open a protected name of a project, as in npm settings
	Base    string // the absolute directory that a relative spelling begins in; empty: the working directory
	Rule    Rule   // Rule.Text is the spelling
}

// Resolve makes the spelling absolute, as Roots.Resolve does, from Base where that
// is set.
func (e PathEntry) Resolve(roots Roots) (string, error) {
	return e.roots(roots).Resolve(e.Rule.Text)
}

func (e PathEntry) roots(roots Roots) Roots {
	if e.Base != "" {
		roots.Dir = e.Base
	}
	return roots
}

// lstatFunc is os.Lstat or what stands for it.
type lstatFunc func(string) (fs.FileInfo, error)

// resolve turns an entry into its rules. A spelling with glob characters is a
// pattern, and besides it is the name that it spells where that exists, since
// a directory may well be called "[WIP] x". A pattern below such a directory
// counts too. A trailing /** means the directory.
func (e PathEntry) resolve(roots Roots, lstat lstatFunc) ([]PathRule, error) {
	spelling := e.Rule.Text
	roots = e.roots(roots)
	base := PathRule{Kind: e.Kind, Literal: e.Literal, Cache: e.Cache, Firm: e.Firm, Rule: e.Rule}
	name := func(p string) PathRule {
		r := base
		r.Path, r.Base = p, p
		return r
	}
	if e.Literal {
		abs, err := roots.Resolve(spelling)
		if err != nil {
			return nil, err
		}
		return []PathRule{name(abs)}, nil
	}
	spelling = trimDirGlob(spelling)
	abs, err := roots.Resolve(spelling)
	if err != nil {
		return nil, err
	}
	if !HasGlob(spelling) {
		return []PathRule{name(abs)}, nil
	}
	pattern := func(dir, rest string) PathRule {
		r := base
		r.Glob, r.Base, r.Path = true, dir, join(dir, rest)
		r.glob = CompileGlob(rest)
		return r
	}
	// The home and the working directory are names whatever their characters, and
	// so is what is left of them where the spelling climbs out by a "..".
	root := "/"
	switch {
	case strings.HasPrefix(spelling, "~/"):
		root = commonDir(abs, path.Clean(roots.Home))
	case !path.IsAbs(spelling):
		root = commonDir(abs, path.Clean(roots.Dir))
	}
	return e.readings(abs, root, lstat, name, pattern), nil
}

// readings returns the pattern that abs spells below root, and what it is
// besides when components with glob characters are there under those names.
func (e PathEntry) readings(abs, root string, lstat lstatFunc, name func(string) PathRule, pattern func(dir, rest string) PathRule) []PathRule {
	rest := strings.TrimPrefix(strings.TrimPrefix(abs, root), "/")
	if CompileGlob(rest).literal() {
		return []PathRule{name(abs)} // brackets that spell no set, or glob characters that went with a ..
	}
	parts := strings.Split(rest, "/")
	first := 0
	for first < len(parts) && !HasGlob(parts[first]) {
		first++
	}
	at := func(n int) string { return join(root, strings.Join(parts[:n], "/")) }
	rules := []PathRule{pattern(at(first), strings.Join(parts[first:], "/"))}
	if lstat == nil {
		return rules
	}
	for n := first + 1; n <= len(parts); n++ {
		info, err := lstat(at(n))
		if errors.Is(err, fs.ErrNotExist) || err != nil && !e.Kind.deny() {
			break
		}
		if !e.Kind.deny() && info.Mode()&fs.ModeSymlink != 0 {
			break
		}
		tail := parts[n:]
		if n == len(parts) {
			rules = append(rules, name(abs))
			break
		}
		globAt := 0
		for globAt < len(tail) && !HasGlob(tail[globAt]) {
			globAt++
		}
		switch {
		case globAt == len(tail):
			// Only names follow: the whole spelling is a name, which an allow
			// has no link on the way to.
			for m := n + 1; m <= len(parts) && !e.Kind.deny(); m++ {
				if info, err := lstat(at(m)); err == nil && info.Mode()&fs.ModeSymlink != 0 {
					return rules
				}
			}
			return append(rules, name(abs))
		case globAt == 0:
			rules = append(rules, pattern(at(n), strings.Join(tail, "/")))
		}
	}
	return rules
}

// commonDir returns the deepest directory that holds, or is, both paths.
func commonDir(p, dir string) string {
	for !within(p, dir) {
		dir = path.Dir(dir)
	}
	return dir
}

func join(dir, rest string) string {
	if rest == "" {
		return dir
	}
	return strings.TrimSuffix(dir, "/") + "/" + rest
}

// trimDirGlob takes a trailing /** off: the directory and all beneath it is
// what a rule about the directory says anyway.
func trimDirGlob(s string) string {
	t, ok := strings.CutSuffix(s, "/**")
	if ok && t == "" {
		return "/"
	}
	return t
}

// SlashedGlob reports whether a deny spelled so can match no path: a pattern
// from the root or the home that ends in a separator. A relative one loses the
// separator when it is resolved.
func SlashedGlob(spelling string) bool {
	return strings.HasSuffix(spelling, "/") && HasGlob(spelling) &&
		(path.IsAbs(spelling) || strings.HasPrefix(spelling, "~"))
}

// OtherHome reports whether a spelling looks like the home of another user, which
// it does not stand for: "~name" would be a name below the working directory.
func OtherHome(spelling string) bool {
	return len(spelling) > 1 && spelling[0] == '~' && spelling[1] != '/'
}
