package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/sandbox/launch"
	"github.com/srt-sh/srt/sandbox/stage"
)

// linuxRunner drives one stage.
type linuxRunner struct {
	*launch.Process
	start Start
	group *cgroup // nil: none

	inputs map[int]int // those that the stage opened anew, by number
	socks  []net.Listener
	dialer *dialer // nil: none

	watch   *Observer // nil: none
	watcher *observer // nil: none
}

func newRunner(start Start) (runner, error) {
	r := &linuxRunner{start: start}
	o := launch.Options{
		Bwrap: start.Bwrap, Filter: start.Filter, Listen: start.Listen, Keep: start.Keep,
		Stdin: start.Stdin, Stdout: start.Stdout, Stderr: start.Stderr,
	}
	var err error
	if p := start.Limits; p != nil && p.place != nil {
		if r.group, err = makeCgroup(p); err != nil {
			return nil, err
		}
		o.Cgroup = r.group.inner
	}
	r.Process, err = launch.Start(o)
	if err == nil {
		return r, nil
	}
	if r.group != nil {
		r.group.remove()
		if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOSPC) {
			return nil, fmt.Errorf("starting the sandbox in its cgroup %q: %w", r.group.dir, err)
		}
	}
	return nil, namespaceError(err)
}

func makeCgroup(p *LimitPlan) (*cgroup, error) {
	fs, err := systemCgroups()
	if err != nil {
		return nil, err
	}
	return fs.create(p.place, p.Limits)
}

// namespaceError explains why the kernel does not make the namespaces.
func namespaceError(err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: the kernel refuses user namespaces (%w)", ErrNoUserns, err)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EUSERS):
		return fmt.Errorf("%w: the limit of user namespaces is reached, see /proc/sys/user/max_user_namespaces (%w)", ErrNoUserns, err)
	case errors.Is(err, unix.EAGAIN):
		return fmt.Errorf("starting the sandbox: too many processes for this user: %w", err)
	}
	return fmt.Errorf("starting the sandbox: %w", err)
}

// receiveListeners takes over the sockets that the stage has made.
func (r *linuxRunner) receiveListeners() ([]net.Listener, error) {
	fds, err := r.receiveSockets('L')
	if err != nil {
		return nil, err
	}
	var socks []net.Listener
	for _, fd := range fds {
		f := os.NewFile(uintptr(fd), "listener")
		sock, err := net.FileListener(f) // duplicates the descriptor
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("taking over a listener of the sandbox: %w", err)
		}
		socks = append(socks, sock)
		r.socks = append(r.socks, sock)
	}
	return socks, nil
}

// receiveSockets receives the sockets of one message.
func (r *linuxRunner) receiveSockets(letter byte) ([]int, error) {
	payload := make([]byte, 4096)
	rights := make([]byte, unix.CmsgSpace(4*maxRights))
	n, rn, err := r.receive(payload, rights)
	if err != nil {
		return nil, err
	}
	if n == 0 || payload[0] != letter {
		return nil, r.stageError(payload[:n])
	}
	return stage.ParseRights(rights[:rn]) //nolint:wrapcheck // says what it means
}

// maxRights is how many descriptors one message can have, SCM_MAX_FD of the kernel.
const maxRights = 253

// files hands files to the stage in its own terms.
func files(list []File) (out []stage.File) {
	for _, f := range list {
		out = append(out, stage.File{Path: f.Path, Data: f.Data})
	}
	return out
}

// network receives what the stage has made for srt.
func (r *linuxRunner) network(plan *Plan) (n Network, err error) {
	if n.Listeners, err = r.receiveListeners(); err != nil {
		return n, err
	}
	if len(plan.Listen) > 0 {
		if n.More, err = r.receiveListeners(); err != nil {
			return n, err
		}
	}
	if plan.Sockets > 0 {
		fds, err := r.receiveSockets('C')
		if err != nil {
			return n, err
		}
		if r.dialer, err = newDialer(fds); err != nil {
			return n, err
		}
		n.Dial = r.dialer.dial
	}
	return n, nil
}

func (r *linuxRunner) receive(payload, rights []byte) (n, rn int, err error) {
	for {
		var flags int
		n, rn, flags, _, err = unix.Recvmsg(r.Socket, payload, rights, unix.MSG_CMSG_CLOEXEC)
		if err == nil && flags&unix.MSG_CTRUNC != 0 {
			err = unix.EMFILE // not all descriptors could be received
		}
		// A stage that ends with an order unread says so by ECONNRESET, once; its words
		// come after it.
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.ECONNRESET) {
			break
		}
	}
	if err != nil {
		return 0, 0, fmt.Errorf("hearing from the stage: %w", err)
	}
	return n, rn, nil
}

// stageError reads what the stage says before it gives up.
func (r *linuxRunner) stageError(payload []byte) error {
	switch {
	case len(payload) > 1 && payload[0] == 'E':
		return errors.New(string(payload[1:]))
	case len(payload) > 1 && payload[0] == 'X':
		number, err := strconv.Atoi(string(payload[1:]))
		if err != nil {
			return fmt.Errorf("bug: the stage says %q", payload)
		}
		return ExecError(syscall.Errno(number))
	}
	return fmt.Errorf("%w (%s)", ErrSetup, describe(r.Wait()))
}

func describe(w syscall.WaitStatus) string {
	if w.Signaled() {
		return "killed by " + w.Signal().String()
	}
	return "exit status " + strconv.Itoa(w.ExitStatus())
}

