// Package preset has the named policies for tools that are built into srt, and
// decides which of them governs a command.
//
// A preset is one TOML file in presets, in the settings' own format with a
// [preset] table on top. Only the one that is asked for is read, and only then.
//
// What a preset adds from outside of its file, such as the registries of the
// user's npmrc, comes from the user's own files and environment alone: nothing
// that a repository brings along widens a preset.
package preset
