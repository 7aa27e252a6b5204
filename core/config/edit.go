package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Addition is what is added to a list of a settings file.
type Addition struct {
	Table, Key string // such as filesystem and allow_write
	Entry      string // as TOML spells it: a string in quotes, or an inline table
}

// ErrEdit is the cause of every refusal of Add.
var ErrEdit = errors.New("the file cannot be changed without touching what it says")

// Add puts entries into lists of a TOML file and leaves all else as it is, comments and
// spaces too. What is there already is not added again. The result says what the file
// said and the additions, and nothing else, or there is an error.
func Add(text []byte, additions []Addition) ([]byte, error) {
	for _, a := range additions {
		next, err := add(text, a)
		if err != nil {
			return nil, err
		}
		text = next
	}
	return text, nil
}

func add(text []byte, a Addition) ([]byte, error) {
	before, err := parseTOML(text)
	if err != nil {
		return nil, err
	}
	entry, err := parseTOML([]byte("x = " + a.Entry))
	if err != nil || len(entry.keys) != 1 {
		return nil, fmt.Errorf("bug: the entry %s: %w", a.Entry, err)
	}
	list := before.get(a.Table, a.Key)
	if slices.ContainsFunc(list.items(), func(n *node) bool { return sameNode(n, entry.get("x")) }) {
		return text, nil
	}
	next, err := insert(text, a)
	if err != nil {
		return nil, fmt.Errorf("[%s] %s: %w", a.Table, a.Key, err)
	}
	// Whatever the scanner took the text for, this is what counts.
	after, err := parseTOML(next)
	if err != nil {
		return nil, fmt.Errorf("[%s] %s: %w", a.Table, a.Key, ErrEdit)
	}
	got := after.get(a.Table, a.Key)
	if got == nil || got.kind != kindList || len(got.list) != len(list.items())+1 || !sameNode(got.list[len(got.list)-1], entry.get("x")) {
		return nil, fmt.Errorf("[%s] %s: %w", a.Table, a.Key, ErrEdit)
	}
	if got.list = got.list[:len(got.list)-1]; list == nil {
		table := after.get(a.Table)
		table.keys = withoutKey(table.keys, a.Key)
		delete(table.fields, a.Key)
		if before.get(a.Table) == nil {
			after.keys = withoutKey(after.keys, a.Table)
			delete(after.fields, a.Table)
		}
	}
	if !sameNode(before, after) {
		return nil, fmt.Errorf("[%s] %s: %w", a.Table, a.Key, ErrEdit)
	}
	return next, nil
}

// sameNode compares values, their places aside.
func sameNode(a, b *node) bool {
	if a == nil || b == nil || a.kind != b.kind || a.str != b.str || a.boolean != b.boolean || a.num != b.num && (a.num == a.num || b.num == b.num) {
		return false
	}
	if !slices.EqualFunc(a.list, b.list, sameNode) {
		return false
	}
	if a.kind != kindObject {
		return true
	}
	if len(a.fields) != len(b.fields) {
		return false
	}
	for key, value := range a.fields {
		if !sameNode(value, b.fields[key]) {
			return false
		}
	}
	return true
}

// statement is a line of TOML, or several: a header, or a key and its value.
type statement struct {
	header     bool
	array      bool     // a header in double brackets
	table, key []string // of a header, its name is table
	value, end int      // where the value begins, and where the statement ends
	lineEnd    int      // behind the end of the line that it ends in
}

// insert puts an entry into the text.
func insert(text []byte, a Addition) ([]byte, error) {
	newline := "\n"
	if bytes.Contains(text, []byte("\r\n")) {
		newline = "\r\n"
	}
	list, err := statements(text)
	if err != nil {
		return nil, err
	}
	at, line := -1, a.Key+" = ["+a.Entry+"]"
	for _, s := range list {
		full := slices.Concat(s.table, s.key)
		switch {
		case s.array:
		case !s.header && slices.Equal(full, []string{a.Table, a.Key}):
			return insertElement(text, s, a.Entry, newline)
		case !s.header && slices.Equal(full, []string{a.Table}):
			return nil, ErrEdit // an inline table
		case slices.Equal(s.table, []string{a.Table}):
			at = s.lineEnd
		case !s.header && len(s.table) == 0 && s.key[0] == a.Table:
			at, line = s.lineEnd, a.Table+"."+a.Key+" = ["+a.Entry+"]"
		}
	}
	if at >= 0 {
		start := ""
		if text[at-1] != '\n' {
			start = newline
		}
		return splice(text, at, start+line+newline), nil
	}
	start := ""
	if len(text) > 0 {
		if text[len(text)-1] != '\n' {
			start = newline
		}
		start += newline
	}
	return splice(text, len(text), start+"["+a.Table+"]"+newline+line+newline), nil
}

