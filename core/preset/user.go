package preset

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/mattn/go-shellwords"
	"github.com/pelletier/go-toml/v2"

	"github.com/srt-sh/srt/core/policy"
)

// Error is a fault in a preset of the user.
type Error struct {
	File string // as shown
	Line int    // from 1; 0 when it is not known
	Key  string
	Msg  string
}

// Error returns file:line: key: message.
func (e *Error) Error() string {
	s := e.File
	if e.Line > 0 {
		s += ":" + strconv.Itoa(e.Line)
	}
	if e.Key != "" {
		s += ": " + e.Key
	}
	return s + ": " + e.Msg
}

// fault is an error at a key of the [preset] table.
func (p *Preset) fault(key, msg string) error {
	if p.File == "" {
		return fmt.Errorf("bug: preset %q: %s: %s", p.Name, key, msg)
	}
	return &Error{File: p.File, Line: keyLine(p.data, key), Key: "preset." + key, Msg: msg}
}

// keyLine is the line on which a key of the [preset] table stands, 0 if it is
// written in some other way.
func keyLine(data []byte, key string) int {
	n, in := 0, false
	for line := range bytes.Lines(data) {
		n++
		text := strings.TrimSpace(string(line))
		if strings.HasPrefix(text, "[") {
			in = strings.HasPrefix(text, "[preset]")
		}
		if name, _, ok := strings.Cut(text, "="); ok && in && strings.TrimSpace(name) == key {
			return n
		}
	}
	return 0
}

// Open reads the presets of the user, which lie as NAME.toml in the presets
// folder of srt's settings, and puts them before those that are built in. A
// file that cannot be used is an error: without it a command could run under
// another preset than the user means.
func Open(env Env) (*Set, error) {
	s := &Set{env: env, embedded: index()}
	if env.ReadDir == nil || !path.IsAbs(env.Home) {
		return s, nil
	}
	dir := Dir(env)
	names, err := env.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the presets of %s: %w", env.shown(dir), err)
	}
	slices.Sort(names)
	for _, file := range names {
		name, ok := strings.CutSuffix(file, ".toml")
		if !ok || name == "" || name[0] == '.' {
			continue // what editors leave, and notes
		}
		p, err := s.open(path.Join(dir, file), name)
		if err != nil {
			return nil, err
		}
		s.user = append(s.user, *p)
	}
	for i := range s.user {
		if _, err := s.chain(&s.user[i]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Dir is the folder of the user's presets.
func Dir(env Env) string {
	return path.Join(env.config(), "srt", "presets")
}

func (s *Set) open(file, name string) (*Preset, error) {
	shown := s.env.shown(file)
	if !validName(name) {
		return nil, &Error{File: shown, Msg: "the name of a preset is made of small letters, digits, -, . and _, and is not none"}
	}
	data, err := s.env.read(file)
	if err != nil {
		return nil, fmt.Errorf("reading the preset %s: %w", shown, err)
	}
	p, err := parse(data, shown, name)
	if err != nil {
		return nil, err
	}
	p.Replaces = named(s.embedded, name) != nil
	return p, nil
}

func validName(name string) bool {
	return name != "none" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-._") == "" && name[0] != '-' && name[0] != '.'
}

// table is the [preset] table. All else is core/config's to judge.
type table struct {
	Preset *struct {
		Description string   `toml:"description"`
		Match       []string `toml:"match"`
		Extends     []string `toml:"extends"`
	} `toml:"preset"`
}

// parse reads the [preset] table of a file.
func parse(data []byte, shown, name string) (*Preset, error) {
	var doc table
	d := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		if e := tableError(err, shown); e != nil {
			return nil, e
		}
	}
	p := &Preset{Name: name, File: shown, data: data}
	if doc.Preset == nil {
		return nil, &Error{File: shown, Msg: "it has no [preset] table, which says what it is for"}
	}
	p.Description, p.Match, p.Extends = doc.Preset.Description, doc.Preset.Match, doc.Preset.Extends
	if strings.ContainsFunc(p.Description, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return nil, p.fault("description", "it is one line of text")
	}
	for _, pattern := range p.Match {
		words := shellwords.NewParser()
		if list, err := words.Parse(pattern); err != nil || len(list) == 0 || words.Position >= 0 {
			return nil, p.fault("match", strconv.Quote(pattern)+": expected the words of a command, such as \"npm\" or \"npm install *\"")
		}
	}
	return p, nil
}

// tableError is the first fault that is one of the [preset] table or of syntax,
// nil if there is none.
func tableError(err error, shown string) error {
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		for _, e := range strict.Errors {
			key := e.Key()
			if len(key) == 0 || key[0] != "preset" {
				continue
			}
			row, _ := e.Position()
			msg := "unknown key"
			if near := policy.Nearest(key[len(key)-1], []string{"description", "match", "extends"}); near != "" {
				msg += "; did you mean " + near + "?"
			}
			return &Error{File: shown, Line: row, Key: strings.Join(key, "."), Msg: msg}
		}
		return nil
	}
	if e, ok := errors.AsType[*toml.DecodeError](err); ok {
		row, _ := e.Position()
		return &Error{File: shown, Line: row, Key: strings.Join(e.Key(), "."), Msg: strings.TrimPrefix(e.Error(), "toml: ")}
	}
	return &Error{File: shown, Msg: err.Error()}
}
