package cmd

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/core"
)

// handler passes the signals of this process on to the command, and those only
// that the command has not had already.
//
// The command is in our session and process group: Ctrl-C and Ctrl-\ on the
// terminal reach it without us, as do Ctrl-Z, fg and changes of the window's size,
// which are left alone for that reason.
type handler struct {
	signals  chan os.Signal // unbuffered: a send succeeds once the command runs
	reload   chan struct{}
	incoming chan os.Signal
	done     chan struct{}
	wait     time.Duration        // see patience
	die      func(syscall.Signal) // does not return to what hangs

	mu      sync.Mutex
	running bool
	ending  syscall.Signal // the first signal that ends a process and came before the command ran
}

// passedOn are the signals that the command gets because we do.
var passedOn = [...]os.Signal{ //nolint:gochecknoglobals // a constant
	syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2,
}

// newHandler makes a handler for a run with these options, which begins when all is
// planned, or when that takes its time, as in a large tree. Before that a signal does
// what it does to any program: nothing has been made that would be left, and what was
// started ends with this process.
func newHandler(o *core.Options) *handler {
	h := &handler{
		signals: make(chan os.Signal), reload: make(chan struct{}),
		incoming: make(chan os.Signal, 16), done: make(chan struct{}),
		wait: lastWait, die: die,
	}
	o.Signals, o.Reload = h.signals, h.reload
	since, rest := time.Now(), *o
	begin := sync.OnceFunc(func() { h.begin(since, rest) })
	o.Ready = begin
	time.AfterFunc(quickStart, begin)
	return h
}

// quickStart is how long a start takes in a small folder, with some to spare.
const quickStart = 20 * time.Millisecond

// begin takes signals. What the caller ignores stays so, for the command too: SIGHUP
// behind nohup, SIGINT in the background of a script. For each signal the runtime asks a
// thread of its own: half a millisecond in all.
func (h *handler) begin(since time.Time, o core.Options) {
	for _, sig := range passedOn {
		if !signal.Ignored(sig) {
			signal.Notify(h.incoming, sig)
		}
	}
	go h.pump(since, o)
}

// stop ends the passing on. Signals stay taken: this process is about to end by
// itself, with the status of the command and what there is to say.
func (h *handler) stop() { close(h.done) }

// fatal is the signal that came before the command ran, 0 if none did.
func (h *handler) fatal() syscall.Signal {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ending
}

func (h *handler) pump(since time.Time, o core.Options) {
	for {
		select {
		case <-h.done:
			return
		case sig := <-h.incoming:
			switch {
			case sig == syscall.SIGHUP && settingsChanged(o, since):
				since = time.Now()
				select {
				case h.reload <- struct{}{}:
				case <-h.done:
					return
				}
			case (sig == syscall.SIGINT || sig == syscall.SIGQUIT) && inForeground() && h.commandRuns():
			default:
				h.note(sig)
				select {
				case h.signals <- sig:
					h.started()
				case <-h.done:
					return
				case <-h.patience():
					h.die(h.fatal())
				}
			}
		}
	}
}

// lastWait is how long a command may take to begin after a signal that ends it, a
// little more than the search for protected names may.
const lastWait = 5 * time.Second

// patience ends when srt has been told to end and still sets the sandbox up, such
// as on a file system that does not answer; nil, and so never, once the command
// runs.
func (h *handler) patience() <-chan time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running || h.ending == 0 {
		return nil
	}
	return time.After(h.wait)
}

// die ends this process by a signal. All that it has started ends with it.
func die(sig syscall.Signal) {
	signal.Reset(sig)
	_ = syscall.Kill(os.Getpid(), sig)
}

// commandRuns asks the engine by a signal that does nothing (kill(2), signal 0):
// it takes signals as soon as the command runs. Before that, what the terminal
// sends reaches no command.
func (h *handler) commandRuns() bool {
	h.mu.Lock()
	running := h.running
	h.mu.Unlock()
	if running {
		return true
	}
	select {
	case h.signals <- syscall.Signal(0):
		h.started()
		return true
	default:
		return false
	}
}

func (h *handler) started() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running = true
}

func (h *handler) note(sig os.Signal) {
	number, ok := sig.(syscall.Signal)
	h.mu.Lock()
	defer h.mu.Unlock()
	if ok && !h.running && h.ending == 0 && number != syscall.SIGUSR1 && number != syscall.SIGUSR2 {
		h.ending = number
	}
}

// inForeground reports whether our process group is the one that the terminal
// sends its signals to.
func inForeground() bool {
	tty, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(tty) }()
	group, err := unix.IoctlGetInt(tty, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
