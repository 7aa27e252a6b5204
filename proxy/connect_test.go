package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// echo answers each connection with what it sends, upper-cased.
func echo(t *testing.T, w *world) (port string) {
	t.Helper()
	l := listen(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.mu.Lock()
			w.accepted++
			w.mu.Unlock()
			go func() {
				defer c.Close()
				_, _ = io.WriteString(c, "hi\n")
				_, _ = io.Copy(c, &spyConn{c, w})
			}()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

func TestConnectAllowed(t *testing.T) {
	w := newWorld(t, nil, nil)
	port := echo(t, w)
	for _, target := range []string{"allowed.test:" + port, "127.0.0.1:" + port, "ALLOWED.TEST.:" + port} {
		// Early data must not be lost.
		c := w.dial().send(connectTo(target) + "early ")
		c.expect("HTTP/1.1 200 Connection Established\r\n\r\nhi\nearly ")
		c.send("late")
		c.expect("late")
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if rest := c.closed(); rest != "" {
			t.Errorf("rest %q", rest)
		}
	}
}

func TestConnectServerEndsFirst(t *testing.T) {
	w := newWorld(t, nil, nil)
	c := w.dial().send(connectTo(w.up))
	c.response("CONNECT")
	c.send("GET / HTTP/1.0\r\n\r\n")
	if got := c.closed(); !strings.Contains(got, "200 OK") {
		t.Errorf("%q", got)
	}
}

func TestConnectRefused(t *testing.T) {
	const blocked = "Connection blocked by network allowlist"
	for _, tt := range []struct{ name, request, status, body string }{
		{"no token", strings.Replace(connectTo("allowed.test:443"), authField, "", 1), "407 Proxy Authentication Required", ""},
		{"wrong token", strings.Replace(connectTo("allowed.test:443"), authField, "Proxy-Authorization: "+basic("srt", "x")+"\r\n", 1), "407 Proxy Authentication Required", ""},
		{"not listed", connectTo("evil.test:443"), "403 host is not on the allow list", blocked},
		{"listed", connectTo("listed.test:443"), "403 not for us ? ask ?  X-Injected: 1", blocked},
		{"NUL-free but odd", connectTo("evil%00.allowed.test:443"), "403 malformed host", blocked},
		{"literal", connectTo("169.254.169.254:80"), "403 host is not on the allow list", blocked},
		{"mapped", connectTo("[::ffff:169.254.169.254]:80"), "403 host is not on the allow list", blocked},
		{"no port", connectTo("allowed.test"), "400 Bad Request", ""},
		{"empty port", connectTo("allowed.test:"), "400 Bad Request", ""},
		{"port 0", connectTo("allowed.test:0"), "400 Bad Request", ""},
		{"large port", connectTo("allowed.test:70000"), "400 Bad Request", ""},
		{"absolute form", connectTo("http://allowed.test:443/"), "400 Bad Request", ""},
		{"userinfo", connectTo("evil.test@allowed.test:443"), "400 Bad Request", ""},
		{"CRLF in the target", "CONNECT allowed.test:443\r\nX: y HTTP/1.1\r\n" + authField + "\r\n", "400 Bad Request", ""},
		{"NUL", connectTo("evil.test\x00.allowed.test:443"), "400 Bad Request", ""},
		{"content", strings.Replace(connectTo("allowed.test:443"), authField, authField+"Content-Length: 3\r\n", 1) + "abc", "400 Bad Request", ""},
		{"zone", connectTo("[fe80::1%25eth0]:443"), "400 Bad Request", ""},
		{"lower case", strings.Replace(connectTo("allowed.test:443"), "CONNECT", "connect", 1), "500 Internal Server Error", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, nil, nil)
			c := w.dial().send(tt.request)
			resp, body := c.response("CONNECT")
			if resp.Status != tt.status || tt.body != "" && body != tt.body {
				t.Errorf("%q: %q, want %q: %q", resp.Status, body, tt.status, tt.body)
			}
			if strings.HasPrefix(tt.status, "407") && resp.Header.Get("Proxy-Authenticate") != `Basic realm="srt"` {
				t.Errorf("fields %v", resp.Header)
			}
			if strings.HasPrefix(tt.status, "403") && (resp.Header.Get("X-Proxy-Error") != "blocked-by-allowlist" || len(w.denials()) != 1) {
				t.Errorf("fields %v, denials %v", resp.Header, w.denials())
			}
			if tt.name != "lower case" {
				c.closed()
			}
			w.untouched()
		})
	}
}

func TestConnectFailure(t *testing.T) {
	w := newWorld(t, nil, nil)
	for _, target := range []string{"127.0.0.1:1", "nowhere.test:443"} {
		if resp, body := w.dial().send(connectTo(target)).response("CONNECT"); resp.Code != 502 || body != "Bad Gateway" {
			t.Errorf("%s: %s %q", target, resp.Status, body)
		}
	}
}

func TestAllowedButMalformed(t *testing.T) {
	w := newWorld(t, nil, func(s *Server) {
		s.Decide = func(context.Context, Request) Verdict { return Verdict{Allow: true} }
	})
	for _, host := range []string{"a%00b", "a\xc3\xbcb", "a,b", strings.Repeat("a", 256)} {
		if resp, _ := w.dial().send(connectTo(host + ":443")).response("CONNECT"); resp.Status != "403 malformed host" {
			t.Errorf("%q: %s", host, resp.Status)
		}
	}
	w.untouched()
}

func TestTunnel(t *testing.T) {
	w := newWorld(t, nil, nil)
	port := echo(t, w)
	proxyURL := func(password string) string { return fmt.Sprintf("http://srt.ZQ==:%s@%s", password, w.addr) }
	var out strings.Builder
	if err := Tunnel(t.Context(), proxyURL(token), "allowed.test", port, strings.NewReader("hello"), &out); err != nil || out.String() != "hi\nhello" {
		t.Errorf("%v, %q", err, out.String())
	}
	for _, tt := range []struct{ password, host, want string }{
		{token, "evil.test", `connecting to "evil.test:22": 403 host is not on the allow list`},
		{"x", "allowed.test", `connecting to "allowed.test:22": 407 Proxy Authentication Required`},
		{token, "a\r\nX: y", `malformed destination "[a\r\nX: y]:22"`},
	} {
		err := Tunnel(t.Context(), proxyURL(tt.password), tt.host, "22", strings.NewReader(""), io.Discard)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", tt.host, err, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	pr, pw := io.Pipe()
	defer pw.Close()
	greeted := writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
	if err := Tunnel(ctx, proxyURL(token), "allowed.test", port, pr, greeted); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
