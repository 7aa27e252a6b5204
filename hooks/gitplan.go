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

// Git is the world that a command of git runs in.
type Git struct {
	Home    string
	Dir     string // the working folder
	Environ []string
	Views   Views
	// Program is git itself. It is asked only where a condition in its configuration
	// decides about the folder of hooks.
	Program string
}

func (g Git) getenv(name string) string {
	for _, entry := range g.Environ {
		if key, value, ok := strings.Cut(entry, "="); ok && key == name {
			return value
		}
	}
	return ""
}

// GitPlan is how a command of git is to be run.
type GitPlan struct {
	// Args are the words of git, the first of them behind its name.
	Args []string
	// Runs are the settings of the repository's own configuration that git would run
	// something for: with any of them all of git belongs in a sandbox.
	Runs []core.GitSetting
	// Repository is where that is, nil for none.
	Repository *core.GitRepository
	// Named is the git folder that the user has named for this command, "" for none: a
	// hook may write it, though nothing in the work tree leads there.
	Named string
}

// Plan decides about the words of a command of git, and makes the view that it needs.
func (g Git) Plan(args []string) (*GitPlan, error) {
	l := ParseGitLine(args, g.getenv)
	p := &GitPlan{Args: args}
	if l.Harmless() {
		return p, nil
	}
	r, err := g.repository(l)
	if err != nil {
		return nil, err
	}
	p.Repository = r
	if r != nil && (l.GitDir != "" || g.getenv("GIT_DIR") != "") {
		p.Named = r.Dir
	}
	settings, err := r.Settings(g.Home, g.getenv)
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file
	}
	environ, words := withoutOwn(g.Environ, g.Views.added)
	words = append(words, l.Configs...)
	var subs []string
	if r != nil {
		p.Runs = r.Runs(settings)
		if subs, err = g.submodules(p, settings, words); err != nil {
			return nil, err
		}
	}
	if l.Command == "" {
		return p, nil
	}
	dir, sure, err := hooksDir(r, settings, words, g.Home, g.Views.Own)
	if err == nil && !sure {
		dir, err = g.ask(l.Options, environ, l.Dir(g.Dir))
	}
	if err != nil {
		return nil, fmt.Errorf("reading core.hooksPath: %w", err)
	}
	if dir != "" && !filepath.IsAbs(dir) {
		dir = filepath.Join(g.base(l, r), dir)
	}
	names, err := viewNames(l, r, dir, subs)
	if err != nil {
		return nil, fmt.Errorf("looking for hooks: %w", err)
	}
	commands := hookCommands(settings)
	if l.Reads() {
		commands = nil
	}
	for _, s := range commands {
		names = append(names, configHook)
		if strings.Contains(commandName(s.Key), "=") {
			return nil, fmt.Errorf("%s:%d: the hook %q cannot be put into a sandbox, for the = in its name", s.File, s.Line, commandName(s.Key))
		}
	}
	var more []string
	for _, name := range localRemotes(l, settings) {
		// A name with = in it cannot be given so.
		if !strings.Contains(name, "=") {
			more = append(more, "-c", "remote."+name+".receivepack="+g.Views.receiver())
		}
	}
	view := ""
	if len(names) > 0 {
		if view, err = g.Views.View(names); err != nil {
			return nil, err
		}
		more = append(more, "-c", "core.hooksPath="+view)
	}
	if more == nil {
		return p, nil
	}
	for _, s := range commands {
		name := commandName(s.Key)
		more = append(more, "-c", "hook."+name+".command="+quoteSh(filepath.Join(view, configHook))+" "+quoteSh(name))
	}
	p.Args = slices.Concat(l.Options, more, []string{l.Command}, l.Args)
	return p, nil
}

