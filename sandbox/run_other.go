//go:build !linux

package sandbox

func newRunner(Start) (runner, error) { return nil, ErrUnsupported }
