package proxy

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestServeRefusesToStart(t *testing.T) {
	decide := func(context.Context, Request) Verdict { return Verdict{} }
	for _, s := range []*Server{{Token: token}, {Decide: decide}} {
		l := listen(t)
		if err := s.Serve(t.Context(), l); err == nil {
			t.Errorf("%+v: no error", s)
		}
		if _, err := l.Accept(); err == nil {
			t.Error("the listener is open")
		}
	}
	if err := (&Server{Decide: decide, Token: token}).Serve(t.Context()); err == nil {
		t.Error("no listener, no error")
	}
}

func TestServeEndsWithItsListener(t *testing.T) {
	a, b := listen(t), listen(t)
	s := &Server{Decide: func(context.Context, Request) Verdict { return Verdict{} }, Token: token}
	done := make(chan error)
	go func() { done <- s.Serve(context.Background(), a, b) }()
	_ = a.Close()
	if err := <-done; err == nil {
		t.Error("no error for a listener that was closed by another")
	}
	if c, err := new(net.Dialer).DialContext(t.Context(), "tcp", b.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("the other listener is open")
	}
}

// Serve does not return before an attempt to connect that lost the race has.
func TestServeWaitsForItsDials(t *testing.T) {
	var ended atomic.Bool
	up := listen(t)
	go func() {
		if c, err := up.Accept(); err == nil {
			_ = c.Close()
		}
	}()
	s := &Server{
		Token:  token,
		Decide: func(context.Context, Request) Verdict { return Verdict{Allow: true} },
		Resolve: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("10.255.255.1"), netip.MustParseAddr("127.0.0.1")}, nil
		},
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasPrefix(addr, "10.") {
				<-ctx.Done()
				time.Sleep(20 * time.Millisecond)
				ended.Store(true)
				return nil, ctx.Err()
			}
			return new(net.Dialer).DialContext(ctx, network, up.Addr().String())
		},
	}
	l := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	dial(t, l.Addr().String()).send(connectTo("two.test:443")).response("CONNECT")
	cancel()
	if err := <-done; err != nil || !ended.Load() {
		t.Errorf("Serve: %v; the other attempt has ended: %t", err, ended.Load())
	}
}

// TestShutdown ends a run with connections in every state; serve checks that
// nothing stays.
func TestShutdown(t *testing.T) {
	arrived := make(chan struct{})
	w := newWorld(t, http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		arrived <- struct{}{}
		<-req.Context().Done() // never answers
	}), nil)
	port := echo(t, w)
	tunnel := w.dial().send(connectTo("allowed.test:" + port))
	tunnel.expect("HTTP/1.1 200 Connection Established\r\n\r\nhi\n")
	socks := w.dial().send(greet(2) + login("srt", token) + socksTo(1, "allowed.test", port))
	socks.expect("\x05\x02\x01\x00" + socksAnswer(0) + "hi\n")
	w.dial()
	w.dial().send("GET http://half")
	w.dial().send(greet(2))
	w.dial().send(get("http://" + w.up + "/"))
	<-arrived
	w.dial().send("POST http://" + w.up + "/ HTTP/1.1\r\n" + authField + "Content-Length: 10\r\n\r\n12345")
	<-arrived
}

func TestLongHeads(t *testing.T) {
	w := newWorld(t, nil, nil)
	// Beyond the first buffer, and with the next request right behind.
	long := get("http://"+w.up+"/", "X: "+strings.Repeat("x", 40<<10)+"\r\n")
	c := w.dial().send(long + long + get("http://"+w.up+"/end"))
	for range 3 {
		if resp, _ := c.response("GET"); resp.Code != 200 {
			t.Errorf("40 KiB: %s", resp.Status)
		}
	}
	c = w.dial()
	go func() { // as much of 100 MB as is taken
		chunk := strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 100)
		_, _ = io.WriteString(c, "GET http://"+w.up+"/ HTTP/1.1\r\n")
		for range 1000 {
			if _, err := io.WriteString(c, chunk); err != nil {
				return
			}
		}
	}()
	if resp, _ := c.response("GET"); resp.Code != 431 {
		t.Errorf("100 MB: %s", resp.Status)
	}
	if resp, _ := w.dial().send("GET " + strings.Repeat("x", 70<<10)).response("GET"); resp.Code != 431 {
		t.Errorf("long line: %s", resp.Status)
	}
}

