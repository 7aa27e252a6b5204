package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// Tunnel asks the proxy at proxyURL for a tunnel to host and port, copies in
// to it and it to out, and returns when the far side has ended. It runs inside
// the sandbox, as the ProxyCommand of ssh.
//
// The end of in is handed on, and out is copied on; a Read of in that is still
// waiting when Tunnel returns is left waiting. An error from before the tunnel
// stood quotes the proxy's answer, such as "403 host is not on the allow
// list", and never proxyURL, which holds the token.
func Tunnel(ctx context.Context, proxyURL, host, port string, in io.Reader, out io.Writer) error {
	address := net.JoinHostPort(host, port)
	if strings.ContainsFunc(address, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return fmt.Errorf("malformed destination %q", address)
	}
	u, err := parentURL(proxyURL)
	if err != nil {
		return err
	}
	if u == nil {
		return errors.New("no proxy URL")
	}
	d := &net.Dialer{Timeout: dialTimeout}
	conn, err := dialProxy(ctx, d.DialContext, u)
	if err != nil {
		return fmt.Errorf("connecting to the proxy: %w", err)
	}
	defer conn.Close() //nolint:errcheck // nothing is left to lose
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	// No deadline: the proxy has its own, and may be asking a human first.
	early, err := askTunnel(conn, address, parentAuth(u))
	if err != nil {
		return fmt.Errorf("connecting to %q: %w", address, err)
	}

	go func() {
		if _, err := io.Copy(conn, in); err != nil {
			_ = conn.Close()
			return
		}
		if cw, ok := conn.(closeWriter); ok {
			_ = cw.CloseWrite()
		}
	}()
	if _, err := out.Write(early); err != nil {
		return err
	}
	if _, err := io.Copy(out, conn); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("reading from %q: %w", address, err)
	}
	return nil
}
