package policy

import (
	"net/netip"
	"testing"
)

func TestAddr(t *testing.T) {
	dom := func(s string, denied bool) DomainRule {
		p, err := ParseDomain(s, denied)
		if err != nil {
			t.Fatal(err)
		}
		return DomainRule{p, Rule{Text: s}}
	}
	rng := func(s string) AddrRule {
		p, err := ParseAddrRange(s)
		if err != nil {
			t.Fatal(err)
		}
		return AddrRule{Prefix: p, Rule: Rule{Text: s}}
	}
	firm := rng("198.51.100.0/24")
	firm.Firm = true
	base := Input{
		Roots: Roots{"/h", "/w"},
		Allowed: []DomainRule{
			dom("x.test", false), dom("127.0.0.1:8080", false), dom("[::1]:8080", false), dom("192.0.2.9", false), dom("198.51.100.7", false),
			dom("*.127.0.0.7", false), // never an address
		},
		Denied: []DomainRule{dom("203.0.113.5", true), dom("203.0.113.6:22", true), dom("0x0a.1", true), dom("*.10.9.9.9", true)},
		Addrs:  []AddrRule{rng("192.0.2.0/24"), firm},
		LocalAddrs: func() []netip.Addr {
			return []netip.Addr{netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("fe80::5%eth0")}
		},
	}
	pol, err := New(base)
	if err != nil {
		t.Fatal(err)
	}
	base.Addrs = append(base.Addrs, AddrRule{Private: true, Rule: Rule{Text: "private"}})
	private, err := New(base)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		pol    *Policy
		host   string
		port   uint16
		addr   string
		reason string // empty: allowed
	}{
		{pol, "x.test", 443, "93.184.216.34", ""},
		{pol, "x.test", 443, "127.0.0.1", "resolved to a loopback address"},
		{pol, "x.test", 443, "127.9.9.9", "resolved to a loopback address"},
		{pol, "x.test", 443, "127.0.0.7", "resolved to a loopback address"},
		{pol, "x.test", 8080, "127.0.0.1", ""},
		{pol, "x.test", 8080, "::ffff:127.0.0.1", ""},
		{pol, "x.test", 8080, "::1", ""},
		{pol, "x.test", 443, "::1", "resolved to a loopback address"},
		{pol, "x.test", 443, "::ffff:127.0.0.1", "resolved to a loopback address"},
		{pol, "x.test", 443, "0.0.0.0", "resolved to an unspecified address"},
		{pol, "x.test", 443, "0.1.2.3", "resolved to an unspecified address"},
		{pol, "x.test", 443, "::", "resolved to an unspecified address"},
		{pol, "x.test", 443, "169.254.169.254", "resolved to a link-local address"},
		{pol, "x.test", 443, "fe80::1", "resolved to a link-local address"},
		{pol, "x.test", 443, "224.0.0.1", "resolved to a multicast address"},
		{pol, "x.test", 443, "ff02::1", "resolved to a multicast address"},
		{pol, "x.test", 443, "255.255.255.255", "resolved to the broadcast address"},
		{pol, "x.test", 443, "100.100.100.200", "resolved to a cloud metadata address"},
		{pol, "x.test", 443, "fd00:ec2::254", "resolved to a cloud metadata address"},
		{pol, "x.test", 443, "192.0.2.1", "resolved to a listed address"},
		{pol, "x.test", 443, "192.0.2.9", ""},
		{pol, "x.test", 443, "198.51.100.7", "resolved to a listed address"}, // firm: no exemption
		{pol, "x.test", 443, "203.0.113.5", "resolved to a deny-listed address"},
		{pol, "x.test", 22, "203.0.113.6", "resolved to a deny-listed address"},
		{pol, "x.test", 443, "203.0.113.6", ""},
		{pol, "x.test", 443, "10.0.0.1", "resolved to a deny-listed address"}, // 0x0a.1
		{pol, "x.test", 443, "10.1.2.3", "resolved to one of this host's addresses"},
		{pol, "x.test", 443, "10.9.9.9", ""},
		{pol, "x.test", 443, "192.168.1.1", ""},
		{pol, "x.test", 443, "64:ff9b::7f00:1", "resolved to a loopback address"},
		{pol, "x.test", 443, "2002:7f00:1::", "resolved to a loopback address"},
		{pol, "x.test", 443, "::127.0.0.1", "resolved to a loopback address"},
		{pol, "x.test", 443, "::ffff:0:169.254.1.1", "resolved to a link-local address"},
		{pol, "x.test", 443, "64:ff9b::5db8:d822", ""},
		{pol, "localhost", 443, "127.0.0.1", ""},
		{pol, "a.localhost", 443, "::1", ""},
		{pol, "localhost.", 443, "93.184.216.34", "resolved to a non-loopback address"},
		{pol, "127.0.0.1", 443, "127.0.0.1", ""}, // a literal is somebody's choice
		{pol, "a%b", 443, "93.184.216.34", "malformed host"},
		{private, "x.test", 443, "10.9.9.9", "resolved to a private address"},
		{private, "x.test", 443, "172.31.0.1", "resolved to a private address"},
		{private, "x.test", 443, "192.168.1.1", "resolved to a private address"},
		{private, "x.test", 443, "100.64.0.1", "resolved to a private address"},
		{private, "x.test", 443, "fd12::1", "resolved to a private address"},
		{private, "x.test", 443, "172.32.0.1", ""},
	} {
		d := c.pol.Addr(c.host, c.port, netip.MustParseAddr(c.addr))
		if d.Allow != (c.reason == "") || d.Reason != c.reason {
			t.Errorf("Addr(%q, %d, %s) = %+v, want %q", c.host, c.port, c.addr, d, c.reason)
		}
	}
	if d := pol.Addr("x.test", 1, netip.Addr{}); d.Allow {
		t.Error("the zero address is allowed")
	}
}

func TestParseAddrRange(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.0/8", "10.1.2.3/8": "10.0.0.0/8", "192.168.1.10": "192.168.1.10/32", "fc00::/7": "fc00::/7", "::1": "::1/128",
		"::ffff:10.0.0.0/104": "10.0.0.0/8", "::ffff:1.2.3.4": "1.2.3.4/32", "fe80::1%eth0": "fe80::1/128", "10.0.0.0/08": "10.0.0.0/8", "0.0.0.0/0": "0.0.0.0/0",
	} {
		if got, err := ParseAddrRange(in); err != nil || got.String() != want {
			t.Errorf("ParseAddrRange(%q) = %v, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/ 8", "fc00::/129", "[::1]", "::ffff:1.2.3.4/95", "1.2.3", "10.0.0.0/0008", "a.b/8"} {
		if got, err := ParseAddrRange(in); err == nil {
			t.Errorf("ParseAddrRange(%q) = %v", in, got)
		}
	}
}
