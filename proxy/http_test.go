package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

func TestHTTPAllowed(t *testing.T) {
	w := newWorld(t, nil, nil)
	for _, tt := range []struct{ name, request, saw, body string }{
		{
			"name", get("http://allowed.test:" + w.port + "/a?b=%20c"),
			"GET /a?b=%20c HTTP/1.1\r\nHost: allowed.test:" + w.port + "\r\n", "",
		},
		{"spelling becomes canonical", get("HTTP://ALLOWED.test.:" + w.port), "GET / HTTP/1.1\r\nHost: allowed.test:" + w.port + "\r\n", ""},
		{"inet_aton", get("http://127.1:" + w.port + "/"), "Host: 127.0.0.1:" + w.port, ""},
		{"query without path", get("http://allowed.test:" + w.port + "?q"), "GET /?q HTTP/1.1", ""},
		{"raw bytes in the path", get("http://allowed.test:" + w.port + "/\xc3\xbc"), "GET /\xc3\xbc HTTP/1.1", ""},
		{"length", "POST http://allowed.test:" + w.port + "/ HTTP/1.1\r\nHost: x\r\n" + authField + "Content-Length: 5\r\n\r\nhello", "Content-Length: 5\r\n\r\nhello", `"hello"`},
		{"chunked", "POST http://allowed.test:" + w.port + "/ HTTP/1.1\r\nHost: x\r\n" + authField + "Transfer-Encoding: chunked\r\nTrailer: T\r\n\r\n3;e=1\r\nhel\r\n2\r\nlo\r\n0\r\nT: 1\r\n\r\n", "0\r\n\r\n", `"hello"`},
		{"http/1.0", "GET http://allowed.test:" + w.port + "/ HTTP/1.0\r\n" + authField + "\r\n", "GET / HTTP/1.1", "GET allowed.test"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := w.dial().send(tt.request).response("GET")
			if resp.Code != 200 || !strings.Contains(body, tt.body) {
				t.Errorf("%s: %s", resp.Status, body)
			}
			if saw := w.upstreamSaw(); !strings.Contains(saw, tt.saw) {
				t.Errorf("upstream saw %q, want %q in it", saw, tt.saw)
			}
		})
	}
}

