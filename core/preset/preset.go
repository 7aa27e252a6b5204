package preset

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/srt-sh/srt/core/policy"
)

//go:embed presets/*.toml
var files embed.FS

// Preset is a named policy for a tool.
type Preset struct {
	Name        string
	Description string
	Match       []string // command patterns, see MatchCommand; none for a preset that is chosen by name alone
	Extends     []string // presets that are part of it
	File        string   // the user's file, as shown; "" if it is built in
	Replaces    bool     // it is the user's and stands for a built-in one of its name

	discover func(Env) found
	data     []byte // of the user's file
}

// Env is what a preset may look at besides its file. It describes the user,
// not the project.
type Env struct {
	Home, Dir string
	Getenv    func(string) string            // nil: an empty environment
	ReadFile  func(string) ([]byte, error)   // nil: no file can be read
	ReadDir   func(string) ([]string, error) // the names in a folder; nil: no folder can be read
}

func (e Env) getenv(name string) string {
	if e.Getenv == nil {
		return ""
	}
	return e.Getenv(name)
}

func (e Env) read(name string) ([]byte, error) {
	if e.ReadFile == nil {
		return nil, fs.ErrNotExist
	}
	return e.ReadFile(name)
}

// config is the user's folder of settings, as the XDG specification has it.
func (e Env) config() string {
	if v := e.getenv("XDG_CONFIG_HOME"); path.IsAbs(v) {
		return path.Clean(v)
	}
	return path.Join(e.Home, ".config")
}

// shown spells a path for users, the home as ~.
func (e Env) shown(p string) string {
	if rest, ok := strings.CutPrefix(p, path.Clean(e.Home)+"/"); ok && path.IsAbs(e.Home) {
		return "~/" + rest
	}
	return p
}

// Set is the presets that there are for a user: those of the user, then those
// that are built in.
type Set struct {
	env      Env
	user     []Preset
	embedded []Preset
}

// List returns the presets in the order in which they are matched. Those that
// the user's replace are left out.
func (s *Set) List() []Preset {
	out := slices.Clone(s.user)
	for _, p := range s.embedded {
		if named(s.user, p.Name) == nil {
			out = append(out, p)
		}
	}
	return out
}

// Match returns the preset that governs a command and the pattern that says
// so, or nil when none does.
func (s *Set) Match(argv []string) (*Preset, string) {
	for _, list := range [][]Preset{s.user, s.embedded} {
		for i := range list {
			p := &list[i]
			if p.File == "" && named(s.user, p.Name) != nil {
				continue
			}
			for _, pattern := range p.Match {
				if MatchCommand(pattern, argv) {
					return p, pattern
				}
			}
		}
	}
	return nil, ""
}

func named(list []Preset, name string) *Preset {
	if i := slices.IndexFunc(list, func(p Preset) bool { return p.Name == name }); i >= 0 {
		return &list[i]
	}
	return nil
}

// Get returns a preset by name. The error of an unknown name proposes the
// nearest one.
func (s *Set) Get(name string) (*Preset, error) {
	if p := named(s.user, name); p != nil {
		return p, nil
	}
	if p := named(s.embedded, name); p != nil {
		return p, nil
	}
	all := s.List()
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = p.Name
	}
	if near := policy.Nearest(name, names); near != "" {
		return nil, fmt.Errorf("no preset %q; did you mean %s?", name, near)
	}
	return nil, fmt.Errorf("no preset %q; there are %s", name, strings.Join(names, " "))
}

// TOML returns the preset's file, comments and all.
func (p *Preset) TOML() []byte {
	if p.File != "" {
		return p.data
	}
	data, err := files.ReadFile("presets/" + p.Name + ".toml")
	if err != nil {
		panic("bug: preset " + p.Name + " has no file")
	}
	return data
}

// maxExtends is how deep presets may extend each other.
const maxExtends = 8

// chain returns what a preset extends, the farthest first, and the preset
// itself last, each once.
func (s *Set) chain(p *Preset) ([]*Preset, error) {
	var out, way []*Preset
	var visit func(*Preset) error
	visit = func(p *Preset) error {
		if slices.Contains(out, p) {
			return nil
		}
		if slices.Contains(way, p) {
			names := make([]string, 0, len(way)+1)
			for _, w := range way[slices.Index(way, p):] {
				names = append(names, w.Name)
			}
			return p.fault("extends", "the presets extend each other: "+strings.Join(append(names, p.Name), ", "))
		}
		way = append(way, p)
		if len(way) > maxExtends {
			return way[0].fault("extends", fmt.Sprintf("more than %d presets extend each other", maxExtends))
		}
		for _, name := range p.Extends {
			next := named(s.embedded, name)
			// A file of the user is never part of what is built in; and one that
			// stands for a built-in preset may extend that.
			if user := named(s.user, name); user != nil && p.File != "" && (user != p || next == nil) {
				next = user
			}
			if next == nil {
				_, err := s.Get(name)
				return p.fault("extends", err.Error())
			}
			if err := visit(next); err != nil {
				return err
			}
		}
		way = way[:len(way)-1]
		out = append(out, p)
		return nil
	}
	return out, visit(p)
}

// Config returns the preset for core/config to read, with what the user's
// own files add, and notes about what could not be added.
func (s *Set) Config(p *Preset) (*policy.Preset, []string, error) {
	chain, err := s.chain(p)
	if err != nil {
		return nil, nil, err
	}
	out := &policy.Preset{}
	var notes []string
	for _, part := range chain {
		file := policy.PresetFile{Shown: part.File, TOML: part.TOML(), Own: part.File != ""}
		if !file.Own {
			file.Shown = "preset " + part.Name
		}
		out.Files = append(out.Files, file)
		if part.discover == nil {
			continue
		}
		add := part.discover(s.env)
		for _, r := range add.domains {
			if !slices.ContainsFunc(out.Domains, func(have policy.Rule) bool { return have.Text == r.Text }) {
				out.Domains = append(out.Domains, r)
			}
		}
		out.Paths = append(out.Paths, add.paths...)
		for _, note := range add.notes {
			if !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
		}
	}
	return out, notes, nil
}
