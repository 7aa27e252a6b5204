package core

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/event"
	"github.com/srt-sh/srt/core/policy"
	"github.com/srt-sh/srt/sandbox"
	"github.com/srt-sh/srt/sandbox/launch"
)

// probeVariable is set where this program is started to look around in a sandbox;
// its arguments are then the folder that can be written and the one that cannot.
const probeVariable = "SRT_PLATFORM_PROBE"

// The probe is this program again, in place of main, so that what is found out is
// found out inside. It must not be the command of a sandbox by accident: the
// variable is not one that srt hands on, and the probe only looks.
func init() { //nolint:gochecknoinits // see above
	if len(os.Args) == 3 && os.Getenv(probeVariable) != "" {
		if os.Getenv(probeVariable) == "look" {
			probe(os.Args[1], os.Args[2])
		}
		syscall.Exit(0)
	}
}

// platform tries out one thing after the other. What later ones rest on comes
// first.
func platform(ctx context.Context) []Measure {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	measures := []Measure{kernel(), bubblewrap(ctx), userns(ctx), journal()}
	if nested() {
		measures = append(measures, Measure{
			Name: "outermost sandbox", Detail: "this is inside a sandbox already",
			Fix: "run commands without srt here: the rules of the outer sandbox hold for them",
		})
	}
	measures = append(measures, trial(ctx)...)
	measures = append(measures, hardLinks())
	measures = append(measures, scriptMeasure())
	return append(measures, limitMeasures()...)
}

// scriptMeasure says how scripts of packages would be kept in, see [ExecScript].
func scriptMeasure() Measure {
	m := Measure{Name: "inner wall for scripts"}
	weaker, err := ScriptMeasures()
	switch {
	case err != nil:
		m.Detail, m.Fix = err.Error(), "with srt hook npm, scripts do not run here"
	case weaker != nil:
		m.Weaker, m.Detail = true, strings.Join(weaker, "; ")
	default:
		m.OK, m.Detail = true, "Landlock"
	}
	return m
}

// hardLinks looks for files of the current folder that have a name elsewhere, as
// those of package stores do: a command that may write here changes them there too.
func hardLinks() Measure {
	m := Measure{Name: "hard links out of this folder"}
	dir, err := os.Getwd()
	if err != nil {
		m.Detail = err.Error()
		return m
	}
	files, complete := sandbox.HardLinks(dir, time.Second)
	m.OK = len(files) == 0
	switch {
	case !m.OK:
		m.Detail = fmt.Sprintf("%d files have a name elsewhere, such as %q", len(files), files[0])
		m.Fix = "deny_write keeps a file as it is; pnpm and uv can copy in place of linking"
	case complete:
		m.Detail = "none"
	default:
		m.Detail = "none found in the time of a second"
	}
	return m
}

// limitMeasures say how the limits that settings may ask for would be enforced.
func limitMeasures() []Measure {
	var measures []Measure
	for _, found := range sandbox.PlanLimits(sandbox.Limits{Memory: 1 << 30, Processes: 1024, CPU: 1}).Measures {
		m := Measure{Name: "limit " + found.Name, OK: !found.Lacking(), Weaker: found.Weaker, Detail: found.Detail}
		if !m.OK {
			m.Fix = hintDelegate
		}
		measures = append(measures, m)
	}
	return measures
}

func kernel() Measure {
	m := Measure{Name: "kernel", Needed: true}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		m.Detail = err.Error()
		return m
	}
	release := unix.ByteSliceToString(name.Release[:])
	m.Detail = "Linux " + release
	m.OK = sandbox.AtLeast(release, 5, 12)
	if !m.OK {
		m.Fix = "srt needs Linux " + minKernel + " or newer"
	}
	if lower := strings.ToLower(release); strings.Contains(lower, "microsoft") {
		m.Detail += " (WSL)"
		if !m.OK {
			m.Fix = "convert the distribution to WSL 2: wsl --set-version NAME 2"
		}
	}
	return m
}

