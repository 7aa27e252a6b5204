package core

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// GitRepository is where a repository is, as git would find it.
type GitRepository struct {
	Dir    string // the git folder, absolute
	Common string // the one that linked work trees share; Dir where there is no other
	Tree   string // the folder whose .git leads to Dir; "" for a bare repository, or if GIT_DIR names it
}

// FindGit finds the repository that git works with in a folder, from GIT_DIR or in the
// folders from dir upwards; nil where there is none. It looks past ownership and
// GIT_CEILING_DIRECTORIES, which can only keep git from one. git itself is not started.
func FindGit(dir string, getenv func(string) string) (*GitRepository, error) {
	if named := getenv("GIT_DIR"); named != "" {
		named = resolveFrom(dir, named)
		r, err := GitAt(named)
		if r == nil || err != nil {
			return nil, err
		}
		if common := getenv("GIT_COMMON_DIR"); common != "" {
			r.Common = resolveFrom(dir, common)
		}
		if filepath.Base(named) == ".git" {
			r.Tree = filepath.Dir(named)
		}
		return r, nil
	}
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		r, err := GitAt(filepath.Join(at, ".git"))
		if err != nil {
			return nil, err
		}
		if r != nil {
			r.Tree = at
			return r, nil
		}
		if r, err := GitAt(at); r != nil || err != nil {
			return r, err
		}
		if at == "/" || at == "." {
			return nil, nil //nolint:nilnil // documented: there is none
		}
	}
}

