package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/sandbox/stage"
)

// linuxRunner drives one stage.
type linuxRunner struct {
	start Start
	kept  []stage.Kept
	sock  int           // this end of the socket pair
	pid   int           // bubblewrap
	reap  func()        // waits for its end
	ended chan struct{} // it has ended, as wstat says
	wstat syscall.WaitStatus
	group *cgroup // nil: none

	inputs map[int]int // those that the stage opened anew, by number
	socks  []net.Listener
	dialer *dialer // nil: none
}

func newRunner(start Start) (runner, error) {
	for name, f := range map[string]*os.File{"input": start.Stdin, "output": start.Stdout, "error": start.Stderr} {
		if what := wayOut(f); what != "" {
			return nil, fmt.Errorf("standard %s is %s, which would be a way out of the sandbox", name, what)
		}
		if blockDevice(f) {
			return nil, fmt.Errorf("standard %s is a disk that is open for reading, and could be opened again for writing; pass it through a pipe", name)
		}
	}
	filter, err := firstFilter(start.Filter)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(filter) }()
	exe, err := unix.Open("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening srt's own file: %w", err)
	}
	defer func() { _ = unix.Close(exe) }()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	defer func() { _ = unix.Close(pair[1]) }()
	files := []uintptr{start.Stdin.Fd(), start.Stdout.Fd(), start.Stderr.Fd(), uintptr(pair[1]), uintptr(filter), uintptr(exe)}
	files, kept := keep(files, start.Keep)
	r := &linuxRunner{start: start, kept: kept, sock: pair[0], ended: make(chan struct{})}
	r.reap = sync.OnceFunc(r.waitForBwrap)
	if p := start.Limits; p != nil && p.place != nil {
		if r.group, err = makeCgroup(p); err != nil {
			_ = unix.Close(pair[0])
			return nil, err
		}
	}
	if err := r.fork(files); err != nil {
		_ = unix.Close(pair[0])
		if r.group != nil {
			r.group.remove()
			if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOSPC) {
				return nil, fmt.Errorf("starting the sandbox in its cgroup %q: %w", r.group.dir, err)
			}
		}
		return nil, namespaceError(err)
	}
	return r, nil
}

// keep adds descriptors that the command inherits to those of the stage: under
// their numbers, or where that is not free behind all others.
func keep(files []uintptr, fds []int) ([]uintptr, []stage.Kept) {
	var kept []stage.Kept
	var low []int
	for _, fd := range fds {
		if fd < stage.FirstFree {
			low = append(low, fd)
			continue
		}
		for len(files) <= fd {
			files = append(files, ^uintptr(0))
		}
		files[fd] = uintptr(fd)
		kept = append(kept, stage.Kept{At: fd, As: fd})
	}
	for _, fd := range low {
		kept = append(kept, stage.Kept{At: len(files), As: fd})
		files = append(files, uintptr(fd))
	}
	return files, kept
}

func makeCgroup(p *LimitPlan) (*cgroup, error) {
	fs, err := systemCgroups()
	if err != nil {
		return nil, err
	}
	return fs.create(p.place, p.Limits)
}

