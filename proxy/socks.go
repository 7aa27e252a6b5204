package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/armon/go-socks5"
)

const (
	socksVersion  = 5
	noAuth        = 0
	passwordAuth  = 2
	noneOffered   = 0xff
	replySuccess  = 0
	replyRefused  = 2
	socksConnect  = 1
	addrIPv4      = 1
	addrName      = 3
	addrIPv6      = 4
	socksHeadSize = 4 // version, command, reserved, address type
)

// socksParts is what the connections of a run share.
type socksParts struct {
	logger *log.Logger // go-socks5 would log to stdout
	auth   []socks5.Authenticator
}

func (r *run) newSocksParts() socksParts {
	return socksParts{
		logger: log.New(logWriter(r.Logf), "", 0),
		auth:   []socks5.Authenticator{socks5.UserPassAuthenticator{Credentials: r}},
	}
}

// serveSocks reads the greeting (RFC 1928 §3). go-socks5 takes the first
// method of the client's that it knows; here a client that offers the password
// among others has to use it, and one that does not is told why it is refused.
func (c *client) serveSocks() {
	_ = c.conn.SetReadDeadline(time.Now().Add(c.run.HeaderTimeout))
	b, err := c.br.Peek(2)
	if err != nil {
		return
	}
	n := 2 + int(b[1])
	if b, err = c.br.Peek(n); err != nil {
		return
	}
	methods := b[2:]
	password, none := bytes.IndexByte(methods, passwordAuth) >= 0, bytes.IndexByte(methods, noAuth) >= 0
	_, _ = c.br.Discard(n)
	switch {
	case password:
		s := &socksSession{c: c, greeting: []byte{socksVersion, 1, passwordAuth}}
		server, err := socks5.New(&socks5.Config{
			AuthMethods: c.run.socks.auth,
			Resolver:    s,
			Rules:       s,
			Dial:        s.dial,
			Logger:      c.run.socks.logger,
		})
		if err != nil {
			c.run.Logf("proxy: %v", err)
			return
		}
		_ = server.ServeConn(s) // it has logged what there is to say
	case none:
		c.refuseSocks()
	default:
		_, _ = c.conn.Write([]byte{socksVersion, noneOffered})
	}
}

// socksSession is one authenticated client: the connection that go-socks5 sees
// and its hooks. The library is told of the greeting anew, is fed byte by byte
// so that it reads nothing ahead, and leaves the copying to us.
type socksSession struct {
	c        *client
	greeting []byte
	rt       *route
	up       net.Conn
	early    []byte
}

var (
	_ net.Conn            = (*socksSession)(nil)
	_ socks5.RuleSet      = (*socksSession)(nil)
	_ socks5.NameResolver = (*socksSession)(nil)
)

// Resolve resolves nothing: go-socks5 asks for it before the rules.
func (s *socksSession) Resolve(ctx context.Context, _ string) (context.Context, net.IP, error) {
	return ctx, nil, nil
}

// Allow asks Decide, and resolves and connects: an address that the guard
// refuses is a refusal by the rules too.
func (s *socksSession) Allow(ctx context.Context, req *socks5.Request) (context.Context, bool) {
	c := s.c
	c.run.busy(c)
	_ = c.conn.SetReadDeadline(time.Time{})
	r := Request{
		Protocol: SOCKS,
		Host:     req.DestAddr.FQDN,
		Port:     uint16(req.DestAddr.Port), //nolint:gosec // read from two bytes
		User:     req.AuthContext.Payload["Username"],
	}
	if r.Host == "" && len(req.DestAddr.IP) > 0 {
		r.Host = req.DestAddr.IP.String()
	}
	if req.Command != socks5.ConnectCommand {
		_ = c.run.refuse(r, "SOCKS command is not CONNECT")
		return ctx, false
	}
	rt, err := c.run.admit(r)
	if err != nil {
		return ctx, false
	}
	s.rt = rt
	s.up, s.early, err = c.run.reach(rt)
	if refused := (*refusedError)(nil); errors.As(err, &refused) {
		return ctx, false
	}
	if err != nil {
		c.run.Logf("proxy: SOCKS %s port %d: %v", r.Host, r.Port, err)
		s.up = nil
	}
	return ctx, true
}

// dial returns the connection that Allow made. Any other error text than this
// go-socks5 might take for another reply than "host unreachable".
func (s *socksSession) dial(context.Context, string, string) (net.Conn, error) {
	if s.up == nil {
		return nil, errors.New(http.StatusText(http.StatusBadGateway))
	}
	return &socksTarget{Conn: s.up, s: s}, nil
}

// Read gives the library one byte at a time.
func (s *socksSession) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(s.greeting) > 0 {
		p[0], s.greeting = s.greeting[0], s.greeting[1:]
		return 1, nil
	}
	return s.c.br.Read(p[:1])
}

// WriteTo is the direction to the destination: io.Copy in the library ends up
// here.
func (s *socksSession) WriteTo(io.Writer) (int64, error) {
	s.c.transmit(s.rt, s.up)
	return 0, nil
}

func (s *socksSession) Write(p []byte) (int, error)        { return s.c.conn.Write(p) }
func (s *socksSession) Close() error                       { return s.c.conn.Close() }
func (s *socksSession) LocalAddr() net.Addr                { return s.c.conn.LocalAddr() }
func (s *socksSession) RemoteAddr() net.Addr               { return s.c.conn.RemoteAddr() }
func (s *socksSession) SetDeadline(t time.Time) error      { return s.c.conn.SetDeadline(t) }
func (s *socksSession) SetReadDeadline(t time.Time) error  { return s.c.conn.SetReadDeadline(t) }
func (s *socksSession) SetWriteDeadline(t time.Time) error { return s.c.conn.SetWriteDeadline(t) }

// socksTarget is the destination as go-socks5 sees it.
type socksTarget struct {
	net.Conn
	s *socksSession
}

// LocalAddr tells the client nothing about the host's addresses. The library
// wants a *net.TCPAddr.
func (*socksTarget) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero} }

// WriteTo is the direction to the client.
func (t *socksTarget) WriteTo(io.Writer) (int64, error) {
	t.s.c.receive(t.s.up, t.s.early)
	return 0, nil
}

// Close closes the connection for good.
func (t *socksTarget) Close() error {
	t.s.c.run.drop(t.s.up)
	return nil
}

// logWriter lets a log.Logger write through a Logf.
type logWriter func(format string, args ...any)

func (w logWriter) Write(p []byte) (int, error) {
	w("proxy: %s", strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}
