package policy

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestCanonicalHost(t *testing.T) {
	for in, want := range map[string]string{
		"example.com":                   "example.com",
		"EXAMPLE.Com":                   "example.com",
		"example.com.":                  "example.com",
		"localhost":                     "localhost",
		"_dmarc.example.com":            "_dmarc.example.com",
		"127.1":                         "127.0.0.1",
		"2130706433":                    "127.0.0.1",
		"0x7f.1":                        "127.0.0.1",
		"0X7F000001":                    "127.0.0.1",
		"0177.0.0.1":                    "127.0.0.1",
		"127.0.0.1.":                    "127.0.0.1",
		"0":                             "0.0.0.0",
		"0x":                            "0.0.0.0",
		"1.2.65535":                     "1.2.255.255",
		"[::1]":                         "::1",
		"::1":                           "::1",
		"[0:0:0:0:0:0:0:1]":             "::1",
		"[2001:DB8::0:1]":               "2001:db8::1",
		"[::ffff:127.0.0.1]":            "127.0.0.1",
		"[::ffff:7f00:1]":               "127.0.0.1",
		"::ffff:10.0.0.1":               "10.0.0.1",
		"bücher.example":                "xn--bcher-kva.example",
		"BÜCHER.example":                "xn--bcher-kva.example",
		"ｅｘａｍｐｌｅ.com":                   "example.com",
		"example。com":                   "example.com",
		"１２７.１":                         "127.0.0.1",
		"xn--bcher-kva.example":         "xn--bcher-kva.example",
		"XN--BCHER-KVA.example":         "xn--bcher-kva.example",
		"a--b.example":                  "a--b.example",
		"-a.example":                    "-a.example",
		"1.2.3.4.example":               "1.2.3.4.example",
		"0x7f.example":                  "0x7f.example",
		"faß.example":                   "xn--fa-hia.example",
		strings.Repeat("a", 60):         strings.Repeat("a", 60),
		"a" + strings.Repeat(".a", 127): "a" + strings.Repeat(".a", 127),
	} {
		if got, err := CanonicalHost(in); err != nil || got != want {
			t.Errorf("CanonicalHost(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", ".", "..", ".example.com", "a..b", "example.com..", "exa mple.com", "a\x00.com", "evil.example\x00.allowed.example",
		"a\nb.com", "a\r\n", "\tx.com", "a%41.com", "127.0.0.1%25lo", "[fe80::1%eth0]", "fe80::1%eth0", "::ffff:1.2.3.4%x.allowed.com",
		"a/b", "a@b.com", "a#b", "a?b", "a\\b", "a:b", "a.com:80", "[::1", "::1]", "[::1]:80", "[]", "[1.2.3.4]", "[example.com]",
		"256.1.1.1", "1.2.3.4.5", "1.2.3.256", "1.2.3.0x100", "4294967296", "1.16777216", "09.1.1.1", "a.1", "a.0x1", "1..2", "0x7f.0xgg.1",
		"*", "*.example.com", "a*b.com", "a,b.com", "xn--\u00fc.example", "xn--zzzzzz--.example", "x.xn--", "0x7f.xn--", "xn--", "x.xn--.y", "a\u202eb.com",
		strings.Repeat("a", 256), strings.Repeat("ü", 3000),
	} {
		if got, err := CanonicalHost(in); !errors.Is(err, errHost) {
			t.Errorf("CanonicalHost(%q) = %q, %v; want a refusal", in, got, err)
		}
	}
}

func FuzzCanonicalHost(f *testing.F) {
	for _, s := range []string{"example.com", "EXAMPLE.com.", "127.1", "0x7f.1", "[::1]", "::ffff:1.2.3.4", "bücher.example", "ｅ。com", "xn--bcher-kva.de", "1.2.3.4.5", "a%b", "faß.de"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := CanonicalHost(s)
		if err != nil {
			if c != "" {
				t.Errorf("an error and %q", c)
			}
			return
		}
		if again, err := CanonicalHost(c); err != nil || again != c {
			t.Errorf("%q → %q → %q, %v: not idempotent", s, c, again, err)
		}
		if up, err := CanonicalHost(strings.ToUpper(c)); err != nil || up != c {
			t.Errorf("%q in upper case → %q, %v", c, up, err)
		}
		if a, err := netip.ParseAddr(c); err == nil {
			if a.String() != c || a.Is4In6() || a.Zone() != "" {
				t.Errorf("%q → %q is not the address's canonical form", s, c)
			}
			return
		}
		if len(c) > maxHost || strings.Trim(c, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" || strings.Contains(c, "..") {
			t.Errorf("%q → %q", s, c)
		}
	})
}
