package policy

// Preset is a named policy for a tool, not yet parsed.
type Preset struct {
	Name    string
	TOML    []byte // its settings, with a [preset] table that is about the preset itself
	Domains []Rule // hosts that are allowed besides, such as the registry of the user's own settings, each with its origin
}
