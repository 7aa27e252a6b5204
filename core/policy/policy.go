package policy

import (
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
)

// The words that npm srt uses for its answers; programs and agents match on
// them.
const (
	reasonMalformed = "malformed host"
	reasonDenied    = "host is on the deny list"
	reasonUnlisted  = "host is not on the allow list"
)

// DomainRule is an entry of a domain list. Rule.Reason is what a client is
// told when the entry denies it.
type DomainRule struct {
	Pattern DomainPattern
	Rule    Rule
}

// Input is all that a Policy is made from. The zero value, with Roots, is the
// policy of no file at all but without the credential table: no network, no
// write, reads everywhere.
type Input struct {
	Roots   Roots
	Allowed []DomainRule // allowed_domains
	Denied  []DomainRule // denied_domains, which beat Allowed
	Addrs   []AddrRule   // denied_resolved_addresses
	Paths   []PathEntry  // the four lists in one, weakest layer first

	NoFiles   bool              // filesystem.disabled: every file rule is lifted, the protected names too
	GitConfig bool              // allow_git_config: .git/config is writable
	NPM       bool              // settings in the npm form, which leave some names to the program that embeds srt
	RunLater  map[string]string // the values of the variables RunLater, by name
	Own       []string          // absolute directories of srt's own files, which no entry opens

	// WriteGlobs says that the mechanism can allow writing by pattern. Where it
	// cannot, such entries come back from Skipped.
	WriteGlobs bool

	Lstat      func(string) (fs.FileInfo, error) // os.Lstat; nil: a spelling with glob characters is a pattern only
	LocalAddrs func() []netip.Addr               // the addresses of this host's interfaces now; nil: none
}

// Policy decides. It is immutable; make one with New.
type Policy struct {
	roots      Roots
	allowed    []DomainRule
	denied     []DomainRule
	addrs      []AddrRule
	localAddrs func() []netip.Addr
	paths      []PathRule
	skipped    []PathRule
	protected  []Protected
	noFiles    bool
}

// New resolves the entries against the roots. Errors name the entry that
// cannot be used, and its origin.
func New(in Input) (*Policy, error) {
	p := &Policy{
		roots: in.Roots, noFiles: in.NoFiles, localAddrs: in.LocalAddrs,
		allowed: slices.Clone(in.Allowed), denied: slices.Clone(in.Denied), addrs: slices.Clone(in.Addrs),
	}
	if in.NoFiles {
		return p, nil
	}
	p.paths = make([]PathRule, 0, len(in.Paths)+8)
	closed := make([]bool, 0, len(in.Paths)+8) // by index of p.paths
	for _, e := range in.Paths {
		rules, err := e.resolve(in.Roots, in.Lstat)
		if err != nil {
			return nil, fmt.Errorf("%s: %s entry: %w", e.Rule.Origin, e.Kind, err)
		}
		for _, r := range rules {
			if r.Kind == AllowWrite && r.Glob && !in.WriteGlobs {
				p.skipped = append(p.skipped, r)
				continue
			}
			closed = append(closed, e.Closed)
			p.paths = append(p.paths, r)
		}
	}
	p.protected = protectedNames(in.Roots, in.Own, in.RunLater)
	if in.NPM {
		p.protected = slices.DeleteFunc(p.protected, func(x Protected) bool { return x.Agents })
	}
	if in.GitConfig {
		p.protected = slices.DeleteFunc(p.protected, func(x Protected) bool {
			return x.Within == ".git" && path.Base(x.Name) == "config"
		})
	}
	for i := range p.paths {
		r := &p.paths[i]
		if r.Kind != AllowWrite {
			continue
		}
		for j := range p.protected {
			x := &p.protected[j]
			if at, ok := x.openedBy(*r, closed[i]); ok {
				x.Except = append(x.Except, at)
				continue
			}
			// Settings in the npm form name a protected path in the project in vain, and
			// "." does not name the folder that it happens to be.
			for start, end := range x.matches(r.Path) {
				inProject := within(path.Dir(r.Path[:start+1]), path.Clean(in.Roots.Dir))
				if !x.FileOnly && (closed[i] && inProject || end == len(r.Path) && Unnamed(r.Rule.Text)) {
					p.protected = append(p.protected, Protected{Path: r.Path[:end], Dir: x.Dir, Reason: x.Reason})
					break
				}
			}
		}
		if in.Lstat != nil && !r.Glob {
			pointer := join(r.Path, ".git")
			if info, err := in.Lstat(pointer); err == nil && !info.IsDir() {
				p.protected = append(p.protected, Protected{Path: pointer, Reason: whyGitPoint})
			}
		}
	}
	p.paths = dropReopened(p.paths)
	return p, nil
}

