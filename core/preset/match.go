package preset

import (
	"path"
	"slices"
	"strings"

	"github.com/mattn/go-shellwords"

	"github.com/srt-sh/srt/core/policy"
)

// MatchCommand reports whether a command pattern covers argv. A pattern is a
// list of words in shell quoting. A * inside of a word stands for any
// characters, a * as a word for one argument, and as the last word for all the
// rest, none included. One {a,b} inside of a word stands for a or b. The program is
// compared by its base name unless the pattern has a slash in it. A pattern that does not parse, or is more than
// one command, covers nothing.
func MatchCommand(pattern string, argv []string) bool {
	words := patternWords(pattern)
	if len(words) == 0 || len(argv) == 0 {
		return false
	}
	for i, w := range words {
		if w == "*" && i > 0 && i == len(words)-1 {
			return true
		}
		if i >= len(argv) {
			return false
		}
		arg := argv[i]
		if i == 0 && !strings.Contains(w, "/") {
			arg = path.Base(arg)
		}
		if !MatchWord(w, arg) {
			return false
		}
	}
	return len(argv) == len(words)
}

// patternWords takes a pattern apart, nil if it is none.
func patternWords(pattern string) []string {
	if !strings.ContainsAny(pattern, "\"'\\$`|&;<>()\t\r\n") {
		return strings.FieldsFunc(pattern, func(r rune) bool { return r == ' ' }) // nothing that a shell would see in it
	}
	p := shellwords.NewParser()
	words, err := p.Parse(pattern)
	if err != nil || p.Position >= 0 {
		return nil
	}
	return words
}

// Programs are the spellings of the program that a pattern covers: its first word,
// with {a,b} taken apart. A * in one stands for any characters, see [MatchWord].
func Programs(pattern string) []string {
	if words := patternWords(pattern); len(words) > 0 {
		return alternatives(words[0])
	}
	return nil
}

// alternatives takes the {a,b} of a word apart.
func alternatives(word string) []string {
	before, rest, _ := strings.Cut(word, "{")
	list, after, closed := strings.Cut(rest, "}")
	if !closed || !strings.Contains(list, ",") || strings.Contains(after, "{") {
		return []string{word}
	}
	var out []string
	for one := range strings.SplitSeq(list, ",") {
		out = append(out, alternatives(before+one+after)...)
	}
	return out
}

// MatchWord compares a word of a pattern, in which only * and {a,b} are special, with
// an argument.
func MatchWord(word, arg string) bool {
	if strings.Contains(word, "{") {
		return slices.ContainsFunc(alternatives(word), func(one string) bool { return matchGlob(one, arg) })
	}
	return matchGlob(word, arg)
}

// matchGlob compares a word in which only * is special.
func matchGlob(word, arg string) bool {
	if !strings.Contains(word, "*") {
		return word == arg
	}
	// Every other glob character is a set of one, or what it is; a * may stand
	// for a slash here.
	var b strings.Builder
	for _, r := range word {
		switch r {
		case '*':
			b.WriteString("**")
		case '?', '[':
			b.WriteString("[" + string(r) + "]")
		case '/':
			b.WriteString("[/]") // keeps "**/" from being read as directories
		default:
			b.WriteRune(r)
		}
	}
	return policy.MatchGlob(b.String(), arg)
}
