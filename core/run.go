package core

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/event"
	"github.com/srt-sh/srt/core/policy"
	"github.com/srt-sh/srt/sandbox"
	"github.com/srt-sh/srt/sandbox/launch"
)

// Run runs a command in a sandbox to its end and reports how it went. An error
// means that the command did not run, or that its end is not known; settings
// that cannot be used are a [config.RefusedError] or a [config.Error], a command
// that cannot be run a [CommandError].
//
// When ctx ends, so does everything in the sandbox, at once.
func Run(ctx context.Context, o Options) (event.Report, error) {
	early := startEarly(o)
	defer early.close()
	e, err := open(o)
	if err != nil {
		return event.Report{}, err
	}
	if err := e.refuseWeakLimits(); err != nil {
		return event.Report{}, err
	}
	bwrap, err := findBwrap(e.cfg)
	if err != nil {
		return event.Report{}, err
	}
	box, err := early.take(sandbox.Start{
		Bwrap: bwrap, Listen: listenPorts, Keep: e.o.Keep,
		Filter: sandbox.FilterOptions{
			UnixSockets:  e.cfg.Network.AllowAllUnixSockets.Value,
			PathSockets:  e.socketsByPath(),
			NestedUserns: e.cfg.AllowNestedUserNamespaces.Value,
		},
		Limits: e.bounds,
		Stdin:  e.o.Stdin, Stdout: e.o.Stdout, Stderr: e.o.Stderr,
	})
	if err != nil {
		return event.Report{}, err
	}
	defer box.Close()
	if err := e.decide(); err != nil {
		return event.Report{}, err
	}
	return e.run(ctx, box)
}

// earlyBox is a sandbox that was started before the settings were read, for what most
// of them say. The kernel makes the namespaces while the rest is decided.
type earlyBox struct {
	start sandbox.Start
	box   *sandbox.Sandbox // nil: none
}

// startEarly starts one, or takes over what [launch.Early] has started. What goes wrong
// here does so again in take, or the settings say something else.
func startEarly(o Options) *earlyBox {
	bwrap, err := launch.FindHelper("bwrap")
	if err != nil {
		return &earlyBox{}
	}
	o.fillStreams()
	early := &earlyBox{start: sandbox.Start{Bwrap: bwrap, Listen: listenPorts, Keep: o.Keep, Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr}}
	if early.box, err = sandbox.New(early.start); err != nil {
		early.box = nil
	}
	return early
}

// take gives the sandbox if it is what the settings ask for, else a new one.
func (e *earlyBox) take(start sandbox.Start) (*sandbox.Sandbox, error) {
	if box := e.box; box != nil && start.Bwrap == e.start.Bwrap && start.Filter == e.start.Filter && (start.Limits == nil || start.Limits.Limits == sandbox.Limits{}) {
		e.box = nil
		return box, nil
	}
	e.close()
	return sandbox.New(start) //nolint:wrapcheck // says what it means
}

// close ends what take did not give.
func (e *earlyBox) close() {
	if e.box != nil {
		e.box.Close()
		e.box = nil
	}
}

// run starts the proxy and the command and waits for its end.
func (e *engine) run(ctx context.Context, box *sandbox.Sandbox) (event.Report, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer e.closeLog()
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel(nil)
	e.openLog()
	e.tell("config loaded", "preset", e.presetName(), "notes", len(e.cfg.Notes))
	e.tell("command wrapped", "args", e.o.Args, "dir", e.o.Dir)

	ready := make(chan struct{})
	go func() {
		defer close(ready)
		if e.o.Ready != nil {
			e.o.Ready()
		}
	}()
	if err := e.makeProxy(); err != nil {
		return event.Report{}, err
	}
	e.readControl(ctx, cancel)
	ports, err := e.openPorts(ctx)
	if err != nil {
		return event.Report{}, err
	}
	defer closePorts(ports)
	<-ready
	if err := e.prepare(box); err != nil {
		return event.Report{}, err
	}
	observer := e.observer()
	observer.NoFiles = e.cfg.ReportFiles.Set && !e.cfg.ReportFiles.Value
	if !observer.NoFiles || e.socketsByPath() {
		box.Observe(observer)
	}
	err = box.Exec(func(inside sandbox.Network) {
		helpers.Go(func() {
			e.tell("proxy started")
			defer e.tell("proxy stopped")
			if err := e.server.Serve(ctx, inside.Listeners...); err != nil {
				// Without it the command has no network, which is safe but puzzling.
				e.o.Warnf("the proxy ended: %v", err)
			}
		})
		e.forward(ctx, inside, ports, helpers.Go)
	})
	if err != nil {
		if number, ok := errors.AsType[sandbox.ExecError](err); ok {
			err := number.Unwrap()
			if errors.Is(err, fs.ErrNotExist) {
				// The file itself has been found.
				err = fmt.Errorf("the program that runs it, which its first line or its header names: %w", err)
			}
			return event.Report{}, commandError(e.o.Args[0], err)
		}
		return event.Report{}, err
	}
	if e.o.Started != nil {
		go e.o.Started()
	}
	helpers.Go(func() { e.supervise(ctx, box) })
	status := box.Wait()
	if err, ok := errors.AsType[*ControlError](context.Cause(ctx)); ok {
		return event.Report{}, err
	}
	cancel(nil) // the proxy ends while the rest is tidied up
	for _, name := range box.Reached() {
		e.limitReached(name, reachedWords(name))
	}
	for _, c := range box.Changes() {
		e.events.Add(e.changeEvent(c))
	}
	box.Close()
	report := e.events.Report(status.Code)
	report.Logged = e.closeLog()
	e.tell("command ended", "code", report.Code)
	return report, nil
}

