package proxy

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	token   = "0123456789abcdef"
	patient = 20 * time.Second // fails a test that would hang; nothing is timed by it
)

// world is a proxy between a test and an upstream, with everything written
// down that reached the resolver, the dialer and the upstream.
type world struct {
	t    *testing.T
	addr string // of the proxy
	up   string // host:port of the upstream, 127.0.0.1
	port string

	mu       sync.Mutex
	resolved []string
	dialled  []string
	asked    []Request
	denied   []Denial
	logged   []string
	seen     bytes.Buffer // raw bytes that the upstream read
	accepted int
}

// names is the zone of the tests.
var names = map[string][]string{
	"allowed.test":   {"127.0.0.1"},
	"other.test":     {"127.0.0.1"},
	"two.test":       {"10.255.255.1", "127.0.0.1"},
	"rebind.test":    {"10.66.0.1"},
	"half.test":      {"10.66.0.1", "127.0.0.1"},
	"git.test":       {"127.0.0.1"},
	"trusting.test":  {"127.0.0.1"},
	"xn--bcher.test": {"127.0.0.1"},
}

// decide allows the zone and the upstream's literal, in any spelling.
func (w *world) decide(_ context.Context, req Request) Verdict {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, req)
	host := strings.TrimSuffix(strings.ToLower(req.Host), ".")
	if host == "127.1" {
		host = "127.0.0.1"
	}
	v := Verdict{Host: host, Guard: func(ip netip.Addr) error {
		if strings.HasPrefix(ip.String(), "10.66.") {
			return errors.New("resolved to a loopback address")
		}
		return nil
	}}
	switch {
	case host == "listed.test":
		v.Reason, v.Listed = "not for us — ask ☃\r\nX-Injected: 1", true
	case !plausibleName(host) && !strings.Contains(host, ":"):
		v.Reason = "malformed host"
	case host == "127.0.0.1", host == "::1", host == "trusting.test", names[host] != nil, host == "nowhere.test":
		v.Allow = true
	}
	return v
}

// newWorld starts an upstream and a proxy, both gone when the test ends.
func newWorld(t *testing.T, handler http.Handler, change func(*Server)) *world {
	t.Helper()
	w := &world{t: t}
	if handler == nil {
		handler = http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			body, err := io.ReadAll(req.Body)
			if err != nil {
				return
			}
			fmt.Fprintf(rw, "%s %s %s %q", req.Method, req.Host, req.RequestURI, body)
		})
	}
	l := listen(t)
	w.up = l.Addr().String()
	_, w.port, _ = net.SplitHostPort(w.up)
	hs := &http.Server{Handler: handler, ReadHeaderTimeout: patient}
	go hs.Serve(&spyListener{l, w}) //nolint:errcheck // ends with the listener
	t.Cleanup(func() { _ = hs.Close() })

	s := Server{
		Decide: w.decide,
		Token:  token,
		Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
			w.note(&w.resolved, host)
			var ips []netip.Addr
			for _, a := range names[host] {
				ips = append(ips, netip.MustParseAddr(a))
			}
			if ips == nil {
				return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
			}
			return ips, nil
		},
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			w.note(&w.dialled, addr)
			if strings.HasPrefix(addr, "10.255.") { // a black hole
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
		OnDeny: func(d Denial) {
			w.mu.Lock()
			w.denied = append(w.denied, d)
			w.mu.Unlock()
		},
		Logf: func(f string, a ...any) { w.note(&w.logged, fmt.Sprintf(f, a...)) },
	}
	if change != nil {
		change(&s)
	}
	w.addr = serve(t, &s)
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, line := range w.logged {
			if strings.Contains(line, "bug") {
				t.Error(line)
			}
		}
	})
	return w
}

// serve runs s until the test ends, and then checks that nothing is left.
func serve(tb testing.TB, s *Server) (addr string) {
	tb.Helper()
	l := listen(tb)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	tb.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				tb.Errorf("Serve: %v", err)
			}
		case <-time.After(patient):
			tb.Errorf("Serve does not return:\n%s", stacks())
			return
		}
		for deadline := time.Now().Add(patient); ; runtime.Gosched() {
			left := stacks()
			if !strings.Contains(left, "proxy.(*client)") && !strings.Contains(left, "proxy.(*run)") && !strings.Contains(left, "proxy.(*exchange)") {
				return
			}
			if time.Now().After(deadline) {
				tb.Errorf("goroutines left:\n%s", left)
				return
			}
		}
	})
	return l.Addr().String()
}

