package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Protocol says by which door a request came in.
type Protocol uint8

// The protocols a client can use. Transparent capture and DNS will add theirs.
const (
	// HTTP is a plain HTTP request in absolute form (RFC 9112 §3.2.2).
	HTTP Protocol = iota + 1
	// Connect is a tunnel asked for by CONNECT (RFC 9110 §9.3.6).
	Connect
	// SOCKS is a tunnel asked for by SOCKS5 (RFC 1928).
	SOCKS
)

// String returns the protocol's short name, such as "connect".
func (p Protocol) String() string {
	switch p {
	case HTTP:
		return "http"
	case Connect:
		return "connect"
	case SOCKS:
		return "socks"
	}
	return "unknown"
}

// Request is one attempt to reach a destination.
type Request struct {
	Protocol Protocol
	// Method is the HTTP method, "CONNECT" for [Connect], "" for [SOCKS].
	Method string
	// Host is the destination as the client spelled it, without brackets. It
	// is not canonical and may hold any bytes: Decide is asked about malformed
	// names too, so that they are reported like any other refusal.
	Host string
	// Port is never 0 but for a SOCKS client that asked for port 0.
	Port uint16
	// User is the name the client authenticated with: "srt", or "srt." and the
	// base64 form of the command. It names who asked and proves nothing, unless
	// it is a name of [Server].Guests. It is empty for a SOCKS client that cannot authenticate, and which is refused
	// whatever Decide says.
	User string
}

// Verdict is the answer of [Server.Decide]. The zero value refuses.
type Verdict struct {
	// Allow lets the request through.
	Allow bool
	// Host is the canonical spelling: what is resolved, dialled, written into
	// the Host field and compared with the name in a ClientHello. "" means
	// Request.Host.
	Host string
	// Reason says why not; it is the status phrase of a refused CONNECT. ""
	// means "host is not on the allow list".
	Reason string
	// Listed says that a deny rule matched, and so that Reason was written for
	// this host: only then is it shown to an SSH client that cannot
	// authenticate, and only then is that attempt reported.
	Listed bool
	// Guard judges each address that a host name resolved to. The text of its
	// error is the reason sent, such as "resolved to a loopback address". It
	// is not called for IP literals, nor where a parent proxy resolves the
	// name. It may be called again for the address of a connection that is
	// about to be reused, or that [Server.Recheck] looks at. nil allows every
	// address.
	Guard func(netip.Addr) error
}

// Denial tells of a refused request.
type Denial struct {
	Request Request
	// Reason is why: the verdict's, the guard's, or the proxy's own.
	Reason string
	// Guarded says that Decide allowed the request and Guard refused Addr.
	Guarded bool
	// Addr is the refused address if Guarded, else the zero Addr.
	Addr netip.Addr
	// Time is when it was refused.
	Time time.Time
}

// Server is a filtering proxy. Fill in Decide and Token, then call Serve. The
// fields must not change while it runs.
type Server struct {
	// Decide is asked about every request. Required; called concurrently. Its
	// context ends when the server does.
	Decide func(context.Context, Request) Verdict
	// Token is the password that clients must present. Required: an empty
	// token would let everybody in.
	Token string
	// Guests are further names with a password each that is not Token: whoever
	// presents one is who [Request].User says. nil means there are none.
	Guests map[string]string
	// Resolve looks up a host name. nil means [net.DefaultResolver].
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Dial opens a connection to "address:port"; where addr comes from a host
	// name it is one that passed the guard. It also dials parent proxies, by
	// name. nil means a [net.Dialer] with a connect timeout of 30 s. For
	// splice(2) to be used it has to return a bare *net.TCPConn.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Parent is the upstream proxy. nil means that all destinations are
	// dialled directly; the environment is not looked at (see [ParentFromEnv]).
	Parent *Parent
	// OnDeny is told of every refused request. nil means nobody is. Called
	// concurrently, before the client gets its answer.
	OnDeny func(Denial)
	// Logf gets what an operator may want to know when something does not
	// work, never for each request. nil means silence.
	Logf func(format string, args ...any)

	// MaxHeaderBytes bounds a request's head, and with it all that is read of
	// a client before its request is decided. 0 means 64 KiB.
	MaxHeaderBytes int
	// FirstByteTimeout bounds the wait for the first byte of a new connection.
	// 0 means 10 s.
	FirstByteTimeout time.Duration
	// HeaderTimeout bounds the time from the first byte of a request, of a
	// SOCKS handshake or of a ClientHello to its last. 0 means 30 s.
	HeaderTimeout time.Duration
	// IdleTimeout bounds the wait for the next request on a connection, and
	// how long an unused upstream connection is kept. 0 means 60 s.
	IdleTimeout time.Duration
	// MaxConns bounds how many client connections are open at a time. When one
	// more comes, the connection that has waited longest without having sent a
	// complete request is closed for it; if there is none, it waits. 0 means
	// 1024.
	MaxConns int

	glance time.Duration // how often it is looked whether a silent upstream is still waited for; 0 means 5 s

	mu   sync.Mutex
	runs []*run // the calls of Serve that have not returned
}

