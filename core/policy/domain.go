package policy

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// DomainPattern is an entry of allowed_domains or denied_domains: a host, or a
// wildcard for its strict subdomains, with an optional port. The zero value
// matches nothing.
type DomainPattern struct {
	text     string
	host     string // lower case; without "*." for a wildcard
	alt      string // a second spelling that matches as well; empty when there is none
	wildcard bool
	self     bool // a wildcard that matches host too
	any      bool // "*"
	port     uint16
	addr     netip.Addr // valid for an IP literal in canonical spelling
}

// ErrDomain is the cause of every refusal of ParseDomain.
var ErrDomain = errors.New("not a domain pattern")

// ParseDomain reads an entry. With denied set it also takes "*" and "*:port",
// which match every host. The grammar is that of npm srt: "example.com",
// "*.example.com" (two labels at least), "localhost", "10.0.0.1",
// "[2001:db8::1]", each with an optional ":port". Errors are ErrDomain.
//
// An entry is compared as it is spelled, without case, with the canonical
// form of a host. An international name also stands for its A-label form; a
// denied entry also for its canonical form, so that a deny spelled "127.1" is
// not inert.
func ParseDomain(s string, denied bool) (DomainPattern, error) {
	host, port, ok := splitPort(s)
	if !ok {
		return DomainPattern{}, ErrDomain
	}
	p := DomainPattern{text: s, port: port, host: strings.ToLower(host)}
	switch rest, wildcard := strings.CutPrefix(host, "*."); {
	case host == "*":
		if !denied {
			return DomainPattern{}, ErrDomain
		}
		p.any = true
		return p, nil
	case wildcard:
		if !validName(rest) || strings.Contains(rest, "..") {
			return DomainPattern{}, ErrDomain
		}
		p.wildcard = true
		p.host = p.host[2:]
	case strings.Contains(host, ":"):
		if a, err := netip.ParseAddr(host); err != nil || !a.Is6() {
			return DomainPattern{}, ErrDomain
		}
	case host != "localhost" && (!validName(host) || strings.Contains(host, "*")):
		return DomainPattern{}, ErrDomain
	}
	if a, err := netip.ParseAddr(p.host); err == nil && !p.wildcard {
		p.addr = a
	}
	if canon, err := CanonicalHost(p.host); err == nil && canon != p.host && (denied || !isASCII(p.host)) {
		p.alt = canon
		if a, err := netip.ParseAddr(canon); err == nil && !p.wildcard {
			p.addr = a
		}
	}
	return p, nil
}

// ParseDottedDomain reads an entry as our own settings have it: as ParseDomain, and
// ".example.com" besides, for the name and all below it.
func ParseDottedDomain(s string, denied bool) (DomainPattern, error) {
	rest, dotted := strings.CutPrefix(s, ".")
	if !dotted {
		return ParseDomain(s, denied)
	}
	p, err := ParseDomain("*."+rest, denied)
	if err == nil {
		p.text, p.self = s, true
	}
	return p, err
}

// validName says whether s may stand as a host: dots inside and not at the
// ends, nothing that belongs to a URL.
func validName(s string) bool {
	return strings.Contains(s, ".") && !strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".") &&
		!strings.ContainsAny(s, "/:")
}

// splitPort takes the port off an entry. Two colons or more need brackets:
// "::1:443" would be an address of its own.
func splitPort(s string) (host string, port uint16, ok bool) {
	if inner, rest, found := strings.Cut(s, "]"); found && s[0] == '[' {
		inner, _, _ = strings.Cut(inner[1:], "%") // a zone never takes part in matching
		if canon, err := CanonicalHost(inner); err == nil {
			inner = canon
		}
		digits, ported := strings.CutPrefix(rest, ":")
		port, ok = parsePort(digits)
		switch {
		case rest == "":
			return inner, 0, true
		case ported && ok:
			return inner, port, true
		}
		return s, 0, true // left whole, for its colons to be refused
	}
	before, after, found := strings.Cut(s, ":")
	if !found {
		return s, 0, true
	}
	if strings.Contains(after, ":") {
		return "", 0, false
	}
	port, ok = parsePort(after)
	return before, port, ok
}

func parsePort(s string) (uint16, bool) {
	if s == "" || len(s) > 5 || s[0] == '0' || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil
}

// String returns the entry as it was spelled.
func (p DomainPattern) String() string { return p.text }

// Port returns the port that the entry is limited to, or 0 for any port.
func (p DomainPattern) Port() uint16 { return p.port }

// Match reports whether the entry covers host and port. A host that has no
// canonical form is matched by "*" alone. A wildcard never matches an IP
// address, nor, without a dot for it, the name below which it stands.
func (p DomainPattern) Match(host string, port uint16) bool {
	canon, err := CanonicalHost(host)
	if err != nil {
		return p.any && (p.port == 0 || p.port == port)
	}
	return p.matchCanonical(canon, port)
}

func (p DomainPattern) matchCanonical(host string, port uint16) bool {
	if p.port != 0 && p.port != port {
		return false
	}
	switch {
	case p.any:
		return true
	case p.text == "":
		return false
	case p.wildcard:
		if _, err := netip.ParseAddr(host); err == nil {
			return false
		}
		if p.self && (host == p.host || p.alt != "" && host == p.alt) {
			return true
		}
		return strings.HasSuffix(host, "."+p.host) || p.alt != "" && strings.HasSuffix(host, "."+p.alt)
	}
	return host == p.host || p.alt != "" && host == p.alt
}

// Covers reports whether every host that inner matches is matched by one of
// the patterns, ports aside: whether a credential may go to inner when only
// those hosts can be reached.
func Covers(inner DomainPattern, patterns []DomainPattern) bool {
	for _, p := range patterns {
		switch {
		case p.any:
			return true
		case inner.wildcard:
			if p.wildcard && (inner.host == p.host && (p.self || !inner.self) || strings.HasSuffix(inner.host, "."+p.host)) {
				return true
			}
		case p.wildcard:
			if !inner.addr.IsValid() && (strings.HasSuffix(inner.host, "."+p.host) || p.self && inner.host == p.host) {
				return true
			}
		case inner.host == p.host:
			return true
		}
	}
	return false
}

// IsIPv6 reports whether s is an IPv6 address without brackets.
func IsIPv6(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is6()
}

// ParseHost reads a pattern as ParseDomain does, and besides an IPv6 address
// without brackets, as lists that take no port have it.
func ParseHost(s string) (DomainPattern, error) {
	if IsIPv6(s) {
		s = "[" + s + "]"
	}
	return ParseDomain(s, false)
}

// Inert reports whether the entry can match no host, as "*.a*.com" or "a b.com",
// which npm srt accepts.
func (p DomainPattern) Inert() bool {
	if p.any {
		return false
	}
	canon, err := CanonicalHost(p.host)
	return err != nil || canon != p.host && p.alt == ""
}