func TestHTTPRefused(t *testing.T) {
	const blocked = "Connection blocked by network allowlist"
	noAuth := func(s string) string { return strings.Replace(s, authField, "", 1) }
	wrong := func(auth string) string {
		return strings.Replace(get("http://allowed.test/"), authField, "Proxy-Authorization: "+auth+"\r\n", 1)
	}
	for _, tt := range []struct {
		name, request string
		status        int
		body, field   string // field: "Name: value" that must be there
	}{
		{"no token", noAuth(get("http://allowed.test/")), 407, "", `Proxy-Authenticate: Basic realm="srt"`},
		{"wrong token", wrong(basic("srt", token+"0")), 407, "", `Proxy-Authenticate: Basic realm="srt"`},
		{"shorter token", wrong(basic("srt", token[1:])), 407, "", ""},
		{"empty token", wrong(basic("srt", "")), 407, "", ""},
		{"wrong user", wrong(basic("root", token)), 407, "", ""},
		{"wrong scheme", wrong("Bearer " + token), 407, "", ""},
		{"not base64", wrong("Basic ***"), 407, "", ""},
		{"two credentials", wrong(basic("srt", token) + "\r\nProxy-Authorization: " + basic("srt", token)), 407, "", ""},
		{"token first, form later", noAuth(get("/")), 407, "", ""},
		{"relative", get("/"), 500, "Internal Server Error", ""},
		{"star", get("*"), 500, "Internal Server Error", ""},
		{"denied", get("http://evil.test/"), 403, blocked, "X-Proxy-Error: blocked-by-allowlist"},
		{"denied literal", get("http://169.254.169.254/latest/"), 403, blocked, "Content-Type: text/plain"},
		{"denied ipv6", get("http://[2606:4700::1]/"), 403, blocked, ""},
		{"percent in the host", get("http://allowed%2etest/"), 403, blocked, ""},
		{"comma in the host", get("http://evil.test,allowed.test/"), 403, blocked, ""},
		{"full-width dot", get("http://allowed\xef\xbc\x8etest/"), 403, blocked, ""},
		{"other scheme", get("https://allowed.test/"), 400, "", ""},
		{"no host", get("http:///"), 400, "", ""},
		{"userinfo", get("http://allowed.test@evil.test/"), 400, "", ""},
		{"backslash", get(`http://evil.test\@allowed.test/`), 400, "", ""},
		{"fragment", get("http://allowed.test#@evil.test/"), 400, "", ""},
		{"two colons", get("http://allowed.test:80:80/"), 400, "", ""},
		{"port 0", get("http://allowed.test:0/"), 400, "", ""},
		{"port 65616", get("http://allowed.test:65616/"), 400, "", ""},
		{"zone", get("http://[::1%25lo]/"), 400, "", ""},
		{"brackets around a name", get("http://[allowed.test]/"), 400, "", ""},
		{"NUL in the host", get("http://evil.test\x00.allowed.test/"), 400, "", ""},
		{"NUL in a field", get("http://allowed.test/", "X: a\x00b\r\n"), 400, "", ""},
		{"space in the target", get("http://allowed.test/ x"), 505, "", ""},
		{"tab", get("http://allowed.test/\tx"), 400, "", ""},
		{"HTTP/2", strings.Replace(get("http://allowed.test/"), "HTTP/1.1", "HTTP/2.0", 1), 505, "", ""},
		{"no version", "GET http://allowed.test/\r\n\r\n", 400, "", ""},
		{"bare LF", strings.ReplaceAll(get("http://allowed.test/"), "\r\n", "\n"), 400, "", ""},
		{"one bare LF", get("http://allowed.test/", "A: b\n"), 400, "", ""},
		{"bare CR", get("http://allowed.test/", "A: b\rC: d\r\n"), 400, "", ""},
		{"obs-fold", get("http://allowed.test/", "A: b\r\n c\r\n"), 400, "", ""},
		{"space before the colon", get("http://allowed.test/", "Transfer-Encoding : chunked\r\n"), 400, "", ""},
		{"empty name", get("http://allowed.test/", ": x\r\n"), 400, "", ""},
		{"two hosts", get("http://allowed.test/", "Host: evil.test\r\n"), 400, "", ""},
		{"TE and CL", get("http://allowed.test/", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), 400, "", ""},
		{"CL and TE", get("http://allowed.test/", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400, "", ""},
		{"two lengths", get("http://allowed.test/", "Content-Length: 3\r\nContent-Length: 3\r\n"), 400, "", ""},
		{"length list", get("http://allowed.test/", "Content-Length: 3, 3\r\n"), 400, "", ""},
		{"signed length", get("http://allowed.test/", "Content-Length: +3\r\n"), 400, "", ""},
		{"coding list", get("http://allowed.test/", "Transfer-Encoding: gzip, chunked\r\n"), 400, "", ""},
		{"coding with a Kelvin sign", get("http://allowed.test/", "Transfer-Encoding: chunKed\r\n"), 400, "", ""},
		{"disguised coding", get("http://allowed.test/", "Transfer-Encoding: \x0bchunked\r\n"), 400, "", ""},
		{"coding in 1.0", strings.Replace(get("http://allowed.test/", "Transfer-Encoding: chunked\r\n"), "1.1", "1.0", 1), 400, "", ""},
		{"not HTTP at all", "\x16\x03\x01\x00\x05hello", 400, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, nil, nil)
			resp, body := w.dial().send(tt.request).response("GET")
			if resp.Code != tt.status || tt.body != "" && body != tt.body {
				t.Errorf("%s: %q, want %d %q", resp.Status, body, tt.status, tt.body)
			}
			if name, value, ok := strings.Cut(tt.field, ": "); ok && resp.Header.Get(name) != value {
				t.Errorf("%s: %q, want %q", name, resp.Header.Get(name), value)
			}
			w.untouched()
			if n := len(w.denials()); (tt.status == 403) != (n == 1) {
				t.Errorf("%d denials reported", n)
			}
		})
	}
}

func TestUserNames(t *testing.T) {
	w := newWorld(t, nil, nil)
	for user, status := range map[string]int{"srt": 200, "srt.ZWNobw==": 200, "srtx": 407, "": 407, "SRT": 407} {
		request := strings.Replace(get("http://"+w.up+"/"), authField, "Proxy-Authorization: "+basic(user, token)+"\r\n", 1)
		if resp, _ := w.dial().send(request).response("GET"); resp.Code != status {
			t.Errorf("user %q: %s, want %d", user, resp.Status, status)
		}
	}
	for _, req := range w.asked {
		if req.User != "srt" && req.User != "srt.ZWNobw==" {
			t.Errorf("asked for user %q", req.User)
		}
	}
}

