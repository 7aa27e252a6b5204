//go:build !linux

package inner

// Version is that of the kernel's Landlock, 0 where there is none.
func Version() (int, error) { return 0, nil }

// Enter puts the calling thread behind the wall; here it cannot.
func Enter(Rules) error { return ErrNoLandlock }