func (r *linuxRunner) exec(plan *Plan, serve func(Network)) error {
	outside, err := namespaces()
	if err != nil {
		return err
	}
	ground := newTerrain(plan)
	var watch stage.Watch
	if r.watch != nil && !r.watch.NoFiles {
		watch.Files, watch.Reads = ground.refusesAnything(), ground.hidden
	}
	if r.start.Filter.PathSockets {
		if r.watch == nil || r.watch.Connect == nil {
			return errors.New("bug: nobody decides about unix sockets")
		}
		watch.Sockets = true
	}
	o := stage.Order{
		Outside: outside, Watch: watch,
		Writable: plan.BaseWritable, Pins: plan.Pins, Mounts: plan.Mounts, Buried: plan.Buried,
		Nested: r.start.Filter.NestedUserns, Keep: r.Kept,
		Listen: stage.Addresses(plan.Listen), Sockets: plan.Sockets,
		Limits: r.start.Limits.order(), TempSize: plan.TempSize, Files: files(plan.Files),
		Dir: plan.Dir, Program: plan.Program, Args: plan.Args, Env: plan.Env,
	}
	fd, err := launch.Memfile(o.Encode())
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	// The order waits for the stage, so that the stage need not wait for it. Where that
	// has ended already, it says below why.
	err = unix.Sendmsg(r.Socket, []byte("O"), unix.UnixRights(fd), nil, 0)
	if err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
		return fmt.Errorf("telling the stage its order: %w", err)
	}
	inside, err := r.network(plan)
	if err != nil {
		return err
	}
	if serve != nil {
		serve(inside)
	}
	// The socket closes when the stage has become the command; before, it may say
	// what went wrong.
	payload := make([]byte, 4096)
	rights := make([]byte, unix.CmsgSpace(3*4))
	for {
		n, rn, err := r.receive(payload, rights)
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		if why, ok := stage.WatchMessage(payload[:n]); ok {
			if err := r.startWatcher(ground, why, rights[:rn]); err != nil {
				return err
			}
			continue
		}
		inputs := stage.Inputs(payload[:n])
		if inputs == nil {
			return r.stageError(payload[:n])
		}
		fds, err := stage.ParseRights(rights[:rn])
		if err != nil || len(fds) != len(inputs) {
			return fmt.Errorf("bug: the stage passed %d inputs for %d: %w", len(fds), len(inputs), err)
		}
		r.inputs = make(map[int]int, len(fds))
		for i, fd := range fds {
			r.inputs[inputs[i]] = fd
		}
	}
}

func (r *linuxRunner) observe(o Observer) { r.watch = &o }

// startWatcher takes over the filter that watches.
func (r *linuxRunner) startWatcher(ground *terrain, why string, rights []byte) error {
	if why != "" {
		if r.watch.Lost != nil {
			r.watch.Lost(errors.New(why))
		}
		return nil
	}
	fds, err := stage.ParseRights(rights)
	if err != nil || len(fds) != 1 || r.watcher != nil {
		return fmt.Errorf("bug: the stage passed %d filters: %w", len(fds), err)
	}
	r.watcher, err = observe(*r.watch, ground, fds[0], r.start.Filter.NestedUserns)
	return err
}

// passPositions sets the caller's inputs to where the command stopped reading them, as
// if it had read by the same descriptors.
func (r *linuxRunner) passPositions() {
	for number, fd := range r.inputs {
		at, err := unix.Seek(fd, 0, unix.SEEK_CUR)
		_ = unix.Close(fd)
		own := [...]*os.File{r.start.Stdin, r.start.Stdout, r.start.Stderr}[number]
		if err == nil {
			_, _ = unix.Seek(int(own.Fd()), at, unix.SEEK_SET)
		}
	}
	r.inputs = nil
}

// namespaces names those that this process is in.
func namespaces() ([]string, error) {
	names := make([]string, 0, len(stage.Namespaces))
	for _, kind := range stage.Namespaces {
		name, err := os.Readlink("/proc/self/ns/" + kind)
		if err != nil {
			return nil, fmt.Errorf("looking at srt's own namespaces: %w", err)
		}
		names = append(names, name)
	}
	return names, nil
}

func (r *linuxRunner) wait() Status {
	end := r.Wait()
	if r.watcher != nil {
		r.watcher.finish()
	}
	if end.Signaled() {
		return Status{Code: 128 + int(end.Signal())}
	}
	return Status{Code: end.ExitStatus()}
}

// signal finds the command below bubblewrap's two processes: its outer one, the
// first process of the sandbox, and that one's first child.
func (r *linuxRunner) signal(sig os.Signal) error {
	number, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("bug: signal %v", sig)
	}
	pid := r.Pid
	for range 2 {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		fields := strings.Fields(string(children))
		if err != nil || len(fields) == 0 {
			// Nothing runs yet: the end of the stage is the end of all.
			return r.killWith(number)
		}
		if pid, err = strconv.Atoi(fields[0]); err != nil {
			return fmt.Errorf("bug: child %q", fields[0])
		}
	}
	if err := syscall.Kill(pid, number); err != nil {
		return fmt.Errorf("passing %v on: %w", sig, err)
	}
	return nil
}

// killWith ends a sandbox whose command does not run yet, for signals that end
// a process.
func (r *linuxRunner) killWith(sig syscall.Signal) error {
	if sig == syscall.SIGINT || sig == syscall.SIGTERM || sig == syscall.SIGQUIT || sig == syscall.SIGHUP {
		r.kill()
	}
	return nil
}

func (r *linuxRunner) kill() { r.Kill() }

func (r *linuxRunner) reached() []string {
	if r.group == nil {
		return nil
	}
	return r.group.reached()
}

func (r *linuxRunner) close() {
	r.kill()
	if r.group != nil {
		r.group.remove()
	}
	r.passPositions()
	if r.watcher != nil {
		r.watcher.close()
	}
	_ = unix.Close(r.Socket)
	for _, sock := range r.socks {
		_ = sock.Close()
	}
	if r.dialer != nil {
		r.dialer.close()
	}
}