// dropReopened takes out the built-in read denies whose very path another
// layer allows to read or write, so that what is left is ordered by depth
// alone.
func dropReopened(rules []PathRule) []PathRule {
	open := map[string]bool{}
	for i := range rules {
		r := &rules[i]
		if (r.Kind == AllowRead || r.Kind == AllowWrite) && !r.Glob && r.Rule.Origin.Layer != LayerDefault {
			open[r.Path] = true
		}
	}
	return slices.DeleteFunc(rules, func(r PathRule) bool {
		return r.Kind == DenyRead && r.Rule.Origin.Layer == LayerDefault && !r.Firm && open[r.Path]
	})
}

// Host decides whether a connection to host and port may be made: a malformed
// host never, then the deny list, then the allow list, else no.
func (p *Policy) Host(host string, port uint16) Decision {
	canon, err := CanonicalHost(host)
	if err != nil {
		return Decision{Reason: reasonMalformed}
	}
	for i := range p.denied {
		if d := &p.denied[i]; d.Pattern.matchCanonical(canon, port) {
			reason := d.Rule.Reason
			if reason == "" {
				reason = reasonDenied
			}
			return Decision{Host: canon, Rule: &d.Rule, Reason: reason}
		}
	}
	for i := range p.allowed {
		if d := &p.allowed[i]; d.Pattern.matchCanonical(canon, port) {
			return Decision{Allow: true, Host: canon, Rule: &d.Rule}
		}
	}
	return Decision{Host: canon, Reason: reasonUnlisted, Hint: hostHint(canon, port)}
}

// hostHint spells the setting that would allow a host: with the port unless it
// is one of the web's. A single label cannot be allowed at all.
func hostHint(canon string, port uint16) string {
	entry := canon
	if a, err := netip.ParseAddr(canon); err == nil && a.Is6() {
		entry = "[" + canon + "]"
	}
	if port != 0 && port != 80 && port != 443 {
		entry += ":" + strconv.Itoa(int(port))
	}
	if _, err := ParseDomain(entry, false); err != nil {
		return ""
	}
	return "allowed_domains = [" + Quote(entry) + "]"
}

// devices can be written in every sandbox, whose /dev is its own.
func device(p string) bool {
	switch p {
	case "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx",
		"/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/dtracehelper", "/dev/autofs_nowait":
		return true
	}
	return within(p, "/dev/fd") || within(p, "/dev/pts") || within(p, "/dev/shm")
}

// Write decides whether a path may be written, made, renamed or removed. The
// path is absolute, clean and free of symbolic links.
func (p *Policy) Write(target string) Decision { return p.WriteWhere(target, nil) }

// WriteWhere is Write for what is there when the command starts: of the names that are
// protected at any depth, only those are held that are there. nil: all are.
func (p *Policy) WriteWhere(target string, there func(path string) bool) Decision {
	if p.noFiles || device(target) {
		return Decision{Allow: true}
	}
	var root *PathRule
	for i := range p.paths {
		r := &p.paths[i]
		switch r.Kind {
		case DenyWrite:
			if r.Covers(target) {
				return Decision{Rule: &r.Rule, Reason: firstOf(r.Rule.Reason, "the path is on the deny list for writing")}
			}
		case AllowWrite:
			if r.Covers(target) && (root == nil || len(r.Path) > len(root.Path)) {
				root = r
			}
		case AllowRead, DenyRead:
		}
	}
	if root == nil {
		d := Decision{Reason: "the path is outside of what may be written"}
		// What would be protected even where it may be written is not to be opened by a hint.
		if !p.protects(target) {
			d.Hint = p.pathHint("allow_write", target)
		}
		return d
	}
	var nestedName *Protected // below all roots that cover the target, at the top of none
	for i := range p.paths {
		r := &p.paths[i]
		if r.Kind != AllowWrite || !r.Covers(target) {
			continue
		}
		for j := range p.protected {
			x := &p.protected[j]
			switch hit, nested := x.covers(r, target, there); {
			case hit && !nested:
				return p.protectedDecision(x, false, target)
			case hit && nestedName == nil:
				nestedName = x
			}
		}
	}
	if nestedName != nil {
		return p.protectedDecision(nestedName, true, target)
	}
	return Decision{Allow: true, Rule: &root.Rule}
}

