package proxy

import (
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"sync"
	"time"
)

// errUnanswered says that an upstream closed its connection instead of
// answering. On a kept connection that may be because it had waited too long.
var errUnanswered = errors.New("no answer")

// errContent says that the content of a request is malformed.
var errContent = errors.New("malformed content")

// roundTrip sends the request and reads the head of the answer.
func (x *exchange) roundTrip(rt *route, req *http.Request) (*http.Response, error) {
	for {
		u, err := x.c.run.connect(rt)
		if err != nil {
			return nil, err
		}
		t := &transfer{x: x, u: u}
		resp, err := t.begin(rt, req)
		if err == nil {
			return resp, nil
		}
		t.finish()
		if refused := rt.refused.Load(); refused != nil {
			return nil, refused
		}
		if x.body != nil && x.body.malformed() {
			return nil, errContent
		}
		if !u.reused || x.body != nil || !errors.Is(err, errUnanswered) || !idempotent(req.Method) {
			return nil, err
		}
	}
}

// idempotent reports whether a request may be sent twice (RFC 9110 §9.2.2).
// None of these carries content here.
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// transfer is one request on its upstream connection. It is the body of the
// response.
type transfer struct {
	x      *exchange
	u      *upstream
	upload chan error // the request's content is being sent; nil if it is not, or no more
	failed error      // sending it did

	left     int64 // of the response's content, -1 until the end
	chunked  bool  // then it is read from inner instead
	inner    io.Reader
	complete bool // all of it came
	keep     bool // the upstream takes another request
	finished bool
}

// begin sends the request and reads the head of the answer.
func (t *transfer) begin(rt *route, req *http.Request) (*http.Response, error) {
	x, u := t.x, t.u
	u.budget, u.stay = maxResponseHead, t.stay
	if err := u.watch(); err != nil {
		return nil, errors.Join(errUnanswered, err)
	}
	if _, err := u.conn.Write(x.appendRequest(x.c.out[:0], rt, req)); err != nil {
		return nil, errors.Join(errUnanswered, err)
	}
	if x.body != nil {
		// An upstream may answer before it has read everything, and stop
		// reading until its answer is taken.
		t.upload = make(chan error, 1)
		x.uploading = true
		x.c.run.serving.Go(func() {
			err := x.sendBody(u.conn)
			if x.body.err != nil {
				_ = u.conn.Close() // half a request is all that it will ever get
			}
			t.upload <- err
		})
	}
	if _, err := u.br.Peek(1); err != nil {
		return nil, errors.Join(errUnanswered, err)
	}
	a, err := readAnswer(u.br)
	if err != nil {
		return nil, err
	}
	if rt.parent != nil && a.status == http.StatusProxyAuthRequired {
		return nil, errors.New("parent proxy: it wants other credentials")
	}
	u.budget = math.MaxInt
	t.keep, t.left, t.chunked = a.keep, a.length, a.chunked
	if req.Method == http.MethodHead || a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		t.left, t.chunked = 0, false
	}
	if t.chunked {
		t.inner = httputil.NewChunkedReader(u.br)
	}
	t.complete = !t.chunked && t.left == 0
	t.keep = t.keep && (t.chunked || t.left >= 0)
	x.phrase = a.phrase
	return &http.Response{StatusCode: a.status, Header: a.header, Body: t, Request: req}, nil
}

// appendRequest writes the head of the request as it goes upstream: with the
// destination that was checked, and nothing that the client sent for us.
func (x *exchange) appendRequest(b []byte, rt *route, req *http.Request) []byte {
	b = append(b, req.Method...)
	b = append(b, ' ')
	if rt.parent != nil {
		b = append(b, "http://"+rt.authority()...)
	}
	b = append(b, x.path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, rt.authority()...)
	b = append(b, crlf...)
	if rt.parent != nil {
		if auth := parentAuth(rt.parent); auth != "" {
			b = appendField(b, "Proxy-Authorization", auth)
		}
	}
	b = appendFields(b, req.Header)
	switch {
	case x.head.length < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case x.head.length > 0 || x.head.method == http.MethodPost || x.head.method == http.MethodPut || x.head.method == http.MethodPatch:
		b = appendField(b, "Content-Length", strconv.FormatInt(x.head.length, 10))
	}
	b = append(b, crlf...)
	x.c.out = b[:0]
	return b
}

