package policy

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"sync"
)

// AddrRule denies addresses that an allowed name resolves to.
type AddrRule struct {
	Prefix  netip.Prefix // unmapped; invalid when Private is set
	Private bool         // the word "private": RFC 1918, unique local (RFC 4193) and shared (RFC 6598) addresses
	Firm    bool         // no allow-listed address exempts from it (the managed layer)
	Rule    Rule
}

// ErrAddress is the cause of every refusal of ParseAddrRange.
var ErrAddress = errors.New("not an IP address or CIDR range")

// ParseAddrRange reads an IP address or a CIDR range, IPv6 without brackets.
// A zone is dropped and an IPv4-mapped range becomes the IPv4 range that it
// stands for; a mapped prefix below /96, which would cut through the mapping,
// is refused.
func ParseAddrRange(s string) (netip.Prefix, error) {
	addr, bits, ranged := strings.Cut(s, "/")
	bare, _, _ := strings.Cut(addr, "%")
	a, err := netip.ParseAddr(bare)
	if err != nil {
		return netip.Prefix{}, ErrAddress
	}
	n := a.BitLen()
	if ranged {
		if bits == "" || len(bits) > 3 || strings.Trim(bits, "0123456789") != "" {
			return netip.Prefix{}, ErrAddress
		}
		if n, err = strconv.Atoi(bits); err != nil || n > a.BitLen() {
			return netip.Prefix{}, ErrAddress
		}
	}
	if a.Is4In6() {
		if n < 96 {
			return netip.Prefix{}, ErrAddress
		}
		a, n = a.Unmap(), n-96
	}
	return netip.PrefixFrom(a, n).Masked(), nil
}

type addrClass struct {
	why    string
	ranges []netip.Prefix
}

// deniedClasses are the addresses that a name may never resolve to, whatever
// the policy: they belong to this host or to the cloud it runs on. Private
// ranges are not among them, since a name of an intranet is a fair thing to
// allow.
var deniedClasses = sync.OnceValue(func() []addrClass {
	class := func(why string, ranges ...string) addrClass {
		c := addrClass{why: why}
		for _, r := range ranges {
			c.ranges = append(c.ranges, mustRange(r))
		}
		return c
	}
	return []addrClass{
		class("a loopback address", "127.0.0.0/8", "::1"),
		class("an unspecified address", "0.0.0.0/8", "::"),
		class("a link-local address", "169.254.0.0/16", "fe80::/10"),
		class("a multicast address", "224.0.0.0/4", "ff00::/8"),
		class("the broadcast address", "255.255.255.255"),
		class("a cloud metadata address",
			"100.100.100.200",    // Alibaba Cloud
			"168.63.129.16",      // Azure
			"192.0.0.192",        // Oracle Cloud Classic
			"fd00:ec2::/32",      // AWS
			"fd20:ce::254",       // Google Cloud
			"fd00:c1::a9fe:a9fe", // Oracle Cloud
			"fd00:42::42",        // Scaleway
			"fd00:a9fe:a9fe::1",  // Akamai
			"fd00:100::100:200",  // Alibaba Cloud
		),
	}
})

var privateRanges = sync.OnceValue(func() []netip.Prefix {
	var out []netip.Prefix
	for _, r := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"} {
		out = append(out, mustRange(r))
	}
	return out
})

func mustRange(s string) netip.Prefix {
	p, err := ParseAddrRange(s)
	if err != nil {
		panic("bug: range " + s)
	}
	return p
}

