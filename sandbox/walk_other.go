//go:build !linux

package sandbox

import (
	"errors"
	"io/fs"
	"os"
)

// read lists one folder. It reports false if that could not be done.
func (w *walker) read(dir string, _ []byte, b *batch) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	for _, e := range entries {
		w.entry(dir, []byte(e.Name()), e.IsDir(), b)
	}
	return true
}
