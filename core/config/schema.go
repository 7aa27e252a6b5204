package config

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/srt-sh/srt/core/policy"
)

// form says in which of the two formats a key exists.
type form uint8

const (
	formBoth form = iota
	formJSON
	formTOML
)

// shape is the type that a value has to have.
type shape uint8

const (
	shapeBool shape = iota
	shapeInt
	shapeFloat
	shapeString
	shapeList
	shapeObject
	shapeMap
	shapeEnum
	shapePath     // a path, or { path, literal = true }
	shapeFunction // what JSON cannot hold
	shapePair     // two integers
)

// spec describes one value of the settings.
type spec struct {
	shape    shape
	fields   []field // shapeObject
	strict   bool    // shapeObject: JSON refuses unknown keys too
	elem     *spec   // shapeList, shapeMap
	min, max int     // shapeInt; max 0: no limits
	nonEmpty bool    // shapeString, shapeList
	enum     []string
	empty    string                // message for an empty string; "" for the usual one
	check    func(s string) string // shapeString: what is wrong; "" when nothing is
	whole    func(n *node) string  // shapeObject, shapePair: the same for the value
	example  string                // a value, as the next step of an error
}

type field struct {
	name     string // as in JSON
	doc      string
	spec     *spec
	required bool // in JSON; inside of an element in TOML as well
	only     form
}

// issue is a fault at a key.
type issue struct {
	path []string
	line int
	msg  string
	hint string
}

func (i issue) key() string {
	if len(i.path) == 0 {
		return "(root)"
	}
	return strings.Join(i.path, ".")
}

// validator checks a tree of nodes against a spec. It collects every issue, in
// the order of the schema. For TOML it renames keys to the JSON ones on the
// way, so that whoever reads the tree knows one set of names.
type validator struct {
	toml    bool
	issues  []issue
	aborted bool // a value has the wrong type: checks across keys cannot be made
}

func (v *validator) fail(path []string, line int, msg, hint string) {
	v.issues = append(v.issues, issue{slices.Clone(path), line, msg, hint})
}

// mistyped records a value of the wrong type.
func (v *validator) mistyped(n *node, path []string, want, noun, example string) {
	v.aborted = true
	if !v.toml {
		v.fail(path, n.line, "Expected "+want+", received "+receivedName(n), "")
		return
	}
	hint := ""
	if example != "" {
		hint = "write " + lastKey(path) + " = " + example
	}
	v.fail(path, n.line, "expected "+noun+", found "+n.kind.noun(), hint)
}

func lastKey(path []string) string {
	for _, p := range slices.Backward(path) {
		if _, err := strconv.Atoi(p); err != nil {
			return p
		}
	}
	return ""
}

func receivedName(n *node) string {
	if n.kind == kindNumber && math.IsNaN(n.num) {
		return "nan"
	}
	return n.kind.name()
}

func (v *validator) value(n *node, s *spec, path []string) {
	switch s.shape {
	case shapeBool:
		if n.kind != kindBool {
			v.mistyped(n, path, "boolean", "true or false", cmp.Or(s.example, "true"))
		}
	case shapeInt, shapeFloat:
		v.number(n, s, path)
	case shapeString:
		if n.kind != kindString {
			v.mistyped(n, path, "string", "a string", cmp.Or(s.example, `"…"`))
			return
		}
		v.stringChecks(n, s, path)
	case shapeEnum:
		v.enum(n, s, path)
	case shapeList:
		if n.kind != kindList {
			v.mistyped(n, path, "array", "a list", cmp.Or(s.example, "[…]"))
			return
		}
		if s.nonEmpty && len(n.list) == 0 {
			v.fail(path, n.line, v.say("Array must contain at least 1 element(s)", "the list is empty"), "")
		}
		for i, item := range n.list {
			v.value(item, s.elem, append(path, strconv.Itoa(i)))
		}
	case shapeObject:
		v.object(n, s, path)
	case shapeMap:
		if n.kind != kindObject {
			v.mistyped(n, path, "object", "a table", "")
			return
		}
		for _, k := range n.keys {
			v.value(n.fields[k], s.elem, append(path, k))
		}
	case shapePath:
		v.path(n, path)
	case shapeFunction:
		v.aborted = true
		v.fail(path, n.line, lastKey(path)+" must be a function", "")
	case shapePair:
		v.pair(n, s, path)
	}
}

