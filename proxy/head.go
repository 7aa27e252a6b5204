package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/textproto"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// net/http's own parser repairs what it can: it joins folded lines, takes a
// bare LF for a line end, and drops Content-Length beside Transfer-Encoding.
// Each is a way to have two parsers see two requests, so heads are parsed here
// and such input is refused.

var (
	errHeadTooLarge = errors.New("request head is too large")
	errVersion      = errors.New("not HTTP/1.1 or 1.0")
	errAuthority    = errors.New("malformed authority")
	errRelative     = errors.New("request target is not in absolute form")
)

// head is a parsed request head.
type head struct {
	method string
	target string // as sent
	http11 bool
	header http.Header // canonical names, without Host and the framing fields
	// length is the body's: 0 for none, -1 for chunked.
	length int64
	// close says that the client wants, or can handle, no second request.
	close bool
	// expect says that the client waits for 100 Continue before its body.
	expect bool
}

// readHead returns the next request head up to and with its empty line; it
// stays buffered in br until discarded. A br too small for it is replaced by a
// larger one, up to limit bytes. src is what br reads from.
func readHead(br **bufio.Reader, src io.Reader, limit int) ([]byte, error) {
	for scanned := 0; ; {
		b, _ := (*br).Peek((*br).Buffered())
		if scanned == 0 && bytes.HasPrefix(b, crlf) {
			// RFC 9112 §2.2: an empty line before a request is ignored.
			_, _ = (*br).Discard(len(crlf))
			continue
		}
		for {
			n := bytes.IndexByte(b[scanned:], '\n')
			if n < 0 {
				break
			}
			end := scanned + n
			if end == 0 || b[end-1] != '\r' {
				return nil, fmt.Errorf("line %q does not end in CRLF", b[scanned:end])
			}
			if end-1 == scanned {
				return b[:end+1], nil
			}
			scanned = end + 1
		}
		if len(b) >= limit {
			return nil, errHeadTooLarge
		}
		if len(b) == (*br).Size() {
			grown := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(bytes.Clone(b)), src), limit)
			_, _ = (*br).Discard(len(b))
			*br = grown
		}
		if _, err := (*br).Peek(len(b) + 1); err != nil {
			return nil, err
		}
	}
}

var crlf = []byte("\r\n")

// parseHead parses a head as readHead returns it.
func parseHead(b []byte) (*head, error) {
	lines := strings.TrimSuffix(string(b), "\r\n")
	line, lines, _ := strings.Cut(lines, "\r\n")
	h := &head{header: make(http.Header, 8)}
	if err := h.parseRequestLine(line); err != nil {
		return nil, err
	}
	var hosts, lengths, codings int
	for lines != "" {
		line, lines, _ = strings.Cut(lines, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		if !ok || !httpguts.ValidHeaderFieldName(name) { // also: obs-fold, "Name :"
			return nil, fmt.Errorf("malformed header line %q", line)
		}
		value = strings.Trim(value, " \t")
		if !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("malformed value of header %q", name)
		}
		switch name = textproto.CanonicalMIMEHeaderKey(name); name {
		case "Host":
			hosts++ // its value is not used: the target says where to
		case "Content-Length":
			lengths++
			n, err := strconv.ParseUint(value, 10, 63)
			if err != nil {
				return nil, fmt.Errorf("malformed Content-Length %q", value)
			}
			h.length = int64(n)
		case "Transfer-Encoding":
			codings++
			if !sameToken(value, "chunked") {
				return nil, fmt.Errorf("transfer coding %q", value)
			}
			h.length = -1
		case "Expect":
			h.expect = sameToken(value, "100-continue") && h.http11
		default:
			h.header[name] = append(h.header[name], value)
		}
	}
	if hosts > 1 || lengths > 1 || codings > 1 || lengths+codings > 1 || codings > 0 && !h.http11 {
		return nil, errors.New("ambiguous Host or framing fields")
	}
	h.close = !h.http11 || httpguts.HeaderValuesContainsToken(h.header["Connection"], "close") ||
		httpguts.HeaderValuesContainsToken(h.header["Proxy-Connection"], "close")
	return h, nil
}

func (h *head) parseRequestLine(line string) error {
	method, rest, ok := strings.Cut(line, " ")
	target, version, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 || target == "" || !httpguts.ValidHeaderFieldName(method) {
		return fmt.Errorf("malformed request line %q", line)
	}
	switch version {
	case "HTTP/1.1":
		h.http11 = true
	case "HTTP/1.0":
	default:
		return fmt.Errorf("version %q: %w", version, errVersion)
	}
	for i := range len(target) {
		// Bytes above ASCII pass: curl sends a path as it was typed. A '#'
		// never belongs into a request target (RFC 9112 §3.2).
		if c := target[i]; c <= ' ' || c == 0x7f || c == '#' {
			return fmt.Errorf("malformed request target %q", target)
		}
	}
	h.method, h.target = method, target
	return nil
}

// splitAbsolute takes "http://host:port/path?query" apart. The path is never
// empty.
func splitAbsolute(target string) (host string, port uint16, path string, err error) {
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok || strings.ContainsAny(scheme, "/?") {
		return "", 0, "", errRelative
	}
	if !sameToken(scheme, "http") {
		return "", 0, "", fmt.Errorf("scheme %q", scheme)
	}
	authority, path := rest, "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, path = rest[:i], rest[i:]
		if path[0] == '?' {
			path = "/" + path
		}
	}
	const httpPort = 80
	host, port, err = splitAuthority(strings.TrimSuffix(authority, ":"), httpPort)
	return host, port, path, err
}

// splitAuthority takes "host:port" or "[address]:port" apart; the port may be
// missing if otherwise is not 0. The host's spelling is left to Decide, but
// for what other parsers take for the end of a user name or of the host.
func splitAuthority(s string, otherwise uint16) (host string, port uint16, err error) {
	bad := errAuthority
	if strings.ContainsAny(s, "@\\/?") {
		return "", 0, bad
	}
	var digits string
	var found bool
	if strings.HasPrefix(s, "[") {
		in, rest, ok := strings.Cut(s[1:], "]")
		ip, err := netip.ParseAddr(in)
		if !ok || err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", 0, bad
		}
		host = in
		if rest != "" {
			if rest[0] != ':' {
				return "", 0, bad
			}
			digits, found = rest[1:], true
		}
	} else {
		host, digits, found = strings.Cut(s, ":")
	}
	if host == "" || strings.ContainsAny(host, "[]") {
		return "", 0, bad
	}
	if !found {
		if otherwise == 0 {
			return "", 0, bad
		}
		return host, otherwise, nil
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || n == 0 {
		return "", 0, bad
	}
	return host, uint16(n), nil
}
