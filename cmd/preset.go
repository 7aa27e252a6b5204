package cmd

import (
	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/preset"
)

type presetVerb struct {
	List presetList `cmd:"" help:"List the presets and the commands that each one fits."`
	Show presetShow `cmd:"" help:"Print a preset, with what your own files add to it."`
}

type presetList struct{}

// Run lists the presets, the name first.
func (*presetList) Run(t streams) error {
	set, err := presets()
	if err != nil {
		return err
	}
	for _, p := range set.List() {
		t.answer(pad(p.Name, 12) + p.Description)
		if p.File != "" {
			t.answer(pad("", 12) + sayOwnPreset(p.File, p.Replaces))
		}
		for _, line := range matchLines(p.Match) {
			t.answer(pad("", 12) + line)
		}
	}
	return nil
}

// presets are those of the user and those that are built in.
func presets() (*preset.Set, error) {
	o, err := layers("")
	if err != nil {
		return nil, err
	}
	return preset.Open(core.PresetEnv(o.Home, o.Dir, o.Getenv)) //nolint:wrapcheck // names file, line and key
}

// matchLines puts the patterns of a preset into lines.
func matchLines(match []string) []string {
	if len(match) == 0 {
		return []string{sayByNameOnly}
	}
	words := make([]string, len(match))
	for i, m := range match {
		words[i] = m
		if i < len(match)-1 {
			words[i] += ","
		}
	}
	return wrap(words)
}

type presetShow struct {
	Name string `arg:"" help:"The name of the preset."`
}

// Run prints a preset as it is written.
func (v *presetShow) Run(t streams) error {
	set, err := presets()
	if err != nil {
		return err
	}
	p, err := set.Get(v.Name)
	if err != nil {
		return err //nolint:wrapcheck // proposes a name
	}
	found, notes, err := set.Config(p)
	if err != nil {
		return err //nolint:wrapcheck // names file, line and key
	}
	t.text(string(p.TOML()))
	for _, rule := range found.Domains {
		t.answer("# " + sayAdds(rule.Text, rule.Origin.String()))
	}
	for _, entry := range found.Paths {
		t.answer("# " + sayAdds(entry.Rule.Text, entry.Rule.Origin.String()))
	}
	for _, note := range notes {
		t.warn(note)
	}
	return nil
}
