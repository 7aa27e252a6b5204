package main

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// asker knows the proxy of this sandbox.
type asker struct {
	address, user, token string
}

func newAsker() (*asker, error) {
	u, err := url.Parse(os.Getenv("HTTP_PROXY"))
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("no proxy in HTTP_PROXY: %w", err)
	}
	token, _ := u.User.Password()
	return &asker{address: u.Host, user: u.User.Username(), token: token}, nil
}

// expand puts in the variables of the environment; $AUTH is the header line with
// this run's credentials, $USER_TOKEN these for a SOCKS client.
func (a *asker) expand(s string) string {
	return os.Expand(s, func(name string) string {
		switch name {
		case "AUTH":
			return "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(a.user+":"+a.token)) + "\r\n"
		case "SOCKSAUTH":
			return "\x01" + string(rune(len(a.user))) + a.user + string(rune(len(a.token))) + a.token
		case "TOKEN":
			return a.token
		}
		return os.Getenv(name)
	})
}

// ask FILE asks the proxy what FILE says, a question a line behind the answer that
// is expected, and prints FILE with the answers that came. Words can be quoted like
// Go strings; $NAME is a variable.
//
//	connect HOST PORT       the status of a CONNECT
//	get URL                 that of a plain request
//	socks HOST PORT [CMD]   the reply number of SOCKS5 for a name
//	socksip ADDRESS PORT    the same for an address in binary form
//	host HOST PORT          connect, get and socks with slashes between
//	send BYTES              all statuses in what comes back, or "closed"
//	raw BYTES               what comes back, quoted
//	tls HOST PORT NAME [HOW] a TLS handshake for NAME ("-" for none) in a tunnel to
//	                        HOST: "tls", "cut", or the status of the CONNECT. HOW is
//	                        a way to send the ClientHello: see helloConn; "ech" hides
//	                        NAME behind good.test
//	stls …                  the same by SOCKS5
//	tunnel HOST PORT BYTES  what comes back through a tunnel, quoted
func ask(args []string) error {
	a, err := newAsker()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			out.WriteString(line + "\n")
			continue
		}
		expected, _, _ := strings.Cut(line, " ")
		if quoted, err := strconv.QuotedPrefix(line); err == nil {
			expected = quoted
		}
		question := strings.TrimPrefix(line[len(expected):], " ")
		words, err := splitWords(question)
		if err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		for i := range words {
			words[i] = a.expand(words[i])
		}
		out.WriteString(a.question(words) + " " + question + "\n")
	}
	_, _ = io.WriteString(os.Stdout, out.String())
	os.Exit(0) // without the line that main prints
	return nil
}

func splitWords(s string) ([]string, error) {
	var words []string
	for s = strings.TrimLeft(s, " "); s != ""; s = strings.TrimLeft(s, " ") {
		if s[0] != '"' {
			word, rest, _ := strings.Cut(s, " ")
			words, s = append(words, word), rest
			continue
		}
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return nil, err
		}
		word, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, err
		}
		words, s = append(words, word), s[len(quoted):]
	}
	return words, nil
}

func (a *asker) question(words []string) string {
	word := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	switch words[0] {
	case "connect":
		return a.connect(word(1), word(2))
	case "get":
		return a.get(word(1))
	case "socks", "socksip":
		return a.socks(words[0], word(1), word(2), word(3))
	case "host":
		name := word(1)
		if strings.Contains(name, ":") && !strings.HasPrefix(name, "[") {
			name = "[" + name + "]"
		}
		return a.connect(name, word(2)) + "/" + a.get("http://"+name+":"+word(2)+"/") + "/" +
			a.socks("socks", strings.Trim(word(1), "[]"), word(2), "")
	case "send":
		return statuses(a.exchange(word(1)))
	case "raw":
		return strconv.Quote(string(a.exchange(word(1))))
	case "tls", "stls":
		return a.tls(words[0], word(1), word(2), word(3), word(4))
	case "tunnel":
		conn, status := a.open(word(1), word(2))
		if conn == nil {
			return status
		}
		defer func() { _ = conn.Close() }()
		return strconv.Quote(string(converse(conn, word(3))))
	}
	return "what?"
}