const (
	defaultMaxHeaderBytes   = 64 << 10
	defaultFirstByteTimeout = 10 * time.Second
	defaultHeaderTimeout    = 30 * time.Second
	defaultIdleTimeout      = 60 * time.Second
	defaultMaxConns         = 1024
	defaultGlance           = 5 * time.Second
	dialTimeout             = 30 * time.Second
)

// Serve answers clients on the listeners until ctx is done, and then returns
// nil, with the listeners and every connection closed and all its goroutines
// ended. It returns an error if the server is not usable as configured or if
// accepting fails for good; the listeners are closed then too.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	for _, l := range listeners {
		defer l.Close() //nolint:errcheck // closed by then, unless Serve refuses to start
	}
	switch {
	case s.Decide == nil:
		return errors.New("proxy: Server.Decide is not set")
	case s.Token == "":
		return errors.New("proxy: Server.Token is empty")
	case len(listeners) == 0:
		return errors.New("proxy: no listener")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := newRun(ctx, s)
	s.mu.Lock()
	s.runs = append(s.runs, r)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.runs = slices.DeleteFunc(s.runs, func(x *run) bool { return x == r })
		s.mu.Unlock()
	}()
	stop := context.AfterFunc(ctx, func() {
		for _, l := range listeners {
			_ = l.Close()
		}
		r.closeAll()
	})
	defer stop()

	failed := make([]error, len(listeners))
	var accepting sync.WaitGroup
	for i, l := range listeners {
		accepting.Go(func() {
			failed[i] = r.accept(l)
			cancel() // one listener less is not what the caller asked for
		})
	}
	accepting.Wait()
	close(r.work)
	r.closeAll()
	r.serving.Wait()
	return errors.Join(failed...)
}

// withDefaults returns a copy in which no optional field is zero.
func (s *Server) withDefaults() *Server {
	s = &Server{
		Decide: s.Decide, Token: s.Token, Guests: s.Guests, Resolve: s.Resolve, Dial: s.Dial, Parent: s.Parent, OnDeny: s.OnDeny, Logf: s.Logf,
		MaxHeaderBytes: s.MaxHeaderBytes, FirstByteTimeout: s.FirstByteTimeout, HeaderTimeout: s.HeaderTimeout,
		IdleTimeout: s.IdleTimeout, MaxConns: s.MaxConns, glance: s.glance,
	}
	if s.Resolve == nil {
		s.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if s.Dial == nil {
		d := &net.Dialer{Timeout: dialTimeout}
		s.Dial = d.DialContext
	}
	if s.OnDeny == nil {
		s.OnDeny = func(Denial) {}
	}
	if s.Logf == nil {
		s.Logf = func(string, ...any) {}
	}
	orDefault(&s.MaxHeaderBytes, defaultMaxHeaderBytes)
	orDefault(&s.FirstByteTimeout, defaultFirstByteTimeout)
	orDefault(&s.HeaderTimeout, defaultHeaderTimeout)
	orDefault(&s.IdleTimeout, defaultIdleTimeout)
	orDefault(&s.MaxConns, defaultMaxConns)
	orDefault(&s.glance, defaultGlance)
	return s
}

func orDefault[T int | time.Duration](p *T, d T) {
	if *p <= 0 {
		*p = d
	}
}
