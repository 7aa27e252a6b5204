package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"net/url"
	"strings"
	"time"
)

// Parent says which destinations are reached through another proxy. The zero
// value, like nil, sends everything directly.
type Parent struct {
	http, https *url.URL
	all         bool // NO_PROXY=*
	suffixes    []string
	nets        []netip.Prefix
}

// ParentFromEnv reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or the lower-case
// form of one that is empty. It returns nil where no proxy is named, and an
// error for a proxy that is neither http nor https.
func ParentFromEnv(getenv func(string) string) (*Parent, error) {
	get := func(name string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return getenv(strings.ToLower(name))
	}
	return NewParent(get("HTTP_PROXY"), get("HTTPS_PROXY"), get("NO_PROXY"))
}

// NewParent returns the parent proxy for plain HTTP and the one for tunnels;
// "" means none. Tunnels use the first where there is no second, but not the
// other way round: plain HTTP then goes directly. A URL without a scheme is an
// http one; its user and password are sent as Basic credentials.
//
// noProxy lists the exceptions, separated by commas or spaces: "*" for all,
// names that stand for themselves and their subdomains, IP addresses and CIDR
// ranges for IP literals. A port in it is ignored. Loopback is always reached
// directly. If neither URL is given the result is nil.
func NewParent(http, https, noProxy string) (*Parent, error) {
	p := &Parent{}
	var err error
	if p.http, err = parentURL(http); err != nil {
		return nil, err
	}
	if p.https, err = parentURL(https); err != nil {
		return nil, err
	}
	if p.http == nil && p.https == nil {
		return nil, nil //nolint:nilnil // nil is the documented "no parent"
	}
	for _, entry := range strings.FieldsFunc(noProxy, func(c rune) bool { return c == ',' || c == ' ' || c == '\t' }) {
		p.except(strings.ToLower(entry))
	}
	return p, nil
}

func parentURL(s string) (*url.URL, error) {
	if s == "" {
		return nil, nil //nolint:nilnil // no proxy, no error
	}
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		// The parse error quotes the URL, and that may hold a password.
		return nil, errors.New("parent proxy: malformed URL")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("parent proxy %q: only http and https proxies can be used", u.Redacted())
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("parent proxy %q: no host", u.Redacted())
	}
	return u, nil
}

// except takes one entry of NO_PROXY.
func (p *Parent) except(entry string) {
	if entry == "*" {
		p.all = true
		return
	}
	if n, err := netip.ParsePrefix(entry); err == nil {
		p.nets = append(p.nets, n.Masked())
		return
	}
	host := entry
	if h, _, err := net.SplitHostPort(entry); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		p.nets = append(p.nets, netip.PrefixFrom(ip, ip.BitLen()))
		return
	}
	host = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(host, "*"), "."), ".")
	if host != "" {
		p.suffixes = append(p.suffixes, host)
	}
}

// choose returns the proxy for a destination, nil for none. addr is valid if
// host is an IP literal.
func (p *Parent) choose(proto Protocol, host string, addr netip.Addr) *url.URL {
	if p == nil || p.all {
		return nil
	}
	u := p.http
	if proto != HTTP && p.https != nil {
		u = p.https
	}
	if u == nil {
		return nil
	}
	if addr.IsValid() {
		if addr.IsLoopback() {
			return nil
		}
		for _, n := range p.nets {
			if n.Contains(addr) {
				return nil
			}
		}
		return u
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, s := range append([]string{"localhost"}, p.suffixes...) {
		if host == s || strings.HasSuffix(host, "."+s) {
			return nil
		}
	}
	return u
}

// parentAuth returns the value of Proxy-Authorization for u, or "".
func parentAuth(u *url.URL) string {
	if u.User == nil {
		return ""
	}
	password, _ := u.User.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))
}

// dialParent connects to the proxy itself.
func (r *run) dialParent(u *url.URL) (net.Conn, error) {
	return dialProxy(r.ctx, r.Dial, u)
}

func dialProxy(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error), u *url.URL) (net.Conn, error) {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	conn, err := dial(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil || u.Scheme == "http" {
		return conn, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	secure := tls.Client(conn, &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12})
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}

// openThrough opens a tunnel through the parent proxy.
func (r *run) openThrough(u *url.URL, address string) (net.Conn, []byte, error) {
	conn, err := r.dialParent(u)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(r.ctx, func() { _ = conn.Close() })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(dialTimeout))
	early, err := askTunnel(conn, address, parentAuth(u))
	if err != nil {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("parent proxy: %w", err)
	}
	_ = conn.SetDeadline(time.Time{})
	return conn, early, nil
}

// askTunnel sends a CONNECT and reads the answer. early is what came after it.
func askTunnel(conn net.Conn, address, auth string) (early []byte, err error) {
	ask := "CONNECT " + address + " HTTP/1.1\r\nHost: " + address + "\r\n"
	if auth != "" {
		ask += "Proxy-Authorization: " + auth + "\r\n"
	}
	if _, err := io.WriteString(conn, ask+"\r\n"); err != nil {
		return nil, err
	}
	br := bufio.NewReader(io.LimitReader(conn, maxResponseHead))
	tp := textproto.NewReader(br)
	line, err := tp.ReadLine()
	if err != nil {
		return nil, err
	}
	version, status, _ := strings.Cut(line, " ")
	if !strings.HasPrefix(version, "HTTP/1.") {
		return nil, fmt.Errorf("malformed answer %q", line)
	}
	if !strings.HasPrefix(status, "2") {
		return nil, errors.New(status)
	}
	if _, err := tp.ReadMIMEHeader(); err != nil {
		return nil, err
	}
	// RFC 9110 §9.3.6: no answer that grants a CONNECT has content, whatever
	// its fields say; what follows is the tunnel.
	early, _ = br.Peek(br.Buffered())
	return early, nil
}
