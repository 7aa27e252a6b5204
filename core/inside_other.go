//go:build !linux

package core

// Inside reports whether this process runs in a sandbox of srt, of which this system
// has none.
func Inside() bool { return false }