func splice(text []byte, at int, more string) []byte {
	return slices.Concat(text[:at], []byte(more), text[at:])
}

// insertElement puts an entry at the end of an array.
func insertElement(text []byte, s statement, entry, newline string) ([]byte, error) {
	if text[s.value] != '[' {
		return nil, ErrEdit
	}
	last, comma := -1, -1 // the ends of the last element and of the comma behind it
	at := s.value + 1
	for at < s.end-1 {
		switch c := text[at]; c {
		case ' ', '\t', '\r', '\n':
			at++
		case '#':
			at = endOfLine(text, at)
		case ',':
			at++
			comma = at
		default:
			end, err := endOfValue(text, at, true)
			if err != nil {
				return nil, err
			}
			at, last, comma = end, end, -1
		}
	}
	closing := s.end - 1
	behind := max(last, comma)
	if last < 0 {
		behind = s.value + 1
	}
	gap := text[behind:closing]
	switch {
	case bytes.ContainsRune(gap, '\n'):
		// One element on each line: so is the new one, above the closing bracket.
		indent := "    "
		if last >= 0 {
			start := bytes.LastIndexByte(text[:last], '\n') + 1
			indent = string(text[start : start+len(text[start:])-len(bytes.TrimLeft(text[start:], " \t"))])
		}
		line := bytes.LastIndexByte(text[:closing], '\n') + 1
		out := splice(text, line, indent+entry+","+newline)
		if last >= 0 && comma < 0 {
			out = splice(out, last, ",")
		}
		return out, nil
	case last < 0:
		return splice(text, closing, entry), nil
	case comma >= 0:
		return splice(text, comma, " "+entry+","), nil
	}
	return splice(text, last, ", "+entry), nil
}

// statements splits a TOML document, which is known to be valid.
func statements(text []byte) ([]statement, error) {
	var list []statement
	var table []string
	array := false
	for at := 0; at < len(text); {
		switch text[at] {
		case ' ', '\t', '\r', '\n':
			at++
			continue
		case '#':
			at = endOfLine(text, at)
			continue
		}
		s := statement{}
		var err error
		if text[at] == '[' {
			s.header, s.array = true, bytes.HasPrefix(text[at:], []byte("[["))
			brackets := 1
			if s.array {
				brackets = 2
			}
			if table, at, err = readKey(text, at+brackets, ']'); err != nil {
				return nil, err
			}
			array = s.array
			s.table, s.end = table, min(len(text), at+brackets)
		} else {
			s.table, s.array = table, array
			if s.key, at, err = readKey(text, at, '='); err != nil {
				return nil, err
			}
			at++
			for at < len(text) && (text[at] == ' ' || text[at] == '\t') {
				at++
			}
			s.value = at
			if s.end, err = endOfValue(text, at, false); err != nil {
				return nil, err
			}
		}
		at = min(len(text), endOfLine(text, s.end)+1)
		s.lineEnd = at
		list = append(list, s)
	}
	return list, nil
}

// readKey reads a dotted key up to a character, and gives where that is.
func readKey(text []byte, at int, until byte) ([]string, int, error) {
	var key []string
	for at < len(text) {
		switch text[at] {
		case until:
			return key, at, nil
		case ' ', '\t', '.':
			at++
		case '"', '\'':
			end, err := endOfString(text, at)
			if err != nil {
				return nil, 0, err
			}
			root, err := parseTOML(slices.Concat([]byte("x = "), text[at:end]))
			if err != nil {
				return nil, 0, ErrEdit
			}
			key = append(key, root.get("x").text())
			at = end
		default:
			end := at
			for end < len(text) && !bytes.ContainsRune([]byte(" \t.\r\n\"'=[]#"), rune(text[end])) {
				end++
			}
			if end == at {
				return nil, 0, ErrEdit
			}
			key = append(key, string(text[at:end]))
			at = end
		}
	}
	return nil, 0, ErrEdit
}

