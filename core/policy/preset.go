package policy

// Preset is a named policy for a tool, not yet parsed.
type Preset struct {
	Files   []PresetFile // what it extends first, its own file last
	Domains []Rule       // hosts that are allowed besides, such as the registry of the user's own settings, each with its origin
	Paths   []PathEntry  // places that are opened besides, such as the active virtual environment
}

// PresetFile is the text of a preset: settings with a [preset] table, which is
// about the preset itself.
type PresetFile struct {
	Shown string // the place of its rules: "preset NAME", or the user's file
	TOML  []byte
	Own   bool // it is the user's, so that a fault in it is not srt's
}
