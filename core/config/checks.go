package config

import (
	"errors"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-shellwords"

	"github.com/srt-sh/srt/core/policy"
)

func envName(s string) string {
	ok := s != ""
	for i, c := range s {
		letter := c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		ok = ok && (letter || i > 0 && c >= '0' && c <= '9')
	}
	if !ok {
		return "Environment variable name must consist of letters, digits and underscores, and not begin with a digit"
	}
	return ""
}

// envPattern checks a name that may have * and ? in it.
func envPattern(s string) string {
	if envName(strings.NewReplacer("*", "_", "?", "_").Replace(s)) != "" {
		return "expected the name of a variable, * and ? for any characters"
	}
	return ""
}

func commandPattern(s string) string {
	p := shellwords.NewParser()
	words, err := p.Parse(s)
	// The parser stops, without an error, at what ends a command.
	if err != nil || len(words) == 0 || p.Position >= 0 {
		return "expected the words of a command, such as \"npm\" or \"npm install *\""
	}
	return ""
}

func uuidEntry(s string) string {
	groups := strings.Split(s, "-")
	ok := len(groups) == 5
	for i, want := range []int{8, 4, 4, 4, 12} {
		ok = ok && len(groups[i]) == want && strings.Trim(groups[i], "0123456789abcdefABCDEF") == ""
	}
	if !ok {
		return "Invalid uuid"
	}
	return ""
}

// sizeEntry checks an amount of memory. The units are those of systemd and
// Kubernetes: K, M, G, T and KiB… by 1024, KB… by 1000.
func sizeEntry(s string) string {
	if _, ok := parseSize(s); !ok {
		return "expected an amount of memory such as \"512MiB\" or \"4GiB\""
	}
	return ""
}

func parseSize(s string) (uint64, bool) {
	digits := strings.TrimRight(s, "KMGTiB")
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || n == 0 || n > 1<<62 {
		return 0, false
	}
	unit := s[len(digits):]
	base, power := uint64(1024), 0
	if len(unit) == 2 && unit[1] == 'B' {
		base = 1000
	}
	switch unit {
	case "", "B":
	case "K", "KB", "KiB":
		power = 1
	case "M", "MB", "MiB":
		power = 2
	case "G", "GB", "GiB":
		power = 3
	case "T", "TB", "TiB":
		power = 4
	default:
		return 0, false
	}
	for range power {
		if n > (1<<62)/base {
			return 0, false
		}
		n *= base
	}
	return n, true
}

func durationEntry(s string) string {
	if d, err := time.ParseDuration(s); err != nil || d <= 0 {
		return "expected a duration such as \"90s\" or \"30m\""
	}
	return ""
}

// urlEntry accepts what the URL constructor of JavaScript accepts without a
// base (https://url.spec.whatwg.org/#url-parsing).
func urlEntry(s string) string {
	if validURL(s) {
		return ""
	}
	return "Invalid url"
}

func validURL(s string) bool {
	s = strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || scheme == "" || !isLetter(scheme[0]) {
		return false
	}
	for i := range len(scheme) {
		if c := scheme[i]; !isLetter(c) && (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	switch strings.ToLower(scheme) {
	case "http", "https", "ws", "wss", "ftp":
		rest = strings.TrimLeft(rest, "/\\")
		return validAuthority(cutAny(rest, "/\\?#"), true)
	case "file":
		host := ""
		if after, ok := strings.CutPrefix(strings.ReplaceAll(rest, "\\", "/"), "//"); ok {
			host = cutAny(after, "/?#")
		}
		return host == "" || validHost(host, true)
	}
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		return validAuthority(cutAny(after, "/?#"), false)
	}
	return true
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func cutAny(s, chars string) string {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i]
	}
	return s
}

func validAuthority(s string, special bool) bool {
	userinfo := false
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		s, userinfo = s[i+1:], true
	}
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.Contains(s[i:], "]") {
		host, port = s[:i], s[i+1:]
	}
	if port != "" {
		if n, err := strconv.ParseUint(port, 10, 64); err != nil || n > 65535 || port[0] == '+' {
			return false
		}
	}
	if host == "" {
		return !special && !userinfo && len(s) == 0
	}
	return validHost(host, special)
}

func validHost(host string, special bool) bool {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		a, err := netip.ParseAddr(inner)
		return ok && err == nil && a.Is6() && a.Zone() == ""
	}
	if strings.ContainsAny(host, "\x00\t\n\r #/:<>?@[\\]^|") {
		return false
	}
	if !special {
		return true
	}
	if plain, err := url.PathUnescape(host); err == nil {
		host = plain
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("%#/:<>?@[\\]^|", r) }) {
		return false
	}
	if _, err := policy.CanonicalHost(host); err != nil {
		// The standard takes more characters than names have; numbers are what it
		// is strict about.
		last := strings.TrimSuffix(host, ".")
		last = last[strings.LastIndexByte(last, '.')+1:]
		return strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x")
	}
	return true
}

const (
	inertHint     = `write a wildcard as "*.example.com"`
	otherHomeHint = "write the path out, or a name that begins with ~ as ./~"
)

// inertDomain says that a domain entry, a valid one, can match no host.
func inertDomain(denied bool) func(string) string {
	return func(s string) string {
		if p, err := policy.ParseDottedDomain(s, denied); err == nil && p.Inert() {
			return strconv.Quote(s) + " can match no host"
		}
		return ""
	}
}

