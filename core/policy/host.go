package policy

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// maxHost is the longest host that is accepted, in bytes after mapping: the
// limit of a name on the wire (RFC 1035 section 2.3.4).
const maxHost = 255

var errHost = errors.New("malformed host")

// hostProfile maps names as the URL Standard's "domain to ASCII" does with
// beStrict off: UTS 46, non-transitional, hyphens and lengths not checked.
var hostProfile = sync.OnceValue(func() *idna.Profile {
	return idna.New(
		idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.CheckJoiners(true),
		idna.CheckHyphens(false), idna.StrictDomainName(false), idna.VerifyDNSLength(false),
	)
})

// CanonicalHost returns the one spelling of a host that rules are compared
// with: lower case, A-labels for international names, no final dot, an IPv4
// address in dotted form however it was spelled (inet_aton forms, hex and
// octal numbers, IPv4-mapped IPv6), an IPv6 address compressed and without
// brackets. It follows the host parser of the URL Standard
// (https://url.spec.whatwg.org/#host-parsing) and refuses what that refuses,
// and besides zone identifiers, empty labels, anything longer than 255 bytes
// and any character outside [A-Za-z0-9._-] after mapping.
func CanonicalHost(s string) (string, error) {
	if s == "" || len(s) > 4*maxHost || strings.ContainsAny(s, "%\x00") {
		return "", fmt.Errorf("%w: %q", errHost, clip(s))
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		if a, err := netip.ParseAddr(inner); ok && err == nil && a.Is6() {
			return a.Unmap().String(), nil
		}
		return "", fmt.Errorf("%w: %q", errHost, clip(s))
	}
	if strings.Contains(s, ":") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return "", fmt.Errorf("%w: %q", errHost, clip(s))
		}
		return a.Unmap().String(), nil
	}
	name, err := mapName(s)
	if err != nil {
		return "", fmt.Errorf("%w: %q", errHost, clip(s))
	}
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > maxHost {
		return "", fmt.Errorf("%w: %q", errHost, clip(s))
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || !plainLabel(label) {
			return "", fmt.Errorf("%w: %q", errHost, clip(s))
		}
	}
	if endsInNumber(name) {
		a, ok := parseAton(name)
		if !ok {
			return "", fmt.Errorf("%w: %q", errHost, clip(s))
		}
		return a.String(), nil
	}
	return name, nil
}

// mapName lowers an ASCII name, and maps any other and those with A-labels.
func mapName(s string) (string, error) {
	lower := strings.ToLower(s)
	if isASCII(s) && !strings.HasPrefix(lower, "xn--") && !strings.Contains(lower, ".xn--") {
		return lower, nil
	}
	mapped, err := hostProfile().ToASCII(s)
	if err != nil {
		return "", err
	}
	// An A-label of nothing maps to nothing, and must not pass for a final dot.
	if last, _ := utf8.DecodeLastRuneInString(s); strings.HasSuffix(mapped, ".") && !strings.ContainsRune(".\u3002\uff0e\uff61", last) {
		return "", errHost
	}
	// A mapping may give a name that maps again; only a fixed point is a
	// canonical form.
	again, err := hostProfile().ToASCII(mapped)
	if err != nil || again != mapped {
		return "", errHost
	}
	return mapped, nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func plainLabel(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// endsInNumber is the URL Standard's "ends in a number checker": such a host
// is an IPv4 address or nothing.
func endsInNumber(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if strings.Trim(last, "0123456789") == "" {
		return true
	}
	_, ok := atonPart(last)
	return ok
}

func atonPart(s string) (uint64, bool) {
	base := 10
	switch {
	case s == "":
		return 0, false
	case strings.HasPrefix(s, "0x"):
		s, base = s[2:], 16
	case len(s) > 1 && s[0] == '0':
		s, base = s[1:], 8
	}
	if s == "" { // "0x" alone is zero to the standard
		return 0, true
	}
	if s[0] == '+' || s[0] == '-' || strings.Contains(s, "_") {
		return 0, false
	}
	n, err := strconv.ParseUint(s, base, 64)
	if errors.Is(err, strconv.ErrRange) {
		return math.MaxUint64, true
	}
	return n, err == nil
}

// parseAton reads an IPv4 address of one to four numbers, each decimal, octal
// or hexadecimal, the last of which fills the remaining bytes.
func parseAton(name string) (netip.Addr, bool) {
	parts := strings.Split(name, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var v uint64
	for i, p := range parts {
		n, ok := atonPart(p)
		if !ok {
			return netip.Addr{}, false
		}
		if i < len(parts)-1 {
			if n > 255 {
				return netip.Addr{}, false
			}
			v |= n << (8 * (3 - i))
			continue
		}
		if n >= 1<<(8*(5-len(parts))) {
			return netip.Addr{}, false
		}
		v |= n
	}
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}), true
}

// clip keeps an untrusted string short enough for a message.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
