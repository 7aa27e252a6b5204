package proxy

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
)

// response is the half of an exchange that goes to the client; with it an
// exchange is an http.ResponseWriter.
type response struct {
	header    http.Header
	phrase    string // the upstream's status phrase, "" for the usual one
	mustClose bool   // no other request may follow
	broken    bool   // the upstream failed half way
	hijacked  bool

	mu       sync.Mutex // 100 Continue is sent from the upload's goroutine
	headDone bool       // guarded by mu for that goroutine
	pending  []byte     // the head, not sent yet so that the content can go with it
	chunked  bool
	bodiless bool
	left     int64 // content still owed, -1 if it ends with the connection
	err      error // writing to the client failed
}

func (w *response) init() { w.header = make(http.Header, 8) }

// Header returns the fields that WriteHeader will send.
func (w *response) Header() http.Header { return w.header }

// WriteHeader composes the head of the final response.
func (x *exchange) WriteHeader(status int) {
	x.mu.Lock()
	done := x.headDone
	x.headDone = true
	x.mu.Unlock()
	if done {
		return
	}
	b := appendStatusLine(x.c.out[:0], status, x.phrase)
	length := x.header["Content-Length"]
	for _, name := range [...]string{"Connection", "Content-Length", "Trailer", "Transfer-Encoding"} {
		delete(x.header, name) // ours to say
	}
	b = appendFields(b, x.header)

	x.bodiless = x.head.method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified
	if status == http.StatusNoContent {
		length = nil // RFC 9110 §8.6: a client might wait for what it announces
	}
	switch n, err := strconv.ParseUint(first(length), 10, 63); {
	case err == nil:
		b = appendField(b, "Content-Length", strconv.FormatUint(n, 10))
		x.left = int64(n)
	case x.bodiless:
	case x.head.http11:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
		x.chunked = true
	default:
		x.left = -1
	}
	if x.bodiless {
		x.left = 0
	}
	if x.head.close || x.left < 0 || x.body != nil && !x.uploading && !x.body.skippable() {
		x.mustClose = true
	}
	if x.mustClose {
		b = append(b, "Connection: close\r\n"...)
	}
	x.pending = append(b, "\r\n"...)
	x.c.out = x.pending
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

func appendStatusLine(b []byte, status int, phrase string) []byte {
	if phrase == "" {
		phrase = http.StatusText(status)
	}
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, statusPhrase(phrase)...)
	return append(b, "\r\n"...)
}

// Write sends content, with the head if that has not gone yet.
func (x *exchange) Write(p []byte) (int, error) {
	if !x.headDone { // only this goroutine sets it
		x.WriteHeader(http.StatusOK)
	}
	if x.bodiless || len(p) == 0 {
		return len(p), nil
	}
	if !x.chunked && x.left >= 0 {
		if int64(len(p)) > x.left {
			x.broken = true
			return 0, http.ErrContentLength
		}
		x.left -= int64(len(p))
		return len(p), x.send(p, nil)
	}
	if !x.chunked {
		return len(p), x.send(p, nil)
	}
	x.pending = strconv.AppendInt(x.pending, int64(len(p)), 16)
	x.pending = append(x.pending, crlf...)
	return len(p), x.send(p, crlf)
}

// send writes what is pending, p and tail with one system call.
func (x *exchange) send(p, tail []byte) error {
	const worthCopying = 2 << 10
	if x.err != nil {
		return x.err
	}
	if len(p) <= worthCopying {
		x.pending = append(append(x.pending, p...), tail...)
		if len(x.pending) > 0 {
			_, x.err = x.c.conn.Write(x.pending)
		}
	} else {
		_, x.err = (&net.Buffers{x.pending, p, tail}).WriteTo(x.c.conn)
	}
	x.pending = x.pending[:0]
	return x.err
}

// relay sends n bytes of content from u, or all until its end if n is -1, and
// reports whether they came.
func (x *exchange) relay(u *upstream, n int64) (complete bool) {
	const worthSplicing = 32 << 10
	for n != 0 && (n < worthSplicing || x.chunked || u.br.Buffered() > 0) {
		if _, err := u.br.Peek(1); err != nil {
			return n < 0 && err == io.EOF
		}
		b, _ := u.br.Peek(u.br.Buffered())
		if n > 0 {
			b = b[:min(int64(len(b)), n)]
			n -= int64(len(b))
		}
		if _, err := x.Write(b); err != nil {
			return false
		}
		_, _ = u.br.Discard(len(b))
	}
	if n == 0 {
		return true
	}
	if x.send(nil, nil) != nil {
		return false
	}
	for {
		sent, err := io.Copy(x.c.conn, &io.LimitedReader{R: u.conn, N: n}) // splice(2)
		n -= sent
		x.left -= sent
		u.moved = u.moved || sent > 0
		if err == nil || !u.glanced(err) {
			return n == 0
		}
	}
}

// end sends what is left to send and reports whether the connection can take
// another request.
func (x *exchange) end() (more bool) {
	if x.hijacked {
		return false
	}
	if !x.headDone {
		x.header["Content-Length"] = []string{"0"}
		x.WriteHeader(http.StatusOK)
	}
	if x.chunked && !x.broken {
		x.pending = append(x.pending, "0\r\n\r\n"...)
	}
	if x.send(nil, nil) != nil || x.broken || x.left > 0 {
		return false // at once: the client must not take it for complete
	}
	if x.body != nil && !x.body.finish() {
		x.mustClose = true
	}
	if x.mustClose {
		if x.body != nil && !x.body.done || x.body == nil && x.head.length != 0 || x.c.br.Buffered() > 0 {
			x.c.lingerClose()
		}
		return false
	}
	if cap(x.c.out) > bufSize {
		x.c.out = nil
	} else {
		x.c.out = x.pending[:0]
	}
	return true
}
