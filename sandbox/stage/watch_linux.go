package stage

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// watchWord begins the message that has the descriptor of the filter that watches, or
// why there is none.
const watchWord = 'W'

// lastFilter takes away the calls that only the stage needed, and has srt asked about
// those that are watched: it hands the filter's descriptor over. The stage makes none of
// these any more. Without the descriptor, as when srt has ended, they fail (ENOSYS).
func (o *Order) lastFilter() error {
	arch, err := ArchOf(runtime.GOARCH)
	if err != nil {
		return err
	}
	code, err := secondFilter(arch, o.Nested, o.Watch)
	if err != nil {
		return err
	}
	if o.Watch.None() {
		return Install(code)
	}
	// Once srt has taken a call over, only a signal that ends the process ends the wait:
	// others would have the call begin again and again (Linux 5.19).
	fd, err := installFilter(code, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
	if errors.Is(err, unix.EINVAL) {
		fd, err = installFilter(code, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)
	}
	message, rights := []byte{watchWord}, []byte(nil)
	switch {
	case err == nil:
		rights = unix.UnixRights(int(fd))
		defer func() { _ = unix.Close(int(fd)) }()
	case o.Watch.Sockets:
		return err // there it is srt that decides
	default:
		// A process can be watched only once, and whoever started srt may do so. What is
		// lost are reports.
		message = append(message, err.Error()...)
		if code, err = secondFilter(arch, o.Nested, Watch{}); err != nil {
			return err
		}
		if err = Install(code); err != nil {
			return err
		}
	}
	if err := unix.Sendmsg(socket, message, rights, nil, 0); err != nil {
		return fmt.Errorf("passing the filter that watches to srt: %w", err)
	}
	return nil
}

// WatchMessage reads a message about the filter that watches: its descriptor comes with
// it, or why says why there is none.
func WatchMessage(message []byte) (why string, ok bool) {
	if len(message) == 0 || message[0] != watchWord {
		return "", false
	}
	return string(message[1:]), true
}
