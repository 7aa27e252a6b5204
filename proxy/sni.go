package proxy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	recordChangeCipher = 0x14 // RFC 8446 §5.1
	recordAlert        = 0x15
	recordHandshake    = 0x16
	recordHeartbeat    = 0x18 // RFC 6520 §3, the last that was given out
	versionMajor       = 3
	// maxHello bounds a ClientHello with its records, which are parsed anew for
	// each piece that comes. One with post-quantum keys and a long session ticket
	// has some 4 KiB.
	maxHello = 64 << 10
)

// unrecognizedName is the fatal TLS alert of that name (RFC 6066 §3).
var unrecognizedName = []byte{21, 3, 3, 0, 2, 2, 112}

var (
	errMoreHello = errors.New("the ClientHello is not complete yet")
	errBadHello  = errors.New("malformed TLS ClientHello")
)

// frontedError says that a tunnel to one host is used to talk to another.
type frontedError struct{ name string }

func (e *frontedError) Error() string {
	return fmt.Sprintf("TLS server name %q is not the host that was asked for", e.name)
}

// meantAsTLS reports whether some TLS server would take b, the first bytes of a
// connection, for the start of one, and whether further bytes can change that;
// six are enough. It is wider than what we accept as a ClientHello: servers drop a
// warning that comes before it, and the version of a record is to be ignored (RFC
// 8446 §5.1), which crypto/tls does below 16.0. Either would hide a ClientHello
// from us.
func meantAsTLS(b []byte) (meant, sure bool) {
	const head, oddMajor, maxRecord, clientHello = 5, 0x10, 1 << 14, 1
	if len(b) == 0 {
		return true, false
	}
	if b[0] < recordChangeCipher || b[0] > recordHeartbeat {
		return false, true
	}
	if len(b) == 1 {
		return true, false
	}
	if b[1] == versionMajor {
		return true, true
	}
	if b[1] >= oddMajor {
		return false, true
	}
	if len(b) <= head {
		return true, false
	}
	// Other protocols begin like this too: with a length of 22, say.
	length, first := int(binary.BigEndian.Uint16(b[3:])), b[head]
	switch b[0] {
	case recordChangeCipher:
		return length == 1 && first == 1, true
	case recordAlert:
		return length == 2 && (first == 1 || first == 2), true
	case recordHandshake:
		return length <= maxRecord && first == clientHello, true
	}
	return false, true
}

// sameHost compares a server name with the canonical spelling of a host.
func sameHost(name, host string) bool {
	return sameToken(strings.TrimSuffix(name, "."), strings.TrimSuffix(host, "."))
}

// serverName returns the host name in the ClientHello (RFC 8446 §4.1.2, RFC
// 6066 §3) that b starts with, "" if it has none. The hello may be spread over
// several records. It returns errMoreHello as long as bytes are missing, and
// another error for what a server could read differently than we do.
func serverName(b []byte) (string, error) {
	msg, err := handshakeMessage(b)
	if err != nil {
		return "", err
	}
	const versionAndRandom = 2 + 32
	if _, ok := msg.take(versionAndRandom); !ok {
		return "", errBadHello
	}
	_, ok1 := msg.vector(1) // legacy_session_id
	_, ok2 := msg.vector(2) // cipher_suites
	_, ok3 := msg.vector(1) // legacy_compression_methods
	if !ok1 || !ok2 || !ok3 {
		return "", errBadHello
	}
	if len(msg) == 0 {
		return "", nil // TLS 1.2 may have no extensions
	}
	extensions, ok := msg.vector(2)
	if !ok || len(msg) != 0 {
		return "", errBadHello
	}
	name, seen := "", false
	for len(extensions) > 0 {
		kind, ok := extensions.take(2)
		data, ok2 := extensions.vector(2)
		if !ok || !ok2 {
			return "", errBadHello
		}
		if binary.BigEndian.Uint16(kind) != 0 {
			continue
		}
		if seen {
			return "", errBadHello
		}
		seen = true
		if name, ok = hostName(data); !ok {
			return "", errBadHello
		}
	}
	return name, nil
}

// hostName returns the one name of a server_name extension.
func hostName(ext fields) (string, bool) {
	list, ok := ext.vector(2)
	if !ok || len(ext) != 0 {
		return "", false
	}
	kind, ok := list.take(1)
	name, ok2 := list.vector(2)
	// Only one type of name was ever defined, and only one of it may be there.
	if !ok || !ok2 || kind[0] != 0 || len(name) == 0 || len(name) > maxName || len(list) != 0 {
		return "", false
	}
	return string(name), true
}

// handshakeMessage puts the first handshake message together from records and
// returns its content.
func handshakeMessage(b []byte) (fields, error) {
	const recordHead, messageHead, clientHello, maxRecord = 5, 4, 1, 1 << 14
	all := len(b)
	var msg []byte
	for {
		if len(msg) > 0 && msg[0] != clientHello {
			return nil, errBadHello
		}
		if len(msg) >= messageHead {
			n := int(msg[1])<<16 | int(msg[2])<<8 | int(msg[3])
			if n > maxHello {
				return nil, errBadHello
			}
			if len(msg) >= messageHead+n {
				return msg[messageHead : messageHead+n], nil
			}
		}
		if len(b) < recordHead {
			break
		}
		n := int(binary.BigEndian.Uint16(b[3:]))
		if b[0] != recordHandshake || b[1] != versionMajor || n == 0 || n > maxRecord {
			return nil, errBadHello
		}
		body := b[recordHead:min(len(b), recordHead+n)]
		if msg == nil {
			msg = slices.Clip(body) // copied only if there is more
		} else {
			msg = append(msg, body...)
		}
		if len(body) < n {
			b = nil
			continue // the message may end before its record does
		}
		b = b[recordHead+n:]
	}
	if len(b) > 0 && b[0] != recordHandshake || all > maxHello {
		return nil, errBadHello
	}
	return msg, errMoreHello
}

// fields takes TLS presentation language (RFC 8446 §3) apart.
type fields []byte

func (f *fields) take(n int) ([]byte, bool) {
	if len(*f) < n {
		return nil, false
	}
	b := (*f)[:n]
	*f = (*f)[n:]
	return b, true
}

// vector takes a vector with a length of size bytes.
func (f *fields) vector(size int) (fields, bool) {
	head, ok := f.take(size)
	if !ok {
		return nil, false
	}
	n := 0
	for _, b := range head {
		n = n<<8 | int(b)
	}
	return f.take(n)
}
