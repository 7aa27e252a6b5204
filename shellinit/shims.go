package shellinit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/srt-sh/srt/core"
)

// ShimDir is the folder of the shims, for an environment.
func ShimDir(home string, getenv func(string) string) string {
	data := getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(data) {
		data = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(data, "srt", "shims")
}

// MakeShims makes the shims of those names whose programs are on the PATH: one for a
// program that is not there would make scripts believe that it is. What is right
// already is not touched. What somebody else has put there stays, and is an error, as
// what cannot be made is: the first, once all others were tried.
func MakeShims(v Values) error {
	var first error
	for _, name := range v.shimmed() {
		if err := makeShim(v, name); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func makeShim(v Values, name string) error {
	file := filepath.Join(v.Shims, name)
	target, err := os.Readlink(file)
	switch {
	case err == nil && target == v.Srt:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		if _, err := core.FindProgram(name); err != nil {
			return nil //nolint:nilerr // nothing to stand in front of
		}
	case err != nil:
		return fmt.Errorf("the shim %q is not a symbolic link: %w", file, err)
	}
	if err := os.MkdirAll(v.Shims, 0o700); err != nil {
		return err //nolint:wrapcheck // names the folder
	}
	return replaceLink(v.Srt, file)
}

// GitShim is where the shim of git is, which only srt hook git install makes.
func GitShim(shims string) string { return filepath.Join(shims, "git") }

// MakeGitShim makes it.
func MakeGitShim(v Values) error { return makeShim(v, "git") }

// HasGitShim reports whether it is there, and leads to srt.
func HasGitShim(v Values) bool {
	self, err := os.Stat(v.Srt)
	if err != nil {
		return false
	}
	info, err := os.Stat(GitShim(v.Shims))
	return err == nil && os.SameFile(self, info)
}

// replaceLink makes a symbolic link in one step: other shells run what is there.
func replaceLink(target, file string) error {
	partial := file + ".new" + strconv.Itoa(os.Getpid())
	if err := os.Symlink(target, partial); err != nil {
		return err //nolint:wrapcheck // names the file
	}
	if err := os.Rename(partial, file); err != nil {
		_ = os.Remove(partial)
		return err //nolint:wrapcheck // likewise
	}
	return nil
}

// RemoveShims removes the shims, and the folder if nothing else is in it. It tells
// how many there were.
func RemoveShims(dir string) (int, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err //nolint:wrapcheck // names the folder
	}
	n := 0
	for _, entry := range entries {
		file := filepath.Join(dir, entry.Name())
		target, err := os.Readlink(file)
		if err != nil || !strings.HasPrefix(filepath.Base(target), "srt") {
			continue
		}
		if err := os.Remove(file); err != nil {
			return n, err //nolint:wrapcheck // likewise
		}
		n++
	}
	_ = os.Remove(dir) // not if it holds something else
	return n, nil
}
