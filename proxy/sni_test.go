package proxy

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// hello is the ClientHello that crypto/tls sends for a name.
func hello(tb testing.TB, name string) []byte {
	tb.Helper()
	here, there := net.Pipe()
	defer there.Close()
	go tls.Client(here, &tls.Config{ServerName: name, InsecureSkipVerify: true}).HandshakeContext(context.Background()) //nolint:errcheck // only its first bytes matter
	b := make([]byte, 1<<14)
	n, err := there.Read(b)
	if err != nil {
		tb.Fatal(err)
	}
	return b[:n]
}

// split spreads a record over records of at most n bytes.
func split(record []byte, n int) (out []byte) {
	for body := record[5:]; len(body) > 0; {
		m := min(n, len(body))
		out = append(out, record[:3]...)
		out = binary.BigEndian.AppendUint16(out, uint16(m))
		out = append(out, body[:m]...)
		body = body[m:]
	}
	return out
}

func TestServerName(t *testing.T) {
	full := hello(t, "allowed.test")
	for _, n := range []int{1, 3, 4, 5, 100} {
		if name, err := serverName(split(full, n)); name != "allowed.test" || err != nil {
			t.Errorf("records of %d bytes: %q, %v", n, name, err)
		}
	}
	for n := range full {
		if name, err := serverName(full[:n]); !errors.Is(err, errMoreHello) {
			t.Fatalf("%d of %d bytes: %q, %v", n, len(full), name, err)
		}
	}
	if name, err := serverName(hello(t, "")); name != "" || err != nil {
		t.Errorf("no name: %q, %v", name, err)
	}
	if sameHost("a.Key.test", "a.key.test") {
		t.Error("a Kelvin sign is a letter")
	}
	if name, err := serverName(hello(t, strings.Repeat("a.", 127)+"ab")); !errors.Is(err, errBadHello) {
		t.Errorf("%d bytes of name: %v", len(name), err)
	}
	twice := strings.Replace(string(full), "allowed.test", "allowed.tes\x00", 1)
	if name, _ := serverName([]byte(twice)); sameHost(name, "allowed.test") {
		t.Error("NUL")
	}
	for _, bad := range []string{"\x16\x03\x01\x00\x00", "\x16\x03\x01\x00\x01\x02", "\x16\x03\x01\x00\x04\x01\xff\xff\xff", "\x16\x02\x01\x00\x04", string(full[:5]) + "\x01\x00\x00\x02\x03\x03"} {
		if name, err := serverName([]byte(bad)); err == nil || bad[0:2] != "\x16\x03" && !errors.Is(err, errBadHello) {
			t.Errorf("%q: %q, %v", bad, name, err)
		}
	}
}

func TestDomainFronting(t *testing.T) {
	w := newWorld(t, nil, nil)
	site := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		w.note(&w.logged, "served "+req.TLS.ServerName)
	}))
	defer site.Close()
	_, port, _ := net.SplitHostPort(site.Listener.Addr().String())
	open := map[string]func(host string) net.Conn{
		"connect": func(host string) net.Conn {
			c := w.dial().send(connectTo(host + ":" + port))
			c.response("CONNECT")
			return c.TCPConn
		},
		"socks": func(host string) net.Conn {
			c := w.dial().send(greet(2) + login("srt", token) + socksTo(1, host, port))
			c.expect("\x05\x02\x01\x00" + socksAnswer(0))
			return c.TCPConn
		},
	}
	for how, tunnel := range open {
		for _, tt := range []struct {
			host, sni string
			ok        bool
		}{
			{"allowed.test", "allowed.test", true},
			{"ALLOWED.test.", "Allowed.TEST", true},
			{"allowed.test", "", true},
			{"127.0.0.1", "anything.test", true},
			{"allowed.test", "other.test", false},
			{"allowed.test", "allowed.test.evil.test", false},
			{"allowed.test", "evil.test", false},
		} {
			before := len(w.denials())
			c := tls.Client(&slow{tunnel(tt.host)}, &tls.Config{ServerName: tt.sni, InsecureSkipVerify: true})
			err := c.HandshakeContext(t.Context())
			if (err == nil) != tt.ok {
				t.Errorf("%s to %s with %q: %v", how, tt.host, tt.sni, err)
			}
			if !tt.ok && !strings.Contains(err.Error(), "unrecognized name") {
				t.Errorf("%v", err)
			}
			d := w.denials()[before:]
			if (len(d) == 0) != tt.ok || !tt.ok && !strings.Contains(d[0].Reason, tt.sni) {
				t.Errorf("%s to %s with %q: denials %+v", how, tt.host, tt.sni, d)
			}
			_ = c.Close()
		}
	}
}

