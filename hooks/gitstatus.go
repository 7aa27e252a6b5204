package hooks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/srt-sh/srt/core"
)

// Repository is the repository around the working folder, nil for none.
func (g Git) Repository() (*core.GitRepository, error) { return g.repository(GitLine{}) }

// HookState is a hook of a repository and how it compares with its last run.
type HookState struct {
	Name    string
	File    string
	Sources []Source // as they are
	State   SeenState
	Was     []Source // as they were when it last ran
}

// Hooks are those of a repository, as git would find them now.
func (g Git) Hooks(r *core.GitRepository) ([]HookState, error) {
	dir, err := g.hooksOf(r)
	if err != nil {
		return nil, err
	}
	names, err := hookNames(dir)
	if err != nil {
		return nil, fmt.Errorf("looking for hooks: %w", err)
	}
	var out []HookState
	seen := g.Views.Seen()
	for _, name := range names {
		h := HookState{Name: name, File: filepath.Join(dir, name)}
		if h.Sources, err = Sources(h.File, r.Tree); err != nil {
			return nil, fmt.Errorf("reading a hook: %w", err)
		}
		h.State, h.Was = seen.Compare(h.File, h.Sources)
		out = append(out, h)
	}
	return out, nil
}

// hooksOf is the folder of the hooks of a repository, absolute.
func (g Git) hooksOf(r *core.GitRepository) (string, error) {
	settings, err := r.Settings(g.Home, g.getenv)
	if err != nil {
		return "", err //nolint:wrapcheck // names the file
	}
	environ, words := withoutOwn(g.Environ, g.Views.added)
	dir, sure, err := hooksDir(r, settings, words, g.Home, g.Views.Own)
	if err == nil && !sure {
		dir, err = g.ask(nil, environ, g.Dir)
	}
	if err != nil {
		return "", fmt.Errorf("reading core.hooksPath: %w", err)
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(hookBase(r, g.Dir), dir)
	}
	return dir, nil
}

// MoreHooks are the hooks of a repository that an installation would not have without
// need; for nil none.
func (g Git) MoreHooks(r *core.GitRepository) ([]string, error) {
	if r == nil {
		return nil, nil
	}
	dir, err := g.hooksOf(r)
	if err != nil {
		return nil, err
	}
	names, err := hookNames(dir)
	if err != nil {
		return nil, fmt.Errorf("looking for hooks: %w", err)
	}
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(allHooks(), name) }), nil
}

// FullNames are the hooks of an installation, more among them.
func FullNames(more []string) []string { return append(allHooks(), more...) }

// Diffs show how the files of a hook differ from what last ran.
func (h HookState) Diffs() []string {
	var out []string
	was := func(file string) Source {
		if i := slices.IndexFunc(h.Was, func(s Source) bool { return s.File == file }); i >= 0 {
			return h.Was[i]
		}
		return Source{}
	}
	for _, now := range h.Sources {
		old := was(now.File)
		switch {
		case old.Sum == now.Sum:
		case now.Text == "" || old.Sum != "" && old.Text == "":
			out = append(out, fmt.Sprintf("%s: SHA-256 %s, was %s\n", now.File, now.Sum, old.Sum))
		default:
			out = append(out, Diff(now.File, old.Text, now.Text))
		}
	}
	for _, old := range h.Was {
		if !slices.ContainsFunc(h.Sources, func(s Source) bool { return s.File == old.File }) {
			out = append(out, Diff(old.File, old.Text, ""))
		}
	}
	return out
}

// Try commits by way of a guard in a repository made for it, whose hook tries to write
// outside. git is the program to start, "" for srt git; hooksPath is a core.hooksPath
// that is set in the repository, "" for none. It is an error if the guard does not hold.
func (g Git) Try(git, hooksPath string) error {
	var environ []string
	for _, entry := range g.Environ {
		name, _, _ := strings.Cut(entry, "=")
		switch {
		case !strings.HasPrefix(name, "GIT_"), name == "GIT_CONFIG_GLOBAL", name == "GIT_CONFIG_SYSTEM", name == "GIT_CONFIG_NOSYSTEM":
			environ = append(environ, entry)
		}
	}
	environ = append(environ, "GIT_AUTHOR_NAME=srt", "GIT_AUTHOR_EMAIL=srt@localhost", "GIT_COMMITTER_NAME=srt", "GIT_COMMITTER_EMAIL=srt@localhost")
	hook := ""
	defer func() { _ = os.Remove(g.Views.Seen().file(hook)) }()
	tried, err := Probe{Environ: environ, Prepare: func(work, write string) ([]string, error) {
		hook = filepath.Join(work, ".git", "hooks", "pre-commit")
		for _, args := range [][]string{{"init", "-q", "--template="}, {"config", "core.hooksPath", hooksPath}} {
			if args[0] == "config" && hooksPath == "" {
				continue
			}
			cmd := exec.CommandContext(context.Background(), g.Program, args...)
			cmd.Dir, cmd.Env = work, environ
			if out, err := cmd.CombinedOutput(); err != nil {
				return nil, fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
			}
		}
		if err := os.MkdirAll(filepath.Dir(hook), 0o700); err != nil {
			return nil, err //nolint:wrapcheck // names the folder
		}
		if err := os.WriteFile(hook, []byte("#!/bin/sh\n"+write+"\n"), 0o700); err != nil { //nolint:gosec // a program
			return nil, err //nolint:wrapcheck // names the file
		}
		call := []string{git}
		if git == "" {
			call = []string{g.Views.Srt, "git", "--"}
		}
		return append(call, "-c", "commit.gpgSign=false", "commit", "-q", "--allow-empty", "-m", "a trial of srt"), nil
	}}.Try(context.Background())
	switch {
	case err != nil:
		return err
	case !tried.Ran:
		return fmt.Errorf("the hook did not run: %s", tried.Output)
	case !tried.Holds():
		return errors.New("the hook wrote outside of its repository")
	}
	return nil
}