func otherHome(s string) string {
	return strconv.Quote(s) + " does not stand for the home of another user"
}

// slashedGlob says that a deny could match nothing; see policy.SlashedGlob.
func slashedGlob(s string) string {
	if !policy.SlashedGlob(s) {
		return ""
	}
	trimmed := strings.TrimRight(s, "/")
	return "Deny glob " + strconv.Quote(s) + " ends in a separator, so it matches no path; write " +
		strconv.Quote(trimmed) + ", or " + strconv.Quote(path.Dir(trimmed)+"/**/"+path.Base(trimmed)) + " for any depth"
}

// extractPattern checks a regular expression of JavaScript's syntax, without
// the u flag: that it is one, and that it has a capturing group.
func extractPattern(s string) string {
	groups, fault := scanRegexp(s)
	switch {
	case fault != "":
		return "extract is not a valid regular expression: " + fault
	case groups == 0:
		return `extract must contain at least one capturing group, the first of which is the secret, as in "token: (\\S+)"`
	}
	return ""
}

// scanRegexp counts the capturing groups of a JavaScript regular expression,
// and names the fault of one that does not compile. RE2 cannot judge it: it
// knows neither lookaround nor back-references.
func scanRegexp(s string) (groups int, fault string) {
	depth := 0
	canRepeat := false // what came before may take a quantifier
	names := map[string]bool{}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i++; i == len(s) {
				return 0, "\\ at the end of the pattern"
			}
			canRepeat = s[i] != 'b' && s[i] != 'B'
		case '[':
			end := i + 1
			for end < len(s) && s[end] != ']' {
				if s[end] == '\\' {
					end++
				}
				end++
			}
			if end >= len(s) {
				return 0, "a [ that is not closed"
			}
			if classFault(s[i+1 : end]) {
				return 0, "a range out of order in a character class"
			}
			i = end
			canRepeat = true
		case '(':
			depth++
			canRepeat = false
			n, captures, bad := groupOpening(s[i:], names)
			if bad != "" {
				return 0, bad
			}
			if captures {
				groups++
			}
			i += n
		case ')':
			if depth--; depth < 0 {
				return 0, "a ) that nothing opens"
			}
			canRepeat = true
		case '|', '^', '$':
			canRepeat = false
		case '*', '+', '?':
			if !canRepeat {
				return 0, "nothing to repeat"
			}
			canRepeat = false
			if i+1 < len(s) && s[i+1] == '?' {
				i++
			}
		case '{':
			n, ordered := bounds(s[i:])
			switch {
			case n == 0:
				canRepeat = true // a brace that is text
			case !canRepeat:
				return 0, "nothing to repeat"
			case !ordered:
				return 0, "numbers out of order in {} quantifier"
			default:
				i += n - 1
				canRepeat = false
				if i+1 < len(s) && s[i+1] == '?' {
					i++
				}
			}
		default:
			canRepeat = true
		}
	}
	if depth > 0 {
		return 0, "a group that is not closed"
	}
	return groups, ""
}

// groupOpening reads what follows the ( at s[0] and returns how many bytes
// after it belong to the opening.
func groupOpening(s string, names map[string]bool) (n int, captures bool, fault string) {
	if len(s) < 2 || s[1] != '?' {
		return 0, true, ""
	}
	for _, p := range []string{"(?:", "(?=", "(?!", "(?<=", "(?<!"} {
		if strings.HasPrefix(s, p) {
			return len(p) - 1, false, ""
		}
	}
	rest, ok := strings.CutPrefix(s, "(?<")
	end := strings.IndexByte(rest, '>')
	if !ok || end <= 0 || strings.Contains("0123456789", rest[:1]) ||
		strings.ContainsFunc(rest[:end], func(r rune) bool { return r < 0x80 && r != '$' && envName("_"+string(r)) != "" }) {
		return 0, false, "an invalid group"
	}
	if names[rest[:end]] {
		return 0, false, "a duplicate group name"
	}
	names[rest[:end]] = true
	return len("(?<") + end, true, ""
}

// bounds reads a {n}, {n,} or {n,m} and returns its length, 0 for anything
// else.
func bounds(s string) (n int, ordered bool) {
	end := strings.IndexByte(s, '}')
	if end < 2 {
		return 0, false
	}
	lo, hi, ranged := strings.Cut(s[1:end], ",")
	a, err := strconv.ParseUint(lo, 10, 64)
	if err != nil && !isRange(err) || strings.HasPrefix(lo, "+") {
		return 0, false
	}
	if !ranged || hi == "" {
		return end + 1, true
	}
	b, err := strconv.ParseUint(hi, 10, 64)
	if err != nil && !isRange(err) || strings.HasPrefix(hi, "+") {
		return 0, false
	}
	return end + 1, a <= b
}

func isRange(err error) bool { return errors.Is(err, strconv.ErrRange) }

// classFault reports whether a range of a character class runs backwards. An
// escape is a single member or a class of its own, which takes part in no
// range here.
func classFault(s string) bool {
	rs := []rune(strings.TrimPrefix(s, "^"))
	for i := 0; i < len(rs); i++ {
		if rs[i] == '\\' {
			i++
			continue
		}
		if i+2 < len(rs) && rs[i+1] == '-' && rs[i+2] != '\\' {
			if rs[i+2] < rs[i] {
				return true
			}
			i += 2
		}
	}
	return false
}
