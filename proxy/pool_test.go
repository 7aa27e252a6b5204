package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A kept connection to an address that the guard has come to refuse is not
// used any more.
func TestGuardIsAskedAgain(t *testing.T) {
	var refuse atomic.Bool
	w := newWorld(t, nil, func(s *Server) {
		s.Decide = func(context.Context, Request) Verdict {
			return Verdict{Allow: true, Guard: func(netip.Addr) error {
				if refuse.Load() {
					return errors.New("resolved to a loopback address")
				}
				return nil
			}}
		}
	})
	c := w.dial()
	for _, want := range []int{200, 200, 403} {
		refuse.Store(want == 403)
		if resp, _ := c.send(get("http://allowed.test:" + w.port + "/")).response("GET"); resp.Code != want {
			t.Errorf("%s, want %d", resp.Status, want)
		}
	}
	if w.accepted != 1 || len(w.resolved) != 2 {
		t.Errorf("%d connections, resolved %q", w.accepted, w.resolved)
	}
}

// Between two requests an upstream may end its connection, or say something
// that nobody asked for: neither gets to the client.
func TestKeptConnectionsAreLookedAt(t *testing.T) {
	for name, unasked := range map[string]string{"ended": "", "poisoned": "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"} {
		t.Run(name, func(t *testing.T) {
			sent := make(chan struct{}, 9)
			w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(rw).Hijack()
				if err != nil {
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"+unasked)
				if unasked == "" {
					_ = conn.Close()
				} else {
					t.Cleanup(func() { _ = conn.Close() })
				}
				sent <- struct{}{}
			}), nil)
			c := w.dial()
			for range 3 {
				if resp, body := c.send(get("http://" + w.up + "/")).response("GET"); resp.Code != 200 || body != "good" {
					t.Errorf("%s: %q", resp.Status, body)
				}
				<-sent
			}
			if w.accepted != 3 {
				t.Errorf("%d connections", w.accepted)
			}
		})
	}
}

// What an upstream may not answer.
func TestBadAnswers(t *testing.T) {
	for _, answer := range []string{
		"", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunKed\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX Y: z\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxResponseHead) + "\r\n\r\n",
	} {
		t.Run(answer[:min(len(answer), 30)], func(t *testing.T) {
			w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				if conn, _, err := http.NewResponseController(rw).Hijack(); err == nil {
					_, _ = io.WriteString(conn, answer)
					_ = conn.Close()
				}
			}), nil)
			if resp, body := w.dial().send(get("http://" + w.up + "/")).response("GET"); resp.Code != 502 || body != "Bad Gateway" {
				t.Errorf("%s: %q", resp.Status, body)
			}
		})
	}
}

// A connection that one request gives back and another takes at the same moment
// is still closed when the run ends.
func TestTakenConnectionsStayTracked(t *testing.T) {
	r := newRun(t.Context(), &Server{Logf: t.Logf})
	defer r.closeAll()
	here, there := net.Pipe()
	defer there.Close()
	rt := &route{host: "allowed.test"}
	u := &upstream{conn: here, rt: rt, key: poolKey{host: "allowed.test", port: 80}}
	u.br = newReader(u)
	track := func() {
		if err := r.track(here, rt); err != nil {
			t.Fatal(err)
		}
	}
	track()

	r.mu.Lock() // holds release up half way
	var giving sync.WaitGroup
	giving.Go(func() { r.release(u) })
	taken := (*upstream)(nil)
	for end := time.Now().Add(50 * time.Millisecond); taken == nil && time.Now().Before(end); runtime.Gosched() {
		taken = r.pool.get(u.key)
	}
	if taken != nil {
		r.open[here] = rt // what track does
	}
	r.mu.Unlock()
	giving.Wait()
	if taken == nil {
		taken = r.pool.get(u.key)
		track()
	}
	r.mu.Lock()
	_, tracked := r.open[here]
	r.mu.Unlock()
	if taken != u || !tracked {
		t.Errorf("took %v, tracked: %t", taken, tracked)
	}
}

func TestIdleConnectionsAreClosedInTime(t *testing.T) {
	const keep = 300 * time.Millisecond
	var p pool
	p.init(keep)
	defer p.close()
	put := func(host string) net.Conn {
		here, there := net.Pipe()
		u := &upstream{conn: here, key: poolKey{host: host}}
		u.br = newReader(u)
		p.put(u)
		return there
	}
	put("a.test")
	time.Sleep(keep / 2)
	start := time.Now()
	late := put("b.test")
	_ = late.SetReadDeadline(start.Add(patient))
	_, _ = late.Read(make([]byte, 1)) // until the pool closes it
	if took := time.Since(start); took < keep/2 || took > keep*7/5 {
		t.Errorf("closed after %v, want about %v", took, keep)
	}
}