// protects reports whether a path would be protected if all could be written.
func (p *Policy) protects(target string) bool {
	all := PathRule{Kind: AllowWrite, Path: "/"}
	return slices.ContainsFunc(p.protected, func(x Protected) bool {
		hit, _ := x.covers(&all, target, nil)
		return hit
	})
}

func (p *Policy) protectedDecision(x *Protected, nested bool, target string) Decision {
	d := Decision{
		Rule:   &Rule{Text: firstOf(x.Name, p.tilde(x.Path)), Origin: Origin{Key: "protected"}, Reason: x.Reason},
		Reason: x.Reason, Nested: nested,
	}
	switch {
	case x.Name == GitConfigName:
		d.Hint = "allow_git_config = true"
	case x.Reason != whySrt:
		d.Hint = p.pathHint("allow_write", target)
	}
	return d
}

// Read decides whether a path may be read. The path is absolute, clean and
// free of symbolic links. Of the rules that cover it the deepest wins, at
// equal depth a deny; a write root counts as an allow.
func (p *Policy) Read(target string) Decision {
	if p.noFiles {
		return Decision{Allow: true}
	}
	var deny, allow *PathRule
	var denyDepth, allowDepth int
	for i := range p.paths {
		r := &p.paths[i]
		if r.Kind == DenyWrite {
			continue
		}
		d := r.depth(target)
		switch {
		case d == 0:
		case r.Kind == DenyRead && r.Firm:
			return readDenied(r)
		case r.Kind == DenyRead && d > denyDepth:
			deny, denyDepth = r, d
		case r.Kind != DenyRead && d > allowDepth:
			allow, allowDepth = r, d
		}
	}
	switch {
	case deny == nil && allow == nil:
		return Decision{Allow: true}
	case deny == nil || allowDepth > denyDepth:
		return Decision{Allow: true, Rule: &allow.Rule}
	}
	dec := readDenied(deny)
	dec.Hint = p.pathHint("allow_read", target)
	return dec
}

func readDenied(r *PathRule) Decision {
	return Decision{Rule: &r.Rule, Reason: firstOf(r.Rule.Reason, "the path is on the deny list for reading")}
}

// Paths returns the resolved rules of the four lists, in the order of the
// layers. The deeper rule is the stronger one among the read rules and a deny
// beats any allow among the write rules. The built-in denies that another
// layer re-opens are not among them.
func (p *Policy) Paths() []PathRule { return slices.Clone(p.paths) }

// Skipped returns the allow_write patterns that the mechanism cannot enforce.
func (p *Policy) Skipped() []PathRule { return slices.Clone(p.skipped) }

// Protected returns the protected names; none under filesystem.disabled.
func (p *Policy) Protected() []Protected { return slices.Clone(p.protected) }

// FilesDisabled reports whether every file rule is lifted.
func (p *Policy) FilesDisabled() bool { return p.noFiles }

// Allowed returns the entries of the allow list, and Denied those of the deny
// list.
func (p *Policy) Allowed() []DomainRule { return slices.Clone(p.allowed) }

// Denied returns the entries of the deny list.
func (p *Policy) Denied() []DomainRule { return slices.Clone(p.denied) }

func (p *Policy) pathHint(key, target string) string {
	return key + " = [" + p.Spell(target) + "]"
}

func (p *Policy) tilde(target string) string {
	home := path.Clean(p.roots.Home)
	if rest, ok := strings.CutPrefix(target, home); ok && home != "/" && (rest == "" || rest[0] == '/') {
		return "~" + rest
	}
	return target
}

func firstOf(s ...string) string {
	for _, x := range s {
		if x != "" {
			return x
		}
	}
	return ""
}
