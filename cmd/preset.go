package cmd

import (
	"os"
	"strings"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/preset"
)

type presetVerb struct {
	List presetList `cmd:"" help:"List the presets and the commands that each one fits."`
	Show presetShow `cmd:"" help:"Print a preset, with what your own files add to it."`
}

type presetList struct{}

// Run lists the presets, the name first.
func (*presetList) Run(t streams) error {
	for _, p := range preset.List() {
		match := strings.Join(p.Match, ", ")
		if match == "" {
			match = sayByNameOnly
		}
		t.answer(pad(p.Name, 12) + p.Description)
		t.answer(pad("", 12) + match)
	}
	return nil
}

type presetShow struct {
	Name string `arg:"" help:"The name of the preset."`
}

// Run prints a preset as it is written.
func (v *presetShow) Run(t streams) error {
	p, err := preset.Get(v.Name)
	if err != nil {
		return err //nolint:wrapcheck // proposes a name
	}
	o, err := layers("")
	if err != nil {
		return err
	}
	t.text(string(p.TOML()))
	found, notes := p.Config(preset.Env{Home: o.Home, Dir: o.Dir, Getenv: os.Getenv, ReadFile: config.ReadFile})
	for _, rule := range found.Domains {
		t.answer("# " + sayAdds(rule.Text, rule.Origin.String()))
	}
	for _, note := range notes {
		t.warn(note)
	}
	return nil
}
