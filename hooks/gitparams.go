package hooks

import (
	"strconv"
	"strings"
)

// The variables in which git hands settings of its command line down.
const (
	parametersVariable = "GIT_CONFIG_PARAMETERS"
	countVariable      = "GIT_CONFIG_COUNT"
	hooksPathKey       = "core.hookspath"
	// chainedKey is the core.hooksPath that srt hook git install found in its place. It
	// stands in the same file.
	chainedKey = "srt.hookspath"
)

// GitParameter is a setting of a command line or of the environment.
type GitParameter struct {
	Key   string // as core.GitSetting has it
	Value string
	Set   bool // false: it stands alone, which means true

	raw string // as it stands in the variable
}

// parameter reads the text of -c.
func parameter(text string) GitParameter {
	key, value, set := strings.Cut(text, "=")
	return GitParameter{Key: canonicalKey(key), Value: value, Set: set}
}

// canonicalKey spells a key with its section and its last part in lower case.
func canonicalKey(key string) string {
	key = strings.TrimSpace(key)
	first, last := strings.IndexByte(key, '.'), strings.LastIndexByte(key, '.')
	if first < 0 {
		return strings.ToLower(key)
	}
	return strings.ToLower(key[:first]) + key[first:last] + strings.ToLower(key[last:])
}

// parseParameters reads GIT_CONFIG_PARAMETERS: words in the quotes of sh, 'key=value' of
// old versions or 'key'='value' (config.c, parse_config_env_list). It gives false for a
// text that git would refuse.
func parseParameters(text string) ([]GitParameter, bool) {
	var out []GitParameter
	rest := text
	for {
		rest = strings.TrimLeft(rest, " \t\n\r\v\f")
		if rest == "" {
			return out, true
		}
		start := rest
		word, after, ok := dequote(rest)
		if !ok {
			return nil, false
		}
		p := GitParameter{}
		switch {
		case after == "" || isSpace(after[0]):
			p = parameter(word)
		case after[0] == '=':
			p.Key, p.Set = canonicalKey(word), true
			after = after[1:]
			if after != "" && !isSpace(after[0]) {
				if p.Value, after, ok = dequote(after); !ok {
					return nil, false
				}
			} else {
				p.Set = false // a key alone
			}
			if after != "" && !isSpace(after[0]) {
				return nil, false
			}
		default:
			return nil, false
		}
		p.raw = start[:len(start)-len(after)]
		out = append(out, p)
		rest = after
	}
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// dequote reads a word in single quotes, in which '\” and '\!' stand for a quote and a
// mark (quote.c, sq_dequote_step).
func dequote(text string) (word, rest string, ok bool) {
	if text == "" || text[0] != '\'' {
		return "", "", false
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		if text[i] != '\'' {
			b.WriteByte(text[i])
			continue
		}
		if i+3 < len(text) && text[i+1] == '\\' && (text[i+2] == '\'' || text[i+2] == '!') && text[i+3] == '\'' {
			b.WriteByte(text[i+2])
			i += 3
			continue
		}
		return b.String(), text[i+1:], true
	}
	return "", "", false
}

// withoutOwn takes the settings out of an environment that srt itself has added for git,
// and nothing else: what git was given by others stays to the byte.
// It gives the rest of the settings too, in the order in which git reads them.
func withoutOwn(environ []string, own func(GitParameter) bool) (left []string, settings []GitParameter) {
	var pairs, words []GitParameter
	count, counted := 0, false
	values := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "GIT_CONFIG_") {
			values[name] = value
		}
		if name == countVariable {
			n, err := strconv.Atoi(value)
			counted = err == nil && n >= 0 && n < 10000
			count = n
		}
	}
	dropped := false
	for i := 0; counted && i < count; i++ {
		key, hasKey := values["GIT_CONFIG_KEY_"+strconv.Itoa(i)]
		value, hasValue := values["GIT_CONFIG_VALUE_"+strconv.Itoa(i)]
		if !hasKey || !hasValue {
			counted = false // git refuses these
			break
		}
		p := GitParameter{Key: canonicalKey(key), Value: value, Set: true, raw: key}
		if own(p) {
			dropped = true
			continue
		}
		pairs = append(pairs, p)
	}
	dropped = dropped && counted
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case name == parametersVariable:
			list, ok := parseParameters(value)
			if !ok {
				break
			}
			var raw []string
			gone := false
			for _, p := range list {
				if own(p) {
					gone = true
					continue
				}
				words = append(words, p)
				raw = append(raw, p.raw)
			}
			if gone && len(raw) == 0 {
				continue
			}
			if gone {
				entry = name + "=" + strings.Join(raw, " ")
			}
		case dropped && (name == countVariable || strings.HasPrefix(name, "GIT_CONFIG_KEY_") || strings.HasPrefix(name, "GIT_CONFIG_VALUE_")):
			continue
		}
		left = append(left, entry)
	}
	if dropped && len(pairs) > 0 {
		left = append(left, countVariable+"="+strconv.Itoa(len(pairs)))
		for i, p := range pairs {
			left = append(left, "GIT_CONFIG_KEY_"+strconv.Itoa(i)+"="+p.raw, "GIT_CONFIG_VALUE_"+strconv.Itoa(i)+"="+p.Value)
		}
	}
	if !counted {
		pairs = nil
	}
	return left, append(pairs, words...)
}