func bubblewrap(ctx context.Context) Measure {
	m := Measure{Name: "bubblewrap", Needed: true}
	path, err := launch.FindHelper("bwrap")
	if errors.Is(err, os.ErrNotExist) {
		m.Detail, m.Fix = "not installed", installBwrap()
		return m
	}
	if err != nil {
		m.Detail, m.Fix = err.Error(), fixHelper
		return m
	}
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = []string{}
	out, err := cmd.Output()
	version := strings.TrimSpace(strings.TrimPrefix(string(out), "bubblewrap "))
	m.Detail = version + " at " + path
	switch {
	case err != nil:
		m.Detail = path + ": " + err.Error()
	case !sandbox.AtLeast(version, 0, 8):
		m.Fix = "srt needs bubblewrap 0.8 or newer"
	default:
		m.OK = true
	}
	return m
}

// userns makes a user namespace.
func userns(ctx context.Context) Measure {
	m := Measure{Name: "user namespaces", Needed: true}
	self, err := os.Executable()
	if err != nil {
		m.Detail = err.Error()
		return m
	}
	cmd := exec.CommandContext(ctx, self, "", "")
	cmd.Env = []string{probeVariable + "=exit"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   unix.SIGKILL,
	}
	if err := cmd.Run(); err != nil {
		m.Detail, m.Fix = usernsObstacle()
		if m.Detail == "" {
			m.Detail = err.Error()
		}
		return m
	}
	m.OK = true
	return m
}

// usernsObstacle says which of the known switches refuses user namespaces, and
// how to turn it; both are empty if none of them does.
func usernsObstacle() (what, fix string) {
	sysctl := func(name string) string {
		text, err := os.ReadFile("/proc/sys/" + name)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(text))
	}
	set := func(key, value string) string {
		return fmt.Sprintf("sudo sysctl -w %s=%s, and %s=%s in /etc/sysctl.d/60-srt.conf to keep it", key, value, key, value)
	}
	switch {
	case nested():
		return "refused by the sandbox that this is in", "run the command without srt"
	case sysctl("user/max_user_namespaces") == "0":
		return "user.max_user_namespaces is 0", set("user.max_user_namespaces", "15000")
	case sysctl("kernel/unprivileged_userns_clone") == "0" && os.Geteuid() != 0:
		return "kernel.unprivileged_userns_clone is 0", set("kernel.unprivileged_userns_clone", "1")
	case sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1" && os.Geteuid() != 0:
		return "AppArmor restricts them: kernel.apparmor_restrict_unprivileged_userns is 1",
			set("kernel.apparmor_restrict_unprivileged_userns", "0")
	case exists("/.dockerenv") || exists("/run/.containerenv"):
		return "refused, as the default rules of containers do",
			"start the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
	}
	return "", ""
}

// nested reports whether an srt sandbox says that this runs in it.
func nested() bool { return os.Getenv("SANDBOX_RUNTIME") == "1" }

// installBwrap is how the distribution installs bubblewrap.
func installBwrap() string {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "install bubblewrap"
	}
	return installCommand(string(text))
}

// installCommand reads os-release(5): ID, and ID_LIKE for those that are not known
// themselves.
func installCommand(osRelease string) string {
	values := map[string]string{}
	for line := range strings.Lines(osRelease) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[key] = strings.Trim(value, `"'`)
		}
	}
	for _, id := range append([]string{values["ID"]}, strings.Fields(values["ID_LIKE"])...) {
		switch id {
		case "debian", "ubuntu":
			return "sudo apt-get install bubblewrap"
		case "fedora", "rhel", "centos":
			return "sudo dnf install bubblewrap"
		case "arch":
			return "sudo pacman -S bubblewrap"
		case "suse", "opensuse", "opensuse-tumbleweed", "opensuse-leap":
			return "sudo zypper install bubblewrap"
		case "alpine":
			return "sudo apk add bubblewrap"
		case "nixos":
			return "add pkgs.bubblewrap to environment.systemPackages"
		}
	}
	return "install the package bubblewrap"
}