// GitAt is the repository of a .git, a folder or a pointer, or of a bare one; nil for none.
func GitAt(dotGit string) (*GitRepository, error) {
	dir, common, err := gitDirs(dotGit)
	if errors.Is(err, syscall.ENOTDIR) {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil || dir == "" || !isGitDir(dir, common) {
		return nil, err
	}
	return &GitRepository{Dir: dir, Common: common}, nil
}

// isGitDir reports whether git takes a folder for the git folder of a repository
// (setup.c, is_git_directory).
func isGitDir(dir, common string) bool {
	head := filepath.Join(dir, "HEAD")
	info, err := os.Lstat(head)
	if err != nil {
		return false
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(head)
		if err != nil || !strings.HasPrefix(target, "refs/") {
			return false
		}
	} else if text, err := readGitFile(head); err != nil || !headLine(text) {
		return false
	}
	for _, name := range []string{"objects", "refs"} {
		if info, err := os.Stat(filepath.Join(common, name)); err != nil || !info.IsDir() {
			return false
		}
	}
	return true
}

// headLine reports whether a HEAD names a reference or a commit.
func headLine(text string) bool {
	if ref, ok := strings.CutPrefix(text, "ref:"); ok {
		return strings.HasPrefix(strings.TrimLeft(ref, " \t\n\r"), "refs/")
	}
	return len(text) >= 40 && strings.Trim(strings.ToLower(text[:40]), "0123456789abcdef") == ""
}

// GitScope is where a setting of git comes from.
type GitScope uint8

// The scopes, the weakest first.
const (
	GitSystem GitScope = iota
	GitGlobal
	GitLocal
	GitWorktree
)

// GitSetting is one setting of a configuration file of git.
type GitSetting struct {
	Key   string // section and key in lower case, a subsection as it is spelled
	Value string
	Set   bool // false: the key stands alone, which means true
	Scope GitScope
	File  string // absolute
	Line  int    // from 1
	Doubt bool   // it counts only if the condition of an include holds, which was not looked at
}

// Settings reads the configuration of a repository as git does, weakest first, with all
// files that it includes; for a nil repository only that of the user and the system. The
// error says which file cannot be read as git reads it.
func (r *GitRepository) Settings(home string, getenv func(string) string) ([]GitSetting, error) {
	g := &gitReader{paths: gitPaths{home: home, get: getenv}}
	for _, f := range g.paths.userFiles() {
		if err := g.read(f.name, f.scope, 0, false); err != nil {
			return nil, err
		}
	}
	if r == nil {
		return g.out, nil
	}
	names := []struct {
		name  string
		scope GitScope
	}{{filepath.Join(r.Common, "config"), GitLocal}, {filepath.Join(r.Common, "config.worktree"), GitWorktree}}
	if r.Dir != r.Common {
		names[1].name = filepath.Join(r.Dir, "config.worktree")
	}
	for _, f := range names {
		if err := g.read(f.name, f.scope, 0, false); err != nil {
			return nil, err
		}
	}
	return g.out, nil
}

// userFiles are the files of the system and of the user that git reads, in its order.
func (g *gitPaths) userFiles() []struct {
	name  string
	scope GitScope
} {
	type file = struct {
		name  string
		scope GitScope
	}
	var files []file
	switch off := strings.ToLower(g.get("GIT_CONFIG_NOSYSTEM")); {
	case off != "" && off != "0" && off != "false" && off != "no" && off != "off":
	case g.get("GIT_CONFIG_SYSTEM") != "":
		files = append(files, file{g.get("GIT_CONFIG_SYSTEM"), GitSystem})
	default:
		for _, name := range []string{"/etc/gitconfig", "/usr/local/etc/gitconfig", "/opt/homebrew/etc/gitconfig"} {
			files = append(files, file{name, GitSystem})
		}
	}
	if name := g.get("GIT_CONFIG_GLOBAL"); name != "" {
		return append(files, file{name, GitGlobal})
	}
	config := g.get("XDG_CONFIG_HOME")
	if config == "" {
		config = filepath.Join(g.home, ".config")
	}
	return append(files, file{filepath.Join(config, "git", "config"), GitGlobal}, file{filepath.Join(g.home, ".gitconfig"), GitGlobal})
}

// gitReader reads files of git's configuration in order.
type gitReader struct {
	paths gitPaths
	out   []GitSetting
	files int
	alone bool // no file that is included is read
}

func (g *gitReader) read(name string, scope GitScope, depth int, doubt bool) error {
	if name == os.DevNull {
		return nil // how a user says that there is none
	}
	if g.files++; depth > maxGitIncludes || g.files > maxGitFiles {
		return fmt.Errorf("git's configuration includes too many files, such as %q", name)
	}
	text, err := readGitFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR),
		scope <= GitGlobal && depth == 0 && errors.Is(err, fs.ErrPermission):
		return nil
	case err != nil:
		return fmt.Errorf("reading git's configuration: %w", err)
	}
	entries, err := parseGitConfig([]byte(text))
	if err != nil {
		return fmt.Errorf("reading git's configuration %q: %w", name, err)
	}
	for _, e := range entries {
		g.out = append(g.out, GitSetting{Key: e.name, Value: e.value, Set: e.set, Scope: scope, File: name, Line: e.line, Doubt: doubt})
		if g.alone || !includes(e.name) {
			continue
		}
		path, err := g.paths.expand(e)
		if err != nil {
			return fmt.Errorf("reading git's configuration %q: line %d: %s: %w", name, e.line, e.name, err)
		}
		if err := g.read(resolveFrom(filepath.Dir(name), path), scope, depth+1, doubt || e.name != "include.path"); err != nil {
			return err
		}
	}
	return nil
}

// GitPath reads the value of a setting as a path (git-config(1), "pathname"): it may
// stay relative.
func GitPath(value, home string) (string, error) {
	g := gitPaths{home: home}
	return g.expand(gitEntry{value: value, set: true})
}

