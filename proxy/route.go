package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	reasonUnlisted  = "host is not on the allow list"
	reasonMalformed = "malformed host"
)

// refusedError says that a request is refused by policy.
type refusedError struct {
	text    string // for the client
	guarded bool
}

func (e *refusedError) Error() string { return e.text }

// route is an allowed request: the only thing from which a connection is made.
type route struct {
	req    Request
	host   string     // canonical, without brackets
	addr   netip.Addr // valid if host is an IP literal
	guard  func(netip.Addr) error
	parent *url.URL // nil: dial directly
	rules  uint64   // run.rules before Decide was asked
	// refused is set before Recheck closes the connection.
	refused atomic.Pointer[refusedError]
}

// address is what a parent proxy is asked for and what stands in Host, with
// the port always there.
func (rt *route) address() string {
	return net.JoinHostPort(rt.host, strconv.Itoa(int(rt.req.Port)))
}

// authority is address without the default port of HTTP.
func (rt *route) authority() string {
	const httpPort = 80
	switch {
	case rt.req.Port != httpPort:
		return rt.address()
	case rt.addr.Is6():
		return "[" + rt.host + "]"
	}
	return rt.host
}

// admit asks Decide. The error is a *refusedError, already reported.
func (r *run) admit(req Request) (*route, error) {
	rules := r.rules.Load()
	v := r.Decide(r.ctx, req)
	if !v.Allow {
		return nil, r.refuse(req, v.reason())
	}
	rt := &route{req: req, host: v.Host, guard: v.Guard, rules: rules}
	if rt.host == "" {
		rt.host = req.Host
	}
	rt.host = strings.TrimSuffix(strings.TrimPrefix(rt.host, "["), "]")
	if ip, err := netip.ParseAddr(rt.host); err == nil && ip.Zone() == "" {
		rt.addr = ip.Unmap()
		rt.host = rt.addr.String()
	} else if !plausibleName(rt.host) {
		// Whatever Decide thinks of it: no resolver gets to see this.
		return nil, r.refuse(req, reasonMalformed)
	}
	if req.Port == 0 {
		return nil, r.refuse(req, "malformed port")
	}
	rt.parent = r.Parent.choose(req.Protocol, rt.host, rt.addr)
	return rt, nil
}

// maxName is the longest name on the wire (RFC 1035 §2.3.4).
const maxName = 255

// plausibleName reports whether s consists of what host names consist of.
func plausibleName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

func (v Verdict) reason() string {
	if v.Reason == "" {
		return reasonUnlisted
	}
	return v.Reason
}

func (r *run) refuse(req Request, reason string) *refusedError {
	return r.deny(Denial{Request: req, Reason: reason})
}

// deny reports d and returns what to tell the client.
func (r *run) deny(d Denial) *refusedError {
	d.Time = time.Now()
	r.OnDeny(d)
	if d.Guarded {
		return &refusedError{guarded: true, text: fmt.Sprintf("Connection to %s blocked: %s", d.Request.Host, d.Reason)}
	}
	return &refusedError{text: d.Reason}
}

// reach connects to where rt leads, and tracks the connection. early is what a
// parent proxy has sent beyond its answer. An error is a *refusedError, already
// reported, or says why the destination cannot be reached.
func (r *run) reach(rt *route) (conn net.Conn, early []byte, err error) {
	if rt.parent != nil {
		conn, early, err = r.openThrough(rt.parent, rt.address())
	} else {
		conn, err = r.dial(rt)
	}
	if err == nil {
		err = r.track(conn, rt)
	}
	return conn, early, err
}

// peer returns the address at the other end of conn if Guard has to judge it,
// else the zero Addr.
func (rt *route) peer(conn net.Conn) netip.Addr {
	if rt.addr.IsValid() || rt.parent != nil {
		return netip.Addr{}
	}
	a, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return a.AddrPort().Addr().Unmap()
}

// dial connects directly.
func (r *run) dial(rt *route) (net.Conn, error) {
	if rt.addr.IsValid() {
		return r.Dial(r.ctx, "tcp", netip.AddrPortFrom(rt.addr, rt.req.Port).String())
	}
	addrs, err := r.Resolve(r.ctx, rt.host)
	if err != nil {
		return nil, err
	}
	allowed, denied := addrs[:0:0], error(nil)
	var deniedAddr netip.Addr
	for _, ip := range addrs {
		ip = ip.Unmap()
		if rt.guard != nil {
			if err := rt.guard(ip); err != nil {
				if denied == nil {
					denied, deniedAddr = err, ip
				}
				continue
			}
		}
		allowed = append(allowed, ip)
	}
	if len(allowed) == 0 && denied != nil {
		return nil, r.deny(Denial{Request: rt.req, Reason: denied.Error(), Guarded: true, Addr: deniedAddr})
	}
	return r.dialAny(allowed, rt.req.Port)
}

// dialAny connects to one of the addresses: to each in turn, the next as soon
// as one fails or is slow, in the manner of RFC 8305.
func (r *run) dialAny(addrs []netip.Addr, port uint16) (net.Conn, error) {
	const (
		head = 250 * time.Millisecond // RFC 8305 §5, Connection Attempt Delay
		most = 16                     // the zone's owner says how many there are
	)
	if len(addrs) == 0 {
		return nil, errors.New("no address")
	}
	addrs = addrs[:min(len(addrs), most)]
	dial := func(ctx context.Context, ip netip.Addr) (net.Conn, error) {
		return r.Dial(ctx, "tcp", netip.AddrPortFrom(ip, port).String())
	}
	if len(addrs) == 1 {
		return dial(r.ctx, addrs[0])
	}
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result)
	next := time.NewTimer(0)
	defer next.Stop()
	var errs []error
	for running := 0; ; {
		select {
		case <-next.C:
			if len(addrs) > 0 {
				ip := addrs[0]
				addrs = addrs[1:]
				running++
				r.serving.Go(func() {
					conn, err := dial(ctx, ip)
					select {
					case results <- result{conn, err}:
					case <-ctx.Done(): // another was faster
						if err == nil {
							_ = conn.Close()
						}
					}
				})
				next.Reset(head)
			}
		case res := <-results:
			if res.err == nil {
				return res.conn, nil
			}
			errs = append(errs, res.err)
			running--
			if len(addrs) > 0 {
				next.Reset(0)
			} else if running == 0 {
				return nil, errors.Join(errs...)
			}
		}
	}
}
