package proxy

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The way of a plain HTTP request or a CONNECT: serveHTTP reads the head and
// refuses what is malformed or unauthenticated; a CONNECT goes to connect, and a
// request to fetch, whose answer (upstream.go) deliver copies to the client
// (response.go).
//
// net/http.Server is not used to read requests: see head.go for what it lets
// through, and it keeps a second goroutine reading while a request is served. A
// proxy library on top of it, such as goproxy, would add nothing to what is here
// but its start: that one parses a built-in RSA key in every process, for 0.6 ms.

// exchange is one request and the response to it.
type exchange struct {
	c         *client
	head      *head
	req       Request
	path      string // origin form, as spelled
	body      *requestBody
	uploading bool // body is, or was, read by another goroutine
	response
}

// serveHTTP answers the requests of one connection, one after the other.
func (c *client) serveHTTP() {
	r := c.run
	for {
		_ = c.conn.SetReadDeadline(time.Now().Add(r.HeaderTimeout))
		raw, err := readHead(&c.br, c.conn, r.MaxHeaderBytes)
		if err != nil {
			c.failHead(err)
			return
		}
		h, err := parseHead(raw)
		if err != nil {
			c.failHead(err)
			return
		}
		_, _ = c.br.Discard(len(raw))
		r.busy(c)
		_ = c.conn.SetReadDeadline(time.Time{})
		if !c.exchange(h) {
			return
		}
		r.wait(c)
		_ = c.conn.SetReadDeadline(time.Now().Add(r.IdleTimeout))
		if _, err := c.br.Peek(1); err != nil {
			return
		}
	}
}

// exchange answers one request and reports whether another may follow.
func (c *client) exchange(h *head) (more bool) {
	x := &exchange{c: c, head: h}
	x.init()
	user, ok := c.run.authorized(h.header["Proxy-Authorization"])
	if !ok {
		// libcurl tries without credentials first: the connection lives on if
		// there is nothing but the head to it.
		x.mustClose = h.method == http.MethodConnect || h.length != 0
		x.reply(http.StatusProxyAuthRequired, []string{"Proxy-Authenticate", challenge}, "Proxy Authentication Required")
		return x.end()
	}
	stripHop(h.header)
	x.req = Request{Method: h.method, User: user}
	req := &http.Request{
		Method: h.method, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h.header, Body: http.NoBody, ContentLength: h.length, RequestURI: h.target,
	}
	var err error
	if h.method == http.MethodConnect {
		x.req.Protocol = Connect
		x.req.Host, x.req.Port, err = splitAuthority(h.target, 0)
		if h.length != 0 {
			err = errors.New("CONNECT with content")
		}
	} else {
		x.req.Protocol = HTTP
		x.req.Host, x.req.Port, x.path, err = splitAbsolute(h.target)
		if h.length != 0 {
			x.body = newRequestBody(x)
			req.Body = x.body
		}
	}
	if errors.Is(err, errRelative) { // not for a proxy; npm's srt answers so too
		x.reply(http.StatusInternalServerError, nil, "Internal Server Error")
		return x.end()
	}
	if err != nil {
		c.run.Logf("proxy: malformed request: %v", err)
		x.mustClose = true
		x.reply(http.StatusBadRequest, nil, "Bad Request")
		return x.end()
	}
	if h.method == http.MethodConnect {
		x.hijacked = true
		x.connect()
	} else {
		x.deliver(x.fetch(req.WithContext(c.run.ctx))) //nolint:bodyclose // deliver does
	}
	return x.end()
}

// deliver copies a response to the client.
func (x *exchange) deliver(resp *http.Response) {
	defer func() { _ = resp.Body.Close() }()
	x.header = resp.Header
	x.WriteHeader(resp.StatusCode)
	if _, err := io.Copy(x, resp.Body); err != nil {
		x.broken = true
	}
}

// fetch asks Decide and has the request answered: by the destination, or by us.
func (x *exchange) fetch(req *http.Request) *http.Response {
	rt, err := x.c.run.admit(x.req)
	if err == nil {
		var resp *http.Response
		if resp, err = x.roundTrip(rt, req); err == nil {
			return resp
		}
	}
	status, fields, text := x.failure(err)
	return canned(req, status, fields, text)
}

// failure says how to answer a request that has failed with err.
func (x *exchange) failure(err error) (status int, fields []string, text string) {
	var refused *refusedError
	if errors.Is(err, errContent) {
		return http.StatusBadRequest, nil, "Bad Request"
	}
	if !errors.As(err, &refused) {
		x.c.run.Logf("proxy: %s %s port %d: %v", x.req.Method, x.req.Host, x.req.Port, err)
		return http.StatusBadGateway, nil, "Bad Gateway"
	}
	kind, text := "blocked-by-allowlist", "Connection blocked by network allowlist"
	if refused.guarded {
		kind, text = "blocked-by-sandbox-runtime", refused.text
	}
	return http.StatusForbidden, []string{"X-Proxy-Error", kind}, text
}

// canned makes a response of our own. fields alternates names and values.
func canned(req *http.Request, status int, fields []string, text string) *http.Response {
	resp := &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: req, Header: make(http.Header, 4),
		Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)),
	}
	resp.Header["Content-Type"] = []string{"text/plain"}
	resp.Header["Content-Length"] = []string{strconv.Itoa(len(text))}
	for i := 0; i < len(fields); i += 2 {
		resp.Header[fields[i]] = []string{fields[i+1]}
	}
	return resp
}

// reply answers with a text of our own.
func (x *exchange) reply(status int, fields []string, text string) {
	resp := canned(nil, status, fields, text) //nolint:bodyclose // a string
	x.header = resp.Header
	x.WriteHeader(status)
	_, _ = io.WriteString(x, text)
}

// failHead answers a head that could not be read or understood.
func (c *client) failHead(err error) {
	var timeout net.Error
	switch {
	case errors.Is(err, errHeadTooLarge):
		c.fail(http.StatusRequestHeaderFieldsTooLarge)
	case errors.Is(err, errVersion):
		c.fail(http.StatusHTTPVersionNotSupported)
	case errors.As(err, &timeout) && timeout.Timeout():
		c.fail(http.StatusRequestTimeout)
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.As(err, &timeout):
		// Nobody is there to be told.
	default:
		c.run.Logf("proxy: malformed request: %v", err)
		c.fail(http.StatusBadRequest)
	}
}

// fail answers what is no request, and ends the conversation.
func (c *client) fail(status int) {
	text := http.StatusText(status)
	b := appendStatusLine(nil, status, "")
	b = append(b, "Connection: close\r\nContent-Type: text/plain\r\nContent-Length: "+strconv.Itoa(len(text))+"\r\n\r\n"+text...)
	if _, err := c.conn.Write(b); err == nil {
		c.lingerClose()
	}
}
