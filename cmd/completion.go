package cmd

import (
	_ "embed" // the scripts
)

//go:embed completion/srt.bash
var completionBash string

//go:embed completion/srt.zsh
var completionZsh string

//go:embed completion/srt.fish
var completionFish string

type completionVerb struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: bash, zsh or fish."`
}

// Run prints the script, which the shell's start-up file evaluates.
func (v *completionVerb) Run(t streams) error {
	t.text(map[string]string{"bash": completionBash, "zsh": completionZsh, "fish": completionFish}[v.Shell])
	return nil
}