// submodules looks into the submodules, which git enters by itself: what their
// configuration has git run is added to the plan. It gives the names of their hooks.
func (g Git) submodules(p *GitPlan, settings []core.GitSetting, words []GitParameter) (names []string, err error) {
	list, err := p.Repository.Submodules()
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it means
	}
	none := func(name string) string {
		if name == "GIT_CONFIG_GLOBAL" || name == "GIT_CONFIG_SYSTEM" {
			return os.DevNull
		}
		return ""
	}
	general := slices.DeleteFunc(slices.Clone(settings), func(s core.GitSetting) bool { return s.Scope >= core.GitLocal })
	for _, sub := range list {
		own, err := sub.Settings(g.Home, none)
		if err != nil {
			return nil, err //nolint:wrapcheck // names the file
		}
		p.Runs = append(p.Runs, sub.Runs(own)...)
		dir, sure, err := hooksDir(sub, slices.Concat(general, own), words, g.Home, g.Views.Own)
		if err != nil {
			return nil, fmt.Errorf("reading core.hooksPath: %w", err)
		}
		if !sure || !filepath.IsAbs(dir) {
			// Where it is turns out when the hook runs.
			names = append(names, allHooks()...)
			continue
		}
		more, err := hookNames(dir)
		if err != nil {
			return nil, fmt.Errorf("looking for hooks: %w", err)
		}
		names = append(names, more...)
	}
	return names, nil
}

// ask has git say where the hooks are. It runs nothing for that of what a repository
// says.
func (g Git) ask(options, environ []string, dir string) (string, error) {
	cmd := exec.CommandContext(context.Background(), g.Program, slices.Concat(options, []string{"rev-parse", "--git-path", "hooks"})...)
	cmd.Dir, cmd.Env = g.Dir, environ
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("asking git: %w", err)
	}
	answer := strings.TrimSuffix(string(out), "\n")
	if !filepath.IsAbs(answer) {
		answer = filepath.Join(dir, answer)
	}
	if g.Views.Own(answer) {
		return "", errors.New("it depends on a condition of git's configuration, and srt's own stands before it")
	}
	return answer, nil
}

// repository finds the repository of a line.
func (g Git) repository(l GitLine) (*core.GitRepository, error) {
	dir := l.Dir(g.Dir)
	if served, r, err := l.served(dir); served {
		return r, err
	}
	r, err := core.FindGit(dir, func(name string) string {
		if name == "GIT_DIR" {
			switch {
			case l.GitDir != "":
				return l.GitDir
			case l.Bare && g.getenv(name) == "":
				return dir
			}
		}
		return g.getenv(name)
	})
	if err != nil {
		return nil, fmt.Errorf("looking for the repository: %w", err)
	}
	return r, nil
}

// base is the folder where git runs the hooks of a command.
func (g Git) base(l GitLine, r *core.GitRepository) string {
	tree := l.Tree
	if tree == "" {
		tree = g.getenv("GIT_WORK_TREE")
	}
	dir := l.Dir(g.Dir)
	switch {
	case tree == "":
		return hookBase(r, dir)
	case filepath.IsAbs(tree):
		return tree
	}
	return filepath.Join(dir, tree)
}

// hookBase is the folder where git runs hooks: the top of the work tree, or the git
// folder of a bare repository.
func hookBase(r *core.GitRepository, dir string) string {
	switch {
	case r == nil:
		return dir
	case r.Tree != "":
		return r.Tree
	}
	return r.Dir
}

// hookCommands are the hooks that a configuration other than that of the repository
// names, by the last value of each.
func hookCommands(settings []core.GitSetting) []core.GitSetting {
	var out []core.GitSetting
	for _, s := range settings {
		if !strings.HasPrefix(s.Key, "hook.") || s.Scope >= core.GitLocal {
			continue
		}
		name := commandName(s.Key)
		same := func(have core.GitSetting) bool { return commandName(have.Key) == name }
		switch {
		case strings.HasSuffix(s.Key, ".command"):
			out = append(slices.DeleteFunc(out, same), s)
		case strings.HasSuffix(s.Key, ".enabled") && slices.Contains([]string{"false", "no", "off", "0"}, strings.ToLower(s.Value)):
			out = slices.DeleteFunc(out, same)
		}
	}
	return out
}

// commandName is the name of a hook in the key of a setting, hook.NAME.command.
func commandName(key string) string {
	rest := strings.TrimPrefix(key, "hook.")
	if at := strings.LastIndexByte(rest, '.'); at >= 0 {
		return rest[:at]
	}
	return ""
}
