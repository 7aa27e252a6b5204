package proxy

import "strings"

// maxPhrase bounds a status phrase, in UTF-16 units as npm's srt counts.
const maxPhrase = 500

// statusPhrase makes s fit for a status line: printable ASCII, one '?' for
// each UTF-16 unit beyond it, a space for each control character, cut after
// 500 units, no space at either end.
func statusPhrase(s string) string {
	clean := len(s) <= maxPhrase
	for i := 0; clean && i < len(s); i++ {
		clean = s[i] >= ' ' && s[i] < 0x7f
	}
	if clean {
		return strings.TrimSpace(s)
	}
	b := make([]byte, 0, maxPhrase+1)
	for _, c := range s {
		switch {
		case c < ' ' || c == 0x7f:
			b = append(b, ' ')
		case c < 0x7f:
			b = append(b, byte(c))
		case c > 0xffff: // two units
			b = append(b, '?', '?')
		default:
			b = append(b, '?')
		}
		if len(b) >= maxPhrase {
			b = b[:maxPhrase]
			break
		}
	}
	return strings.TrimSpace(string(b))
}