// GitRuns reports whether git runs something because a setting has its value, other
// than hooks. What the installer of git-lfs and the like write is left out.
func GitRuns(key, value string) bool {
	// A word is the name of a helper that git brings along, or that is on the PATH.
	helper := strings.HasPrefix(key, "credential.") && strings.HasSuffix(key, ".helper") &&
		strings.Trim(value, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
	return runsValue(key, value) && !usualValue(key, value) && !helper
}

// usualValue reports whether a value is a switch, or runs git-lfs and nothing of a
// repository.
func usualValue(key, value string) bool {
	switch strings.ToLower(value) {
	case "", "true", "false", "yes", "no", "on", "off", "0", "1":
		return true
	}
	return strings.HasPrefix(key, "filter.lfs.") && slices.Contains([]string{
		"git-lfs clean -- %f", "git-lfs smudge -- %f", "git-lfs smudge --skip -- %f", "git-lfs filter-process", "git-lfs filter-process --skip",
	}, value)
}

// Runs are those of its settings, as [GitRepository.Settings] gave them, that come from
// the repository itself and make git run something.
func (r *GitRepository) Runs(settings []GitSetting) []GitSetting {
	var out []GitSetting
	for _, s := range settings {
		if s.Scope >= GitLocal && (GitRuns(s.Key, s.Value) || s.Key == "core.worktree" && !r.ownTree(s.Value)) {
			out = append(out, s)
		}
	}
	return out
}

// ownTree reports whether a core.worktree is the work tree that the repository belongs
// to. Another one may be the home folder, which a checkout would then fill.
func (r *GitRepository) ownTree(value string) bool {
	tree := resolveFrom(r.Dir, value)
	if filepath.Base(r.Dir) == ".git" && samePlace(tree, filepath.Dir(r.Dir)) {
		return true
	}
	dir, _, err := gitDirs(filepath.Join(tree, ".git"))
	return err == nil && dir != "" && samePlace(dir, r.Dir)
}

// maxSubmodules bounds the repositories of submodules that are looked at.
const maxSubmodules = 2000

// Submodules finds the repositories of the submodules, which git enters by itself: those
// below modules, and those that have a .git folder where the index or .gitmodules have one.
func (r *GitRepository) Submodules() ([]*GitRepository, error) {
	var out []*GitRepository
	modules := filepath.Join(r.Common, "modules")
	err := filepath.WalkDir(modules, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == modules {
			return filepath.SkipAll
		}
		if err != nil {
			return err
		}
		if !entry.IsDir() {
			return nil
		}
		if isGitDir(path, path) {
			if out = append(out, &GitRepository{Dir: path, Common: path}); len(out) > maxSubmodules {
				return fmt.Errorf("%q holds more than %d submodules", modules, maxSubmodules)
			}
		}
		switch entry.Name() {
		case "objects", "refs", "logs", "hooks", "info":
			if isGitDir(filepath.Dir(path), filepath.Dir(path)) {
				return filepath.SkipDir
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for submodules: %w", err)
	}
	if r.Tree == "" {
		return out, nil
	}
	paths, err := r.submodulePaths()
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		sub, err := GitAt(filepath.Join(r.Tree, path, ".git"))
		if err != nil {
			return nil, err
		}
		if sub != nil && !slices.ContainsFunc(out, func(have *GitRepository) bool { return have.Dir == sub.Dir }) {
			out = append(out, sub)
		}
	}
	return out, nil
}

// submodulePaths are the places of submodules in the work tree, as .gitmodules and the
// index name them.
func (r *GitRepository) submodulePaths() ([]string, error) {
	hash := 20
	text, err := readGitFile(filepath.Join(r.Common, "config"))
	if entries, wrong := parseGitConfig([]byte(text)); err == nil && wrong == nil {
		for _, e := range entries {
			if e.name == "extensions.objectformat" && strings.EqualFold(e.value, "sha256") {
				hash = 32
			}
		}
	}
	paths, err := gitlinks(r.Dir, hash)
	if err != nil {
		return nil, err
	}
	text, err = readGitFile(filepath.Join(r.Tree, ".gitmodules"))
	if err != nil {
		return paths, nil //nolint:nilerr // git takes none for no submodules
	}
	entries, err := parseGitConfig([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", filepath.Join(r.Tree, ".gitmodules"), err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.name, "submodule.") && strings.HasSuffix(e.name, ".path") && !filepath.IsAbs(e.value) {
			paths = append(paths, e.value)
		}
	}
	return paths, nil
}

// GitCommandFiles are the files that a command in git's configuration names. Relative
// ones begin in one of the folders.
func GitCommandFiles(line, home string, dirs []string) []string {
	g := gitPaths{home: home}
	return g.commandFiles(line, slices.DeleteFunc(slices.Clone(dirs), func(dir string) bool { return dir == "" }))
}

// GitFileSettings reads one configuration file of git, without what it includes. One that
// is not there has none.
func GitFileSettings(file string) ([]GitSetting, error) {
	g := &gitReader{alone: true}
	err := g.read(file, GitGlobal, 0, false)
	return g.out, err
}
