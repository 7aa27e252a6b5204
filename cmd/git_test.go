package cmd

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/srt-sh/srt/hooks"
	"github.com/srt-sh/srt/shellinit"
)

// The function of each shell and srt git agree about what can run no hooks.
func TestShellsKnowWhatReads(t *testing.T) {
	lines := []string{
		"status", "commit -m status", "-C status commit", "-C x status", "-c a=b --git-dir x --work-tree y log -1", "--no-pager diff",
		"--git-dir=x commit", "--version", "", "st", "branch", "branch --show-current", "branch -d x", "stash", "stash list", "stash pop",
		"symbolic-ref HEAD", "symbolic-ref -q --short HEAD", "symbolic-ref HEAD refs/heads/x", "symbolic-ref -d HEAD", "-C", "config user.name",
		"rebase --exec status", "--attr-source x show", "--config-env a=b push",
	}
	values := shellinit.Values{Srt: "/usr/bin/srt", Shims: "/none/shims", Names: []string{"git"}, Git: shellinit.GitHooks, Reads: hooks.ReadCommands()}
	for shell, flags := range map[string][]string{"zsh": {"-f", "-i", "-c"}, "bash": {"--noprofile", "--norc", "-i", "-c"}, "fish": {"-N", "-i", "-c"}} {
		if _, err := exec.LookPath(shell); err != nil {
			t.Logf("%s is missing", shell)
			continue
		}
		script, err := shellinit.Script(shell, values)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			script += "_srt_plain " + line + " && echo reads || echo other\n"
		}
		cmd := exec.CommandContext(context.Background(), shell, append(flags, script)...)
		cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=/usr/bin:/bin", "TERM=dumb"}
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", shell, err)
		}
		answers := strings.Fields(string(out))
		if len(answers) != len(lines) {
			t.Fatalf("%s: %q", shell, out)
		}
		for i, line := range lines {
			l := hooks.ParseGitLine(strings.Fields(line), func(string) string { return "" })
			want := "other"
			if l.Reads() || l.Command == "" {
				want = "reads"
			}
			if answers[i] != want {
				t.Errorf("%s: %q: %s, srt git says %s", shell, line, answers[i], want)
			}
		}
	}
}
