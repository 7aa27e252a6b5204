//go:build !linux

package sandbox

import (
	"errors"
	"io/fs"
	"os"
)

// read lists one folder. It reports false if that could not be done.
func (w *walker) read(dir string, _ []byte, found, dirs []string) ([]string, []string, bool) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return found, dirs, errors.Is(err, fs.ErrNotExist)
	}
	for _, e := range entries {
		found, dirs = w.entry(dir, []byte(e.Name()), e.IsDir(), found, dirs)
	}
	return found, dirs, true
}
