package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pick chooses a fault.
func (d *drill) pick(rng *rand.Rand) fault {
	switch n := rng.IntN(100); {
	case n < 50 || d.strace == "" && n < 90:
		return d.signalled(rng)
	case n < 75:
		return d.failing(rng)
	case n < 90:
		return d.killedAt(rng)
	case n < 97:
		return exhausted(rng)
	}
	return badState(rng)
}

func plain(w *world, srt []string) ([]string, []string) { return srt, w.env() }

var signals = []syscall.Signal{syscall.SIGKILL, syscall.SIGKILL, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGABRT}

// signalled sends a signal to a process of the chain at some moment.
func (d *drill) signalled(rng *rand.Rand) fault {
	sig := signals[rng.IntN(len(signals))]
	depth := rng.IntN(4)
	delay := time.Duration(rng.IntN(25_000)) * time.Microsecond
	who := []string{"srt", "bubblewrap", "the first process", "the stage or command"}[depth]
	return fault{
		name: fmt.Sprintf("%v to %s: after %v", sig, who, delay),
		wrap: plain,
		during: func(srt *os.Process) {
			time.Sleep(delay)
			if pid := descendant(srt.Pid, depth); pid > 0 {
				_ = syscall.Kill(pid, sig)
			}
		},
	}
}

// descendant finds the process that many generations below, or the last one there is.
func descendant(pid, depth int) int {
	for range depth {
		next := 0
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return pid
		}
		for _, task := range tasks {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
			if fields := strings.Fields(string(text)); err == nil && len(fields) > 0 {
				next, _ = strconv.Atoi(fields[0])
			}
		}
		if next == 0 {
			return pid
		}
		pid = next
	}
	return pid
}

// calls are those that a start goes through, in srt, bubblewrap and the stage, with
// about how often they are made.
var calls = []struct {
	name string
	most int
}{
	{"openat", 60},
	{"openat2", 40},
	{"open_tree", 60},
	{"move_mount", 60},
	{"mount_setattr", 60},
	{"fsopen", 6},
	{"fsconfig", 10},
	{"fsmount", 6},
	{"mount", 10},
	{"umount2", 4},
	{"pivot_root", 2},
	{"chdir", 6},
	{"clone", 4},
	{"clone3", 8},
	{"vfork", 2},
	{"execve", 4},
	{"unshare", 2},
	{"prctl", 20},
	{"capset", 4},
	{"seccomp", 3},
	{"socket", 6},
	{"bind", 4},
	{"listen", 4},
	{"socketpair", 2},
	{"sendmsg", 4},
	{"recvmsg", 4},
	{"memfd_create", 3},
	{"pwrite64", 3},
	{"pread64", 8},
	{"mkdir", 8},
	{"mkdirat", 8},
	{"mknodat", 30},
	{"linkat", 20},
	{"renameat", 3},
	{"renameat2", 3},
	{"unlinkat", 30},
	{"flock", 8},
	{"close_range", 2},
	{"dup3", 8},
	{"dup2", 8},
	{"setsockopt", 8},
	{"keyctl", 2},
	{"fstat", 20},
	{"newfstatat", 60},
	{"statfs", 40},
	{"getdents64", 20},
	{"readlinkat", 20},
	{"write", 20},
	{"read", 30},
	{"fcntl", 30},
	{"accept4", 4},
	{"wait4", 6},
	{"symlinkat", 6},
	{"chmod", 4},
	{"fchmodat", 4},
	{"landlock_create_ruleset", 2},
	{"landlock_restrict_self", 1},
	{"setns", 1},
	{"rt_sigaction", 40},
	{"epoll_ctl", 8},
	{"futex", 40},
	{"mmap", 60},
}

var failures = []string{"EPERM", "EACCES", "ENOSPC", "ENOMEM", "EMFILE", "EIO", "EINVAL", "ENOSYS", "EAGAIN", "EBUSY"}

func (d *drill) traced(inject string) func(w *world, srt []string) ([]string, []string) {
	call, _, _ := strings.Cut(inject, ":")
	return func(w *world, srt []string) ([]string, []string) {
		return append([]string{d.strace, "-f", "-qqq", "-o", "/dev/null", "-e", "trace=" + call, "-e", "inject=" + inject, "--"}, srt...), w.env()
	}
}

// failing makes one system call of the chain fail. The C library of the command
// itself comes last, and may be hit too.
func (d *drill) failing(rng *rand.Rand) fault {
	call := calls[rng.IntN(len(calls))]
	inject := fmt.Sprintf("%s:error=%s:when=%d", call.name, failures[rng.IntN(len(failures))], 1+rng.IntN(call.most))
	return fault{name: "a failing call: " + inject, wrap: d.traced(inject)}
}

// killedAt kills whichever process makes a certain call.
func (d *drill) killedAt(rng *rand.Rand) fault {
	call := calls[rng.IntN(len(calls))]
	sig := []string{"KILL", "TERM", "SEGV"}[rng.IntN(3)]
	inject := fmt.Sprintf("%s:signal=%s:when=%d", call.name, sig, 1+rng.IntN(call.most))
	return fault{name: "killed at a call: " + inject, wrap: d.traced(inject)}
}

// exhausted runs srt where something has run out.
func exhausted(rng *rand.Rand) fault {
	limit := []string{
		fmt.Sprintf("ulimit -n %d", 4+rng.IntN(40)),
		fmt.Sprintf("ulimit -u %d", 1+rng.IntN(12)),
		fmt.Sprintf("ulimit -f %d", rng.IntN(2)),
		fmt.Sprintf("ulimit -v %d", 100_000+rng.IntN(1_500_000)),
		fmt.Sprintf("ulimit -s %d", 64+rng.IntN(512)),
	}[rng.IntN(5)]
	return fault{name: "exhausted: " + limit, wrap: func(w *world, srt []string) ([]string, []string) {
		return append([]string{"/bin/bash", "-c", limit + ` && exec "$@"`, "bash"}, srt...), w.env()
	}}
}

// badState gives srt a state folder that cannot be used.
func badState(rng *rand.Rand) fault {
	kind := rng.IntN(4)
	return fault{name: "no state folder: " + strconv.Itoa(kind), wrap: func(w *world, srt []string) ([]string, []string) {
		bad := w.dir + "/bad"
		switch kind {
		case 0:
			_ = os.WriteFile(bad, nil, 0o600)
		case 1:
			_ = os.Symlink("/proc/nowhere", bad)
		case 2:
			_ = os.MkdirAll(bad+"/srt", 0o700)
			_ = os.WriteFile(bad+"/srt/placeholders", nil, 0o600)
		case 3:
			bad = "/proc"
		}
		return srt, append(w.env(), "XDG_STATE_HOME="+bad)
	}}
}
