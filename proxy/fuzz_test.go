package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
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

// FuzzAuthority checks that a destination that is accepted has one reading: it
// comes out the same when it is written and read again, and net/url, if it takes
// it at all, reads the same host and port.
func FuzzAuthority(f *testing.F) {
	for _, s := range []string{
		"allowed.test:443", "[::1]:443", "[::ffff:127.0.0.1]:80", "127.1:80", "a:0443", "a:+1", "::1:443", "[fe80::1%lo]:1", "[a]:1", "a@b:1", "a:1:2", ":1",
		"http://allowed.test/x?y", "HTTP://[::1]:8080", "http://a:/", "http://a?b", "http://a@b/", `http://a\@b/`, "http://a:80:80/", "http:///", "http://a//b", "https://a/", "/", "*",
	} {
		f.Add(s)
	}
	const forbidden = "@/\\?#[] \t\r\n\x00\x7f"
	f.Fuzz(func(t *testing.T, target string) {
		h := new(head)
		if h.parseRequestLine("GET "+target+" HTTP/1.1") != nil {
			return
		}
		if host, port, err := splitAuthority(h.target, 0); err == nil {
			again, samePort, err := splitAuthority(net.JoinHostPort(host, strconv.Itoa(int(port))), 0)
			if err != nil || again != host || samePort != port || port == 0 || host == "" || strings.ContainsAny(host, forbidden) {
				t.Errorf("%q is %q %d; again: %q %d, %v", target, host, port, again, samePort, err)
			}
		}
		host, port, path, err := splitAbsolute(h.target)
		if err != nil {
			return
		}
		again, samePort, samePath, err := splitAbsolute("http://" + net.JoinHostPort(host, strconv.Itoa(int(port))) + path)
		if err != nil || again != host || samePort != port || samePath != path || port == 0 || host == "" || path[0] != '/' || strings.ContainsAny(host, forbidden) {
			t.Errorf("%q is %q %d %q; again: %q %d %q, %v", target, host, port, path, again, samePort, samePath, err)
		}
		u, err := url.Parse(target)
		if err != nil || strings.Contains(host, "%") { // which only net/url decodes
			return
		}
		theirs := 80
		if p := u.Port(); p != "" {
			theirs, _ = strconv.Atoi(p)
		}
		if u.Hostname() != host || theirs != int(port) {
			t.Errorf("%q is %q %d; net/url says %q %d", target, host, port, u.Hostname(), theirs)
		}
	})
}

// FuzzNoProxy checks that an exception holds for what it says, and that nothing
// is an exception that no entry spells.
func FuzzNoProxy(f *testing.F) {
	for _, s := range []string{"", "*", "x.test", ".x.test,y.test", "*.x.test:8080", "10.0.0.0/8 192.0.2.1", "[2001:db8::1]:99", "::1", "::ffff:10.0.0.0/104", ",  ,.", "a..b", "localhost", "/0", "0.0.0.0/0"} {
		f.Add(s, "sub.x.test")
		f.Add(s, "10.1.2.3")
	}
	f.Fuzz(func(t *testing.T, list, host string) {
		p, err := NewParent("parent.test", "", list)
		if err != nil {
			t.Fatal(err)
		}
		direct := func(host string) bool {
			addr, _ := netip.ParseAddr(host)
			return p.choose(HTTP, host, addr.Unmap()) == nil
		}
		entries := strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ' ' || c == '\t' })
		for _, e := range entries {
			ip, err := netip.ParseAddr(e)
			switch {
			case err == nil && ip.Zone() == "":
				if !direct(ip.Unmap().String()) {
					t.Errorf("%q has no exception for %q", list, e)
				}
			case err != nil && plausibleName(e) && strings.Trim(e, ".") == e:
				if !direct(e) || !direct("sub."+strings.ToUpper(e)+".") {
					t.Errorf("%q has no exception for %q or what is below it", list, e)
				}
			}
		}
		if ip, err := netip.ParseAddr(host); err == nil {
			if ip.Zone() == "" && direct(ip.Unmap().String()) && !ip.Unmap().IsLoopback() && len(entries) == 0 {
				t.Errorf("%q has an exception for %q", list, host)
			}
			return
		}
		host = strings.Trim(strings.ToLower(host), ".")
		if !plausibleName(host) || !direct(host) || strings.Contains(list, "*") {
			return
		}
		for rest, ok := host, true; ok; _, rest, ok = strings.Cut(rest, ".") {
			if rest == "localhost" || strings.Contains(strings.ToLower(list), rest) {
				return
			}
		}
		t.Errorf("%q has an exception for %q", list, host)
	})
}

// FuzzAnswer checks that what the client gets of an upstream's head has one
// reading, and nothing that was meant for us.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\n\r\nhello",
		"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.0 404 \r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 101 x\r\n\r\n", "HTTP/1.1 200 OK\nA: b\n c\n\n", "HTTP/1.1 200 a\rb\r\nX: a\rb\x00\r\n\r\n", "HTTP/1.1 200\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n", "HTTP/1.1 204 No\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		a, err := readAnswer(bufio.NewReader(bytes.NewReader(in)))
		if err != nil {
			return
		}
		if a.status < 200 || a.status > 999 || a.chunked && (a.length != -1 || a.header["Content-Length"] != nil) || a.length < -1 {
			t.Errorf("%q: %+v", in, a)
		}
		for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Te", "Trailer", "Transfer-Encoding", "Upgrade"} {
			if a.header[name] != nil {
				t.Errorf("%q: %s is still there", in, name)
			}
		}
		delete(a.header, "Content-Length") // ours to say
		wire := append(appendFields(appendStatusLine(nil, a.status, a.phrase), a.header), "Content-Length: 2\r\n\r\nok"...)
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(wire)), nil)
		if err != nil {
			t.Fatalf("%q became %q: %v", in, wire, err)
		}
		defer resp.Body.Close()
		want := 0
		for _, values := range a.header {
			want += len(values)
		}
		got := -1 // Content-Length
		for _, values := range resp.Header {
			got += len(values)
		}
		if resp.StatusCode != a.status || got != want {
			t.Errorf("%q became %q, with %d fields instead of %d", in, wire, got, want)
		}
	})
}
