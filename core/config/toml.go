package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// parseTOML reads a TOML document into nodes. It uses the parser of go-toml
// and not its decoder, since only that gives the line of every value. Errors
// are *Error without a file.
func parseTOML(data []byte) (*node, error) {
	data = slices.Clip(data)
	t := tomlReader{lines: indexLines(data)}
	t.parser.Reset(data)
	root := newObject(1)
	table := root
	for t.parser.NextExpression() {
		e := t.parser.Expression()
		var err error
		switch e.Kind { //nolint:exhaustive // these are the kinds of expressions
		case unstable.Table:
			table, err = t.open(root, e)
		case unstable.ArrayTable:
			table, err = t.openElement(root, e)
		case unstable.KeyValue:
			err = t.keyValue(table, e, false)
		default:
			err = t.fault(e, "unexpected "+e.Kind.String())
		}
		if err != nil {
			return nil, err
		}
	}
	if err := t.parser.Error(); err != nil {
		line := len(t.lines) + 1
		if pe, ok := errors.AsType[*unstable.ParserError](err); ok && len(pe.Highlight) > 0 {
			line = t.lines.line(int(t.parser.Range(pe.Highlight).Offset))
		}
		return nil, &Error{Line: line, Msg: "not valid TOML: " + err.Error()}
	}
	return root, nil
}

type tomlReader struct {
	parser unstable.Parser
	lines  lineIndex
	nodes  int
}

func (t *tomlReader) line(n *unstable.Node) int { return t.lines.line(int(n.Raw.Offset)) }

func (t *tomlReader) fault(n *unstable.Node, msg string) error {
	return &Error{Line: t.line(n), Msg: "not valid TOML: " + msg}
}

type tomlKey struct {
	name string
	line int
}

// keyOf returns the parts of a dotted key. Dotted keys are short: the limit
// keeps a hostile one from nesting without end.
func (t *tomlReader) keyOf(n *unstable.Node) ([]tomlKey, error) {
	var keys []tomlKey
	for it := n.Key(); it.Next(); {
		k := it.Node()
		if len(keys) == maxDepth {
			return nil, t.fault(k, fmt.Sprintf("a key of more than %d parts", maxDepth))
		}
		keys = append(keys, tomlKey{string(k.Data), t.line(k)})
	}
	return keys, nil
}

// descend goes from n down the keys, making the tables on the way. byHeader
// tells a [header] from a dotted key, which may not reach into a table that a
// header opened.
func (t *tomlReader) descend(n *node, keys []tomlKey, byHeader bool) (*node, error) {
	for _, k := range keys {
		child := n.fields[k.name]
		if child == nil {
			child = newObject(k.line)
			n.set(k.name, child, k.line)
		}
		if child.kind == kindList && byHeader && !child.closed && len(child.list) > 0 {
			child = child.list[len(child.list)-1]
		}
		if child.kind != kindObject || child.closed || !byHeader && child.header {
			return nil, &Error{Line: k.line, Key: k.name, Msg: "not valid TOML: the key is already set"}
		}
		n = child
	}
	return n, nil
}

// header finds the table that holds the one that a header names, and its key there.
func (t *tomlReader) header(root *node, e *unstable.Node) (parent *node, last tomlKey, err error) {
	keys, err := t.keyOf(e)
	if err != nil {
		return nil, last, err
	}
	last = keys[len(keys)-1]
	parent, err = t.descend(root, keys[:len(keys)-1], true)
	return parent, last, err
}

func (t *tomlReader) open(root *node, e *unstable.Node) (*node, error) {
	parent, last, err := t.header(root, e)
	if err != nil {
		return nil, err
	}
	if old := parent.fields[last.name]; old != nil && (old.kind != kindObject || old.header || old.closed) {
		return nil, &Error{Line: last.line, Key: last.name, Msg: "not valid TOML: the table is already there"}
	}
	n, err := t.descend(parent, []tomlKey{last}, true)
	if err == nil {
		n.header, n.line = true, last.line
	}
	return n, err
}

func (t *tomlReader) openElement(root *node, e *unstable.Node) (*node, error) {
	parent, last, err := t.header(root, e)
	if err != nil {
		return nil, err
	}
	list := parent.fields[last.name]
	switch {
	case list == nil:
		list = &node{kind: kindList, line: last.line}
		parent.set(last.name, list, last.line)
	case list.kind != kindList || list.closed:
		return nil, &Error{Line: last.line, Key: last.name, Msg: "not valid TOML: the key is already set"}
	}
	n := newObject(last.line)
	n.header = true
	list.list = append(list.list, n)
	return n, nil
}

func (t *tomlReader) keyValue(table *node, e *unstable.Node, inline bool) error {
	keys, err := t.keyOf(e)
	if err != nil {
		return err
	}
	last := keys[len(keys)-1]
	parent, err := t.descend(table, keys[:len(keys)-1], false)
	if err != nil {
		return err
	}
	if parent.fields[last.name] != nil {
		return &Error{Line: last.line, Key: last.name, Msg: "not valid TOML: the key is already set"}
	}
	v, err := t.value(e.Value(), last.line)
	if err != nil {
		return err
	}
	if inline && v.kind == kindObject {
		v.closed = true
	}
	parent.set(last.name, v, last.line)
	return nil
}

func (t *tomlReader) value(v *unstable.Node, line int) (*node, error) {
	if v.Raw.Length > 0 {
		line = t.line(v)
	}
	if t.nodes++; t.nodes > maxNodes {
		return nil, &Error{Line: line, Msg: fmt.Sprintf("more than %d values", maxNodes)}
	}
	n := &node{line: line}
	switch v.Kind { //nolint:exhaustive // these are the kinds of values but the dates
	case unstable.String:
		n.kind, n.str = kindString, string(v.Data)
	case unstable.Bool:
		n.kind, n.boolean = kindBool, string(v.Data) == "true"
	case unstable.Integer:
		text := strings.ReplaceAll(string(v.Data), "_", "")
		i, err := strconv.ParseInt(text, 0, 64)
		if err != nil {
			return nil, &Error{Line: line, Msg: "not valid TOML: the number " + strconv.Quote(text) + " is out of range"}
		}
		n.kind, n.num, n.str = kindNumber, float64(i), text
	case unstable.Float:
		n.kind, n.num = kindNumber, tomlFloat(string(v.Data))
	case unstable.Array:
		n.kind, n.closed = kindList, true
		for it := v.Children(); it.Next(); {
			item, err := t.value(it.Node(), line)
			if err != nil {
				return nil, err
			}
			line = item.line
			n.list = append(n.list, item)
		}
	case unstable.InlineTable:
		n = newObject(line)
		for it := v.Children(); it.Next(); {
			if err := t.keyValue(n, it.Node(), true); err != nil {
				return nil, err
			}
		}
		n.closed = true
	default:
		n.kind = kindDate
	}
	return n, nil
}

func tomlFloat(s string) float64 {
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	if err != nil && f == 0 {
		return math.NaN()
	}
	return f
}
