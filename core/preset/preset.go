package preset

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"

	"github.com/srt-sh/srt/core/policy"
)

//go:embed presets/*.toml
var files embed.FS

// Preset is a named policy for a tool.
type Preset struct {
	Name        string
	Description string
	Match       []string // command patterns, see MatchCommand; none for a preset that is chosen by name alone

	discover func(Env) ([]policy.Rule, []string)
}

// index repeats the [preset] tables of the files, so that looking a command up
// parses none of them.
func index() []Preset {
	return []Preset{
		{Name: "default", Description: "nothing but a private TMPDIR; reads everywhere but the credential stores"},
		{
			Name: "npm", Description: "npm and npx: the project, npm's caches and its registries",
			Match: []string{"npm", "npm *", "npx", "npx *"}, discover: npmRegistries,
		},
	}
}

// Env is what a preset may look at besides its file. It describes the user,
// not the project.
type Env struct {
	Home, Dir string
	Getenv    func(string) string          // nil: an empty environment
	ReadFile  func(string) ([]byte, error) // nil: no file can be read
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

// List returns the presets in the order in which they are matched.
func List() []Preset { return index() }

// Get returns a preset by name. The error of an unknown name proposes the
// nearest one.
func Get(name string) (*Preset, error) {
	all := index()
	if i := slices.IndexFunc(all, func(p Preset) bool { return p.Name == name }); i >= 0 {
		return &all[i], nil
	}
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = p.Name
	}
	if near := policy.Nearest(name, names); near != "" {
		return nil, fmt.Errorf("no preset %q; did you mean %s?", name, near)
	}
	return nil, fmt.Errorf("no preset %q; there are %v", name, names)
}

// TOML returns the preset's file, comments and all.
func (p *Preset) TOML() []byte {
	data, err := files.ReadFile("presets/" + p.Name + ".toml")
	if err != nil {
		panic("bug: preset " + p.Name + " has no file")
	}
	return data
}

// Config returns the preset for core/config to read, with what the user's
// own files add, and notes about what could not be added.
func (p *Preset) Config(env Env) (*policy.Preset, []string) {
	out := &policy.Preset{Name: p.Name, TOML: p.TOML()}
	var notes []string
	if p.discover != nil {
		out.Domains, notes = p.discover(env)
	}
	return out, notes
}
