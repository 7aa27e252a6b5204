package hooks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/core"
)

// GitHook is a hook that git runs by way of a view.
type GitHook struct {
	Name       string
	Args       []string // the file as git would have called it, and the arguments
	Environ    []string // without what srt has added for git
	File       string   // absolute; "" if the repository has no such hook
	Repository *core.GitRepository

	named string
}

// Hook finds the hook that git means when it starts a file of a view, with the words
// args, args[0] being that file. The environment in g is the one that git gave it.
func (g Git) Hook(args []string) (*GitHook, error) {
	h := &GitHook{Name: filepath.Base(args[0])}
	var words []GitParameter
	h.Environ, words = withoutOwn(g.Environ, g.Views.added)
	h.Environ = slices.DeleteFunc(h.Environ, func(entry string) bool { return strings.HasPrefix(entry, NamedVariable+"=") })
	h.named = g.getenv(NamedVariable)
	r, err := core.FindGit(g.Dir, g.getenv)
	if err != nil {
		return nil, fmt.Errorf("looking for the repository of a hook: %w", err)
	}
	h.Repository = r
	settings, err := r.Settings(g.Home, g.getenv)
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file
	}
	if h.Name == configHook {
		return h, h.command(settings, args[1:])
	}
	dir, sure, err := hooksDir(r, settings, words, g.Home, g.Views.Own)
	if err == nil && !sure {
		dir, err = g.ask(nil, h.Environ, g.Dir)
	}
	if err != nil {
		return nil, fmt.Errorf("reading core.hooksPath: %w", err)
	}
	if dir == "" {
		return h, nil
	}
	call := filepath.Join(dir, h.Name)
	// As git spells it where it stands in the repository.
	if rel, err := filepath.Rel(g.Dir, call); err == nil && filepath.IsAbs(call) && filepath.IsLocal(rel) && strings.HasSuffix(dir, "/hooks") {
		call = rel
	}
	h.Args = append([]string{call}, args[1:]...)
	file := call
	if !filepath.IsAbs(file) {
		file = filepath.Join(g.Dir, file)
	}
	info, err := os.Stat(file)
	if err == nil && info.Mode().IsRegular() && unix.Access(file, unix.X_OK) == nil && !idle(file) {
		h.File = file
	}
	return h, nil
}

// command makes a hook of the one that the user's configuration has under a name. git
// hands the command to a shell with the arguments behind it.
func (h *GitHook) command(settings []core.GitSetting, args []string) error {
	if len(args) == 0 {
		return errors.New("a hook of git's configuration without its name")
	}
	for _, s := range hookCommands(settings) {
		if commandName(s.Key) == args[0] {
			h.Name, h.File = args[0], s.File
			h.Args = append([]string{"/bin/sh", "-c", s.Value + ` "$@"`, s.Value}, args[1:]...)
			return nil
		}
	}
	return fmt.Errorf("git's configuration has no hook %q any more", args[0])
}

// NamedVariable tells a hook's srt which git folder the user has named, see
// [GitPlan.Named]. The hook does not get it.
const NamedVariable = "SRT_GIT_DIR"

// Trees are the folders besides the working folder that a hook may write: the work tree
// of the repository that it belongs to, and the git folder if the user has named it. One
// that a file in the work tree leads to has to lead back.
func (h *GitHook) Trees() []string {
	r := h.Repository
	switch {
	case r == nil:
		return nil
	case h.named == r.Dir:
		return append(trees(r), r.Dir)
	case r.Tree != "":
		return trees(r)
	}
	return nil
}

func trees(r *core.GitRepository) []string {
	switch {
	case r == nil:
		return nil
	case r.Tree == "":
		return []string{r.Dir}
	}
	return []string{r.Tree}
}

// Trees are the folders besides the working folder that git may write in a sandbox.
func (p *GitPlan) Trees() []string {
	if p.Named != "" {
		return append(trees(p.Repository), p.Named)
	}
	return trees(p.Repository)
}
