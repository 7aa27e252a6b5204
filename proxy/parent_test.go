package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func TestChooseParent(t *testing.T) {
	for _, tt := range []struct {
		http, https, no string
		proto           Protocol
		host, want      string
	}{
		{"a.test:1", "https://b.test", "", HTTP, "x.test", "http://a.test:1"},
		{"a.test:1", "https://b.test", "", Connect, "x.test", "https://b.test"},
		{"a.test:1", "https://b.test", "", SOCKS, "x.test", "https://b.test"},
		{"a.test:1", "", "", Connect, "x.test", "http://a.test:1"},
		{"", "b.test:1", "", HTTP, "x.test", ""},
		{"", "b.test:1", "", Connect, "x.test", "http://b.test:1"},
		{"a.test", "", "*", HTTP, "x.test", ""},
		{"a.test", "", "x.test", HTTP, "x.test", ""},
		{"a.test", "", "X.test:8080", HTTP, "sub.x.TEST.", ""},
		{"a.test", "", ".x.test", HTTP, "sub.x.test", ""},
		{"a.test", "", "*.x.test", HTTP, "sub.x.test", ""},
		{"a.test", "", "x.test", HTTP, "ax.test", "http://a.test"},
		{"a.test", "", "y.test, 10.0.0.0/8", HTTP, "10.1.2.3", ""},
		{"a.test", "", "10.0.0.0/8", HTTP, "11.1.2.3", "http://a.test"},
		{"a.test", "", "192.0.2.1:99", HTTP, "192.0.2.1", ""},
		{"a.test", "", "[2001:db8::1]:99", HTTP, "2001:db8::1", ""},
		{"a.test", "", "2001:db8::/32", HTTP, "2001:db8::9", ""},
		{"a.test", "", ",  ,.", HTTP, "x.test", "http://a.test"},
		{"a.test", "", "", HTTP, "localhost", ""},
		{"a.test", "", "", HTTP, "sub.localhost", ""},
		{"a.test", "", "", Connect, "127.9.9.9", ""},
		{"a.test", "", "", Connect, "::1", ""},
		{"", "", "x.test", HTTP, "y.test", ""},
	} {
		p, err := NewParent(tt.http, tt.https, tt.no)
		if err != nil {
			t.Errorf("%+v: %v", tt, err)
			continue
		}
		addr, _ := netip.ParseAddr(tt.host)
		got := ""
		if u := p.choose(tt.proto, tt.host, addr); u != nil {
			got = u.String()
		}
		if got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}

func TestBadParents(t *testing.T) {
	for _, s := range []string{"socks5://a.test", "ftp://a.test", "http://", "http://user:secret@a.test:port", "file:///secret"} {
		_, err := NewParent("", s, "")
		if err == nil || strings.Contains(err.Error(), "user:secret") {
			t.Errorf("%q: %v", s, err)
		}
	}
	env := map[string]string{"http_proxy": "a.test", "HTTPS_PROXY": "b.test", "https_proxy": "c.test", "no_proxy": "x.test"}
	p, err := ParentFromEnv(func(k string) string { return env[k] })
	if err != nil || p.http.Host != "a.test" || p.https.Host != "b.test" || p.suffixes[0] != "x.test" {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := ParentFromEnv(func(string) string { return "" }); p != nil || err != nil {
		t.Errorf("%+v, %v", p, err)
	}
}

// parentWorld puts a parent proxy before the upstream, which knows no names:
// the parent takes every destination to the same place.
func parentWorld(t *testing.T, refuse bool, change ...func(*Server)) (w *world, saw func() string) {
	t.Helper()
	l := listen(t)
	p := &world{t: t}
	var up string
	hs := &http.Server{ReadHeaderTimeout: patient, Handler: http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if refuse {
			http.Error(rw, "no", http.StatusForbidden)
			return
		}
		if req.Method != http.MethodConnect {
			fmt.Fprintf(rw, "parent: %s %s", req.Method, req.URL)
			return
		}
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		far, err := new(net.Dialer).DialContext(req.Context(), "tcp", up)
		if err != nil {
			return
		}
		defer far.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 fine\r\nX: y\r\nContent-Length: 5\r\n\r\nearly")
		go io.Copy(far, conn) //nolint:errcheck // ends with either
		_, _ = io.Copy(conn, far)
	})}
	go hs.Serve(&spyListener{l, p}) //nolint:errcheck // ends with the listener
	t.Cleanup(func() { _ = hs.Close() })
	w = newWorld(t, nil, func(s *Server) {
		s.Parent = &Parent{http: &url.URL{Scheme: "http", Host: l.Addr().String(), User: url.UserPassword("me", "pass")}}
		for _, f := range change {
			f(s)
		}
	})
	up = w.up
	return w, p.upstreamSaw
}

