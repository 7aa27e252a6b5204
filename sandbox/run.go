package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/srt-sh/srt/sandbox/stage"
)

// FilterOptions are the switches of the system call filter.
type FilterOptions = stage.FilterOptions

// Status is how a command ended.
type Status struct {
	// Code is the exit status: the command's own, or 128+n if it died of signal n.
	Code int
}

// ErrUnsupported says that this system has no backend.
var ErrUnsupported = errors.New("no sandbox on this system yet: Linux only")

// ErrNoBwrap says that bubblewrap is not there.
var ErrNoBwrap = errors.New("bubblewrap (bwrap) is not installed")

// ErrNoUserns says that the kernel, or who administers it, does not let this
// user make user namespaces.
var ErrNoUserns = errors.New("user namespaces are not available")

// ErrSetup says that bubblewrap ended before the command could start; it has said
// why on standard error.
var ErrSetup = errors.New("bubblewrap could not set the sandbox up")

// ExecError is why the kernel does not start the command.
type ExecError syscall.Errno

func (e ExecError) Error() string { return syscall.Errno(e).Error() }

// Unwrap gives the error number.
func (e ExecError) Unwrap() error { return syscall.Errno(e) }

// Start is what a sandbox needs before its plan is known. It is started early,
// so that the kernel makes namespaces while the policy is still being read.
type Start struct {
	Bwrap                 string // bubblewrap, which must have been checked (see [launch.FindHelper])
	Filter                FilterOptions
	Listen                []uint16 // TCP ports on the loopback interface inside
	Stdin, Stdout, Stderr *os.File
	Keep                  []int      // descriptors above 2 that the command inherits
	Limits                *LimitPlan // nil: none
}

// Network is the way into the network of a sandbox and out of it.
type Network struct {
	// Listeners are the sockets of Start.Listen, More those of Spec.Listen. They accept
	// connections from inside and are the sandbox's to close. An address of a family
	// that the kernel lacks has none.
	Listeners, More []net.Listener
	// Dial connects to a port of the loopback interface inside, by IPv4 or else IPv6.
	// It waits while Spec.Sockets connections are open.
	Dial func(ctx context.Context, port uint16) (net.Conn, error)
}

// runner is the seam between systems.
type runner interface {
	observe(o Observer)
	exec(plan *Plan, serve func(Network)) error
	wait() Status
	signal(sig os.Signal) error
	reached() []string
	kill()
	close()
}

// Sandbox is one sandbox, from its start to its end.
type Sandbox struct {
	run    runner
	closed bool
	holds  *placeholders
	plan   *Plan
	watch  map[string]os.FileInfo
	later  *watcher
}

// New starts the process that will become the sandbox. It returns when bubblewrap
// runs; how that fares is told by Exec. Every Sandbox must be ended
// by Close.
func New(start Start) (*Sandbox, error) {
	// Nothing else is done meanwhile: until bubblewrap is executed, its process
	// shares the memory of this one, and every page written costs an interrupt on
	// the other processors.
	run, err := newRunner(start)
	if err != nil {
		return nil, err
	}
	return &Sandbox{run: run}, nil
}

// Prepare makes the placeholders of a plan. It can go on while the kernel still
// makes the namespaces. [ErrMoved] asks for a new plan.
func (s *Sandbox) Prepare(plan *Plan) error {
	holds, err := makePlaceholders(plan.StateDir, plan.Make, plan.on)
	if err != nil {
		return err
	}
	s.holds, s.plan = holds, plan
	s.watch = make(map[string]os.FileInfo, len(plan.Watch))
	for _, path := range plan.Watch {
		info, err := os.Lstat(path)
		if err != nil {
			s.holds.release()
			s.holds = nil
			return fmt.Errorf("%w: %q", ErrMoved, path)
		}
		s.watch[path] = info
	}
	s.later = plan.ledger.watch()
	return nil
}

// Exec carries the prepared plan out: the stage makes the mounts and becomes the
// command. Meanwhile serve, unless it is nil, gets the network of the sandbox. An
// [ExecError] says that the kernel did not start the command, [ErrSetup] that
// bubblewrap failed before.
func (s *Sandbox) Exec(serve func(Network)) error {
	return s.run.exec(s.plan, serve)
}

// Observe has what the command tries in vain told. It must be called before Exec.
func (s *Sandbox) Observe(o Observer) { s.run.observe(o) }

// Kill ends everything in the sandbox at once.
func (s *Sandbox) Kill() { s.run.kill() }

// Wait waits for the end of the command.
func (s *Sandbox) Wait() Status { return s.run.wait() }

// Signal sends a signal to the command, and to it only.
func (s *Sandbox) Signal(sig os.Signal) error { return s.run.signal(sig) }

// Reached names the limits that the kernel has enforced by refusing something or by
// ending the command. Only cgroups tell. It must be asked before Close.
func (s *Sandbox) Reached() []string { return s.run.reached() }

// Changes tells, once the command has ended (see [Sandbox.Wait]), what is not as it
// was and matters later:
// the most important first, and not more than a hundred.
func (s *Sandbox) Changes() []Change {
	var changed []Change
	known := map[string]bool{}
	for _, path := range s.plan.Watch {
		now, err := os.Lstat(path)
		if before := s.watch[path]; err != nil || !os.SameFile(before, now) || rewritten(before, now) {
			changed = append(changed, Change{Kind: ChangedProtected, Path: path})
			known[path] = true
		}
	}
	// What stands for absent paths is not looked at any more, and goes meanwhile.
	var removal sync.WaitGroup
	removal.Go(s.release)
	for _, c := range s.later.changes() {
		if !known[c.Path] {
			changed = append(changed, c)
		}
	}
	removal.Wait()
	return changed
}

// rewritten reports whether a file has other contents than before: it may have a second
// name that can be written.
func rewritten(before, now os.FileInfo) bool {
	return now.Mode().IsRegular() && (now.Size() != before.Size() || !now.ModTime().Equal(before.ModTime()))
}

// Close ends the sandbox, if it has not ended, and removes its placeholders. To
// call it again does nothing.
func (s *Sandbox) Close() {
	if s.closed {
		return
	}
	s.closed = true
	s.run.close()
	if s.later != nil {
		s.later.links.end()
	}
	s.release()
}

// release removes the placeholders.
func (s *Sandbox) release() {
	if s.holds != nil {
		s.holds.release()
		s.holds = nil
	}
}
