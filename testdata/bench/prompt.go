package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// prompts are what each shell does at a prompt, in a loop that the shell itself times:
// ROUNDS rounds, then the microseconds of one.
var prompts = []struct{ shell, direnv, loop string }{
	{
		"bash", `eval "$(direnv hook bash)"`,
		`f=${EPOCHREALTIME/./}; for ((i = 0; i < ROUNDS; i++)); do eval "${PROMPT_COMMAND-}"; done; t=${EPOCHREALTIME/./}
echo "us=$(((t - f) / ROUNDS))"`,
	},
	{
		"zsh", `eval "$(direnv hook zsh)"`,
		`zmodload zsh/datetime; f=$EPOCHREALTIME; for ((i = 0; i < ROUNDS; i++)); do for h in $precmd_functions; do $h; done; done
echo "us=$(( (EPOCHREALTIME - f) * 1000000 / ROUNDS ))"`,
	},
	{
		"fish", `direnv hook fish | source`,
		`set f (date +%s%N); for i in (seq ROUNDS); emit fish_prompt; end; set t (date +%s%N)
echo us=(math "($t - $f) / 1000 / ROUNDS")`,
	},
}

// prompt compares what the integration does at an empty prompt with what a plain shell
// does, and with direnv's hook where it is installed. The shells are interactive, and
// read no start-up file.
func (b *bench) prompt() error {
	dir := b.dir("prompt")
	hasDirenv := false
	if _, err := exec.LookPath("direnv"); err == nil {
		hasDirenv = true
	}
	for _, p := range prompts {
		if _, err := exec.LookPath(p.shell); err != nil {
			continue
		}
		ours := `eval "$(srt init ` + p.shell + `)"`
		if p.shell == "fish" {
			ours = "srt init fish | source"
		}
		medians, err := turns(b.runs(20), b.shell(dir, p.shell, "", p.loop, 1000), b.shell(dir, p.shell, ours, p.loop, 1000))
		if err != nil {
			return err
		}
		more := medians[1] - medians[0]
		b.row("prompt: "+p.shell+", an empty one", us(medians[0]), us(medians[1]), fmt.Sprintf("%+.0f µs", more), "100 µs more or less", more <= 100)
		if !hasDirenv {
			continue
		}
		// It starts a process at each prompt.
		other, err := turns(b.runs(10), b.shell(dir, p.shell, p.direnv, p.loop, 20))
		if err != nil {
			return err
		}
		b.row("prompt: "+p.shell+", direnv's hook in place of srt's", us(other[0]), us(medians[1]), "", "less than it", medians[1] < other[0])
	}
	return nil
}

// shell runs a loop in an interactive shell once it has evaluated a line, and returns
// what one round takes, in microseconds. The first rounds, which settle what is to be
// settled once, are not counted.
func (b *bench) shell(dir, shell, line, loop string, rounds int) func() (float64, error) {
	return func() (float64, error) {
		counted := strings.ReplaceAll(loop, "ROUNDS", strconv.Itoa(rounds))
		flags := map[string][]string{"bash": {"--noprofile", "--norc"}, "zsh": {"-f"}, "fish": {"--no-config"}}[shell]
		text := line + "\n" + strings.ReplaceAll(loop, "ROUNDS", "3") + "\n" + counted + "\n"
		cmd := b.command(dir, append(append([]string{shell}, flags...), "-i", "-c", text)...)
		for i, entry := range cmd.Env {
			if path, ok := strings.CutPrefix(entry, "PATH="); ok {
				cmd.Env[i] = "PATH=" + filepath.Dir(b.srt) + string(os.PathListSeparator) + path
			}
		}
		out, err := cmd.Output()
		if err != nil {
			return 0, fmt.Errorf("%s: %w", shell, err)
		}
		at := strings.LastIndex(string(out), "us=")
		if at < 0 {
			return 0, fmt.Errorf("%s gave no time: %q", shell, out)
		}
		value, _, _ := strings.Cut(string(out)[at+len("us="):], "\n")
		return strconv.ParseFloat(strings.TrimSpace(value), 64)
	}
}

func us(microseconds float64) string { return fmt.Sprintf("%.0f µs", microseconds) }
