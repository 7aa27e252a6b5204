package proxy

import (
	"bufio"
	"container/list"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"
)

// client is one connection from the sandbox. conn stays the bare connection
// that the listener gave: io.Copy uses splice(2) only between bare ones. What
// is read ahead waits in br, and whoever hands conn to io.Copy sends that
// first.
type client struct {
	run     *run
	conn    net.Conn
	br      *bufio.Reader
	out     []byte        // scratch for a response head, kept between requests
	waiting *list.Element // guarded by run.mu; nil while a request is served
}

const bufSize = 4 << 10

// readers are shared by client and upstream connections.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, bufSize) }}

func newReader(r io.Reader) *bufio.Reader {
	br := readers.Get().(*bufio.Reader) //nolint:errcheck // the pool holds nothing else
	br.Reset(r)
	return br
}

func freeReader(br *bufio.Reader) {
	if br.Size() == bufSize { // a reader grown for a long head is not kept
		br.Reset(nil)
		readers.Put(br)
	}
}

// serve looks at the first byte and speaks the protocol that starts with it.
func (c *client) serve() {
	defer c.run.leave(c)
	defer c.run.rescue()
	c.br = newReader(c.conn)
	defer func() { freeReader(c.br) }()

	_ = c.conn.SetReadDeadline(time.Now().Add(c.run.FirstByteTimeout))
	first, err := c.br.Peek(1)
	if err != nil {
		return
	}
	switch b := first[0]; {
	case b == 5:
		c.serveSocks()
	case b == 4:
		// SOCKS4 has no password: dropped without a word.
	case b == '\r' || b == '\n' || httpguts.IsTokenRune(rune(b)):
		c.serveHTTP()
	default:
		c.fail(400)
	}
}

// lingerClose ends a conversation with input unread. Closing at once would
// have the kernel send RST, and that can destroy the answer before the client
// has read it.
func (c *client) lingerClose() {
	const patience, most = time.Second, 256 << 10
	if cw, ok := c.conn.(closeWriter); !ok || cw.CloseWrite() != nil {
		return
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	_, _ = io.CopyN(io.Discard, c.conn, most)
}

type closeWriter interface{ CloseWrite() error }
