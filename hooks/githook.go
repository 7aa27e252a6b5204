package hooks

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/core"
)

// allHooks are the hooks of githooks(5) that a view may have though the repository has
// none of the name. Some are there only if they exist: reference-transaction and
// post-index-change, which git runs all the time, push-to-checkout and proc-receive,
// which change what git does. fsmonitor-watchman is run by its path.
func allHooks() []string {
	return []string{
		"applypatch-msg", "commit-msg", "p4-changelist", "p4-post-changelist", "p4-pre-submit", "p4-prepare-changelist",
		"post-applypatch", "post-checkout", "post-commit", "post-merge", "post-receive", "post-rewrite", "post-update",
		"pre-applypatch", "pre-auto-gc", "pre-commit", "pre-merge-commit", "pre-push", "pre-rebase", "pre-receive",
		"prepare-commit-msg", "sendemail-validate", "update",
	}
}

// comingHooks may come into being by the command that then runs them, where the folder
// of hooks lies in the work tree.
func comingHooks() []string { return []string{"post-checkout", "post-merge", "post-rewrite"} }

// hooksDir is the folder where git looks for hooks, as the settings spell it, the last
// word winning: relative ones begin where hooks run. Folders of srt's own do not count.
// sure tells that no setting counts only under a condition which was not looked at.
func hooksDir(r *core.GitRepository, settings []core.GitSetting, words []GitParameter, home string, own func(string) bool) (dir string, sure bool, err error) {
	value, sure := "", true
	was := core.GitSetting{}
	for _, s := range settings {
		if s.Key != hooksPathKey && (s.Key != chainedKey || s.Value == "") || own(s.Value) {
			continue
		}
		// The second of two readings of one line is that of old versions of git.
		if s.File == was.File && s.Line == was.Line && s.Key == was.Key {
			continue
		}
		was = s
		if s.Doubt {
			sure = false
		}
		value = s.Value
	}
	for _, p := range words {
		if p.Key == hooksPathKey && !own(p.Value) {
			value, sure = p.Value, true
		}
	}
	if value == "" {
		if r == nil {
			return "", sure, nil
		}
		return filepath.Join(r.Common, "hooks"), sure, nil
	}
	dir, err = core.GitPath(value, home)
	return dir, sure, err //nolint:wrapcheck // says what is wrong
}

// hookNames are the executable files of a folder that could be hooks.
func hookNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // names the folder
	}
	var names []string
	for _, entry := range entries {
		if hookName(entry.Name()) && unix.Access(filepath.Join(dir, entry.Name()), unix.X_OK) == nil && !idle(filepath.Join(dir, entry.Name())) {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// huskyStubs are the hooks in the folder that husky 9 makes. What one runs is the file of
// the same name in the folder above, if there is one.
func huskyStubs() []string {
	return []string{"#!/usr/bin/env sh\n. \"$(dirname \"$0\")/h\"", "#!/usr/bin/env sh\n. \"${0%/*}/h\""}
}

// idle reports whether a hook is one of husky's that has nothing to do: of its 14 most
// are.
func idle(hook string) bool {
	dir, name := filepath.Split(hook)
	if dir = filepath.Clean(dir); filepath.Base(dir) != "_" {
		return false
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(dir), name)); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	text, err := os.ReadFile(hook)
	return err == nil && slices.Contains(huskyStubs(), strings.TrimSpace(string(text)))
}

// hookName reports whether a name is made as those of hooks are. Versions of git to
// come may know more of them.
func hookName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && name != "fsmonitor-watchman"
}

// viewNames are the hooks that a view has to have for a command: those in dir, and subs,
// those of the submodules. Commands that make or fetch a submodule get all, since its
// hooks are not there yet.
func viewNames(l GitLine, r *core.GitRepository, dir string, subs []string) ([]string, error) {
	names, err := hookNames(dir)
	if err != nil {
		return nil, err
	}
	names = append(names, subs...)
	if l.Reads() {
		return slices.DeleteFunc(names, func(name string) bool { return name != "post-index-change" }), nil
	}
	all := l.Command == "clone" || l.Command == "submodule"
	if r != nil && r.Tree != "" {
		_, err := os.Lstat(filepath.Join(r.Tree, ".gitmodules"))
		switch l.Command {
		case "am", "apply", "add", "cherry-pick", "commit", "merge", "push", "rebase", "revert", "tag", "update-ref":
		default:
			all = all || err == nil
		}
		if rel, err := filepath.Rel(r.Tree, dir); err == nil && filepath.IsLocal(rel) && !strings.HasPrefix(rel, ".git/") {
			names = append(names, comingHooks()...)
		}
	}
	if all {
		names = append(names, allHooks()...)
	}
	return names, nil
}
