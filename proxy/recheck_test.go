package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// rules are what the tests of Recheck change: names and addresses that are
// refused, all else is allowed.
type rules struct {
	mu    sync.Mutex
	names map[string]bool
	addrs map[string]bool
}

func (r *rules) refuse(names, addrs string) {
	set := func(words string) map[string]bool {
		m := map[string]bool{}
		for word := range strings.FieldsSeq(words) {
			m[word] = true
		}
		return m
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names, r.addrs = set(names), set(addrs)
}

func (r *rules) decide(_ context.Context, req Request) Verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	addrs := r.addrs
	return Verdict{Allow: !r.names[req.Host], Guard: func(ip netip.Addr) error {
		if addrs[ip.String()] {
			return errors.New("resolved to a listed address")
		}
		return nil
	}}
}

// recheckWorld has a proxy whose rules can be changed.
func recheckWorld(t *testing.T, handler http.Handler, change func(*Server)) (*world, *Server, *rules) {
	t.Helper()
	var server *Server
	r := new(rules)
	w := newWorld(t, handler, func(s *Server) {
		server, s.Decide = s, r.decide
		s.Resolve = func(_ context.Context, host string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr(map[bool]string{true: "127.0.0.2", false: "127.0.0.1"}[host == "second.test"])}, nil
		}
		if change != nil {
			change(s)
		}
	})
	return w, server, r
}

// ends fails the test unless the proxy closes c, with nothing more to read.
func (p *peer) ends(what string) {
	p.t.Helper()
	if rest := p.closed(); rest != "" {
		p.t.Errorf("%s: %q before the end", what, rest)
	}
}

func TestRecheckTunnels(t *testing.T) {
	w, s, rules := recheckWorld(t, nil, nil)
	port := echo(t, w)
	open := func(host string) map[string]*peer {
		connect := w.dial().send(connectTo(host + ":" + port))
		connect.expect("HTTP/1.1 200 Connection Established\r\n\r\nhi\n")
		socks := w.dial().send(greet(2) + login("srt", token) + socksTo(1, host, port))
		socks.expect("\x05\x02\x01\x00" + socksAnswer(0) + "hi\n")
		return map[string]*peer{"connect": connect, "socks": socks}
	}
	first, literal := open("first.test"), open("127.0.0.1")
	s.Recheck() // nothing has changed
	for _, c := range first {
		c.send("still ").expect("still ")
	}

	rules.refuse("first.test", "")
	s.Recheck()
	for how, c := range first {
		c.ends(how)
	}
	for _, c := range literal {
		c.send("untouched").expect("untouched")
	}
	d := w.denials()
	if len(d) != 2 || d[0].Request.Host != "first.test" || d[0].Reason != reasonUnlisted || d[0].Guarded || d[0].Time.IsZero() {
		t.Errorf("denials %+v", d)
	}

	// By the address; that of a literal is not the guard's to judge.
	again := open("allowed.test")
	rules.refuse("", "127.0.0.1")
	s.Recheck()
	for how, c := range again {
		c.ends(how)
	}
	for _, c := range literal {
		c.send("untouched").expect("untouched")
	}
	if d := w.denials()[2:]; len(d) != 2 || !d[0].Guarded || d[0].Addr.String() != "127.0.0.1" || d[0].Reason != "resolved to a listed address" {
		t.Errorf("denials %+v", d)
	}
}

// What comes through a parent is judged by name alone.
func TestRecheckThroughParent(t *testing.T) {
	var server *Server
	rules := new(rules)
	w, _ := parentWorld(t, false, func(s *Server) { server, s.Decide = s, rules.decide })
	c := w.dial().send(connectTo("allowed.test:80"))
	c.expect("HTTP/1.1 200 Connection Established\r\n\r\nearly")
	rules.refuse("", "127.0.0.1")
	server.Recheck()
	c.send("GET /y HTTP/1.1\r\nHost: z\r\n\r\n")
	if _, body := c.response("GET"); body != `GET z /y ""` {
		t.Errorf("%q", body)
	}
	rules.refuse("allowed.test", "")
	server.Recheck()
	c.ends("through a parent")
}

func TestRecheckRequests(t *testing.T) {
	arrived, ended := make(chan string, 9), make(chan string, 9)
	w, s, rules := recheckWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		host, _, _ := strings.Cut(req.Host, ":")
		if req.URL.Path == "/idle" {
			return
		}
		if req.URL.Path == "/half" {
			_, _ = io.WriteString(rw, "half")
			_ = http.NewResponseController(rw).Flush()
		}
		arrived <- host
		_, _ = io.Copy(io.Discard, req.Body)
		<-req.Context().Done()
		ended <- host
	}), nil)
	get := func(host, path string) *peer { return w.dial().send(get("http://" + host + ":" + w.port + path)) }
	asked := get("first.test", "/")
	half := get("first.test", "/half")
	upload := w.dial().send("POST http://first.test:" + w.port + "/ HTTP/1.1\r\n" + authField + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
	get("allowed.test", "/")
	for range 4 {
		<-arrived
	}
	answer, err := http.ReadResponse(half.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.ReadFull(answer.Body, make([]byte, len("half"))); err != nil {
		t.Fatal(err)
	}
	rules.refuse("first.test", "")
	s.Recheck()
	for name, c := range map[string]*peer{"asked": asked, "upload": upload} {
		if resp, body := c.response("GET"); resp.Code != 403 || body != "Connection blocked by network allowlist" {
			t.Errorf("%s: %s %q", name, resp.Status, body)
		}
	}
	if rest, err := io.ReadAll(answer.Body); len(rest) != 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half: %q, %v", rest, err)
	}
	for range 3 {
		if host := <-ended; host != "first.test" {
			t.Errorf("%s ended", host)
		}
	}
	if n := len(w.denials()); n != 3 {
		t.Errorf("%d denials", n)
	}
	if len(ended) != 0 {
		t.Error("a request to another host ended")
	}
}

