package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"unicode/utf8"
)

const (
	maxFile  = 8 << 20 // bytes of a settings file
	maxDepth = 1000    // nested lists and objects
	maxNodes = 1 << 20 // values in a file
)

// lineIndex finds lines by offset.
type lineIndex []int // offsets of the line feeds

func indexLines(data []byte) lineIndex {
	var idx lineIndex
	for i, c := range data {
		if c == '\n' {
			idx = append(idx, i)
		}
	}
	return idx
}

func (idx lineIndex) line(offset int) int {
	return sort.SearchInts(idx, offset) + 1
}

// parseJSON reads a JSON text, the last of two equal keys winning as in
// JavaScript. Errors are *Error without a file.
func parseJSON(data []byte) (*node, error) {
	if !utf8.Valid(data) {
		// A name with other bytes would be read as one that nothing has.
		line := 1
		for i := 0; i < len(data); {
			r, size := utf8.DecodeRune(data[i:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			if r == '\n' {
				line++
			}
			i += size
		}
		return nil, &Error{Line: line, Msg: "a character is not UTF-8"}
	}
	p := jsonParser{dec: json.NewDecoder(bytes.NewReader(data)), lines: indexLines(data)}
	p.dec.UseNumber()
	root, err := p.value(0)
	if err == nil {
		if _, more := p.dec.Token(); more == nil || !errors.Is(more, io.EOF) {
			err = errors.New("unexpected text after the value")
		}
	}
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("unexpected end of JSON input")
		}
		return nil, &Error{Line: p.lines.line(p.errorOffset(err)), Msg: err.Error()}
	}
	return root, nil
}

type jsonParser struct {
	dec   *json.Decoder
	lines lineIndex
	nodes int
}

func (p *jsonParser) errorOffset(err error) int {
	if syn, ok := errors.AsType[*json.SyntaxError](err); ok {
		return max(0, int(syn.Offset)-1)
	}
	return int(p.dec.InputOffset())
}

// next returns a token and the line on which it ends. Only a string with a
// raw line feed, which JSON has not, could span lines.
func (p *jsonParser) next() (json.Token, int, error) {
	tok, err := p.dec.Token()
	return tok, p.lines.line(max(0, int(p.dec.InputOffset())-1)), err
}

func (p *jsonParser) value(depth int) (*node, error) {
	tok, line, err := p.next()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("more than %d levels of nesting", maxDepth)
	}
	if p.nodes++; p.nodes > maxNodes {
		return nil, fmt.Errorf("more than %d values", maxNodes)
	}
	switch v := tok.(type) {
	case json.Delim:
		if v == '[' {
			return p.list(line, depth)
		}
		return p.object(line, depth)
	case string:
		return &node{kind: kindString, str: v, line: line}, nil
	case bool:
		return &node{kind: kindBool, boolean: v, line: line}, nil
	case json.Number:
		f, _ := v.Float64() // out of range gives an infinity, as in JavaScript
		return &node{kind: kindNumber, num: f, line: line}, nil
	}
	return &node{kind: kindNull, line: line}, nil
}

func (p *jsonParser) list(line, depth int) (*node, error) {
	n := &node{kind: kindList, line: line}
	for p.dec.More() {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.list = append(n.list, v)
	}
	_, _, err := p.next()
	return n, err
}

func (p *jsonParser) object(line, depth int) (*node, error) {
	n := newObject(line)
	for p.dec.More() {
		tok, at, err := p.next()
		if err != nil {
			return nil, err
		}
		key, ok := tok.(string)
		if !ok {
			return nil, errors.New("a key has to be a string")
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.set(key, v, at)
	}
	_, _, err := p.next()
	return n, err
}
