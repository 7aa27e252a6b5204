package hooks

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Views are folders of hooks that git is pointed to instead of a repository's own. What
// is in one are scripts by the names of hooks whose interpreter is srt; which file a name
// stands for is looked up when git runs it. So one view serves all repositories that
// have hooks of the same names.
//
// They are no links: whoever is told by git that hooks belong there, and may write
// them, would write srt itself.
type Views struct {
	Base string // the folder of all views, absolute
	Srt  string // the program that runs the hooks, absolute
}

// hookOption stands between the name of srt and that of the script.
const hookOption = "--git-hook"

// script is what each of the files says.
func (v Views) script() []byte {
	const most = 200 // what the kernel reads of a first line is 256 bytes on Linux
	if line := v.Srt + " " + hookOption; len(line) < most && !strings.ContainsAny(v.Srt, " \t\n") {
		return []byte("#!" + line + "\n")
	}
	return []byte("#!/bin/sh\nexec " + quoteSh(v.Srt) + " " + hookOption + ` "$0" "$@"` + "\n")
}

// viewPrefix begins the name of each view.
const viewPrefix = "hooks-"

// configHook is the file of a view that stands for a hook which the user's configuration
// names by a command. No hook of git has a name with an underscore.
const configHook = "config_hook"

// ViewBase is the folder of the views for an environment, in the folder for state of
// the user, which no sandbox may write.
func ViewBase(home string, getenv func(string) string) string {
	state := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "srt", "git")
}

// Called reports whether a program was started as the interpreter of a file of a view,
// and gives the words from the name of that file on.
func Called(args []string) (words []string, views Views, ok bool) {
	if len(args) < 3 || args[1] != hookOption || !filepath.IsAbs(args[2]) {
		return nil, Views{}, false
	}
	dir := filepath.Dir(args[2])
	v := Views{Base: filepath.Dir(dir)}
	return args[2:], v, strings.HasSuffix(v.Base, "/srt/git") && v.Own(dir)
}

// Own reports whether a folder is a view.
func (v Views) Own(dir string) bool {
	dir = filepath.Clean(dir)
	return filepath.Dir(dir) == filepath.Clean(v.Base) && strings.HasPrefix(filepath.Base(dir), viewPrefix)
}

// added reports whether a setting is one that srt gives git: the folder of a view, or a
// command that is a file of one.
func (v Views) added(p GitParameter) bool {
	switch {
	case p.Key == hooksPathKey:
		return v.Own(p.Value)
	case strings.HasPrefix(p.Key, "remote.") && strings.HasSuffix(p.Key, ".receivepack"):
		return p.Value == v.receiver()
	case strings.HasPrefix(p.Key, "hook.") && strings.HasSuffix(p.Key, ".command"):
		file, _, ok := dequote(p.Value)
		return ok && filepath.Base(file) == configHook && v.Own(filepath.Dir(file))
	}
	return false
}

// View gives the folder for the names of some hooks, and makes it if it is not there as
// it should be.
func (v Views) View(names []string) (string, error) {
	dir := v.Dir(names)
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	if v.right(dir, names) {
		return dir, nil
	}
	return dir, v.build(dir, names)
}

// Dir is the name of that folder.
func (v Views) Dir(names []string) string {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	sum := sha256.Sum256([]byte(v.Srt + "\n" + strings.Join(names, "\n")))
	return filepath.Join(v.Base, viewPrefix+hex.EncodeToString(sum[:8]))
}

// right reports whether a view is as build makes it, and nobody else's.
func (v Views) right(dir string, names []string) bool {
	var stat unix.Stat_t
	if unix.Lstat(dir, &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFDIR || stat.Mode&0o222 != 0 || int(stat.Uid) != os.Geteuid() {
		return false
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(names) {
		return false
	}
	want := v.script()
	for i, entry := range entries {
		name := filepath.Join(dir, entry.Name())
		if entry.Name() != names[i] || !entry.Type().IsRegular() || unix.Access(name, unix.X_OK) != nil {
			return false
		}
		if text, err := os.ReadFile(name); err != nil || !bytes.Equal(text, want) {
			return false
		}
	}
	return true
}

// build makes a view under another name and puts it in its place.
func (v Views) build(dir string, names []string) (err error) {
	if err := os.MkdirAll(v.Base, 0o700); err != nil {
		return fmt.Errorf("making the folder for views of hooks: %w", err)
	}
	var stat unix.Stat_t
	if err := unix.Stat(v.Base, &stat); err != nil || int(stat.Uid) != os.Geteuid() || stat.Mode&0o022 != 0 {
		return fmt.Errorf("the folder %q, for views of hooks, can be written by others", v.Base)
	}
	partial, err := os.MkdirTemp(v.Base, ".new-")
	if err != nil {
		return fmt.Errorf("making a view of hooks: %w", err)
	}
	defer func() {
		if err != nil {
			removeView(partial)
		}
	}()
	for _, name := range names {
		name = filepath.Join(partial, name)
		if err := os.WriteFile(name, v.script(), 0o500); err != nil { //nolint:gosec // a program
			return fmt.Errorf("making a view of hooks: %w", err)
		}
		if err := os.Chmod(name, 0o500); err != nil { //nolint:gosec // whatever the umask is
			return fmt.Errorf("making a view of hooks: %w", err)
		}
		// Git would pass over hooks there without a word.
		if unix.Access(name, unix.X_OK) != nil {
			return fmt.Errorf("no program can run in %q, where git is to find hooks", v.Base)
		}
	}
	// Who follows core.hooksPath to install hooks must not write them here.
	if err := os.Chmod(partial, 0o500); err != nil { //nolint:gosec // a folder
		return fmt.Errorf("making a view of hooks: %w", err)
	}
	for range 3 {
		err = os.Rename(partial, dir)
		if err == nil || v.right(dir, names) { // somebody else was faster
			if err != nil {
				removeView(partial)
			}
			return nil
		}
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.ENOTDIR) {
			break
		}
		removeView(dir)
	}
	return fmt.Errorf("making a view of hooks: %w", err)
}

// removeView removes a folder that may not be written.
func removeView(dir string) {
	if info, err := os.Lstat(dir); err == nil && info.IsDir() {
		_ = os.Chmod(dir, 0o700) //nolint:gosec // a folder
	}
	_ = os.RemoveAll(dir)
}