// A name with a password of its own is who it says, and no other.
func TestGuests(t *testing.T) {
	w := newWorld(t, nil, func(s *Server) { s.Guests = map[string]string{"guest": "guest-token"} })
	for _, c := range []struct {
		user, password string
		status         int
	}{{"guest", "guest-token", 200}, {"guest", token, 407}, {"srt", "guest-token", 407}, {"guests", "guest-token", 407}, {"srt", token, 200}} {
		request := strings.Replace(get("http://"+w.up+"/"), authField, "Proxy-Authorization: "+basic(c.user, c.password)+"\r\n", 1)
		if resp, _ := w.dial().send(request).response("GET"); resp.Code != c.status {
			t.Errorf("%s: %s, want %d", c.user, resp.Status, c.status)
		}
	}
	if len(w.asked) != 2 || w.asked[0].User != "guest" || w.asked[1].User != "srt" {
		t.Errorf("asked about %+v", w.asked)
	}
}

func TestGuard(t *testing.T) {
	w := newWorld(t, nil, nil)
	const reason = "Connection to REBIND.test blocked: resolved to a loopback address"
	resp, body := w.dial().send(get("http://REBIND.test/")).response("GET")
	if resp.Code != 403 || body != reason || resp.Header.Get("X-Proxy-Error") != "blocked-by-sandbox-runtime" {
		t.Errorf("%s %v: %s", resp.Status, resp.Header, body)
	}
	resp, body = w.dial().send(connectTo("REBIND.test:443")).response("CONNECT")
	if resp.Status != "403 "+reason || body != reason || resp.Header.Get("X-Proxy-Error") != "blocked-by-sandbox-runtime" {
		t.Errorf("%s %v: %s", resp.Status, resp.Header, body)
	}
	if len(w.dialled) != 0 || fmt.Sprint(w.resolved) != "[rebind.test rebind.test]" {
		t.Errorf("resolved %q, dialled %q", w.resolved, w.dialled)
	}
	d := w.denials()
	if len(d) != 2 || !d[0].Guarded || d[0].Addr.String() != "10.66.0.1" || d[0].Reason != "resolved to a loopback address" || d[0].Time.IsZero() {
		t.Errorf("denials: %+v", d)
	}

	// A name with a good address too is reached there, and only there.
	if resp, _ := w.dial().send(get("http://half.test:" + w.port + "/")).response("GET"); resp.Code != 200 {
		t.Error(resp.Status)
	}
	if fmt.Sprint(w.dialled) != "["+w.up+"]" {
		t.Errorf("dialled %q", w.dialled)
	}
}

func TestSecondAddress(t *testing.T) {
	w := newWorld(t, nil, nil)
	if resp, _ := w.dial().send(get("http://two.test:" + w.port + "/")).response("GET"); resp.Code != 200 {
		t.Error(resp.Status)
	}
	if len(w.resolved) != 1 || len(w.dialled) != 2 {
		t.Errorf("resolved %q, dialled %q", w.resolved, w.dialled)
	}
}

func TestUpstreamFailure(t *testing.T) {
	w := newWorld(t, nil, nil)
	for _, url := range []string{"http://nowhere.test/", "http://127.0.0.1:1/"} {
		if resp, body := w.dial().send(get(url)).response("GET"); resp.Code != 502 || body != "Bad Gateway" {
			t.Errorf("%s: %s %q", url, resp.Status, body)
		}
	}
	if n := len(w.denials()); n != 0 {
		t.Errorf("%d denials for failures", n)
	}
}

func TestHopByHop(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Connection", "X-Hop, close")
		rw.Header().Set("X-Hop", "1")
		rw.Header().Set("Upgrade", "h2c")
		rw.Header().Set("X-End", "1")
	}), nil)
	resp, _ := w.dial().send(get("http://"+w.up+"/", "Connection: Host, X-Gone, Upgrade, HTTP2-Settings\r\n", "X-Gone: 1\r\n",
		"X-Kept: 1\r\n", "Upgrade: websocket\r\n", "HTTP2-Settings: AAMAAABk\r\n", "TE: trailers\r\n",
		"Proxy-Connection: keep-alive\r\n", "Keep-Alive: 5\r\n", "Accept-Encoding: br\r\n")).response("GET")
	saw := w.upstreamSaw()
	for _, no := range []string{"Proxy-", token, "X-Gone", "Upgrade", "Settings", "Te:", "Keep-Alive", "Connection:", "Via", "X-Forwarded", "ignored.test"} {
		if strings.Contains(strings.ToLower(saw), strings.ToLower(no)) {
			t.Errorf("upstream saw %q in %q", no, saw)
		}
	}
	for _, yes := range []string{"Host: " + w.up + "\r\n", "X-Kept: 1\r\n", "Accept-Encoding: br\r\n"} {
		if strings.Count(saw, yes) != 1 {
			t.Errorf("upstream saw no %q in %q", yes, saw)
		}
	}
	if resp.Header.Get("X-Hop")+resp.Header.Get("Upgrade") != "" || resp.Header.Get("X-End") != "1" {
		t.Errorf("response fields: %v", resp.Header)
	}
}