// prepare makes what the plan needs. Where others change the tree meanwhile, as
// the end of another run in the same folder does, it plans again.
func (e *engine) prepare(box *sandbox.Sandbox) error {
	for tries := 1; ; tries++ {
		err := box.Prepare(e.plan)
		if !errors.Is(err, sandbox.ErrMoved) || tries == 20 {
			return err //nolint:wrapcheck // says what it means
		}
		if e.plan, err = sandbox.NewPlan(e.spec); err != nil {
			return fmt.Errorf("planning the sandbox: %w", err)
		}
	}
}

// changeEvent tells of a change that matters later.
func (e *engine) changeEvent(c sandbox.Change) event.Event {
	ev := event.Event{Kind: event.Later, Target: c.Path, Reason: c.Reason}
	keep := "deny_write = [" + policy.Quote(c.Path) + "]"
	switch c.Kind {
	case sandbox.ChangedProtected:
		ev.Kind, ev.Reason = event.Changed, "a protected path was changed while the command ran"
	case sandbox.ChangedHook:
		ev.Reason = "a new hook, which git runs outside of the sandbox"
	case sandbox.ChangedRepo, sandbox.ChangedUnseen:
	case sandbox.ChangedLink:
		ev.Reason = "it has another name outside of what may be written, where it changed too"
		ev.Keep = keep
	case sandbox.ChangedLater:
		ev.Keep = keep
	}
	return ev
}

// supervise passes signals on and applies new settings until ctx ends.
func (e *engine) supervise(ctx context.Context, box *sandbox.Sandbox) {
	var timeUp, kill <-chan time.Time // nil: never
	if limit := e.cfg.Limits.Time; limit.Set {
		timeUp = time.After(limit.Value)
	}
	for {
		select {
		case <-ctx.Done():
			box.Kill()
			return
		case <-timeUp:
			e.limitReached("time", "the command ran longer and was ended")
			if err := box.Signal(syscall.SIGTERM); err != nil {
				e.o.Logf("ending the command: %v", err)
			}
			timeUp, kill = nil, time.After(killAfter)
		case <-kill:
			box.Kill()
			return
		case sig := <-e.o.Signals:
			if err := box.Signal(sig); err != nil {
				e.o.Logf("passing %v on: %v", sig, err)
			}
		case <-e.o.Reload:
			e.reload(nil, "settings")
		}
	}
}

// reload reads the settings again; data, if any, stands for the user's file. Only
// what the network lists say applies to a running command: to what it opens from
// now on, and to what it has open. When reload returns, connections that the new
// settings refuse are closed.
func (e *engine) reload(data []byte, what string) {
	e.reloading.Lock()
	defer e.reloading.Unlock()
	decided, err := e.readAgain(data, what)
	switch {
	case err == nil:
		e.policy.Store(decided)
		if e.server != nil {
			e.server.Recheck()
		}
		e.o.Logf("%s applied to the network", what)
	case data != nil:
		e.o.Warnf("Invalid config on %s: ignored, previous config still in force", what)
		e.o.Logf("%v", err)
	default:
		e.o.Warnf("the settings cannot be read again, so the previous ones stay in force: %v", err)
	}
}

// readAgain makes the policy of the settings as they are now, and changes nothing.
func (e *engine) readAgain(data []byte, what string) (*policy.Policy, error) {
	next := &engine{o: e.o}
	next.o.Warnf = e.o.Logf
	options := next.configOptions()
	if data != nil {
		options.Settings, options.SettingsSet, options.SettingsData = what, true, data
	}
	var err error
	if next.cfg, err = config.Load(options); err != nil {
		return nil, err //nolint:wrapcheck // names file, line and key itself
	}
	next.cfg.LocalAddrs = localAddrs
	if err := next.unsupported(); err != nil {
		return nil, err
	}
	return next.cfg.Policy() //nolint:wrapcheck // likewise
}

// ControlError says that the control channel broke before it gave any settings,
// and so the command was ended: who opened it may have meant to tighten them.
type ControlError struct {
	Name string
	Err  error
}

func (e *ControlError) Error() string {
	return fmt.Sprintf("reading %s: %v; the command was ended, since its settings may lie there", e.Name, e.Err)
}

// Unwrap gives the cause.
func (e *ControlError) Unwrap() error { return e.Err }

// readControl reads settings, a line each, until the other end closes. A control
// channel that breaks before its first line ends the run; later it does not.
func (e *engine) readControl(ctx context.Context, end context.CancelCauseFunc) {
	f := e.o.Control
	if f == nil {
		return
	}
	name := f.Name() // Fd() would make it blocking
	go func() {
		lines := bufio.NewReaderSize(f, 64<<10)
		for first := true; ; first = false {
			line, err := readLine(lines, maxControlLine)
			if len(line) > 0 && ctx.Err() == nil {
				e.reload(line, name)
			}
			switch {
			case err == nil:
			case errors.Is(err, io.EOF), errors.Is(err, os.ErrClosed):
				return
			case first:
				end(&ControlError{Name: name, Err: err})
				return
			default:
				e.o.Warnf("reading %s: %v", name, err)
				return
			}
		}
	}()
}

// maxControlLine bounds one line of settings, in bytes.
const maxControlLine = 8 << 20

// readLine reads one line without its end; blank lines are empty.
func readLine(r *bufio.Reader, most int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > most {
			return nil, errors.New("a line is too long")
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r' || line[len(line)-1] == ' ' || line[len(line)-1] == '\t') {
				line = line[:len(line)-1]
			}
			return line, err //nolint:wrapcheck // the caller looks at it
		}
	}
}