func (v *validator) say(json, toml string) string {
	if v.toml {
		return toml
	}
	return json
}

func (v *validator) number(n *node, s *spec, path []string) {
	if n.kind != kindNumber || math.IsNaN(n.num) {
		v.mistyped(n, path, "number", "a number", s.example)
		return
	}
	if s.shape == shapeInt && (n.num != math.Trunc(n.num) || math.IsInf(n.num, 0)) {
		v.fail(path, n.line, v.say("Expected integer, received float", "expected a whole number"), "")
		v.aborted = true
	}
	if s.max == 0 {
		return
	}
	bounds := "expected a number from " + strconv.Itoa(s.min) + " to " + strconv.Itoa(s.max)
	if n.num < float64(s.min) {
		v.fail(path, n.line, v.say("Number must be greater than or equal to "+strconv.Itoa(s.min), bounds), "")
	}
	if n.num > float64(s.max) {
		v.fail(path, n.line, v.say("Number must be less than or equal to "+strconv.Itoa(s.max), bounds), "")
	}
}

func (v *validator) stringChecks(n *node, s *spec, path []string) {
	if s.nonEmpty && n.str == "" {
		v.fail(path, n.line, cmp.Or(s.empty, v.say("String must contain at least 1 character(s)", "the string is empty")), "")
	}
	if strings.ContainsRune(n.str, 0) && v.toml {
		v.fail(path, n.line, "the string has a NUL", "")
	}
	if s.max > 0 && utf16Len(n.str) > s.max {
		v.fail(path, n.line, "at most "+strconv.Itoa(s.max)+" characters", "")
	}
	if s.check != nil {
		if msg := s.check(n.str); msg != "" {
			v.fail(path, n.line, msg, "")
		}
	}
}

func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

func (v *validator) enum(n *node, s *spec, path []string) {
	quoted := "'" + strings.Join(s.enum, "' | '") + "'"
	if n.kind != kindString {
		v.mistyped(n, path, quoted, quoted, strconv.Quote(s.enum[0]))
		return
	}
	if !slices.Contains(s.enum, n.str) {
		v.aborted = true
		v.fail(path, n.line, v.say("Invalid enum value. Expected "+quoted+", received '"+n.str+"'",
			"expected "+quoted+", found "+strconv.Quote(n.str)), "")
	}
}

func (v *validator) object(n *node, s *spec, path []string) {
	if n.kind != kindObject {
		v.mistyped(n, path, "object", "a table", "")
		return
	}
	if v.toml {
		v.tomlKeys(n, s, path)
	}
	for _, f := range s.fields {
		child := n.fields[f.name]
		switch {
		case v.toml && f.only == formJSON || !v.toml && f.only == formTOML:
		case child != nil:
			v.value(child, f.spec, append(path, v.spelled(f.name)))
		case f.required && !v.toml:
			v.aborted = true
			v.fail(append(path, f.name), n.line, "Required", "")
		case f.required && len(path) > 1:
			v.fail(append(path, v.spelled(f.name)), n.line, "the key is missing", "")
		}
	}
	if s.strict && !v.toml {
		var unknown []string
		for _, k := range n.keys {
			if !slices.ContainsFunc(s.fields, func(f field) bool { return f.name == k }) {
				unknown = append(unknown, "'"+k+"'")
			}
		}
		if unknown != nil {
			v.fail(path, n.line, "Unrecognized key(s) in object: "+strings.Join(unknown, ", "), "")
		}
	}
	if s.whole != nil && !v.aborted {
		if msg := s.whole(n); msg != "" {
			v.fail(path, n.line, msg, "")
		}
	}
}

