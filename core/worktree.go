package core

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/policy"
)

// openTrees adds write roots by their names.
func openTrees(cfg *config.Config, trees []string) {
	for _, tree := range trees {
		if place, err := filepath.EvalSymlinks(tree); err != nil || place == "/" || strings.HasPrefix(cfg.Home+"/", place+"/") {
			continue
		}
		cfg.Filesystem.Paths = append(cfg.Filesystem.Paths, policy.PathEntry{
			Kind: policy.AllowWrite, Literal: true,
			Rule: policy.Rule{Text: tree, Reason: "the repository that git works in", Origin: policy.Origin{Key: "repository"}},
		})
	}
}

// openRepositories adds, for each write root that is a linked work tree or a
// submodule, the folder where its repository is kept: without, git could look and not
// commit. What is protected in any .git is protected there.
func openRepositories(cfg *config.Config) {
	roots := policy.Roots{Home: cfg.Home, Dir: cfg.Dir}
	for _, e := range cfg.Filesystem.Paths {
		if e.Kind != policy.AllowWrite || e.Cache {
			continue
		}
		path, err := e.Resolve(roots)
		if err != nil {
			continue // whoever makes the policy says so
		}
		repo := repositoryOf(path)
		if repo == "" {
			continue
		}
		add := func(kind policy.PathKind, path, reason string) {
			cfg.Filesystem.Paths = append(cfg.Filesystem.Paths, policy.PathEntry{
				Kind: kind, Literal: true,
				Rule: policy.Rule{Text: path, Reason: reason, Origin: policy.Origin{Key: "repository"}},
			})
		}
		add(policy.AllowWrite, repo, "the repository of a work tree that may be written")
		if strings.Contains(repo+"/", "/.git/") {
			continue // the protected names count by themselves
		}
		deny := []string{"hooks", "config", "config.worktree", "info/attributes", "modules"}
		trees, _ := os.ReadDir(filepath.Join(repo, "worktrees")) // it was just looked into
		for _, tree := range trees {
			for _, name := range []string{"gitdir", "commondir", "config.worktree"} {
				deny = append(deny, filepath.Join("worktrees", tree.Name(), name))
			}
		}
		for _, name := range deny {
			add(policy.DenyWrite, filepath.Join(repo, name), "it says what git runs")
		}
	}
}

// repositoryOf is the folder where the repository of a linked work tree or a
// submodule is kept, free of symlinks, and "" for any other folder. Who made the
// pointer in the work tree may not be trusted, so the repository has to point back:
// the one that it belongs to cannot be chosen from the work tree.
func repositoryOf(tree string) string {
	pointer := filepath.Join(tree, ".git")
	dir, common, err := gitDirs(pointer)
	if err != nil || dir == "" || dir == pointer {
		return ""
	}
	dir, err = filepath.EvalSymlinks(dir)
	if err != nil {
		return ""
	}
	common, err = filepath.EvalSymlinks(common)
	if err != nil {
		return ""
	}
	if dir == common {
		if pointsBack(dir, tree) {
			return dir
		}
		return ""
	}
	back, err := readGitFile(filepath.Join(dir, "gitdir"))
	if err != nil || filepath.Dir(dir) != filepath.Join(common, "worktrees") ||
		!samePlace(resolveFrom(dir, strings.TrimRight(back, "\r\n")), pointer) {
		return ""
	}
	return common
}

// Repository names the repository of the work tree at root, a folder free of
// symlinks: the git folder that linked work trees share, or root itself where there
// is none. A work tree cannot choose that of another, see repositoryOf.
func Repository(root string) string {
	dotGit := filepath.Join(root, ".git")
	if info, err := os.Lstat(dotGit); err == nil && info.IsDir() {
		return dotGit
	}
	if repo := repositoryOf(root); repo != "" {
		return repo
	}
	return root
}

// pointsBack reports whether a repository names a folder as its work tree, as those
// of submodules do.
func pointsBack(dir, tree string) bool {
	text, err := readGitFile(filepath.Join(dir, "config"))
	if err != nil {
		return false
	}
	entries, err := parseGitConfig([]byte(text))
	if err != nil {
		return false
	}
	named := ""
	for _, e := range entries {
		if e.name == "core.worktree" {
			named = e.value
		}
	}
	return named != "" && samePlace(resolveFrom(dir, named), tree)
}

func samePlace(a, b string) bool {
	a, err := filepath.EvalSymlinks(a)
	if err != nil {
		return false
	}
	b, err = filepath.EvalSymlinks(b)
	return err == nil && a == b
}