func stacks() string {
	b := make([]byte, 1<<20)
	return string(b[:runtime.Stack(b, true)])
}

func listen(tb testing.TB) net.Listener {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	return l
}

func (w *world) note(list *[]string, s string) {
	w.mu.Lock()
	*list = append(*list, s)
	w.mu.Unlock()
}

// upstreamSaw returns everything that the upstream has read.
func (w *world) upstreamSaw() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen.String()
}

// untouched fails the test if anything was resolved or dialled.
func (w *world) untouched() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.resolved)+len(w.dialled)+w.accepted > 0 {
		w.t.Errorf("resolved %q, dialled %q, %d connections; want none", w.resolved, w.dialled, w.accepted)
	}
}

func (w *world) denials() []Denial {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.denied)
}

type spyListener struct {
	net.Listener
	w *world
}

func (l *spyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.w.mu.Lock()
	l.w.accepted++
	l.w.mu.Unlock()
	return &spyConn{c, l.w}, nil
}

type spyConn struct {
	net.Conn
	w *world
}

func (c *spyConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.w.mu.Lock()
	c.w.seen.Write(p[:n])
	c.w.mu.Unlock()
	return n, err
}

// peer is a client's connection.
type peer struct {
	*net.TCPConn
	t  testing.TB
	br *bufio.Reader
}

func dial(tb testing.TB, addr string) *peer {
	tb.Helper()
	c, err := new(net.Dialer).DialContext(context.Background(), "tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patient))
	tc, ok := c.(*net.TCPConn)
	if !ok {
		tb.Fatalf("%T", c)
	}
	return &peer{tc, tb, bufio.NewReader(c)}
}

func (w *world) dial() *peer { w.t.Helper(); return dial(w.t, w.addr) }

func (p *peer) send(s string) *peer {
	p.t.Helper()
	if _, err := io.WriteString(p, s); err != nil {
		p.t.Fatalf("sending %.60q: %v", s, err)
	}
	return p
}

// reply is the head of a response whose content has been read.
type reply struct {
	Status  string // with the code
	Code    int
	Header  http.Header
	Length  int64
	Close   bool
	Chunked bool
}

// response reads one response with its content.
func (p *peer) response(method string) (reply, string) {
	p.t.Helper()
	resp, err := http.ReadResponse(p.br, &http.Request{Method: method})
	if err != nil {
		p.t.Fatalf("reading a response: %v", err)
	}
	r := reply{resp.Status, resp.StatusCode, resp.Header, resp.ContentLength, resp.Close, len(resp.TransferEncoding) > 0}
	if method == http.MethodConnect && r.Code == http.StatusOK {
		return r, "" // the rest is the tunnel; closing would wait for its end
	}
	body, err := io.ReadAll(resp.Body)
	if cerr := resp.Body.Close(); err != nil || cerr != nil {
		p.t.Fatalf("reading content: %v, %v", err, cerr)
	}
	return r, string(body)
}

// expect reads exactly s.
func (p *peer) expect(s string) {
	p.t.Helper()
	b := make([]byte, len(s))
	if n, err := io.ReadFull(p.br, b); err != nil || string(b) != s {
		p.t.Fatalf("got %q (%v), want %q", b[:n], err, s)
	}
}

// closed reads to the end and returns what came.
func (p *peer) closed() string {
	p.t.Helper()
	b, err := io.ReadAll(p.br)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		p.t.Fatalf("still open after %q", b)
	}
	return string(b)
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

var authField = "Proxy-Authorization: " + basic("srt", token) + "\r\n"

// get is a request in absolute form.
func get(url string, fields ...string) string {
	return "GET " + url + " HTTP/1.1\r\nHost: ignored.test\r\n" + authField + strings.Join(fields, "") + "\r\n"
}

func connectTo(target string) string {
	return "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n" + authField + "\r\n"
}
