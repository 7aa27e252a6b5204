// Package inner is a wall inside of the sandbox: what a program in it starts can be
// given less than the program itself has. It is made of Landlock, which needs no right
// and no namespace, and holds for the calling thread and what that becomes and starts.
//
// It guarantees that files are written beneath [Rules].Write only, that those of
// [Rules].Closed are not read, and that processes outside are neither traced nor looked
// into (their environment and memory among it) nor, on Linux 6.12, sent signals. It knows no
// reasons, and it only adds to a sandbox: by itself it would leave much open, such as
// the metadata of files, all sockets but those of TCP, and what capabilities open
// (CAP_PERFMON, the memory of every process).
package inner

import "errors"

// Rules are what is left to a program.
type Rules struct {
	// Write are the folders and files that can be written; those that are not there
	// are passed over. Devices, and what the standard streams are, can be in any case.
	Write []string
	// Closed is a folder whose files cannot be read, but for those beneath Write; "" for
	// none. Neither the folder nor what it lies in may be replaced meanwhile, and what is
	// made beside it later, in a folder on the way to it, cannot be read either.
	Closed string
	// Ports are those of TCP that can be connected to; nil: all.
	Ports []uint16
	// OpenFiles lifts every rule on files.
	OpenFiles bool
}

// ErrNoLandlock says that this kernel cannot make the wall.
var ErrNoLandlock = errors.New("this kernel has no Landlock of version 2 or newer (Linux 5.19)")

// ErrTooDeep says that too many walls stand in each other.
var ErrTooDeep = errors.New("too many scripts start each other: Landlock ends at 16 layers")

// Weaker names what is lost on a version of Landlock: it is made up for by a filter,
// but in a coarser form. nil: nothing is.
func Weaker(version int) []string {
	var out []string
	if version < 3 {
		out = append(out, "truncate(2) is refused everywhere (Linux 6.2 would judge it by the file)")
	}
	if version < 4 {
		out = append(out, "scripts of dependencies have no sockets at all (Linux 6.7 would judge connections by their port)")
	}
	if version < 6 {
		out = append(out, "scripts can end the tool that started them (Linux 6.12 keeps signals in)")
	}
	return out
}
