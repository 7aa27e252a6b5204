package launch

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/sandbox/stage"
)

// Options say how bubblewrap is started.
type Options struct {
	Bwrap                 string // the program, which must have been checked (see [FindHelper])
	Filter                stage.FilterOptions
	Listen                []uint16 // TCP ports on the loopback interface inside
	Stdin, Stdout, Stderr *os.File
	Keep                  []int    // descriptors above 2 that the command inherits
	Cgroup                *os.File // the folder of the cgroup that it starts in; nil: the caller's
}

// Process is a bubblewrap that was started.
type Process struct {
	Pid    int
	Socket int // this end of the stage's; whoever has the process closes it
	Kept   []stage.Kept

	reap   func()
	ended  chan struct{}
	status syscall.WaitStatus
}

// early is the process that [Early] has started, nil: none.
var early atomic.Pointer[earlyProcess] //nolint:gochecknoglobals // what packages do while they are initialized

type earlyProcess struct {
	*Process
	options Options
}

// Early starts bubblewrap while packages are initialized. What goes wrong here does so
// again in [Start], which takes the process over if it is asked for the same. Otherwise
// it ends with this process.
func Early(o Options) {
	p, err := prepare(&o, func(_ *Process, exec func() error) error { return exec() })
	if err == nil {
		early.Store(&earlyProcess{p, o})
	}
}

// Start starts bubblewrap, as the first process of a PID namespace: no signal but
// SIGKILL ends it, so that a Ctrl-C is the command's own business, and its end is the
// end of everything below it. It returns when the program has been executed.
func Start(o Options) (*Process, error) {
	if p := takeEarly(&o); p != nil {
		return p, nil
	}
	return prepare(&o, onThread)
}

// takeEarly gives the process that Early has started if it is what o asks for, and ends
// it if not.
func takeEarly(o *Options) *Process {
	p := early.Swap(nil)
	if p == nil {
		return nil
	}
	had := &p.options
	if o.Bwrap == had.Bwrap && o.Filter == had.Filter && slices.Equal(o.Listen, had.Listen) && slices.Equal(o.Keep, had.Keep) &&
		o.Stdin == had.Stdin && o.Stdout == had.Stdout && o.Stderr == had.Stderr && o.Cgroup == had.Cgroup {
		return p.Process
	}
	p.Kill()
	_ = unix.Close(p.Socket)
	return nil
}

// prepare makes what bubblewrap starts with, and lets run start it.
func prepare(o *Options, run func(p *Process, exec func() error) error) (*Process, error) {
	for _, s := range [...]struct {
		name string
		file *os.File
	}{{"input", o.Stdin}, {"output", o.Stdout}, {"error", o.Stderr}} {
		if what := wayOut(s.file); what != "" {
			return nil, fmt.Errorf("standard %s is %s, which would be a way out of the sandbox", s.name, what)
		}
		if blockDevice(s.file) {
			return nil, fmt.Errorf("standard %s is a disk that is open for reading, and could be opened again for writing; pass it through a pipe", s.name)
		}
	}
	filter, err := firstFilter(o.Filter)
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
	files := []uintptr{o.Stdin.Fd(), o.Stdout.Fd(), o.Stderr.Fd(), uintptr(pair[1]), uintptr(filter), uintptr(exe)}
	p := &Process{Socket: pair[0], ended: make(chan struct{})}
	files, p.Kept = keep(files, o.Keep)
	p.reap = sync.OnceFunc(p.wait)
	if err := run(p, func() error { return p.exec(o, files) }); err != nil {
		_ = unix.Close(pair[0])
		return nil, err
	}
	return p, nil
}

// onThread starts the process on a thread of its own. The parent-death signal comes
// when that ends, so it must not end before bubblewrap does. (It waits for that on a
// channel. In wait4(2) it would keep the one processor that the runtime has in the
// beginning until that takes it away, which can be milliseconds.) While packages are
// initialized it is the main thread, which does not end at all.
func onThread(p *Process, exec func() error) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := exec()
		started <- err
		if err == nil {
			<-p.ended
		}
	}()
	return <-started
}

// exec starts bubblewrap. The thread gets a session keyring of its own, which is what
// bubblewrap inherits: the caller's would be shared with the command.
func (p *Process) exec(o *Options, files []uintptr) error {
	argv := append([]string{"bwrap"}, Args...)
	for _, c := range stage.Capabilities {
		argv = append(argv, "--cap-add", c.Name)
	}
	argv = append(argv, "--seccomp", strconv.Itoa(stage.FirstFilter), "--", "/proc/self/fd/"+strconv.Itoa(stage.Exe), stage.Name)
	argv = append(argv, stage.Addresses(o.Listen)...)
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
	if o.Cgroup != nil {
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, int(o.Cgroup.Fd())
	}
	_, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)
	if err != nil && !errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("joining a session keyring: %w", err)
	}
	p.Pid, err = syscall.ForkExec(o.Bwrap, argv, attr)
	return err //nolint:wrapcheck // the caller knows what the number means
}

func (p *Process) wait() {
	for {
		if _, err := syscall.Wait4(p.Pid, &p.status, 0, nil); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	close(p.ended)
}

// Wait waits for the end of bubblewrap, which is that of all below it.
func (p *Process) Wait() syscall.WaitStatus {
	p.reap()
	return p.status
}

// Kill ends bubblewrap, unless it has ended, and waits for it.
func (p *Process) Kill() {
	select {
	case <-p.ended:
	default:
		_ = syscall.Kill(p.Pid, syscall.SIGKILL)
		p.reap()
	}
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

// firstFilter puts the filter into a memory file. It holds for bubblewrap's first
// process in the sandbox too.
func firstFilter(o stage.FilterOptions) (int, error) {
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
	return Memfile(stage.Encode(code))
}

// Memfile puts data into a file that has no name, and gives its descriptor.
func Memfile(data []byte) (int, error) {
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
