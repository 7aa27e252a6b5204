package core

import (
	"errors"
	"io/fs"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/sandbox"
	"github.com/srt-sh/srt/sandbox/launch"
)

// fixHelper is what makes a program fit to be a helper.
const fixHelper = "it must be an executable file of root or yours, which nobody else may write"

// findBwrap finds bubblewrap: where the settings say, or in the system's folders.
func findBwrap(cfg *config.Config) (string, error) {
	if set := cfg.BwrapPath; set.Set {
		if err := launch.CheckHelper(set.Value); err != nil {
			return "", &hintError{text: "bwrapPath", err: err, hint: fixHelper}
		}
		return set.Value, nil
	}
	path, err := launch.FindHelper("bwrap")
	if errors.Is(err, fs.ErrNotExist) {
		return "", sandbox.ErrNoBwrap
	}
	if err != nil {
		return "", &hintError{text: "bubblewrap cannot be used", err: err, hint: fixHelper}
	}
	return path, nil
}
