package policy

import (
	"errors"
	"fmt"
	"strings"
)

// Permission is what a permission string of Claude Code settings stands for:
// a domain or a path.
type Permission struct {
	Domain *DomainPattern // WebFetch; nil for a path
	Kind   PathKind       // what the path is allowed or denied
	Path   string         // a spelling of our path grammar
}

// ErrPermission is the cause of every refusal of ParsePermission.
var ErrPermission = errors.New("not an enforceable permission")

// ParsePermission reads a permission string: WebFetch(domain:x) speaks about a
// domain, Read(path) about reading, Edit(path) and Write(path) about writing.
// A path is relative to the working directory, ~/x or, from the root, //x; a
// path with one leading slash means another place to Claude Code than it looks
// like, so it is refused. So is every other tool: what it would do is not
// something that a sandbox can tell apart.
func ParsePermission(s string, deny bool) (Permission, error) {
	tool, arg, ok := strings.Cut(s, "(")
	if ok {
		if arg, ok = strings.CutSuffix(arg, ")"); !ok || arg == "" {
			return Permission{}, fmt.Errorf("%w: %q: write Tool(argument)", ErrPermission, clip(s))
		}
	}
	switch tool {
	case "WebFetch":
		return fetchPermission(s, arg, ok, deny)
	case "Read":
		return pathPermission(s, arg, ok, deny, AllowRead, DenyRead)
	case "Edit", "Write":
		return pathPermission(s, arg, ok, deny, AllowWrite, DenyWrite)
	}
	return Permission{}, fmt.Errorf("%w: %q: a sandbox enforces WebFetch(domain:…), Read(…), Edit(…) and Write(…), not %s",
		ErrPermission, clip(s), clip(tool))
}

func fetchPermission(s, arg string, hasArg, deny bool) (Permission, error) {
	if !hasArg && deny {
		arg = "domain:*"
	}
	domain, ok := strings.CutPrefix(arg, "domain:")
	if !ok {
		return Permission{}, fmt.Errorf("%w: %q: write WebFetch(domain:example.com)", ErrPermission, clip(s))
	}
	p, err := ParseDomain(domain, deny)
	if err != nil {
		return Permission{}, fmt.Errorf("%w: %q: %w", ErrPermission, clip(s), err)
	}
	if p.Inert() {
		return Permission{}, fmt.Errorf("%w: %q can match no host", ErrPermission, clip(s))
	}
	return Permission{Domain: &p}, nil
}

func pathPermission(s, arg string, hasArg, deny bool, allowKind, denyKind PathKind) (Permission, error) {
	p := Permission{Kind: allowKind, Path: arg}
	if deny {
		p.Kind = denyKind
	}
	switch {
	case !hasArg && deny && p.Kind == DenyWrite:
		p.Path = "/"
	case !hasArg:
		return Permission{}, fmt.Errorf("%w: %q: name a path, as in %s(.)", ErrPermission, clip(s), clip(s))
	case strings.ContainsRune(arg, 0):
		return Permission{}, fmt.Errorf("%w: %q has a NUL", ErrPermission, clip(s))
	case strings.HasPrefix(arg, "//"):
		p.Path = arg[1:]
	case strings.HasPrefix(arg, "/"):
		return Permission{}, fmt.Errorf("%w: %q: write /%s for the path from the root, .%s for the one in the project",
			ErrPermission, clip(s), clip(arg), clip(arg))
	}
	if OtherHome(p.Path) {
		return Permission{}, fmt.Errorf("%w: %q: the homes of others have to be written out, and a name that begins with ~ as ./~", ErrPermission, clip(s))
	}
	if deny && SlashedGlob(p.Path) {
		return Permission{}, fmt.Errorf("%w: %q ends in a separator, so it matches no path", ErrPermission, clip(s))
	}
	return p, nil
}
