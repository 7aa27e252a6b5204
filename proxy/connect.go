package proxy

import (
	"errors"
	"io"
	"strconv"
)

// connect answers a CONNECT and, if it is allowed, is the tunnel until its
// end.
func (x *exchange) connect() {
	c := x.c
	rt, err := c.run.admit(x.req)
	if err == nil {
		err = c.tunnel(rt, func() error {
			_, err := io.WriteString(c.conn, "HTTP/1.1 200 Connection Established\r\n\r\n")
			return err
		})
	}
	if err == nil {
		return
	}
	status, fields, text := x.failure(err)
	phrase := ""
	if refused := (*refusedError)(nil); errors.As(err, &refused) {
		phrase = refused.text // where a client that shows no content shows it
	}
	b := appendStatusLine(nil, status, phrase)
	b = append(b, "Content-Type: text/plain\r\nConnection: close\r\n"...)
	b = appendField(b, "Content-Length", strconv.Itoa(len(text)))
	for i := 0; i < len(fields); i += 2 {
		b = appendField(b, fields[i], fields[i+1])
	}
	b = append(append(b, crlf...), text...)
	if _, err := c.conn.Write(b); err == nil {
		c.lingerClose()
	}
}
