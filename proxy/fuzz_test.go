package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"
)

// fuzzServer allows allowed.test only. Its destination answers a request and
// ends.
func fuzzServer(check func(what, got, want string), allowed *bool) *Server {
	return &Server{
		Token: token,
		Decide: func(_ context.Context, req Request) Verdict {
			*allowed = strings.EqualFold(req.Host, "allowed.test")
			return Verdict{Allow: *allowed, Host: strings.ToLower(req.Host), Reason: req.Host, Listed: true}
		},
		Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
			check("resolved", host, "allowed.test")
			return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
		},
		Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
			host, _, _ := net.SplitHostPort(addr)
			check("dialled", host, "192.0.2.1")
			here, there := net.Pipe()
			go func() {
				defer there.Close()
				b := make([]byte, 512)
				if _, err := there.Read(b); err == nil {
					_, _ = io.WriteString(there, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
				}
			}()
			return here, nil
		},
	}
}

func FuzzHTTP(f *testing.F) {
	for _, s := range []string{
		get("http://allowed.test/x", "Connection: close\r\n"), get("http://allowed.test/") + get("http://evil.test/"),
		connectTo("allowed.test:443") + "\x16\x03\x01", connectTo("evil.test:443"), connectTo("[::1]:443"),
		"POST http://allowed.test/ HTTP/1.1\r\n" + authField + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
		"POST http://allowed.test/ HTTP/1.1\r\n" + authField + "Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
		get("/"), "\r\n\r\n", get("http://allowed.test@evil.test/"), get("http://allowed.test:22/", "Host: x\r\n"),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 0 && (in[0] == 5 || in[0] == 4) {
			return
		}
		front(t, in)
	})
}

// FuzzHead checks that what is accepted has one reading only.
func FuzzHead(f *testing.F) {
	f.Add([]byte(get("http://allowed.test/", "Content-Length: 3\r\n")))
	f.Add([]byte(get("http://allowed.test/", "A: b\r\n c\r\n")))
	f.Add([]byte(connectTo("[::1]:443")))
	f.Fuzz(func(t *testing.T, in []byte) {
		if !strings.HasSuffix(string(in), "\r\n\r\n") || strings.HasPrefix(string(in), "\r\n") {
			return
		}
		br := newReader(strings.NewReader(string(in)))
		raw, err := readHead(&br, strings.NewReader(""), bufSize)
		if err != nil {
			return
		}
		h, err := parseHead(raw)
		if err != nil {
			return
		}
		s := strings.ReplaceAll(string(raw), "\r\n", "")
		if strings.ContainsAny(s, "\r\n\x00") || strings.ContainsAny(h.target, " \t#\x7f") {
			t.Errorf("accepted %q", raw)
		}
		for name := range h.header {
			if strings.ContainsAny(name, " \t:") {
				t.Errorf("name %q in %q", name, raw)
			}
		}
		if host, port, path, err := splitAbsolute(h.target); err == nil {
			if host == "" || port == 0 || path[0] != '/' || strings.ContainsAny(host, "@/\\?#[]") {
				t.Errorf("%q: %q %d %q", h.target, host, port, path)
			}
		}
	})
}

func FuzzServerName(f *testing.F) {
	for _, b := range [][]byte{hello(f, "allowed.test"), hello(f, ""), split(hello(f, "allowed.test"), 3)} {
		f.Add(b, uint16(100))
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint16) {
		if len(in) > maxHello {
			return // whether it is refused depends on how much has come
		}
		name, err := serverName(in)
		if err != nil && name != "" {
			t.Errorf("%q and %v", name, err)
		}
		if err == nil && len(name) > maxHello {
			t.Errorf("%d bytes of name", len(name))
		}
		// What was decided with fewer bytes stays so with more.
		part, perr := serverName(in[:min(int(cut), len(in))])
		if !errors.Is(perr, errMoreHello) && (part != name || !errors.Is(perr, err)) {
			t.Errorf("%d bytes of %q: %q, %v; all: %q, %v", cut, in, part, perr, name, err)
		}
	})
}

func FuzzStatusPhrase(f *testing.F) {
	for _, s := range []string{"", "host is not on the allow list", "a\r\nb: c", "ü☃😀", strings.Repeat("x", 501), "\xff\xfe", " a "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := statusPhrase(s)
		if len(p) > maxPhrase || strings.TrimSpace(p) != p {
			t.Errorf("%q: %q", s, p)
		}
		for i := range len(p) {
			if p[i] < ' ' || p[i] > '~' {
				t.Errorf("%q: %q", s, p)
			}
		}
		if statusPhrase(p) != p {
			t.Errorf("%q is not stable", p)
		}
		if utf8.ValidString(s) && utf8.RuneCountInString(s) < maxPhrase/2 && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' }) && p != strings.TrimSpace(s) {
			t.Errorf("%q became %q", s, p)
		}
	})
}
