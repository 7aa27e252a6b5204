//go:build !linux

package core

import (
	"os"

	"github.com/srt-sh/srt/sandbox/inner"
)

func realWorkingDir() (string, error) { return os.Getwd() } //nolint:wrapcheck // says what it means

func becomeScript(inner.Rules, string, []string, []string) error { return inner.ErrNoLandlock }
