package cmd

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/preset"
)

type configVerb struct {
	Show   configShow   `cmd:"" help:"Print the settings that are in force, all layers in one."`
	Check  configCheck  `cmd:"" help:"Look for mistakes in settings."`
	Path   configPath   `cmd:"" help:"Name the files that settings are read from."`
	Schema configSchema `cmd:"" help:"Print a JSON schema of the settings, for editors."`
}

type configShow struct {
	Origin bool `help:"Add where each entry was written."`
}

// Run prints the merged settings.
func (v *configShow) Run(t streams, c *tree) error {
	merged, err := c.load(t)
	if err != nil {
		return err
	}
	t.text(merged.Merged(v.Origin))
	return nil
}

// load reads the settings of all layers, with the preset that was named.
func (c *tree) load(t streams) (*config.Config, error) {
	o, err := c.configOptions()
	if err != nil {
		return nil, err
	}
	set, err := preset.Open(core.PresetEnv(o.Home, o.Dir, o.Getenv))
	if err != nil {
		return nil, err //nolint:wrapcheck // names file, line and key
	}
	if c.Preset != nil && *c.Preset != "none" {
		p, err := set.Get(*c.Preset)
		if err != nil {
			return nil, err //nolint:wrapcheck // proposes a name
		}
		found, notes, err := set.Config(p)
		if err != nil {
			return nil, err //nolint:wrapcheck // names file, line and key
		}
		o.Preset = func([]config.Command) (*config.Preset, error) { return found, nil }
		for _, note := range notes {
			t.warn(note)
		}
	}
	merged, err := config.Load(o)
	if err != nil {
		return nil, err //nolint:wrapcheck // names file, line and key
	}
	if _, err := merged.Policy(); err != nil {
		return nil, err //nolint:wrapcheck // likewise
	}
	if err := core.CheckRules(merged.Commands, set); err != nil {
		return nil, err //nolint:wrapcheck // likewise
	}
	return merged, nil
}

func (c *tree) configOptions() (config.Options, error) {
	settings := ""
	if c.Settings != nil {
		if settings = *c.Settings; settings == "" {
			return config.Options{}, usageError{text: sayEmptyValue("--settings")}
		}
	}
	return layers(settings)
}

type configCheck struct {
	File string `arg:"" optional:"" help:"The file; without, all that are read are looked at."`
}

// Run says whether settings can be used.
func (v *configCheck) Run(t streams, c *tree) error {
	if v.File != "" {
		name := v.File
		if !filepath.IsAbs(name) {
			o, err := layers("")
			if err != nil {
				return err
			}
			name = filepath.Join(o.Dir, name)
		}
		if err := config.Check(name); err != nil {
			return t.faulty(v.File, err)
		}
		t.answer(sayFine(v.File))
		return nil
	}
	o, err := c.configOptions()
	if err != nil {
		return err
	}
	status := exitError(statusOK)
	for _, place := range config.Paths(o) {
		if !place.Used {
			continue
		}
		if err := place.Check(); err != nil {
			status = statusFailed
			_ = t.faulty(place.Path, err)
			continue
		}
		t.answer(sayFine(place.Path))
	}
	if status != statusOK {
		return status
	}
	merged, err := c.load(t)
	if err != nil {
		return t.faulty(sayAllLayers, err)
	}
	for _, note := range merged.Notes {
		t.warn(note)
	}
	t.answer(sayFine(sayAllLayers))
	return nil
}

// faulty says what is wrong with a settings file.
func (t streams) faulty(name string, err error) error {
	var hint string
	if e, ok := errors.AsType[*config.RefusedError](err); ok {
		t.error(e.Reason)
		return exitError(statusFailed)
	}
	if e, ok := errors.AsType[*config.Error](err); ok {
		hint = e.Hint
	}
	if errors.Is(err, fs.ErrNotExist) {
		t.error(sayAbsent(name))
	} else {
		t.error(err.Error())
	}
	if hint != "" {
		t.hint(hint)
	}
	return exitError(statusFailed)
}

type configPath struct{}

// Run names the places of settings, the strongest last.
func (*configPath) Run(t streams, c *tree) error {
	o, err := c.configOptions()
	if err != nil {
		return err
	}
	var projects []config.ProjectFile
	if merged, err := config.Load(o); err == nil { // config check tells of what is wrong
		projects = merged.Projects
	}
	for _, place := range config.Paths(o) {
		t.answer(pad(place.Layer.String(), 10) + placeState(place, projects))
	}
	return nil
}

// placeState says whether the file of a place is read, and of one that a repository
// brings along whether all of it counts.
func placeState(place config.LayerPath, projects []config.ProjectFile) string {
	state := sayRead
	for _, p := range projects {
		if p.Path == place.Path && len(p.Held) > 0 {
			state = sayUntrusted
		}
	}
	switch {
	case !place.Exists:
		state = sayNotThere
	case !place.Used:
		state = sayNotRead
	}
	return pad(state, 12) + place.Path
}

type configSchema struct{}

// Run prints the schema.
func (*configSchema) Run(t streams) error {
	t.text(string(config.Schema()))
	return nil
}