// slow sends a byte at a time.
type slow struct{ net.Conn }

func (s *slow) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := s.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// What a client has sent so far can turn out not to be TLS, or to be so: never both.
func TestMeantAsTLS(t *testing.T) {
	for sent, want := range map[string]bool{
		"\x16\x03":                      true,
		"\x17\x03":                      true,
		"\x18\x03":                      true,
		"\x16\x04\x01\x02\x00\x01":      true,
		"\x16\x0f\xff\x40\x00\x01":      true,
		"\x15\x00\x00\x00\x02\x01":      true,
		"\x14\x00\x00\x00\x01\x01":      true,
		"\x13\x03":                      false,
		"\x19\x03":                      false,
		"\x16\x10\x01\x02\x00\x01":      false,
		"\x16\x00\xf7\x05\x0fm":         false,
		"\x16\x00\x00\x41\x00\x01":      false,
		"\x17\x00\x00\x00\x00\x01":      false,
		"GET / HTTP/1.1\r\nHost: x\r\n": false,
	} {
		for n := range len(sent) + 1 {
			meant, sure := meantAsTLS([]byte(sent[:n]))
			if sure && meant != want || !sure && !meant {
				t.Errorf("%q: %v, sure %v; want %v", sent[:n], meant, sure, want)
			}
		}
		if _, sure := meantAsTLS([]byte(sent)); !sure {
			t.Errorf("%q: never sure", sent)
		}
	}
}

func TestFrontedHelloNeverLeaves(t *testing.T) {
	const warning = "\x15\x03\x01\x00\x02\x01\x5a"
	for name, sent := range map[string]string{
		"behind a warning":  warning + string(hello(t, "evil.test")),
		"behind an odd one": "\x15\x04" + warning[2:] + string(hello(t, "evil.test")),
		"behind a change":   "\x14\x03\x03\x00\x01\x01" + string(hello(t, "evil.test")),
		"odd version":       "\x16\x04" + string(hello(t, "evil.test"))[2:],
		"no version":        "\x16\x00" + string(hello(t, "evil.test"))[2:],
		"other name":        string(hello(t, "evil.test")),
		"in pieces":         string(split(hello(t, "evil.test"), 7)),
		"malformed":         "\x16\x03\x01\x00\x04\x02\x00\x00\x00",
		"not a ClientHello": "\x16\x03\x03\x00\x04\x0b\x00\x00\x00",
		"endless":           "\x16\x03\x01\x40\x00\x01\xff\xff\xff",
		"crumbs":            "\x16\x03\x01\x00\x01\x01" + "\x16\x03\x01\x00\x01\x00" + strings.Repeat("\x16\x03\x01\x00\x01\xff", maxHello/6),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil, nil)
			port := echo(t, w)
			c := w.dial().send(connectTo("allowed.test:"+port) + sent)
			c.response("CONNECT")
			if got := c.closed(); !strings.Contains(got, string(unrecognizedName)) {
				t.Errorf("%s: %q", name, got)
			}
			if saw := w.upstreamSaw(); saw != "" {
				t.Errorf("%s: upstream saw %q", name, saw)
			}
			if len(w.denials()) != 1 {
				t.Errorf("%s: denials %v", name, w.denials())
			}
		})
	}
	for name, sent := range map[string]string{"looks a bit like TLS": "\x16\x04 and more", "a length": "\x16\x00\x00\x00hello", "a short length": "\x15\x00\x00\x00\x02\x07", "plain": "GET / HTTP/1.1\r\n\r\n", "the right name": string(hello(t, "allowed.test"))} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil, nil)
			port := echo(t, w)
			c := w.dial().send(connectTo("allowed.test:"+port) + sent)
			c.response("CONNECT")
			c.expect("hi\n" + sent)
			if len(w.denials()) != 0 {
				t.Errorf("%s: denials %v", name, w.denials())
			}
		})
	}
}
