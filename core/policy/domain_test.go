package policy

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseDomain(t *testing.T) {
	for _, s := range []string{
		"example.com", "*.example.com", "*.co.uk", "localhost", "localhost:80", "example.com:443", "example.com:1", "example.com:65535",
		"*.example.com:8443", "[::1]", "[2001:db8::1]:443", "[fe80::1%eth0]", "10.0.0.1", "10.0.0.1:80", "exa mple.com", "a..b", "bücher.example",
	} {
		if _, err := ParseDomain(s, false); err != nil {
			t.Errorf("%q is refused: %v", s, err)
		}
		if _, err := ParseDomain(s, true); err != nil {
			t.Errorf("%q is refused as a denied domain: %v", s, err)
		}
	}
	for _, s := range []string{
		"", "*", "*:22", "*.com", "*.", "*.com:443", "http://example.com", "example.com/x", "example", "LOCALHOST", "example.com:0",
		"example.com:080", "example.com:65536", "example.com:", "example.com:x", "::1", "2001:db8::1:443", "[::1]:0", "[::1]x", "[::1", "[zz::1]",
		".example.com", "example.com.", "a*.example.com", "*a.example.com", "*..a", "*.a..b", "*.a.b.", "evil.com:443.good.com", "a:b:c.d",
	} {
		if p, err := ParseDomain(s, false); err == nil {
			t.Errorf("%q is accepted as %+v", s, p)
		}
	}
	for _, s := range []string{"*", "*:22"} {
		if _, err := ParseDomain(s, true); err != nil {
			t.Errorf("denied %q: %v", s, err)
		}
	}
	for _, s := range []string{"*.com", "", "*:0", "*:x", "**", "example"} {
		if _, err := ParseDomain(s, true); err == nil {
			t.Errorf("denied %q is accepted", s)
		}
	}
}

func TestDomainMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, host string
		port          uint16
		want          bool
	}{
		{"example.com", "example.com", 443, true},
		{"example.com", "EXAMPLE.com.", 1, true},
		{"Example.COM", "example.com", 1, true},
		{"example.com", "a.example.com", 443, false},
		{"example.com", "evilexample.com", 443, false},
		{"example.com", "example.com.evil.com", 443, false},
		{"example.com:443", "example.com", 443, true},
		{"example.com:443", "example.com", 80, false},
		{"*.example.com", "a.example.com", 443, true},
		{"*.example.com", "a.b.example.com", 443, true},
		{"*.Example.com", "A.EXAMPLE.COM", 443, true},
		{"*.example.com", "example.com", 443, false},
		{"*.example.com", "evilexample.com", 443, false},
		{"*.example.com:8443", "a.example.com", 443, false},
		{"*.0.0.1", "127.0.0.1", 80, false},
		{"127.0.0.1", "127.1", 80, true},
		{"127.0.0.1", "2130706433", 80, true},
		{"127.0.0.1", "[::ffff:127.0.0.1]", 80, true},
		{"[::1]", "0:0:0:0:0:0:0:1", 80, true},
		{"[2001:DB8::1]:443", "2001:db8::1", 443, true},
		{"[::ffff:127.0.0.1]", "127.0.0.1", 80, true},
		{"0x7f.0.0.1", "127.0.0.1", 80, false}, // entries are taken as spelled
		{"bücher.example", "xn--bcher-kva.example", 443, true},
		{"*.bücher.example", "a.xn--bcher-kva.example", 443, true},
		{"localhost", "localhost", 80, true},
		{"localhost", "a.localhost", 80, false},
		{"example.com", "example.com\x00.a.com", 443, false},
	} {
		p, err := ParseDomain(c.pattern, false)
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
			continue
		}
		if got := p.Match(c.host, c.port); got != c.want {
			t.Errorf("%q matches %q:%d = %v", c.pattern, c.host, c.port, got)
		}
	}
	all, err := ParseDomain("*:22", true)
	if err != nil {
		t.Fatal(err)
	}
	if !all.Match("127.0.0.1", 22) || all.Match("example.com", 443) || !all.Match("a%b", 22) {
		t.Error("*:22 has to match every host on that port, and no other")
	}
	denied, err := ParseDomain("0x7f.0.0.1", true)
	if err != nil || !denied.Match("127.0.0.1", 1) {
		t.Errorf("a denied number spelled in hex is inert: %v", err)
	}
	if (DomainPattern{}).Match("", 0) || (DomainPattern{}).Match("example.com", 0) {
		t.Error("the zero pattern matches")
	}
}

