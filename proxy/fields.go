package proxy

import (
	"net/http"
	"net/textproto"
	"strings"
)

// stripHop removes the fields that are meant for the proxy and not for who is
// behind it: those of RFC 9110 §7.6.1, those that Connection names, and what
// would change the protocol after it was checked. Host and the framing fields
// are not in h; they are always written by us.
func stripHop(h http.Header) {
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			delete(h, textproto.CanonicalMIMEHeaderKey(strings.Trim(name, " \t")))
		}
	}
	for _, name := range [...]string{
		"Connection", "Http2-Settings", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	} {
		delete(h, name)
	}
}

// sameToken compares without case as protocols do, in ASCII: to
// strings.EqualFold a Kelvin sign is a k.
func sameToken(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// appendFields writes the fields of h in the form that they have on the wire.
func appendFields(b []byte, h http.Header) []byte {
	for name, values := range h {
		for _, value := range values {
			b = appendField(b, name, value)
		}
	}
	return b
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	for i := range len(value) {
		c := value[i]
		if c == '\r' || c == '\n' || c == 0 {
			c = ' ' // an upstream's; ours and the client's hold none
		}
		b = append(b, c)
	}
	return append(b, "\r\n"...)
}