// journal tries the folder in which placeholders are recorded.
func journal() Measure {
	m := Measure{Name: "journal", Needed: true}
	o, err := Options{Args: []string{"true"}, Dir: "/"}.complete()
	if err != nil {
		m.Detail = err.Error()
		return m
	}
	dir := filepath.Join(stateHome(o), journalDir)
	m.Detail = dir
	err = os.MkdirAll(dir, 0o700)
	if err == nil {
		var f *os.File
		if f, err = os.CreateTemp(dir, ".doctor-"); err == nil {
			_, err = f.WriteString("x\n")
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}
	if err != nil {
		m.Detail, m.Fix = err.Error(), fixJournal
		return m
	}
	m.OK = true
	return m
}

// trialMeasures are what the trial looks at, in the order of the report.
// Where one may be missing, fix says what it takes.
var trialMeasures = []struct{ name, key, want, fix string }{
	{"network namespace", "network", "own, without a route", ""},
	{"proxy", "proxy", "reachable", ""},
	{"files outside", "outside", "read-only", ""},
	{"files in a write root", "inside", "writable", ""},
	{"system call filter", "Seccomp", "2", ""},
	{"no new privileges", "NoNewPrivs", "1", ""},
	{"capabilities", "CapEff", "0000000000000000", ""},
	{"unix sockets", "unix", "refused", ""},
	{"nested user namespaces", "userns", "refused", ""},
	{"reports of refused files", "told", "told", "srt has to be allowed to read the memory of what it has started: kernel.yama.ptrace_scope of 3 forbids it, and so may a sandbox around this one"},
	{"first process", "init", "out of reach", "a kernel with Landlock keeps the command from bubblewrap's memory: lsm=landlock,… at boot"},
}

// trial runs the probe in a sandbox.
func trial(ctx context.Context) []Measure {
	found, err := runTrial(ctx)
	first := Measure{Name: "a trial run", Needed: true, OK: err == nil}
	if err != nil {
		first.Detail, first.Fix = err.Error(), NextStep(err)
		return []Measure{first}
	}
	measures := []Measure{first}
	for _, t := range trialMeasures {
		m := Measure{Name: t.name, Needed: t.fix == "", OK: found[t.key] == t.want, Detail: found[t.key]}
		if !m.OK {
			m.Fix = t.fix
		}
		if m.Detail == "" {
			m.Detail = "not tried"
		}
		measures = append(measures, m)
	}
	return measures
}

// runTrial returns what the probe said, corrected by what is to be seen outside.
func runTrial(ctx context.Context) (map[string]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding srt's own file: %w", err)
	}
	// Not below /tmp/claude, which is another folder inside.
	dir, err := os.MkdirTemp("/var/tmp", "srt-doctor-")
	if err != nil {
		dir, err = os.MkdirTemp("", "srt-doctor-")
	}
	if err != nil {
		return nil, fmt.Errorf("making a folder for the trial: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, fmt.Errorf("making a folder for the trial: %w", err)
	}
	inside, outside := filepath.Join(dir, "inside"), filepath.Join(dir, "outside")
	settings := "[filesystem]\nallow_write = [" + policy.Quote(inside) + "]\n"
	file := filepath.Join(dir, "settings.toml")
	if err := errors.Join(os.Mkdir(inside, 0o700), os.Mkdir(outside, 0o700), os.WriteFile(file, []byte(settings), 0o600)); err != nil {
		return nil, fmt.Errorf("making a folder for the trial: %w", err)
	}
	told := "none came"
	text, code, err := capture(ctx, Options{
		Args: []string{self, inside, outside}, Dir: inside, Settings: file, NoLog: true,
		OnEvent: func(ev event.Event) {
			if ev.Kind == event.Write && ev.Target == filepath.Join(outside, "probe") {
				told = "told"
			}
		},
		Environ: []string{probeVariable + "=look", "PATH=" + defaultPath, "HOME=" + os.Getenv("HOME"), "XDG_STATE_HOME=" + os.Getenv("XDG_STATE_HOME")},
	})
	if err != nil {
		return nil, err
	}
	if code != 0 {
		return nil, fmt.Errorf("the trial ended with status %d", code)
	}
	found := map[string]string{"told": told}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), " "); ok {
			found[key] = value
		}
	}
	if exists(filepath.Join(outside, "probe")) {
		found["outside"] = "writable"
	}
	if !exists(filepath.Join(inside, "probe")) {
		found["inside"] = "what was written did not arrive"
	}
	if here, err := os.Readlink("/proc/self/ns/net"); err != nil || found["netns"] == here {
		found["network"] = "that of this system"
	}
	return found, nil
}

