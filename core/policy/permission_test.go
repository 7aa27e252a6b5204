package policy

import (
	"errors"
	"strings"
	"testing"
)

func TestParsePermission(t *testing.T) {
	for _, c := range []struct {
		in   string
		deny bool
		kind PathKind
		path string
		dom  string
	}{
		{"WebFetch(domain:github.com)", false, 0, "", "github.com"},
		{"WebFetch(domain:*.github.com:443)", false, 0, "", "*.github.com:443"},
		{"WebFetch(domain:*)", true, 0, "", "*"},
		{"WebFetch", true, 0, "", "*"},
		{"Read(.)", false, AllowRead, ".", ""},
		{"Read(~/.ssh/**)", true, DenyRead, "~/.ssh/**", ""},
		{"Read(//etc/ssl)", true, DenyRead, "/etc/ssl", ""},
		{"Edit(./src)", false, AllowWrite, "./src", ""},
		{"Write(src/(a)/b)", false, AllowWrite, "src/(a)/b", ""},
		{"Edit(.env)", true, DenyWrite, ".env", ""},
		{"Edit", true, DenyWrite, "/", ""},
	} {
		p, err := ParsePermission(c.in, c.deny)
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
			continue
		}
		dom := ""
		if p.Domain != nil {
			dom = p.Domain.String()
		}
		if p.Kind != c.kind || p.Path != c.path || dom != c.dom {
			t.Errorf("%q = %+v (%s)", c.in, p, dom)
		}
	}
	for _, in := range []string{
		"", "Bash(npm run *)", "Bash", "WebSearch", "mcp__x__y", "Task(x)", "WebFetch", "WebFetch()", "WebFetch(github.com)", "WebFetch(domain:*)",
		"WebFetch(domain:*.com)", "Read", "Read()", "Read(x", "Read(/etc)", "Edit", "Edit(/src/**)", "read(.)", "Read(a\x00b)", "Read(.)x",
	} {
		if p, err := ParsePermission(in, false); !errors.Is(err, ErrPermission) {
			t.Errorf("%q = %+v, %v", in, p, err)
		}
	}
	if _, err := ParsePermission("Read(~/a*/)", true); err == nil {
		t.Error("an inert deny is accepted")
	}
	if _, err := ParsePermission("Read(/etc)", false); err == nil || !strings.Contains(err.Error(), "//etc") {
		t.Errorf("the next step is missing: %v", err)
	}
}

func FuzzParsePermission(f *testing.F) {
	for _, s := range []string{"Read(.)", "WebFetch(domain:a.b)", "Edit(~/x/**)", "Bash(x)", "Read(//x)", "Write(", "Read())"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, s string, deny bool) {
		p, err := ParsePermission(s, deny)
		if err != nil {
			if !errors.Is(err, ErrPermission) || p != (Permission{}) {
				t.Errorf("%q: %v, %+v", s, err, p)
			}
			return
		}
		if p.Domain == nil && (p.Path == "" || p.Kind.deny() != deny) {
			t.Errorf("%q = %+v", s, p)
		}
		if p.Domain == nil {
			if _, err := (Roots{"/h", "/d"}).Resolve(p.Path); err != nil {
				t.Errorf("%q: the path does not resolve: %v", s, err)
			}
		}
	})
}
