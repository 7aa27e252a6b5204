package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// commits is how many are rebased.
const commits = 20

// git compares git with srt git: where there are no hooks, where one runs with each
// commit of a rebase, and by the function of a shell where git can run none.
func (b *bench) git() error {
	repo := b.dir("git")
	script := `set -e
git init -q .; git config user.name bench; git config user.email bench@example.com; git config gc.auto 0
git commit -q --allow-empty -m base; git branch topic
for i in $(seq ` + fmt.Sprint(commits) + `); do echo $i >f$i; git add f$i; git commit -qm $i; done
git tag top; git checkout -q topic; echo x >other; git add other; git commit -qm other; git tag onto; git checkout -q -B work top`
	if _, err := timed(b.command(repo, "sh", "-c", script)); err != nil {
		return err
	}
	git := func(first ...string) func(args ...string) func() (float64, error) {
		return func(args ...string) func() (float64, error) {
			return func() (float64, error) {
				if _, err := timed(b.command(repo, "git", "reset", "-q", "--hard", "top")); err != nil {
					return 0, err
				}
				took, err := timed(b.command(repo, append(first, args...)...))
				return took.Seconds(), err
			}
		}
	}
	plain, held := git("git"), git(b.srt, "git")
	more := func(what string, n int, args ...string) error {
		medians, err := turns(b.runs(n), plain(args...), held(args...))
		if err != nil {
			return err
		}
		extra := medians[1] - medians[0]
		b.row("git: "+what, ms(medians[0]), ms(medians[1]), fmt.Sprintf("+%s", ms(extra)), "6 ms more", extra <= 0.006)
		return nil
	}
	if err := more("commit, no hooks", 40, "commit", "-q", "--allow-empty", "-m", "x"); err != nil {
		return err
	}
	medians, err := turns(b.runs(20), plain("rebase", "-q", "onto"), held("rebase", "-q", "onto"))
	if err != nil {
		return err
	}
	ratio := medians[1] / medians[0]
	b.row(fmt.Sprintf("git: rebase of %d commits, no hooks", commits), ms(medians[0]), ms(medians[1]), fmt.Sprintf("%.2f x", ratio), "1.3 x", ratio <= 1.3)
	if err := b.gitHook(repo, plain, held); err != nil {
		return err
	}
	return b.gitFunction(repo)
}

// gitHook measures what a hook adds that runs with each commit: no more than as many
// sandboxes do.
func (b *bench) gitHook(repo string, plain, held func(args ...string) func() (float64, error)) error {
	hook := filepath.Join(repo, ".git", "hooks", "post-commit")
	ran := filepath.Join(repo, ".git", "ran")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\necho x >>.git/ran\n"), 0o700); err != nil {
		return err
	}
	defer func() { _ = os.Remove(hook) }()
	box := func() (float64, error) {
		took, err := timed(b.command(repo, b.srt, "run", "--preset", "git-hooks", "--", hook))
		return took.Seconds(), err
	}
	bare := func() (float64, error) {
		took, err := timed(b.command(repo, hook))
		return took.Seconds(), err
	}
	medians, err := turns(b.runs(10), plain("rebase", "-q", "onto"), held("rebase", "-q", "onto"), box, bare)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(ran)
	if err != nil {
		return err
	}
	n := float64(b.runs(10))
	runs := (float64(bytes.Count(text, []byte("\n"))) - 2*n) / (2 * n) // without those of box and bare
	each := medians[2] - medians[3]
	most := 1.3*medians[0] + runs*each
	b.row(fmt.Sprintf("git: the same, a hook that runs %.0f times", runs), ms(medians[0]), ms(medians[1]), "",
		fmt.Sprintf("1.3 x and %.0f sandboxes, %s", runs, ms(most)), medians[1] <= most)
	return nil
}

// gitFunction measures git status by the function of a shell.
func (b *bench) gitFunction(repo string) error {
	for _, p := range prompts {
		if _, err := exec.LookPath(p.shell); err != nil || p.shell == "fish" { // where no function is there for it
			continue
		}
		loop := `f=${EPOCHREALTIME/./}; for ((i = 0; i < ROUNDS; i++)); do GIT status >/dev/null; done; t=${EPOCHREALTIME/./}
echo "us=$(((t - f) / ROUNDS))"`
		if p.shell == "zsh" {
			loop = `zmodload zsh/datetime; f=$EPOCHREALTIME; for ((i = 0; i < ROUNDS; i++)); do GIT status >/dev/null; done
echo "us=$(( (EPOCHREALTIME - f) * 1000000 / ROUNDS ))"`
		}
		ours := `eval "$(srt init ` + p.shell + `)"`
		medians, err := turns(b.runs(20), b.shell(repo, p.shell, "", strings.ReplaceAll(loop, "GIT", "git"), 50), b.shell(repo, p.shell, ours, strings.ReplaceAll(loop, "GIT", "git"), 50))
		if err != nil {
			return err
		}
		extra := medians[1] - medians[0]
		b.row("git: status, by the function of "+p.shell, us(medians[0]), us(medians[1]), fmt.Sprintf("%+.0f µs", extra), "200 µs more or less", extra <= 200)
	}
	return nil
}