// endOfLine is where the line ends that at lies in, before its last character.
func endOfLine(text []byte, at int) int {
	if n := bytes.IndexByte(text[at:], '\n'); n >= 0 {
		return at + n
	}
	return len(text)
}

// endOfValue is where a value ends: at a comment or the end of the line, and as an
// element also at a comma or a closing bracket.
func endOfValue(text []byte, at int, element bool) (int, error) {
	depth, end := 0, at
	for at < len(text) {
		switch c := text[at]; {
		case c == '"', c == '\'':
			next, err := endOfString(text, at)
			if err != nil {
				return 0, err
			}
			at, end = next, next
			continue
		case depth == 0 && (c == '#' || c == '\n' || element && (c == ',' || c == ']')):
			return end, nil
		case c == '#':
			at = endOfLine(text, at)
			continue
		case c == '[', c == '{':
			depth++
		case c == ']', c == '}':
			depth--
		}
		if c := text[at]; c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			end = at + 1
		}
		at++
	}
	if depth != 0 {
		return 0, ErrEdit
	}
	return end, nil
}

// endOfString is where a string of any of the four forms ends.
func endOfString(text []byte, at int) (int, error) {
	quote := text[at]
	if triple := bytes.Repeat([]byte{quote}, 3); bytes.HasPrefix(text[at:], triple) {
		for i := at + 3; i < len(text); i++ {
			switch {
			case text[i] == '\\' && quote == '"':
				i++
			case bytes.HasPrefix(text[i:], triple):
				// Up to two quotes may stand before the three that end it.
				end := i + 3
				for end < len(text) && end < i+5 && text[end] == quote {
					end++
				}
				return end, nil
			}
		}
		return 0, ErrEdit
	}
	for i := at + 1; i < len(text) && text[i] != '\n'; i++ {
		switch {
		case text[i] == '\\' && quote == '"':
			i++
		case text[i] == quote:
			return i + 1, nil
		}
	}
	return 0, ErrEdit
}

// Diff shows what becomes of a text, in the unified form with three lines around.
func Diff(name string, before, after []byte) string {
	from, to := strings.SplitAfter(string(before), "\n"), strings.SplitAfter(string(after), "\n")
	from, to = dropEmpty(from), dropEmpty(to)
	type edit struct {
		mark byte
		text string
	}
	var edits []edit
	// Nothing is ever taken out but a line that another one replaces, so that going
	// through both side by side finds the least that differs.
	for i, j := 0, 0; i < len(from) || j < len(to); {
		switch {
		case i < len(from) && j < len(to) && from[i] == to[j]:
			edits = append(edits, edit{' ', from[i]})
			i, j = i+1, j+1
		case i < len(from) && !slices.Contains(to[j:], from[i]):
			edits = append(edits, edit{'-', from[i]})
			i++
		case j < len(to):
			edits = append(edits, edit{'+', to[j]})
			j++
		default:
			edits = append(edits, edit{'-', from[i]})
			i++
		}
	}
	const around = 3
	near := func(at int) bool {
		for k := max(0, at-around); k < min(len(edits), at+around+1); k++ {
			if edits[k].mark != ' ' {
				return true
			}
		}
		return false
	}
	var b strings.Builder
	b.WriteString("--- " + name + "\n+++ " + name + "\n")
	line, shown := 1, false
	for i, e := range edits {
		if near(i) {
			if !shown {
				b.WriteString("@@ line " + strconv.Itoa(line) + " @@\n")
			}
			b.WriteString(string(e.mark) + strings.TrimRight(e.text, "\r\n") + "\n")
		}
		shown = near(i)
		if e.mark != '-' {
			line++
		}
	}
	return b.String()
}

func dropEmpty(lines []string) []string {
	if n := len(lines); n > 0 && lines[n-1] == "" {
		return lines[:n-1]
	}
	return lines
}
