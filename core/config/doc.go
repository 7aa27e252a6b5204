// Package config reads settings, in our TOML and in the JSON of npm srt, and
// merges their layers into one Config in which every value knows where it was
// written.
//
// It is strict: a file that is there and cannot be used is an error, never a
// fall-back to other rules. In TOML an unknown key, a wrong type or a rule that
// cannot be enforced is an error with its file and line. JSON is accepted and
// refused exactly as npm srt 0.0.83 does, unknown keys ignored as there.
//
// Layers, weakest first: what is built in, a preset, the user's file, the files
// of the repository, the environment, flags. The file of --settings stands for
// the user's file, the repository's and the environment, as in npm srt. The machine-wide managed file comes on
// top: its denies cannot be lifted, and with managed_only nothing else widens
// what it allows. Lists add up; of single values the strongest layer's counts.
//
// The table of credential stores that are hidden from reading
// (policy.CredentialRules) applies under our TOML and under no file at all.
// Settings in the npm form are complete in themselves, as they are to npm srt:
// with them only what they deny is hidden, npm srt's default write paths are
// open, and an allowWrite entry opens no protected name of a project.
//
// A file of a repository may tighten. What it opens counts only where the user has
// trusted the very bytes that are parsed; see ProjectFile and Record.
//
// Nothing here asks the process for its home, its directory or its
// environment: Options carries them in.
package config