// Connections that have sent no complete request make room for those that come.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	const most, many = 16, 400
	w := newWorld(t, nil, func(s *Server) { s.MaxConns = most })
	port := echo(t, w)
	tunnel := w.dial().send(connectTo("allowed.test:" + port))
	tunnel.expect("HTTP/1.1 200 Connection Established\r\n\r\nhi\n")
	var idle []*peer
	for i := range many {
		p := w.dial()
		switch i % 4 {
		case 1:
			p.send("GET http://allowed.test/ HT")
		case 2:
			p.send(greet(2))
		}
		idle = append(idle, p)
	}
	for range 20 {
		if resp, _ := w.dial().send(get("http://"+w.up+"/", "Connection: close\r\n")).response("GET"); resp.Code != 200 {
			t.Error(resp.Status)
		}
	}
	tunnel.send("still here").expect("still here")
	for _, p := range idle[:many/2] {
		p.closed()
	}
}

// At the limit with nobody to evict, a client waits until another is through.
func TestBusyConnectionsMakeOthersWait(t *testing.T) {
	w := newWorld(t, nil, func(s *Server) { s.MaxConns = 1 })
	port := echo(t, w)
	tunnel := w.dial().send(connectTo("allowed.test:" + port))
	tunnel.expect("HTTP/1.1 200 Connection Established\r\n\r\nhi\n")
	next := w.dial().send(get("http://" + w.up + "/"))
	_ = tunnel.Close()
	if resp, _ := next.response("GET"); resp.Code != 200 {
		t.Error(resp.Status)
	}
}

// A client that comes to wait for its next request makes room for one that was
// kept out while it was busy.
func TestIdleAgainMakesRoom(t *testing.T) {
	arrived, answer := make(chan struct{}), make(chan struct{})
	w := newWorld(t, http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/slow" {
			close(arrived)
			<-answer
		}
	}), func(s *Server) { s.MaxConns, s.IdleTimeout = 1, time.Hour })
	first := w.dial().send(get("http://" + w.up + "/slow"))
	<-arrived
	next := w.dial().send(get("http://" + w.up + "/"))
	time.Sleep(20 * time.Millisecond) // next is accepted, most likely, and has found no room
	close(answer)
	first.response("GET")
	if resp, _ := next.response("GET"); resp.Code != 200 {
		t.Error(resp.Status)
	}
}

// A client that has gone does not hold its place until the upstream has spoken.
func TestGoneClientsAreLetGo(t *testing.T) {
	post := func(w *world, fields, content string) string {
		return "POST http://" + w.up + "/ HTTP/1.1\r\n" + authField + fields + "\r\n" + content
	}
	for name, request := range map[string]func(*world) string{
		"asked":        func(w *world) string { return get("http://" + w.up + "/") },
		"half way":     func(w *world) string { return get("http://" + w.up + "/half") },
		"half a chunk": func(w *world) string { return get("http://" + w.up + "/chunks") },
		"long":         func(w *world) string { return get("http://" + w.up + "/long") },
		"uploaded":     func(w *world) string { return post(w, "Content-Length: 3\r\n", "abc") },
		"uploading":    func(w *world) string { return post(w, "Content-Length: 30\r\n", "abc") },
		"chunks":       func(w *world) string { return post(w, "Transfer-Encoding: chunked\r\n", "3\r\nab") },
	} {
		t.Run(name, func(t *testing.T) {
			arrived, ended := make(chan struct{}), make(chan struct{})
			w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
				conn, _, err := http.NewResponseController(rw).Hijack()
				if err != nil {
					return
				}
				switch req.URL.Path {
				case "/half":
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Le")
				case "/chunks":
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
				case "/long":
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"+strings.Repeat("x", 10000))
				}
				close(arrived)
				_, _ = io.Copy(io.Discard, conn) // until the proxy lets go
				close(ended)
			}), func(s *Server) { s.glance = 20 * time.Millisecond })
			c := w.dial().send(request(w))
			<-arrived
			_ = c.Close()
			select {
			case <-ended:
			case <-time.After(patient):
				t.Error("the upstream is held on to")
			}
		})
	}
}