func TestThroughParent(t *testing.T) {
	w, saw := parentWorld(t, false)
	// The guard is not asked and the name not resolved: the parent does that.
	resp, body := w.dial().send(get("http://REBIND.test/x")).response("GET")
	if resp.Code != 200 || body != "parent: GET http://rebind.test/x" {
		t.Errorf("%s %q", resp.Status, body)
	}
	c := w.dial().send(connectTo("rebind.test:80"))
	c.expect("HTTP/1.1 200 Connection Established\r\n\r\nearly")
	c.send("GET /y HTTP/1.1\r\nHost: z\r\n\r\n")
	if _, body := c.response("GET"); body != `GET z /y ""` {
		t.Errorf("%q", body)
	}
	c = w.dial().send(greet(2) + login("srt", token) + socksTo(1, "rebind.test", "80"))
	c.expect("\x05\x02\x01\x00" + socksAnswer(0) + "early")
	if got := saw(); strings.Count(got, "CONNECT rebind.test:80 HTTP/1.1\r\nHost: rebind.test:80\r\n") != 2 ||
		strings.Count(got, "Proxy-Authorization: "+basic("me", "pass")) != 3 || strings.Contains(got, basic("srt", token)) {
		t.Errorf("parent saw %q", got)
	}
	if len(w.resolved) != 0 {
		t.Errorf("resolved %q", w.resolved)
	}

	// Denied is denied, and loopback is direct.
	before := len(saw())
	if resp, _ := w.dial().send(get("http://evil.test/")).response("GET"); resp.Code != 403 {
		t.Error(resp.Status)
	}
	if _, body := w.dial().send(get("http://" + w.up + "/z")).response("GET"); !strings.HasPrefix(body, "GET "+w.up) {
		t.Errorf("%q", body)
	}
	if got := saw()[before:]; got != "" {
		t.Errorf("parent saw %q", got)
	}
}

func TestParentRefuses(t *testing.T) {
	w, _ := parentWorld(t, true)
	if resp, _ := w.dial().send(connectTo("allowed.test:443")).response("CONNECT"); resp.Code != 502 {
		t.Error(resp.Status)
	}
	c := w.dial().send(greet(2) + login("srt", token) + socksTo(1, "allowed.test", "443"))
	if got := c.closed(); got != "\x05\x02\x01\x00"+socksAnswer(4) {
		t.Errorf("%q", got)
	}
}

// A parent that does not take srt's credentials is no reason for the client to
// doubt its own.
func TestParentWantsOtherCredentials(t *testing.T) {
	parent := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Proxy-Authenticate", `Basic realm="parent"`)
		rw.WriteHeader(http.StatusProxyAuthRequired)
	}))
	defer parent.Close()
	w := newWorld(t, nil, func(s *Server) {
		var err error
		if s.Parent, err = NewParent(parent.URL, "", ""); err != nil {
			t.Fatal(err)
		}
	})
	if resp, body := w.dial().send(get("http://allowed.test/")).response("GET"); resp.Code != 502 || body != "Bad Gateway" {
		t.Errorf("%s %q", resp.Status, body)
	}
	if resp, _ := w.dial().send(connectTo("allowed.test:443")).response("CONNECT"); resp.Code != 502 {
		t.Errorf("%s", resp.Status)
	}
}