func TestRecheckIdleConnections(t *testing.T) {
	closed := make(chan string, 9)
	w, s, rules := recheckWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
		_, _ = conn.Read(make([]byte, 1)) // until the proxy closes it
		closed <- req.Host
	}), nil)
	ask := func(host string) {
		if resp, _ := w.dial().send(get("http://" + host + ":" + w.port + "/")).response("GET"); resp.Code != 204 {
			t.Error(resp.Status)
		}
	}
	for _, host := range []string{"first.test", "allowed.test", "127.0.0.1"} {
		ask(host)
	}
	idle := func() int {
		n := 0
		s.runs[0].pool.each(func(*upstream) { n++ })
		return n
	}
	for end := time.Now().Add(patient); idle() < 3 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	rules.refuse("first.test", "")
	s.Recheck()
	if host := <-closed; host != "first.test:"+w.port || idle() != 2 {
		t.Errorf("%s closed, %d idle", host, idle())
	}
	rules.refuse("", "127.0.0.1")
	s.Recheck()
	if host := <-closed; host != "allowed.test:"+w.port || idle() != 1 {
		t.Errorf("%s closed, %d idle", host, idle())
	}
	if len(closed) != 0 || len(w.denials()) != 0 {
		t.Errorf("%d more closed, denials %v", len(closed), w.denials())
	}
}

// A tunnel that was allowed by the old rules and stands only after Recheck has
// looked around is judged by the new ones.
func TestRecheckMeetsWhatIsBeingMade(t *testing.T) {
	for name, start := range map[string]func(host, port string) (send, want string){
		"connect": func(host, port string) (string, string) {
			return connectTo(host + ":" + port), "HTTP/1.1 403 host is not on the allow list\r\n"
		},
		"socks": func(host, port string) (string, string) {
			return greet(2) + login("srt", token) + socksTo(1, host, port), "\x05\x02\x01\x00" + socksAnswer(2)
		},
		"http": func(host, port string) (string, string) {
			return get("http://" + host + ":" + port + "/"), "HTTP/1.1 403 Forbidden\r\n"
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked, answer := make(chan struct{}), make(chan struct{})
			w, s, rules := recheckWorld(t, nil, func(s *Server) {
				resolve := s.Resolve
				s.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
					close(asked)
					<-answer
					return resolve(ctx, host)
				}
			})
			port := echo(t, w)
			send, want := start("first.test", port)
			c := w.dial().send(send)
			<-asked
			rules.refuse("first.test", "")
			s.Recheck()
			close(answer)
			c.expect(want)
			if saw := w.upstreamSaw(); saw != "" || len(w.denials()) != 1 {
				t.Errorf("upstream saw %q, denials %+v", saw, w.denials())
			}
		})
	}
}

func TestRecheckOfAServerThatDoesNotRun(t *testing.T) {
	s := new(Server)
	s.Recheck()
	if len(s.runs) != 0 {
		t.Error("a run")
	}
}

// Defaults are put into a copy, which must not lose a field.
func TestDefaultsKeepEveryField(t *testing.T) {
	s := &Server{glance: 12345}
	for field, f := range reflect.ValueOf(s).Elem().Fields() {
		if !field.IsExported() {
			continue
		}
		switch {
		case f.CanInt():
			f.SetInt(12345)
		case f.Kind() == reflect.String:
			f.SetString("x")
		case f.Kind() == reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		case f.Kind() == reflect.Func:
			f.Set(reflect.MakeFunc(f.Type(), nil))
		case f.Kind() == reflect.Map:
			f.Set(reflect.MakeMap(f.Type()))
		default:
			t.Fatalf("%s has a new kind", field.Name)
		}
	}
	got := reflect.ValueOf(s.withDefaults()).Elem()
	for field, f := range reflect.ValueOf(s).Elem().Fields() {
		if field.Name == "mu" || field.Name == "runs" {
			continue
		}
		g := got.FieldByIndex(field.Index)
		byPointer := f.Kind() == reflect.Func || f.Kind() == reflect.Map
		same := byPointer && f.Pointer() == g.Pointer() || !byPointer && f.Equal(g)
		if !same {
			t.Errorf("%s is lost", field.Name)
		}
	}
}