// Content that cannot be read is the client's fault, and ends the request.
func TestMalformedContent(t *testing.T) {
	w := newWorld(t, nil, nil)
	for _, content := range []string{
		"x\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\nabc\r\n0\r\n\r\n", "-3\r\nabc\r\n0\r\n\r\n", "11111111111111111\r\nabc",
		"0\r\nT: 1\n\r\n", "0\r\nT\n", "0\r\n\n", "0\r\nx\ry\r\n\r\n",
	} {
		c := w.dial().send("POST http://" + w.up + "/ HTTP/1.1\r\n" + authField + "Transfer-Encoding: chunked\r\n\r\n" + content)
		if resp, _ := c.response("POST"); resp.Code != 400 || !resp.Close {
			t.Errorf("%q: %s", content, resp.Status)
		}
		c.closed()
	}
}

func TestSlowClientsAreCut(t *testing.T) {
	t.Run("silent", func(t *testing.T) {
		w := newWorld(t, nil, func(s *Server) { s.FirstByteTimeout = time.Millisecond })
		if got := w.dial().closed(); got != "" {
			t.Errorf("%q", got)
		}
	})
	// What is sent at once below arrives at once, so no time is too short for it.
	w := newWorld(t, nil, func(s *Server) { s.HeaderTimeout, s.IdleTimeout = 20*time.Millisecond, time.Millisecond })
	port := echo(t, w)
	for name, start := range map[string]string{"http": "G", "socks": "\x05", "socks login": greet(2) + "\x01", "no password": greet(0)} {
		c := w.dial().send(start)
		got := ""
		b := make([]byte, 256)
		for { // a byte for each that comes: never silent, never done
			if _, err := io.WriteString(c, "x"); err != nil {
				break
			}
			n, err := c.Read(b)
			got += string(b[:n])
			if err != nil {
				break
			}
		}
		if name == "http" && !strings.HasPrefix(got, "HTTP/1.1 408 ") {
			t.Errorf("%s: %q", name, got)
		}
	}
	c := w.dial().send(connectTo("allowed.test:"+port) + string(hello(t, "allowed.test")[:20]))
	c.response("CONNECT")
	c.closed()
	c = w.dial().send(get("http://" + w.up + "/"))
	c.response("GET")
	c.closed() // idle
	w.mu.Lock()
	defer w.mu.Unlock()
	if strings.Contains(w.seen.String(), "\x16\x03") {
		t.Error("half a ClientHello got through")
	}
}

// TestManyIdle shows what 10000 idle connections cost. It is about memory of
// this process, clients included, so only a bound far above is asserted.
func TestManyIdle(t *testing.T) {
	if testing.Short() {
		t.Skip("opens 10000 connections")
	}
	w := newWorld(t, nil, nil)
	for range 10000 {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.addr)
		if err != nil {
			t.Skipf("this host does not let one process have so many: %v", err)
		}
		defer c.Close()
	}
	if resp, _ := w.dial().send(get("http://" + w.up + "/")).response("GET"); resp.Code != 200 {
		t.Error(resp.Status)
	}
	t.Logf("resident: %d KiB", resident(t))
}

func resident(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
