package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http/httputil"
	"time"
)

// requestBody is the content of a request, read from the client when it is
// wanted and not before.
type requestBody struct {
	x       *exchange
	left    int64     // of Content-Length
	chunks  io.Reader // instead, if chunked
	started bool
	done    bool  // read to its end
	err     error // reading from the client failed
}

func newRequestBody(x *exchange) *requestBody {
	b := &requestBody{x: x, left: x.head.length}
	if b.left < 0 {
		b.chunks = httputil.NewChunkedReader(x.c.br)
	}
	return b
}

// start tells a client that waits for it to send its content.
func (b *requestBody) start() error {
	if b.started {
		return nil
	}
	b.started = true
	if !b.x.head.expect {
		return nil
	}
	b.x.mu.Lock()
	defer b.x.mu.Unlock()
	if b.x.headDone {
		return errors.New("the final response is on its way")
	}
	_, err := io.WriteString(b.x.c.conn, "HTTP/1.1 100 Continue\r\n\r\n")
	return err
}

// Read reads content with its framing taken off.
func (b *requestBody) Read(p []byte) (n int, err error) {
	if b.done {
		return 0, io.EOF
	}
	if err := b.start(); err != nil {
		return 0, err
	}
	if b.chunks != nil {
		n, err = b.chunks.Read(p)
		if err == io.EOF { //nolint:errorlint // the reader's own
			if err = skipTrailer(b.x.c.br, b.x.c.run.MaxHeaderBytes); err == nil {
				b.done, err = true, io.EOF
			}
		}
	} else {
		if int64(len(p)) > b.left {
			p = p[:b.left]
		}
		n, err = b.x.c.br.Read(p)
		err = b.count(int64(n), err)
	}
	if err != nil && !b.done {
		b.err = err
	}
	return n, err
}

// malformed reports whether content came that cannot be what the client meant,
// rather than none.
func (b *requestBody) malformed() bool {
	var failure net.Error
	return b.err != nil && !errors.As(b.err, &failure) && !errors.Is(b.err, io.EOF) && !errors.Is(b.err, io.ErrUnexpectedEOF)
}

// count notes n bytes of Content-Length as read.
func (b *requestBody) count(n int64, err error) error {
	b.left -= n
	if b.left == 0 {
		b.done = true
		return io.EOF
	}
	if err == io.EOF { //nolint:errorlint // a reader's own
		return io.ErrUnexpectedEOF
	}
	return err
}

// skipTrailer reads a trailer section of up to most bytes and drops it: RFC
// 9110 §6.5.1 allows that, and nothing gets through that was not looked at.
func skipTrailer(br *bufio.Reader, most int) error {
	for most > 0 {
		line, err := br.ReadSlice('\n')
		if err != nil {
			return err
		}
		line, ok := bytes.CutSuffix(line, crlf)
		if !ok || bytes.IndexByte(line, '\r') >= 0 {
			return errors.New("a line of the trailer does not end in CRLF")
		}
		if len(line) == 0 {
			return nil
		}
		most -= len(line)
	}
	return errHeadTooLarge
}

// WriteTo copies content that has a length: what is read ahead by hand, the
// rest with splice(2).
func (b *requestBody) WriteTo(w io.Writer) (sent int64, err error) {
	if b.chunks != nil || b.done {
		return io.Copy(w, struct{ io.Reader }{b})
	}
	if err := b.start(); err != nil {
		return 0, err
	}
	br := b.x.c.br
	ahead, _ := br.Peek(int(min(b.left, int64(br.Buffered()))))
	n, err := w.Write(ahead)
	_, _ = br.Discard(n)
	sent = int64(n)
	if err = b.count(sent, err); err != nil {
		if b.done {
			err = nil
		}
		return sent, err
	}
	more, err := io.Copy(w, &io.LimitedReader{R: b.x.c.conn, N: b.left})
	if err == nil && more < b.left {
		err = io.ErrUnexpectedEOF
		b.err = err // a failure may also be the other side's
	}
	if err = b.count(more, err); b.done {
		err = nil
	}
	return sent + more, err
}

// Close does nothing: the connection is the client's.
func (*requestBody) Close() error { return nil }

const maxSkip = 64 << 10

// skippable reports whether the content is read, or is so little and so
// certain to come that it can be read and dropped to get at the next request.
func (b *requestBody) skippable() bool {
	return b.done || b.started || b.chunks == nil && b.left <= maxSkip && !b.x.head.expect
}

// finish skips content that nobody wanted and reports whether the next request
// comes next.
func (b *requestBody) finish() bool {
	if b.done {
		return true
	}
	if b.started || !b.skippable() {
		return false
	}
	_ = b.x.c.conn.SetReadDeadline(time.Now().Add(b.x.c.run.HeaderTimeout))
	_, err := io.Copy(io.Discard, struct{ io.Reader }{b})
	return err == nil && b.done
}