// carriedIPv4 returns the IPv4 address that a network would deliver a to:
// IPv4-compatible and -translated addresses, NAT64's well-known prefix
// (RFC 6052) and 6to4 (RFC 3056).
func carriedIPv4(a netip.Addr) (netip.Addr, bool) {
	if !a.Is6() {
		return netip.Addr{}, false
	}
	b := a.As16()
	zero := func(from, to int) bool {
		for _, x := range b[from:to] {
			if x != 0 {
				return false
			}
		}
		return true
	}
	low := netip.AddrFrom4([4]byte(b[12:16]))
	switch {
	case b[0] == 0x20 && b[1] == 0x02:
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case b[0] == 0 && b[1] == 0x64 && b[2] == 0xff && b[3] == 0x9b && zero(4, 12):
		return low, true
	case zero(0, 12):
		return low, true
	case zero(0, 8) && b[8] == 0xff && b[9] == 0xff && zero(10, 12):
		return low, true
	}
	return netip.Addr{}, false
}

// Addr decides whether the allowed name host may be dialled at the address a
// that it resolved to. The name is not judged again, and an IP literal, which
// somebody wrote down on purpose, is always allowed. A refusal has the reason
// "resolved to …", which never names the address.
func (p *Policy) Addr(host string, port uint16, a netip.Addr) Decision {
	canon, err := CanonicalHost(host)
	if err != nil {
		return Decision{Reason: reasonMalformed}
	}
	if _, err := netip.ParseAddr(canon); err == nil {
		return Decision{Allow: true, Host: canon}
	}
	deny := func(why string, rule *Rule, hint string) Decision {
		return Decision{Host: canon, Rule: rule, Reason: "resolved to " + why, Hint: hint}
	}
	if !a.IsValid() {
		return deny("an unparsable address", nil, "")
	}
	a = a.WithZone("").Unmap()
	v4, carried := carriedIPv4(a)
	either := func(match func(netip.Addr) bool) bool { return match(a) || carried && match(v4) }

	for i := range p.denied {
		d := &p.denied[i]
		if d.Pattern.addr.IsValid() && (d.Pattern.port == 0 || d.Pattern.port == port) &&
			either(func(x netip.Addr) bool { return x == d.Pattern.addr }) {
			return deny("a deny-listed address", &d.Rule, "")
		}
	}
	if i := p.listed(either, true); i >= 0 {
		return deny(p.addrs[i].why(), &p.addrs[i].Rule, "")
	}
	for i := range p.allowed {
		d := &p.allowed[i]
		if d.Pattern.addr == a && (d.Pattern.port == 0 || d.Pattern.port == port) {
			return Decision{Allow: true, Host: canon, Rule: &d.Rule}
		}
	}
	hint := "allowed_domains = [" + Quote(literal(a, port)) + "]"
	if canon == "localhost" || strings.HasSuffix(canon, ".localhost") { // RFC 6761 section 6.3
		if a.IsLoopback() {
			return Decision{Allow: true, Host: canon}
		}
		return deny("a non-loopback address", nil, hint)
	}
	for _, c := range deniedClasses() {
		for _, r := range c.ranges {
			if either(r.Contains) {
				return deny(c.why, nil, hint)
			}
		}
	}
	if i := p.listed(either, false); i >= 0 {
		return deny(p.addrs[i].why(), &p.addrs[i].Rule, hint)
	}
	if p.localAddrs != nil {
		for _, own := range p.localAddrs() {
			own = own.WithZone("").Unmap()
			if either(func(x netip.Addr) bool { return x == own }) {
				return deny("one of this host's addresses", nil, hint)
			}
		}
	}
	return Decision{Allow: true, Host: canon}
}

// listed returns the index of the first entry of denied_resolved_addresses
// that holds, among the firm ones or the others, or -1.
func (p *Policy) listed(either func(func(netip.Addr) bool) bool, firm bool) int {
	for i, d := range p.addrs {
		ranges := []netip.Prefix{d.Prefix}
		if d.Private {
			ranges = privateRanges()
		}
		for _, r := range ranges {
			if d.Firm == firm && either(r.Contains) {
				return i
			}
		}
	}
	return -1
}

func (r AddrRule) why() string {
	if r.Private {
		return "a private address"
	}
	return "a listed address"
}

// literal spells an address as an entry of allowed_domains.
func literal(a netip.Addr, port uint16) string {
	host := a.String()
	if a.Is6() {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(port))
}