func (v *validator) spelled(name string) string {
	if v.toml {
		return Snake(name)
	}
	return name
}

// tomlKeys refuses unknown keys and gives the known ones their JSON names.
func (v *validator) tomlKeys(n *node, s *spec, path []string) {
	known := map[string]string{}
	for _, f := range s.fields {
		if f.only != formJSON {
			known[Snake(f.name)] = f.name
		}
	}
	for i, k := range n.keys {
		name, ok := known[k]
		if !ok {
			v.aborted = true
			v.fail(append(path, k), n.lines[k], "unknown key", keyHint(k, path, known))
			continue
		}
		if name != k {
			n.keys[i] = name
			n.fields[name], n.lines[name] = n.fields[k], n.lines[k]
			delete(n.fields, k)
			delete(n.lines, k)
		}
	}
}

func (v *validator) path(n *node, path []string) {
	const want = `Expected a path, or { "path": "<path>", "literal": true }`
	wrong := func() {
		v.aborted = true
		v.fail(path, n.line, v.say(want, "expected a path, or { path = \"…\", literal = true }"), "")
	}
	switch n.kind { //nolint:exhaustive // the rest is refused
	case kindString:
		v.stringChecks(n, &spec{nonEmpty: true, empty: "Path cannot be empty"}, path)
	case kindObject:
		p := n.fields["path"]
		if p == nil || p.kind != kindString || !n.fields["literal"].truth() {
			wrong()
			return
		}
		v.value(p, pathText(), append(path, "path"))
		for _, k := range n.keys {
			if k != "path" && k != "literal" {
				v.fail(path, n.lines[k], v.say("Unrecognized key(s) in object: '"+k+"'", "unknown key "+k), "")
			}
		}
	default:
		wrong()
	}
}

func (v *validator) pair(n *node, s *spec, path []string) {
	if n.kind != kindList {
		v.mistyped(n, path, "array", "two numbers", "")
		return
	}
	switch {
	case len(n.list) < 2:
		v.aborted = true
		v.fail(path, n.line, "Array must contain at least 2 element(s)", "")
		return
	case len(n.list) > 2:
		v.fail(path, n.line, "Array must contain at most 2 element(s)", "")
	}
	for i, item := range n.list[:2] {
		at := append(path, strconv.Itoa(i))
		v.number(item, &spec{shape: shapeInt}, at)
		if item.kind != kindNumber {
			continue
		}
		if i == 0 && item.num < 1 {
			v.fail(at, item.line, "Number must be greater than or equal to 1", "")
		}
		if i == 1 && item.num > 65535 {
			v.fail(at, item.line, "Number must be less than or equal to 65535", "")
		}
	}
	if s.whole != nil && !v.aborted {
		if msg := s.whole(n); msg != "" {
			v.fail(path, n.line, msg, "")
		}
	}
}

// Snake spells a JSON key as TOML has it: allowAllUnixSockets becomes
// allow_all_unix_sockets.
func Snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) {
			if i > 0 {
				b.WriteByte('_')
			}
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// keyHint proposes the key that was meant: the same word in the other
// spelling, one that belongs to another table, or the nearest one.
func keyHint(key string, path []string, known map[string]string) string {
	want := Snake(key)
	if _, ok := known[want]; ok {
		return "write " + want
	}
	for _, f := range rootSpec().fields {
		if f.spec.shape != shapeObject || f.only == formJSON {
			continue
		}
		for _, g := range f.spec.fields {
			if g.only != formJSON && Snake(g.name) == want {
				return want + " belongs to [" + Snake(f.name) + "]"
			}
		}
	}
	names := make([]string, 0, len(known))
	for k := range known {
		names = append(names, k)
	}
	slices.Sort(names)
	if near := policy.Nearest(want, names); near != "" {
		return "did you mean " + near + "?"
	}
	where := "the top level"
	if len(path) > 0 {
		where = "[" + strings.Join(path, ".") + "]"
	}
	return where + " knows " + strings.Join(names, ", ")
}
