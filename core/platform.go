package core

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/sandbox"
)

// findBwrap finds bubblewrap: where the settings say, or in the system's folders.
func findBwrap(cfg *config.Config) (string, error) {
	if set := cfg.BwrapPath; set.Set {
		if err := sandbox.CheckHelper(set.Value); err != nil {
			return "", fmt.Errorf("bwrapPath: %w", err)
		}
		return set.Value, nil
	}
	path, err := sandbox.FindHelper("bwrap")
	if errors.Is(err, fs.ErrNotExist) {
		return "", sandbox.ErrNoBwrap
	}
	return path, err //nolint:wrapcheck // names the file and what is wrong with it
}