// blockDevice tells of a disk that is open for reading only.
func blockDevice(f *os.File) bool {
	var stat unix.Stat_t
	if unix.Fstat(int(f.Fd()), &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFBLK {
		return false
	}
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return err != nil || flags&unix.O_ACCMODE == unix.O_RDONLY
}

// firstFilter puts the filter into a memory file. It holds for bubblewrap's first
// process in the sandbox too.
func firstFilter(o FilterOptions) (int, error) {
	arch, err := stage.ArchOf(runtime.GOARCH)
	if err != nil {
		return -1, err
	}
	// Root in such a namespace is the root of outside to the files.
	o.FileCaps = o.NestedUserns && os.Getuid() == 0
	code, err := stage.Filter(arch, o)
	if err != nil {
		return -1, err
	}
	return memfile(stage.Encode(code))
}

// fork starts bubblewrap, as the first process of a PID namespace: no signal but
// SIGKILL ends it, so that a Ctrl-C is the command's own business, and its end is
// the end of everything below it.
func (r *linuxRunner) fork(files []uintptr) error {
	argv := append([]string{"bwrap"}, bwrapArgs...)
	for _, c := range stage.Capabilities {
		argv = append(argv, "--cap-add", c.Name)
	}
	argv = append(argv, "--seccomp", strconv.Itoa(stage.FirstFilter), "--", "/proc/self/fd/"+strconv.Itoa(stage.Exe), stage.Name)
	for _, port := range r.start.Listen {
		argv = append(argv, fmt.Sprintf("4:%d", port), fmt.Sprintf("6:%d", port))
	}
	attr := &syscall.ProcAttr{
		Files: files,
		// Bubblewrap and the stage start clean: LD_PRELOAD and the like are for the
		// command. One thread is enough for the stage, and no collection.
		Env: []string{"GOMAXPROCS=1", "GOGC=off"},
		Sys: &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWPID,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}},
			Pdeathsig:   unix.SIGKILL,
		},
	}
	if r.group != nil {
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, int(r.group.inner.Fd())
	}
	started := make(chan error)
	go func() {
		// The parent-death signal comes when this thread ends, so it must not end
		// before bubblewrap does. It also gets a session keyring of its own, which is
		// what bubblewrap inherits: the caller's would be shared with the command.
		// (It waits for that on a channel. In wait4(2) it would keep the one processor
		// that the runtime has in the beginning until that takes it away, which can be
		// milliseconds.)
		runtime.LockOSThread()
		_, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)
		if err != nil && !errors.Is(err, unix.ENOSYS) {
			started <- fmt.Errorf("joining a session keyring: %w", err)
			return
		}
		pid, err := syscall.ForkExec(r.start.Bwrap, argv, attr)
		r.pid = pid
		started <- err
		if err == nil {
			<-r.ended
		}
	}()
	return <-started
}

func (r *linuxRunner) waitForBwrap() {
	for {
		if _, err := syscall.Wait4(r.pid, &r.wstat, 0, nil); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	close(r.ended)
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
		n, rn, _, _, err = unix.Recvmsg(r.sock, payload, rights, unix.MSG_CMSG_CLOEXEC)
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
	r.reap()
	return fmt.Errorf("%w (%s)", ErrSetup, describe(r.wstat))
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
	o := stage.Order{
		Outside:  outside,
		Writable: plan.BaseWritable, Pins: plan.Pins, Mounts: plan.Mounts, Buried: plan.Buried,
		Nested: r.start.Filter.NestedUserns, Keep: r.kept,
		Sockets: plan.Sockets,
		Limits:  r.start.Limits.order(), TempSize: plan.TempSize,
		Dir: plan.Dir, Program: plan.Program, Args: plan.Args, Env: plan.Env,
	}
	for _, port := range plan.Listen {
		o.Listen = append(o.Listen, int(port))
	}
	fd, err := memfile(o.Encode())
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	// The order waits for the stage, so that the stage need not wait for it. Where that
	// has ended already, it says below why.
	err = unix.Sendmsg(r.sock, []byte("O"), unix.UnixRights(fd), nil, 0)
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

// memfile puts data into a file that has no name.
func memfile(data []byte) (int, error) {
	fd, err := unix.MemfdCreate("srt", unix.MFD_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("memfd_create", err)
	}
	for off := 0; off < len(data); {
		n, err := unix.Pwrite(fd, data[off:], int64(off))
		if err != nil {
			_ = unix.Close(fd)
			return -1, fmt.Errorf("writing a memory file: %w", err)
		}
		off += n
	}
	return fd, nil
}

func (r *linuxRunner) wait() Status {
	r.reap()
	if r.wstat.Signaled() {
		return Status{Code: 128 + int(r.wstat.Signal())}
	}
	return Status{Code: r.wstat.ExitStatus()}
}

// signal finds the command below bubblewrap's two processes: its outer one, the
// first process of the sandbox, and that one's first child.
func (r *linuxRunner) signal(sig os.Signal) error {
	number, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("bug: signal %v", sig)
	}
	pid := r.pid
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

func (r *linuxRunner) kill() {
	select {
	case <-r.ended:
	default:
		_ = syscall.Kill(r.pid, syscall.SIGKILL)
		r.reap()
	}
}

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
	_ = unix.Close(r.sock)
	for _, sock := range r.socks {
		_ = sock.Close()
	}
	if r.dialer != nil {
		r.dialer.close()
	}
}
