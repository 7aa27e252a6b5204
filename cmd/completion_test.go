package cmd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// askShell lets a shell run a script beside an srt that lists two presets.
func askShell(t *testing.T, shell, name, script, ask string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	for file, text := range map[string]string{
		"srt": "#!/bin/sh\nprintf 'alpha       one\\n            a, b\\nbeta        two\\n            by name\\n'\n",
		name:  script, "ask": ask,
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), path, append(args, filepath.Join(dir, "ask"))...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + dir + ":/usr/bin:/bin", "HOME=" + dir, "TERM=dumb", "LANG=C.UTF-8"}
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return string(text)
}

// completions are what must be offered, and what must not; a line that ends in a
// space asks for a new word.
var completions = []struct{ line, want, not string }{ //nolint:gochecknoglobals // a table
	{"srt exp", "explain", "doctor"},
	{"srt --pre", "--preset", "--json"},
	{"srt --preset ", "alpha", "doctor"},
	{"srt preset ", "show", "alpha"},
	{"srt preset show ", "beta", "list"},
	{"srt run --allow-w", "--allow-write", "--json"},
	{"srt run --lim", "--limit", "--yes"},
	{"srt run --limit ", "memory=", "ask"},
	{"srt run --limit cpu=1 ls as", "ask", "--preset"},
	{"srt run --allow-wea", "--allow-weaker", "--yes"},
	{"srt explain --js", "--json", "--yes"},
	{"srt config sh", "show", "path"},
	{"srt config show --", "--origin", "--json"},
	{"srt unt", "untrust", "trust"},
	{"srt trust --", "--list", "--json"},
	{"srt run --no-p", "--no-project", "--preset"},
	{"srt completion ", "fish", "run"},
	{"srt init ", "fish", "run"},
	{"srt ls as", "ask", "--preset"},
	{"srt run ls as", "ask", "--preset"},
	{"srt -d -- ls as", "ask", "--preset"},
	{"srt -s F run --yes -- ls as", "ask", "--preset"},
}

func checkCompletions(t *testing.T, answers string) {
	t.Helper()
	got := map[string]string{}
	for line := range strings.Lines(answers) {
		if question, answer, ok := strings.Cut(line, " => "); ok {
			got[question] = " " + strings.TrimSpace(answer) + " "
		}
	}
	for _, c := range completions {
		answer := got[strings.TrimSpace(c.line)]
		if !strings.Contains(answer, " "+c.want+" ") || strings.Contains(answer, " "+c.not+" ") {
			t.Errorf("%q gives %q, want %s and no %s", c.line, answer, c.want, c.not)
		}
	}
	if t.Failed() {
		t.Log(answers)
	}
}

func TestCompletionBash(t *testing.T) {
	var ask strings.Builder
	ask.WriteString(`source ./srt.bash
ask() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _srt
    local words="$*"
    echo "${words% } => ${COMPREPLY[*]}"
}
`)
	for _, c := range completions {
		words := strings.Fields(c.line)
		if strings.HasSuffix(c.line, " ") {
			words = append(words, "''")
		}
		ask.WriteString("ask " + strings.Join(words, " ") + "\n")
	}
	checkCompletions(t, askShell(t, "bash", "srt.bash", completionBash, ask.String(), "--norc"))
}

func TestCompletionFish(t *testing.T) {
	var ask strings.Builder
	ask.WriteString("source ./srt.fish\n")
	for _, c := range completions {
		ask.WriteString("echo '" + strings.TrimSpace(c.line) + " =>' (complete -C '" + c.line + "' | string replace -r '\\t.*' '')\n")
	}
	checkCompletions(t, askShell(t, "fish", "srt.fish", completionFish, ask.String(), "--no-config"))
}

func TestCompletionZsh(t *testing.T) {
	var ask strings.Builder
	// A shell in a terminal of its own, whose completion lists are captured where
	// they are made: in compadd.
	ask.WriteString(`zmodload zsh/zpty || exit 0
zpty shell zsh -f -i
put() { zpty -w shell "$1" }
put 'autoload -Uz compinit; compinit -u -D; setopt no_beep no_list_ambiguous; source ./srt.zsh
compadd() {
  local -a found
  builtin compadd -O found "$@"
  [[ -n $found ]] && print -r -- "$BUFFER => $found" >>answers
  builtin compadd "$@"
}'
ask() {
  zpty -w -n shell "$1"$'\t\t'
  for try in {1..50}; do
    sleep 0.1
    [[ -e answers ]] && grep -qF -- "$1" answers && break
  done
  sleep 0.1
  zpty -w -n shell $'\x15'
}
sleep 1
`)
	for _, c := range completions {
		ask.WriteString("ask '" + c.line + "'\n")
	}
	ask.WriteString("zpty -d shell\ncat answers\n")
	text := askShell(t, "zsh", "srt.zsh", completionZsh, ask.String(), "-f")
	// The answers of one line come in several lists.
	merged := map[string]string{}
	for line := range strings.Lines(text) {
		if question, answer, ok := strings.Cut(line, " => "); ok {
			merged[strings.TrimSpace(question)] += " " + strings.TrimSpace(answer)
		}
	}
	var b strings.Builder
	for question, answer := range merged {
		b.WriteString(question + " => " + answer + "\n")
	}
	checkCompletions(t, b.String())
}