func TestEveryRequestIsDecided(t *testing.T) {
	w := newWorld(t, nil, nil)
	ok, no := get("http://allowed.test:"+w.port+"/"), get("http://evil.test:"+w.port+"/")
	c := w.dial().send(ok + no + ok + strings.Replace(ok, "Host: ignored", "Connection: close\r\nHost: ignored", 1) + ok)
	for i, want := range []int{200, 403, 200, 200} {
		if resp, _ := c.response("GET"); resp.Code != want {
			t.Errorf("response %d: %s, want %d", i, resp.Status, want)
		}
	}
	if rest := c.closed(); rest != "" {
		t.Errorf("after Connection: close: %q", rest)
	}
	if len(w.asked) != 4 || w.accepted != 1 || len(w.resolved) != 1 {
		t.Errorf("asked %d times, %d connections, resolved %q", len(w.asked), w.accepted, w.resolved)
	}
}

func TestPoolIsPerHost(t *testing.T) {
	w := newWorld(t, nil, nil)
	c := w.dial()
	for _, host := range []string{"allowed.test", "other.test", "allowed.test", "127.0.0.1"} {
		c.send(get("http://" + host + ":" + w.port + "/")).response("GET")
	}
	if w.accepted != 3 {
		t.Errorf("%d upstream connections for 3 hosts at one address", w.accepted)
	}
}

func TestResponseForms(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1<<14)
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case "/big":
			rw.Header().Set("Content-Length", fmt.Sprint(len(big)))
			_, _ = io.WriteString(rw, big)
		case "/chunked", "/events":
			if req.URL.Path == "/events" {
				rw.Header().Set("Content-Type", "text/event-stream")
			}
			for s := big; s != ""; s = s[len(big)/4:] {
				_, _ = io.WriteString(rw, s[:len(big)/4])
				_ = http.NewResponseController(rw).Flush()
			}
		case "/close":
			conn, _, _ := http.NewResponseController(rw).Hijack()
			fmt.Fprintf(conn, "HTTP/1.0 200 Fine by me\r\n\r\n%s", big)
			_ = conn.Close()
		case "/short":
			conn, _, _ := http.NewResponseController(rw).Hijack()
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive.")
			_ = conn.Close()
		case "/early":
			conn, _, _ := http.NewResponseController(rw).Hijack()
			fmt.Fprintf(conn, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			_ = conn.Close()
		case "/redirect":
			http.Redirect(rw, req, "http://evil.test/", http.StatusFound)
		case "/204":
			conn, _, _ := http.NewResponseController(rw).Hijack()
			fmt.Fprintf(conn, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello")
			_ = conn.Close()
		case "/304":
			rw.WriteHeader(http.StatusNotModified)
		case "/101":
			conn, _, _ := http.NewResponseController(rw).Hijack()
			fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n")
			_ = conn.Close()
		}
	}), nil)
	url := "http://" + w.up
	for _, path := range []string{"/big", "/chunked", "/events", "/close"} {
		resp, body := w.dial().send(get(url + path)).response("GET")
		if resp.Code != 200 || body != big {
			t.Errorf("%s: %s, %d bytes", path, resp.Status, len(body))
		}
		if path == "/close" && resp.Status != "200 Fine by me" {
			t.Errorf("%s: %s", path, resp.Status)
		}
		resp, body = w.dial().send(strings.Replace(get(url+path), "HTTP/1.1", "HTTP/1.0", 1)).response("GET")
		if body != big || resp.Chunked {
			t.Errorf("1.0 %s: %d bytes, %v", path, len(body), resp.Chunked)
		}
	}
	if resp, body := w.dial().send(get(url + "/early")).response("GET"); resp.Code != 200 || body != "ok" {
		t.Errorf("early hints: %s %q", resp.Status, body)
	}
	if resp, _ := w.dial().send(get(url + "/redirect")).response("GET"); resp.Code != 302 || resp.Header.Get("Location") != "http://evil.test/" {
		t.Errorf("redirect: %s", resp.Status)
	}
	if resp, _ := w.dial().send(get(url + "/101")).response("GET"); resp.Code != 502 {
		t.Errorf("101: %s", resp.Status)
	}
	if got := w.dial().send(get(url + "/short")).closed(); !strings.HasSuffix(got, "\r\n\r\nfive.") {
		t.Errorf("short: %q", got)
	}
	c := w.dial()
	resp, body := c.send(strings.Replace(get(url+"/big"), "GET", "HEAD", 1)).response("HEAD")
	if resp.Length != int64(len(big)) || body != "" {
		t.Errorf("HEAD: length %d, %q", resp.Length, body)
	}
	c.send(get(url + "/204")).expect("HTTP/1.1 204 No Content\r\n\r\n") // RFC 9110 §8.6: no Content-Length
	if resp, _ := c.send(get(url + "/304")).response("GET"); resp.Code != 304 {
		t.Errorf("304: %s", resp.Status)
	}
	if resp, _ := c.send(get(url + "/big")).response("GET"); resp.Code != 200 {
		t.Errorf("after HEAD and 304: %s", resp.Status)
	}
}