// capture runs a command and returns what it prints.
func capture(ctx context.Context, o Options) ([]byte, int, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, 0, fmt.Errorf("making a pipe: %w", err)
	}
	defer func() { _ = r.Close() }()
	null, err := os.Open(os.DevNull)
	if err != nil {
		_ = w.Close()
		return nil, 0, err //nolint:wrapcheck // names the file
	}
	defer func() { _ = null.Close() }()
	text := make(chan []byte)
	go func() {
		var b bytes.Buffer
		_, _ = b.ReadFrom(r) // what came until then is what there is
		text <- b.Bytes()
	}()
	o.Stdin, o.Stdout = null, w
	report, err := Run(ctx, o)
	_ = w.Close()
	return <-text, report.Code, err
}

// probe looks around in the sandbox and says what it sees, a line each.
func probe(inside, outside string) {
	say := func(key, value string) { _, _ = os.Stdout.WriteString(key + " " + value + "\n") } //nolint:forbidigo // the probe has no other
	if text, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(line, ":")
			say(key, strings.TrimSpace(value))
		}
	}
	if ns, err := os.Readlink("/proc/self/ns/net"); err == nil {
		say("netns", ns)
	}
	// A documentation address (RFC 5737), which nothing answers at.
	switch err := dial("192.0.2.1:9"); {
	case errors.Is(err, unix.ENETUNREACH):
		say("network", "own, without a route")
	case err == nil:
		say("network", "a connection came about")
	default:
		say("network", err.Error())
	}
	if err := dial(net.JoinHostPort("127.0.0.1", strconv.Itoa(config.HTTPPort))); err != nil {
		say("proxy", err.Error())
	} else {
		say("proxy", "reachable")
	}
	if f, err := os.OpenFile("/proc/1/mem", os.O_RDWR, 0); err == nil {
		_ = f.Close()
		say("init", "in reach")
	} else {
		say("init", "out of reach")
	}
	say("outside", written(filepath.Join(outside, "probe")))
	say("inside", written(filepath.Join(inside, "probe")))
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(fd)
	}
	say("unix", refused(err))
	say("userns", refused(unix.Unshare(unix.CLONE_NEWUSER)))
}

func dial(address string) error {
	conn, err := (&net.Dialer{Timeout: 2 * time.Second}).Dial("tcp", address)
	if err == nil {
		_ = conn.Close()
	}
	return err //nolint:wrapcheck // names the address
}

func written(path string) string {
	err := os.WriteFile(path, []byte("x\n"), 0o600) //nolint:gosec // the sandbox is tried with the path that it was told
	switch {
	case err == nil:
		return "writable"
	case errors.Is(err, unix.EROFS):
		return "read-only"
	}
	return err.Error()
}

func refused(err error) string {
	switch {
	case err == nil:
		return "allowed"
	case errors.Is(err, unix.EPERM):
		return "refused"
	}
	return err.Error()
}