func (a *asker) dial() (*net.TCPConn, error) {
	conn, err := net.DialTimeout("tcp", a.address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	return conn.(*net.TCPConn), nil //nolint:errcheck // tcp makes no other
}

// converse sends all there is, says that there is no more, and reads to the end.
func converse(conn *net.TCPConn, text string) []byte {
	_, _ = io.WriteString(conn, text)
	_ = conn.CloseWrite()
	answer, _ := io.ReadAll(conn)
	return answer
}

func (a *asker) exchange(text string) []byte {
	conn, err := a.dial()
	if err != nil {
		return []byte(name(err))
	}
	defer func() { _ = conn.Close() }()
	return converse(conn, text)
}

var statusLine = regexp.MustCompile(`HTTP/1\.[01] (\d{3})`)

func statuses(answer []byte) string {
	var codes []string
	for _, match := range statusLine.FindAllSubmatch(answer, -1) {
		codes = append(codes, string(match[1]))
	}
	if len(codes) == 0 {
		return "closed"
	}
	return strings.Join(codes, ",")
}

// open asks for a tunnel.
func (a *asker) open(host, port string) (*net.TCPConn, string) {
	conn, err := a.dial()
	if err != nil {
		return nil, name(err)
	}
	target := host + ":" + port
	_, _ = io.WriteString(conn, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n"+a.expand("$AUTH")+"\r\n")
	// A byte at a time: what follows the head belongs to the tunnel.
	var head []byte
	for b := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, b[0]) {
		if _, err := conn.Read(b); err != nil {
			break
		}
	}
	if status := statuses(head); status != "200" {
		_ = conn.Close()
		return nil, status
	}
	return conn, "200"
}

func (a *asker) connect(host, port string) string {
	conn, status := a.open(host, port)
	if conn != nil {
		_ = conn.Close()
	}
	return status
}

func (a *asker) get(target string) string {
	return statuses(a.exchange("GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + a.expand("$AUTH") + "\r\n"))
}

// socks asks by SOCKS5 and returns the number of the reply.
func (a *asker) socks(kind, host, port, command string) string {
	conn, err := a.dial()
	if err != nil {
		return name(err)
	}
	defer func() { _ = conn.Close() }()
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return err.Error()
	}
	cmd := byte(1)
	if command != "" {
		cmd = command[0] - '0'
	}
	b := []byte("\x05\x01\x02" + a.expand("$SOCKSAUTH") + "\x05")
	b = append(b, cmd, 0)
	if kind == "socksip" {
		addr, err := netip.ParseAddr(host)
		if err != nil {
			return err.Error()
		}
		b = append(append(b, map[bool]byte{true: 1, false: 4}[addr.Is4()]), addr.AsSlice()...)
	} else {
		b = append(append(b, 3, byte(len(host))), host...)
	}
	b = append(b, byte(number>>8), byte(number))
	_, _ = conn.Write(b)
	answer := make([]byte, 6) // method, password, reply
	if n, err := io.ReadFull(conn, answer); err != nil {
		return fmt.Sprintf("no(%x)", answer[:n])
	}
	return strconv.Itoa(int(answer[5]))
}

func (a *asker) tls(kind, host, port, serverName, how string) string {
	conn, status := a.open(host, port)
	if kind == "stls" {
		var err error
		if conn, err = a.byKind("socks", net.JoinHostPort(host, port)); err != nil {
			return err.Error()
		}
	}
	if conn == nil {
		return status
	}
	defer func() { _ = conn.Close() }()
	if serverName == "-" {
		serverName = ""
	}
	config := &tls.Config{ServerName: serverName, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	if how == "ech" {
		_, ech, err := echKey("good.test")
		if err != nil {
			return err.Error()
		}
		config.EncryptedClientHelloConfigList = append([]byte{0, byte(len(ech))}, ech...)
		config.MinVersion = tls.VersionTLS13
	}
	client := tls.Client(&helloConn{TCPConn: conn, how: how}, config)
	if err := client.Handshake(); err != nil {
		return "cut"
	}
	return "tls"
}

// helloConn sends the ClientHello in an unusual way.
type helloConn struct {
	*net.TCPConn
	how  string
	sent bool
}

func (c *helloConn) Write(b []byte) (int, error) {
	if c.sent {
		return c.TCPConn.Write(b)
	}
	c.sent = true
	out := []byte(nil)
	const head = 5
	switch c.how {
	case "alert": // a warning, which servers drop
		out = append([]byte{21, 3, 1, 0, 2, 1, 90}, b...)
	case "alerts": // several of them
		out = append([]byte{21, 3, 3, 0, 2, 1, 90, 21, 3, 3, 0, 2, 1, 90}, b...)
	case "ccs":
		out = append([]byte{20, 3, 3, 0, 1, 1}, b...)
	case "empty": // a record without content
		out = append([]byte{22, 3, 1, 0, 0}, b...)
	case "major4", "major0": // a record version that a server has to ignore
		out = append([]byte{b[0], c.how[5] - '0', 1}, b[3:]...)
	case "alert4":
		out = append([]byte{21, 4, 1, 0, 2, 1, 90}, b...)
	case "records": // of few bytes each
		for rest := b[head:]; len(rest) > 0; {
			n := min(7, len(rest))
			out = append(append(out, b[0], b[1], b[2], 0, byte(n)), rest[:n]...)
			rest = rest[n:]
		}
	case "crumbs": // segments of one byte
		for i := range b {
			if _, err := c.TCPConn.Write(b[i : i+1]); err != nil {
				return i, err
			}
		}
		return len(b), nil
	default:
		out = b
	}
	if _, err := c.TCPConn.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// tunnels STOP KIND:HOST:PORT... opens a connection through the proxy by each of
// connect, socks and get (a download without an end), and says "open", "closed" when
// one ends, and "alive" for those that still carry data once the file STOP is there.
func tunnels(args []string) error {
	a, err := newAsker()
	if err != nil {
		return err
	}
	say := func(what, which string) { fmt.Println(what, which) }
	type tunnel struct {
		name  string
		conn  *net.TCPConn
		heard chan struct{}
		ended chan struct{}
	}
	var open []*tunnel
	for _, arg := range args[1:] {
		kind, address, _ := strings.Cut(arg, ":")
		conn, err := a.byKind(kind, address)
		if err != nil {
			return err
		}
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		t := &tunnel{name: arg, conn: conn, heard: make(chan struct{}, 1), ended: make(chan struct{})}
		open = append(open, t)
		go func() {
			b := make([]byte, 4096)
			for {
				if _, err := t.conn.Read(b); err != nil {
					say("closed", t.name)
					close(t.ended)
					return
				}
				select {
				case t.heard <- struct{}{}:
				default:
				}
			}
		}()
		say("open", t.name)
	}
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(args[0]); err == nil {
			break
		}
	}
	for _, t := range open {
		select {
		case <-t.heard: // from before
		default:
		}
		_, _ = io.WriteString(t.conn, "ping\n")
		select {
		case <-t.heard:
			say("alive", t.name)
		case <-t.ended:
		case <-time.After(2 * time.Second):
			say("silent", t.name)
		}
	}
	return nil
}

// byKind opens a connection to address by one of the doors of the proxy, in a state
// in which more may come.
func (a *asker) byKind(kind, address string) (*net.TCPConn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if kind == "connect" {
		conn, status := a.open(host, port)
		if conn == nil {
			return nil, errors.New(status)
		}
		return conn, nil
	}
	conn, err := a.dial()
	if err != nil {
		return nil, err
	}
	if kind == "get" {
		if _, err := io.WriteString(conn, "GET http://"+address+"/endless HTTP/1.1\r\nHost: x\r\n"+a.expand("$AUTH")+"\r\n"); err != nil {
			return nil, err
		}
		_, err = conn.Read(make([]byte, 1))
		return conn, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	b := []byte("\x05\x01\x02" + a.expand("$SOCKSAUTH") + "\x05\x01\x00\x03")
	b = append(append(append(b, byte(len(host))), host...), byte(number>>8), byte(number))
	if _, err := conn.Write(b); err != nil {
		return nil, err
	}
	answer := make([]byte, 14)
	if _, err := io.ReadFull(conn, answer); err != nil || answer[5] != 0 {
		return nil, fmt.Errorf("SOCKS reply %x: %w", answer, err)
	}
	return conn, nil
}
