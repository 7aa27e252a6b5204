//go:build !linux

package core

import (
	"context"
	"runtime"

	"github.com/srt-sh/srt/sandbox"
)

func platform(context.Context) []Measure {
	return []Measure{{
		Name: "system", Needed: true, Detail: runtime.GOOS + ": " + sandbox.ErrUnsupported.Error(),
		Fix: "run srt on Linux " + minKernel + " or newer",
	}}
}

func installBwrap() string { return "" }

func nested() bool { return false }

func usernsObstacle() (what, fix string) { return "", "" }
