package stage

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// set puts the limits in force for this process and all that come from it. None of
// them can be raised again: that takes a capability in the first user namespace.
func (l Limits) set() error {
	for _, s := range []struct {
		name     string
		resource int
		value    uint64
	}{
		{"RLIMIT_NPROC", unix.RLIMIT_NPROC, uint64(l.Processes)}, //nolint:gosec // not negative
		{"RLIMIT_AS", unix.RLIMIT_AS, l.Memory},
	} {
		if s.value == 0 {
			continue
		}
		var now unix.Rlimit
		if err := unix.Getrlimit(s.resource, &now); err != nil {
			return fmt.Errorf("reading %s: %w", s.name, err)
		}
		// The caller's own may be lower.
		limit := unix.Rlimit{Cur: min(s.value, now.Cur), Max: min(s.value, now.Max)}
		if err := unix.Setrlimit(s.resource, &limit); err != nil {
			return fmt.Errorf("setting %s: %w", s.name, err)
		}
	}
	return nil
}
