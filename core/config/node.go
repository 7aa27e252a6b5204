package config

// kind is the type of a value in a settings file.
type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindList
	kindObject
	kindDate // TOML only
)

// name is the kind as JavaScript, and so npm srt's messages, calls it.
func (k kind) name() string {
	switch k {
	case kindNull:
		return "null"
	case kindBool:
		return "boolean"
	case kindNumber:
		return "number"
	case kindString:
		return "string"
	case kindList:
		return "array"
	case kindObject:
		return "object"
	case kindDate:
		return "date"
	}
	return "nothing"
}

// noun is the kind as our own messages call it.
func (k kind) noun() string {
	switch k {
	case kindNull:
		return "null"
	case kindBool:
		return "a boolean"
	case kindNumber:
		return "a number"
	case kindString:
		return "a string"
	case kindList:
		return "a list"
	case kindObject:
		return "a table"
	case kindDate:
		return "a date"
	}
	return "nothing"
}

// node is a value of either format, with its place.
type node struct {
	kind    kind
	line    int
	str     string
	num     float64
	boolean bool
	list    []*node
	header  bool // TOML: the table was opened by a header of its own
	closed  bool // TOML: an inline table or array, which nothing can be added to
	*object      // of kindObject
}

type object struct {
	keys   []string // in order of appearance
	fields map[string]*node
	lines  map[string]int // where each key stands
}

func newObject(line int) *node {
	return &node{kind: kindObject, line: line, object: &object{fields: map[string]*node{}, lines: map[string]int{}}}
}

// set stores a field; the last one of a name counts, at its first place, as in
// JavaScript.
func (n *node) set(key string, v *node, line int) {
	if _, ok := n.fields[key]; !ok {
		n.keys = append(n.keys, key)
	}
	n.fields[key] = v
	n.lines[key] = line
}

// get follows keys down; nil when one is not there.
func (n *node) get(keys ...string) *node {
	for _, k := range keys {
		if n == nil || n.kind != kindObject {
			return nil
		}
		n = n.fields[k]
	}
	return n
}

// items returns the elements of a list; none for anything else.
func (n *node) items() []*node {
	if n == nil {
		return nil
	}
	return n.list
}

// text returns a string's value; "" for anything else.
func (n *node) text() string {
	if n == nil || n.kind != kindString {
		return ""
	}
	return n.str
}

// truth returns a boolean's value; false for anything else.
func (n *node) truth() bool { return n != nil && n.kind == kindBool && n.boolean }
