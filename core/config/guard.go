package config

import (
	"strconv"
	"strings"
	"time"
)

// Guard is [guard].
type Guard struct {
	// MinReleaseAge is how old a release has to be before tools may pick it.
	MinReleaseAge Setting[time.Duration]
}

const day = 24 * time.Hour

// maxAge bounds an age, so that the date that far back is one that every tool reads.
const maxAge = 36500 * day

// ageEntry checks [guard] min_release_age.
func ageEntry(s string) string {
	if _, ok := parseAge(s); !ok {
		return "expected an age such as \"72h\" or \"3d\", 36500d at most"
	}
	return ""
}

// parseAge reads a duration of Go's form with whole days in front of it, or days alone.
func parseAge(s string) (time.Duration, bool) {
	var age time.Duration
	days, rest, some := strings.Cut(s, "d")
	if some {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, false
		}
		age, s = time.Duration(n)*day, rest
	}
	if s != "" || !some {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 || d > maxAge || strings.HasPrefix(s, "+") {
			return 0, false
		}
		age += d
	}
	return age, age > 0 && age <= maxAge
}

// guard binds [guard]. It only ever tightens, so the longest age of all layers counts,
// whoever says it.
func (b *binder) guard(n *node) {
	if x := n.get("minReleaseAge"); x != nil && b.toml {
		s := &b.c.Guard.MinReleaseAge
		if age, ok := parseAge(x.str); ok && (!s.Set || age > s.Value) {
			*s = Setting[time.Duration]{age, true, b.origin(x, "guard.minReleaseAge")}
		}
	}
}
