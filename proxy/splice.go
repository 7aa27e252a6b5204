package proxy

import (
	"io"
	"net"
	"time"
)

// tunnel connects to where rt leads, calls ready, and copies in both
// directions until both have ended. The error says why there was no
// connection; whatever happens later is nothing to answer any more.
func (c *client) tunnel(rt *route, ready func() error) error {
	up, early, err := c.run.reach(rt)
	if err != nil {
		return err
	}
	defer c.run.drop(up)
	if ready() != nil {
		return nil // the client is gone
	}
	down := make(chan struct{})
	go func() {
		defer close(down)
		c.receive(up, early)
	}()
	c.transmit(rt, up)
	<-down
	return nil
}

// receive copies from the destination to the client.
func (c *client) receive(up net.Conn, early []byte) {
	_, err := c.conn.Write(early)
	if err == nil {
		_, err = io.Copy(c.conn, up)
	}
	finish(c.conn, up, err)
}

// transmit copies from the client to the destination, once the first bytes
// have shown that they are not meant for another.
func (c *client) transmit(rt *route, up net.Conn) {
	err := c.forwardHello(rt, up)
	if err == nil {
		// What is still in the buffer goes by hand, so that both sides of the
		// copy are bare connections.
		var b []byte
		b, _ = c.br.Peek(c.br.Buffered())
		if _, err = up.Write(b); err == nil {
			_, _ = c.br.Discard(len(b))
			_, err = io.Copy(up, c.conn)
		}
	}
	finish(up, c.conn, err)
}

// finish hands on the end of one direction: an orderly one as such, a failure
// by closing both connections, which ends the other direction too.
func finish(dst, src net.Conn, err error) {
	if err == nil {
		if cw, ok := dst.(closeWriter); ok && cw.CloseWrite() == nil {
			return
		}
	}
	_ = dst.Close()
	_ = src.Close()
}

// forwardHello looks at what the client sends first. A ClientHello is held
// back until it is complete, and forwarded if it names the host that was asked
// for. Anything else that a TLS server might take for the start of a connection
// is refused, and what none does is left in the buffer.
func (c *client) forwardHello(rt *route, up net.Conn) error {
	if rt.addr.IsValid() {
		return nil // no name was asked for
	}
	// Until it speaks, a client may take its time: in many protocols the
	// server speaks first.
	for n := 1; ; n++ {
		b, err := c.br.Peek(n)
		if err != nil {
			return endIsFine(err)
		}
		meant, sure := meantAsTLS(b)
		if sure && !meant {
			_ = c.conn.SetReadDeadline(time.Time{})
			return nil
		}
		if n == 1 {
			_ = c.conn.SetReadDeadline(time.Now().Add(c.run.HeaderTimeout))
		}
		if sure {
			break
		}
	}
	hello := make([]byte, 0, 2<<10)
	for {
		name, err := serverName(hello)
		if err == nil {
			if name != "" && !sameHost(name, rt.host) {
				err = &frontedError{name: name}
			}
		}
		if err == nil {
			break
		}
		if err != errMoreHello { //nolint:errorlint // returned bare
			reason := err.Error()
			_ = c.run.refuse(rt.req, reason)
			_, _ = c.conn.Write(unrecognizedName)
			c.lingerClose()
			return err
		}
		if len(hello) == cap(hello) {
			hello = append(hello, 0)[:len(hello)]
		}
		n, err := c.br.Read(hello[len(hello):cap(hello)])
		hello = hello[:len(hello)+n]
		if err != nil {
			return err
		}
	}
	_ = c.conn.SetReadDeadline(time.Time{})
	_, err := up.Write(hello)
	return err
}

// endIsFine takes the end of a stream for no error, as io.Copy does.
func endIsFine(err error) error {
	if err == io.EOF { //nolint:errorlint // bufio does not wrap it
		return nil
	}
	return err
}