func TestUpload(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1<<16)
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/early" { // answers without reading
			http.Error(rw, "no", http.StatusRequestEntityTooLarge)
			return
		}
		n, err := io.Copy(io.Discard, req.Body)
		fmt.Fprint(rw, n, err)
	}), nil)
	post := func(path, fields string) string {
		return "POST http://" + w.up + path + " HTTP/1.1\r\nHost: x\r\n" + authField + fields + "\r\n"
	}
	length := fmt.Sprintf("Content-Length: %d\r\n", len(big))
	want := fmt.Sprint(len(big), " <nil>")
	c := w.dial()
	for range 2 { // the connection lives on
		if _, body := c.send(post("/", length) + big).response("POST"); body != want {
			t.Errorf("length: %q, want %q", body, want)
		}
		chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(big), big)
		if _, body := c.send(post("/", "Transfer-Encoding: chunked\r\n") + chunk).response("POST"); body != want {
			t.Errorf("chunked: %q, want %q", body, want)
		}
	}
	c.send(post("/", length+"Expect: 100-continue\r\n"))
	c.expect("HTTP/1.1 100 Continue\r\n\r\n")
	if _, body := c.send(big).response("POST"); body != want {
		t.Errorf("100-continue: %q, want %q", body, want)
	}
	if resp, _ := c.send(post("/early", "Content-Length: 4000000000\r\n")).response("POST"); resp.Code != 413 {
		t.Errorf("early answer: %s", resp.Status)
	}
	c.closed()

	// A refused upload is not asked for; a small one is skipped.
	c = w.dial()
	denied := strings.Replace(post("/", "Content-Length: 3\r\n"), w.up, "evil.test", 1)
	if resp, _ := c.send(denied + "abc").response("POST"); resp.Code != 403 {
		t.Errorf("denied: %s", resp.Status)
	}
	if resp, _ := c.send(get("http://" + w.up + "/")).response("GET"); resp.Code != 200 {
		t.Errorf("after the skipped content: %s", resp.Status)
	}
	denied = strings.Replace(post("/", length+"Expect: 100-continue\r\n"), w.up, "evil.test", 1)
	if resp, _ := c.send(denied).response("POST"); resp.Code != 403 || !resp.Close {
		t.Errorf("denied: %s", resp.Status)
	}
	c.closed()
}

// A bug that one connection meets must cost that connection, not the sandbox:
// the process that serves it is also the supervisor.
func TestPanicEndsOneConnection(t *testing.T) {
	var bugs atomic.Int32
	w := newWorld(t, nil, func(s *Server) {
		decide, logf := s.Decide, s.Logf
		s.Decide = func(ctx context.Context, req Request) Verdict {
			if req.Host == "bug.test" {
				panic("met a bug")
			}
			return decide(ctx, req)
		}
		s.Logf = func(f string, a ...any) {
			if line := fmt.Sprintf(f, a...); strings.Contains(line, "met a bug") {
				bugs.Add(1)
				return
			}
			logf(f, a...)
		}
	})
	other := w.dial()
	if resp, _ := other.send(get("http://" + w.up + "/")).response("GET"); resp.Code != 200 {
		t.Fatal(resp.Status)
	}
	requests := []string{get("http://bug.test/"), "CONNECT bug.test:443 HTTP/1.1\r\nHost: bug.test:443\r\n" + authField + "\r\n"}
	for _, request := range requests {
		if left := w.dial().send(request).closed(); left != "" {
			t.Errorf("%.20q: answered with %q", request, left)
		}
	}
	if n := int(bugs.Load()); n != len(requests) {
		t.Errorf("%d bugs written down, want %d", n, len(requests))
	}
	for _, p := range []*peer{other, w.dial()} {
		if resp, _ := p.send(get("http://" + w.up + "/")).response("GET"); resp.Code != 200 {
			t.Errorf("after the bug: %s", resp.Status)
		}
	}
}