func TestHostDecision(t *testing.T) {
	rule := func(s, reason string, denied bool) DomainRule {
		p, err := ParseDomain(s, denied)
		if err != nil {
			t.Fatal(err)
		}
		return DomainRule{p, Rule{Text: s, Reason: reason}}
	}
	pol, err := New(Input{
		Roots:   Roots{"/home/u", "/w"},
		Allowed: []DomainRule{rule("example.com", "", false), rule("*.example.com:443", "", false), rule("both.test", "", false)},
		Denied:  []DomainRule{rule("both.test", "", true), rule("secret.example.com", "use the mirror", true), rule("*:22", "", true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		host   string
		port   uint16
		allow  bool
		reason string
		hint   string
		rule   string
	}{
		{"example.com", 443, true, "", "", "example.com"},
		{"EXAMPLE.com.", 80, true, "", "", "example.com"},
		{"example.com", 22, false, "host is on the deny list", "", "*:22"},
		{"a.example.com", 443, true, "", "", "*.example.com:443"},
		{"a.example.com", 8080, false, "host is not on the allow list", `allowed_domains = ["a.example.com:8080"]`, ""},
		{"both.test", 443, false, "host is on the deny list", "", "both.test"},
		{"Secret.example.com", 443, false, "use the mirror", "", "secret.example.com"},
		{"other.test", 443, false, "host is not on the allow list", `allowed_domains = ["other.test"]`, ""},
		{"::1", 8080, false, "host is not on the allow list", `allowed_domains = ["[::1]:8080"]`, ""},
		{"intranet", 443, false, "host is not on the allow list", "", ""},
		{"a%b", 443, false, "malformed host", "", ""},
		{"", 443, false, "malformed host", "", ""},
	} {
		d := pol.Host(c.host, c.port)
		text := ""
		if d.Rule != nil {
			text = d.Rule.Text
		}
		if d.Allow != c.allow || d.Reason != c.reason || d.Hint != c.hint || text != c.rule {
			t.Errorf("Host(%q, %d) = %+v (rule %q)", c.host, c.port, d, text)
		}
	}
}

func TestCovers(t *testing.T) {
	parse := func(ss ...string) []DomainPattern {
		var out []DomainPattern
		for _, s := range ss {
			p, err := ParseHost(s)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, p)
		}
		return out
	}
	for _, c := range []struct {
		inner string
		by    []DomainPattern
		want  bool
	}{
		{"api.github.com", parse("*.github.com:443"), true},
		{"github.com", parse("*.github.com"), false},
		{"*.api.github.com", parse("*.github.com"), true},
		{"*.github.com", parse("*.github.com"), true},
		{"*.github.com", parse("api.github.com", "github.com"), false},
		{"*.evilgithub.com", parse("*.github.com"), false},
		{"API.github.com", parse("api.GitHub.com"), true},
		{"::1", parse("::1"), true},
		{"a.b", nil, false},
	} {
		if got := Covers(parse(c.inner)[0], c.by); got != c.want {
			t.Errorf("Covers(%q, %v) = %v", c.inner, c.by, got)
		}
	}
}

// matchesAlone reports whether an entry matches without its first dot.
func matchesAlone(entry, host string, port uint16) bool {
	p, err := ParseDomain(entry[1:], false)
	return err == nil && !p.addr.IsValid() && p.Match(host, port)
}

func TestParseDottedDomain(t *testing.T) {
	for _, c := range []struct {
		entry, host string
		port        uint16
		want        bool
	}{
		{".example.com", "example.com", 443, true},
		{".example.com", "EXAMPLE.com.", 443, true},
		{".example.com", "a.b.example.com", 80, true},
		{".example.com", "notexample.com", 443, false},
		{".example.com:443", "example.com", 443, true},
		{".example.com:443", "example.com", 22, false},
		{"example.com", "example.com", 1, true},
		{"*.example.com", "example.com", 1, false},
		{".bücher.example", "xn--bcher-kva.example", 1, true},
		{".0.0.1", "127.0.0.1", 1, false},
	} {
		p, err := ParseDottedDomain(c.entry, false)
		if err != nil || p.String() != c.entry || p.Match(c.host, c.port) != c.want {
			t.Errorf("%q on %q: %v, %v", c.entry, c.host, p.Match(c.host, c.port), err)
		}
	}
	for _, entry := range []string{".", ".com", "..example.com", ".*", ".example.com.", ".[::1]", ".example.com:0"} {
		if _, err := ParseDottedDomain(entry, true); err == nil {
			t.Errorf("%q is taken", entry)
		}
	}
	if _, err := ParseDomain(".example.com", false); err == nil {
		t.Error("the npm tool refuses it")
	}
	dotted := func(s string) DomainPattern { p, _ := ParseDottedDomain(s, false); return p }
	if !Covers(dotted("example.com"), []DomainPattern{dotted(".example.com")}) || Covers(dotted(".example.com"), []DomainPattern{dotted("*.example.com")}) ||
		!Covers(dotted(".a.example.com"), []DomainPattern{dotted("*.example.com")}) {
		t.Error("Covers")
	}
}

func FuzzParseDomain(f *testing.F) {
	for _, s := range []string{"example.com", "*.example.com:443", "[::1]:80", "*", "*:22", "10.0.0.1", "a.b:", "bücher.example", "*.0.0.1"} {
		f.Add(s, "a.example.com", uint16(443))
	}
	f.Add("*.0.0.1", "127.0.0.1", uint16(80))
	f.Fuzz(func(t *testing.T, s, host string, port uint16) {
		p, err := ParseDomain(s, false)
		if err != nil {
			if d, err := ParseDomain(s, true); err == nil && !d.any {
				t.Errorf("%q is only a denied domain and not *", s)
			}
			return
		}
		if p.any || p.String() != s {
			t.Errorf("%q → %+v", s, p)
		}
		if below, wildcard := strings.CutPrefix(s, "*"); wildcard {
			if dotted, err := ParseDottedDomain(below, false); err != nil || dotted.Match(host, port) != (p.Match(host, port) || matchesAlone(below, host, port)) {
				t.Errorf("%q, %v: not %q and the name itself for %q", below, err, s, host)
			}
		}
		canon, err := CanonicalHost(host)
		got := p.Match(host, port)
		if err != nil {
			if got {
				t.Errorf("%q matches the malformed %q", s, host)
			}
			return
		}
		if got != p.Match(canon, port) || got != p.Match(strings.ToUpper(canon), port) {
			t.Errorf("%q tells spellings of %q apart", s, host)
		}
		if _, err := netip.ParseAddr(canon); err == nil && got && strings.HasPrefix(s, "*") {
			t.Errorf("the wildcard %q matches the address %q", s, host)
		}
		if strings.HasPrefix(s, "*.") && p.Match(p.host, port) {
			t.Errorf("the wildcard %q matches its own base", s)
		}
		if p.port != 0 && p.port != port && got {
			t.Errorf("%q matches port %d", s, port)
		}
	})
}