// sendBody sends the request's content, framed as it came.
func (x *exchange) sendBody(w net.Conn) error {
	if x.head.length > 0 {
		_, err := x.body.WriteTo(w)
		return err
	}
	buf := buffers.Get().(*[]byte) //nolint:errcheck // the pool holds nothing else
	defer buffers.Put(buf)
	for {
		n, err := x.body.Read(*buf)
		if n > 0 {
			size := append(strconv.AppendInt(nil, int64(n), 16), crlf...)
			if _, werr := (&net.Buffers{size, (*buf)[:n], crlf}).WriteTo(w); werr != nil {
				return werr
			}
		}
		if err == io.EOF { //nolint:errorlint // the body's own
			_, err = io.WriteString(w, "0\r\n\r\n")
			return err
		}
		if err != nil {
			return err
		}
	}
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// stay reports whether a silent upstream may still say something that somebody
// wants: as long as the client sends or waits. A client that has closed its side
// waits for what comes without a pause only.
func (t *transfer) stay() bool {
	if t.upload != nil {
		select {
		case t.failed = <-t.upload:
			t.upload = nil
		default:
			return true
		}
	}
	return t.failed == nil && !gone(t.x.c.conn)
}

// Read reads the response's content with its framing taken off.
func (t *transfer) Read(p []byte) (n int, err error) {
	switch {
	case t.complete:
		return 0, io.EOF
	case t.chunked:
		n, err = t.inner.Read(p)
		if err == io.EOF { //nolint:errorlint // the reader's own
			if terr := skipTrailer(t.u.br, maxResponseHead); terr != nil {
				err = terr
			}
		}
	default:
		if t.left >= 0 && int64(len(p)) > t.left {
			p = p[:t.left]
		}
		n, err = t.u.br.Read(p)
		if t.left > 0 {
			if t.left -= int64(n); t.left == 0 {
				err = io.EOF
			} else if err == io.EOF { //nolint:errorlint // a reader's own
				err = io.ErrUnexpectedEOF
			}
		}
	}
	t.complete = err == io.EOF //nolint:errorlint // as above
	return n, err
}

// WriteTo sends the content to the client; io.Copy calls it.
func (t *transfer) WriteTo(w io.Writer) (int64, error) {
	if x, ok := w.(*exchange); ok && !t.chunked {
		t.complete = t.complete || x.relay(t.u, t.left)
		return 0, nil // nobody counts
	}
	buf := buffers.Get().(*[]byte) //nolint:errcheck // the pool holds nothing else
	defer buffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{t}, *buf)
}

// Close ends the transfer. What did not come completely does not leave
// completely either.
func (t *transfer) Close() error {
	t.finish()
	return nil
}

func (t *transfer) finish() {
	if t.finished {
		return
	}
	t.finished = true
	if !t.complete {
		t.x.broken = t.x.headDone
		t.x.mustClose = t.x.mustClose || t.x.body != nil
	}
	if t.upload != nil {
		// An answer given early ends the upload; one that has sent everything
		// already does not notice.
		_ = t.x.c.conn.SetReadDeadline(time.Unix(1, 0))
		_ = t.u.conn.SetWriteDeadline(time.Unix(1, 0))
		t.failed = <-t.upload
		_ = t.x.c.conn.SetReadDeadline(time.Time{})
		_ = t.u.conn.SetWriteDeadline(time.Time{})
	}
	if t.failed != nil {
		t.keep, t.x.mustClose = false, true
	}
	t.u.stay = nil // which holds on to the client
	if t.complete && t.keep {
		t.x.c.run.release(t.u)
	} else {
		t.x.c.run.discard(t.u)
	}
}
