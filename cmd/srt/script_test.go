//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
)

// tools is the folder with the programs that the scripts run: srt and probe.
var tools string

// noSandbox says why bubblewrap cannot make a sandbox here; empty when it can.
var noSandbox string

// The scripts run the real binary, not the test binary under another name: srt
// starts itself again, and what it starts should be what users have.
func TestMain(m *testing.M) {
	status, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func runTests(m *testing.M) (int, error) {
	// A shell without job control has what it starts in the background ignore SIGINT,
	// and nohup SIGHUP, and so would the servers that scripts end with one, and srt,
	// which scripts send the other. What is caught here is the default again in a child.
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	tools = os.Getenv("SRT_TEST_BIN")
	if tools == "" {
		dir, err := os.MkdirTemp("/var/tmp", "srt-bin-")
		if err != nil {
			return 1, err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		tools = dir
		for out, pkg := range map[string]string{"srt": ".", "probe": "../../testdata/probe"} {
			build := exec.CommandContext(context.Background(), "go", "build", "-buildvcs=false", "-o", filepath.Join(dir, out), pkg)
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
			if text, err := build.CombinedOutput(); err != nil {
				return 1, fmt.Errorf("building %s: %w\n%s", out, err, text)
			}
		}
	}
	if err := os.Setenv("PATH", tools+":"+os.Getenv("PATH")); err != nil {
		return 1, err
	}
	// The same namespaces as srt asks for: a lesser question would get another answer.
	probe := exec.CommandContext(context.Background(), "bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
		"--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net", "--cap-drop", "ALL", "--", "true")
	if text, err := probe.CombinedOutput(); err != nil {
		noSandbox = strings.TrimSpace(fmt.Sprintf("no sandbox can be made here: %v %s", err, text))
	}
	return m.Run(), nil
}

// alone names the families of scripts that need no sandbox.
var alone = regexp.MustCompile(`^(script-)?(cfg|install)_`)

// TestScripts runs testdata/script. What the scripts find:
//
//	$W      the working folder, the current one at the start
//	$HOME   an empty home
//	$OUT    an existing folder outside both, with a file "secret"
//	$SRC    the checkout
//	$NPM_TOOLS  package managers, see scripts/npm-tools.sh
//
// and, besides the commands of testscript, those of commands below.
func TestScripts(t *testing.T) {
	source, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	// Not below /tmp, which a sandbox may well replace by one of its own.
	root, err := os.MkdirTemp("/var/tmp", "srt-script-") //nolint:usetesting // not below /tmp
	if err != nil {
		t.Fatal(err)
	}
	if !testing.Verbose() || os.Getenv("SRT_TEST_KEEP") == "" {
		t.Cleanup(func() { removeAll(root) })
	}
	params := scriptParams(source, root)
	params.Dir = filepath.Join(source, "testdata", "script")
	testscript.Run(t, params)
}

// scriptParams is the world that scripts run in.
func scriptParams(source, root string) testscript.Params {
	return testscript.Params{
		WorkdirRoot:         root,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("SRT_TEST_UPDATE") != "",
		Setup: func(env *testscript.Env) error {
			if noSandbox != "" && !alone.MatchString(filepath.Base(env.WorkDir)) {
				env.T().Skip(noSandbox)
			}
			env.Setenv("SRC", source)
			return setupScript(env)
		},
		Condition: condition,
		Cmds:      commands,
	}
}

func setupScript(env *testscript.Env) error {
	for name, dir := range map[string]string{"W": "w", "HOME": "home", "OUT": "out"} {
		path := filepath.Join(env.WorkDir, dir)
		if err := os.MkdirAll(path, 0o750); err != nil {
			return err
		}
		env.Setenv(name, path)
	}
	env.Setenv("LANG", "C.UTF-8")
	env.Setenv("NPM_TOOLS", npmTools())
	env.Setenv("TERM", "xterm")
	env.Cd = env.Getenv("W")
	env.Values[terminalKey] = new(*terminal)
	return os.WriteFile(filepath.Join(env.Getenv("OUT"), "secret"), []byte("SECRET\n"), 0o600)
}

// removeAll removes a tree that may have folders without write permission.
func removeAll(root string) {
	_ = filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	_ = os.RemoveAll(root)
}

var online = sync.OnceValue(func() bool {
	if testing.Short() {
		return false
	}
	// npm knows the registry that it is configured for; we need not.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "view", "is-odd", "version", "--prefer-online", "--cache", filepath.Join(os.TempDir(), "srt-npm-view"))
	defer func() { _ = os.RemoveAll(filepath.Join(os.TempDir(), "srt-npm-view")) }()
	return cmd.Run() == nil
})

var modules = sync.OnceValue(func() bool {
	if testing.Short() {
		return false
	}
	// go knows its proxy; we need not.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "golang.org/x/text@v0.3.0")
	cmd.Env = append(os.Environ(), "GOMODCACHE="+filepath.Join(os.TempDir(), "srt-go-list"), "GOFLAGS=-modcacherw")
	cmd.Dir = os.TempDir()
	defer func() { _ = os.RemoveAll(filepath.Join(os.TempDir(), "srt-go-list")) }()
	return cmd.Run() == nil
})

var internet = sync.OnceValue(func() bool {
	dir, err := os.MkdirTemp("/var/tmp", "srt-internet-")
	if err != nil {
		return false
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.WriteFile(filepath.Join(dir, "zone"), nil, 0o600); err != nil {
		return false
	}
	return exec.CommandContext(context.Background(), filepath.Join(tools, "probe"), "internet", dir, "true").Run() == nil
})

// byCgroup names the limits that srt enforces by a cgroup here. It asks srt itself:
// nothing else would know better which place it takes.
var byCgroup = sync.OnceValue(func() map[string]bool {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "srt", "explain", "--limit", "memory=1GiB", "--limit", "processes=100", "--limit", "cpu=1", "true")
	text, err := cmd.Output()
	found := map[string]bool{}
	for _, name := range []string{"memory", "processes", "cpu"} {
		found[name] = err == nil && regexp.MustCompile(name+` \S+ +cgroup v2, `).Match(text)
	}
	return found
})

func condition(name string) (bool, error) {
	switch name {
	case "root":
		return os.Getuid() == 0, nil
	case "names": // app.srt.test and its like lead to 127.0.0.1; see scripts/test.sh
		return os.Getenv("SRT_TEST_HOSTS") != "", nil
	case "cgroup2:memory", "cgroup2:processes", "cgroup2:cpu": // srt can make a cgroup that bounds it
		return byCgroup()[strings.TrimPrefix(name, "cgroup2:")], nil
	case "online": // npm reaches its registry
		return online(), nil
	case "npm12", "pnpm10", "pnpm", "yarn1", "yarn", "bun": // scripts/npm-tools.sh has fetched it
		_, err := os.Stat(filepath.Join(npmTools(), name, "spec"))
		return err == nil, nil
	case "headers": // node has its headers beside it
		cmd := exec.CommandContext(context.Background(), "node", "-e", `require("fs").statSync(require("path").join(process.execPath, "../../include/node/node_version.h"))`)
		return cmd.Run() == nil, nil
	case "pip": // Python has pip, and setuptools to build with
		return exec.CommandContext(context.Background(), "python3", "-c", "import setuptools, venv, ensurepip, pip").Run() == nil, nil
	case "pip:login": // so does the one that login shells find, where pip takes another Python
		return exec.CommandContext(context.Background(), "/usr/bin/python3", "-c", "import venv, pip; v = pip.__version__.split('.'); assert (int(v[0]), int(v[1])) >= (22, 3)").Run() == nil, nil
	case "wheels": // Debian's wheels of setuptools and wheel are there
		found, err := filepath.Glob("/usr/share/python-wheels/setuptools-*.whl")
		return len(found) > 0, err
	case "modules": // go reaches its module proxy
		return modules(), nil
	case "internet": // probe can make a network of its own
		return internet(), nil
	case "mptcp": // the kernel has multipath TCP
		return exec.CommandContext(context.Background(), filepath.Join(tools, "probe"), "socket", "inet", "1", "262").Run() == nil, nil
	case "tiocsti": // the kernel lets programs type into terminals at all
		// Kernels without the switch always let them.
		text, err := os.ReadFile("/proc/sys/dev/tty/legacy_tiocsti")
		if err != nil {
			text = []byte("1")
		}
		return strings.TrimSpace(string(text)) == "1", nil
	case "io_uring", "ia32", "landlock": // the kernel has it, as far as a program can tell
		return kernelHas(name), nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// npmTools is where scripts/npm-tools.sh keeps package managers.
func npmTools() string {
	if dir := os.Getenv("SRT_NPM_TOOLS"); dir != "" {
		return dir
	}
	return "/var/cache/srt-npm-tools"
}

// kernelHas asks the kernel itself, by the probe.
func kernelHas(what string) bool {
	argv := map[string][]string{
		"io_uring": {"syscall", "io_uring"},
		"ia32":     {"syscall", "int80"},
		// Version 6, the first with which srt uses it in every mode.
		"landlock": {"landlock", "6"},
	}[what]
	return exec.CommandContext(context.Background(), "probe", argv...).Run() == nil
}

var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	// status N PROGRAM [ARG]... runs a program that must end with status N; 128 and
	// the signal's number for one that a signal ends.
	"status": cmdStatus,
	// hostserver NAME [DIR] starts an HTTP server on the host's loopback that has the
	// files of DIR, or echoes requests. $NAME is its port; $WORK/NAME.log has a line
	// "connection" for each connection and a line for each request that is echoed.
	"hostserver": cmdHostServer,
	// waitfor FILE waits until the file is there.
	"waitfor": cmdWaitFor,
	// waitgrep REGEXP FILE waits until the file has a match.
	"waitgrep": cmdWaitGrep,
	// waitgone REGEXP waits until no process has a matching command line.
	"waitgone": cmdWaitGone,
	// running REGEXP waits for a process with a matching command line; negated it
	// requires that there is none now.
	"running": cmdRunning,
	// empty DIR requires a folder with nothing in it.
	"empty": cmdEmpty,
	// hold DIR FILE compares the names of all that is below DIR with the words of FILE.
	"hold": cmdHold,
	// pty start PROGRAM [ARG]... | expect REGEXP | send TEXT | size ROWS COLS | exit N
	// drives a program in a terminal of its own. TEXT is a Go string without its
	// quotes: \r, \x03.
	"pty": cmdPty,
	// killdrill N MAX_MS PROGRAM [ARG]... starts a program N times and kills it with
	// SIGKILL after a delay of up to MAX_MS milliseconds.
	"killdrill": cmdKillDrill,
	// crowd ROUNDS MAX_MS file: starts the shell lines of a file within that time, each
	// round in an empty $HOME. None may fail or say anything but what was refused, save those
	// that begin with "kill", which are killed. Afterwards the home has nothing but folders and the log of srt's.
	"crowd": cmdCrowd,
}

func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N program [arg]...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exitStatus(exit.ProcessState)
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("status %d, want %d", got, want)
	}
}

func exitStatus(state *os.ProcessState) int {
	if wait, ok := state.Sys().(syscall.WaitStatus); ok && wait.Signaled() {
		return 128 + int(wait.Signal())
	}
	return state.ExitCode()
}

// loggedListener writes a line for each connection that it accepts.
type loggedListener struct {
	net.Listener
	log *logFile
}

func (l loggedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.log.line("connection")
	}
	return conn, err
}

type logFile struct {
	mu   sync.Mutex
	file *os.File
}

func (l *logFile) line(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintf(l.file, format+"\n", args...)
}

// echo answers with the request as it arrived.
func echo(log *logFile) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if log != nil {
			log.line("%s %s %s", r.Method, r.Host, r.URL)
		}
		w.Header().Set("Content-Type", "text/plain")
		_, _ = fmt.Fprintf(w, "%s %s\nHost: %s\n", r.Method, r.URL, r.Host)
		_ = r.Header.Write(w)
		_, _ = fmt.Fprintf(w, "\n%s", body)
	})
}

func cmdHostServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 3 {
		ts.Fatalf("usage: hostserver NAME [DIR [USER:PASSWORD]]")
	}
	file, err := os.Create(ts.MkAbs(filepath.Join(ts.Getenv("WORK"), args[0]+".log")))
	ts.Check(err)
	log := &logFile{file: file}
	handler := echo(log)
	if len(args) > 1 {
		handler = http.FileServer(http.Dir(ts.MkAbs(args[1])))
	}
	if len(args) == 3 {
		open := handler
		handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, password, _ := r.BasicAuth(); user+":"+password != args[2] {
				w.Header().Set("WWW-Authenticate", `Basic realm="index"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			open.ServeHTTP(w, r)
		})
	}
	server := httptest.NewUnstartedServer(handler)
	server.Listener = loggedListener{server.Listener, log}
	server.Start()
	ts.Defer(func() {
		server.CloseClientConnections()
		server.Close()
		_ = file.Close()
	})
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	ts.Check(err)
	ts.Setenv(args[0], port)
}

// soon tries until done or a minute has passed: what npm fetches takes its time.
func soon(done func() bool) bool {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if done() {
			return true
		}
	}
	return done()
}

func cmdWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfor FILE")
	}
	if !soon(func() bool { _, err := os.Stat(ts.MkAbs(args[0])); return err == nil }) {
		ts.Fatalf("%s did not come", args[0])
	}
}

func cmdWaitGrep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitgrep REGEXP FILE")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	file := ts.MkAbs(args[1])
	if !soon(func() bool { text, err := os.ReadFile(file); return err == nil && pattern.Match(text) }) {
		ts.Fatalf("%s never had %q", args[1], args[0])
	}
}

// processes are the command lines that match, with the process's number.
func processes(pattern *regexp.Regexp) []string {
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || len(text) == 0 {
			continue
		}
		line := strings.ReplaceAll(strings.TrimSuffix(string(text), "\x00"), "\x00", " ")
		if pattern.MatchString(line) {
			found = append(found, filepath.Base(filepath.Dir(file))+" "+line)
		}
	}
	return found
}

func cmdWaitGone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitgone REGEXP")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	if !soon(func() bool { return len(processes(pattern)) == 0 }) {
		ts.Fatalf("still there: %q", processes(pattern))
	}
}

func cmdRunning(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: [!] running REGEXP")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	if neg {
		if found := processes(pattern); len(found) > 0 {
			ts.Fatalf("running: %q", found)
		}
		return
	}
	if !soon(func() bool { return len(processes(pattern)) > 0 }) {
		ts.Fatalf("nothing matches %q", args[0])
	}
}

func cmdEmpty(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: [!] empty DIR")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if (len(entries) == 0) == neg {
		ts.Fatalf("%s has %v", args[0], entries)
	}
}

func cmdHold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: hold DIR FILE")
	}
	var names []string
	root := ts.MkAbs(args[0])
	ts.Check(filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name, err := filepath.Rel(root, path)
		if entry.IsDir() {
			name += "/"
		}
		names = append(names, name)
		return err
	}))
	slices.Sort(names)
	want := strings.Fields(ts.ReadFile(args[1]))
	slices.Sort(want)
	if !slices.Equal(names, want) {
		ts.Fatalf("%s holds\n%s\nwant\n%s", args[0], strings.Join(names, "\n"), strings.Join(want, "\n"))
	}
}

type key string

const terminalKey key = "terminal"

// terminal is a program in a terminal of its own, and what it has printed.
type terminal struct {
	cmd  *exec.Cmd
	file *os.File
	done chan struct{}

	mu   sync.Mutex
	text bytes.Buffer
	seen int // what expect has consumed
}

func (t *terminal) read() {
	defer close(t.done)
	buffer := make([]byte, 4096)
	for {
		n, err := t.file.Read(buffer)
		t.mu.Lock()
		t.text.Write(buffer[:n])
		t.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// expect waits for a match behind the last one.
func (t *terminal) expect(pattern *regexp.Regexp) bool {
	return soon(func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		match := pattern.FindIndex(t.text.Bytes()[t.seen:])
		if match == nil {
			return false
		}
		t.seen += match[1]
		return true
	})
}

func (t *terminal) rest() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()[t.seen:]
}

func cmdPty(ts *testscript.TestScript, neg bool, args []string) {
	current, ok := ts.Value(terminalKey).(**terminal)
	if !ok || len(args) < 2 {
		ts.Fatalf("usage: pty start|expect|send|size|exit ARG...")
	}
	if args[0] == "start" {
		*current = startTerminal(ts, args[1:])
		return
	}
	t := *current
	if t == nil {
		ts.Fatalf("no terminal was started")
	}
	switch args[0] {
	case "expect":
		pattern, err := regexp.Compile(args[1])
		ts.Check(err)
		if neg {
			if pattern.MatchString(t.rest()) {
				ts.Fatalf("the terminal has %q in %q", args[1], t.rest())
			}
			return
		}
		if !t.expect(pattern) {
			ts.Fatalf("the terminal never had %q in %q", args[1], t.rest())
		}
	case "send":
		text, err := strconv.Unquote(`"` + strings.ReplaceAll(args[1], `"`, `\"`) + `"`)
		ts.Check(err)
		_, err = io.WriteString(t.file, text)
		ts.Check(err)
	case "size":
		if len(args) != 3 {
			ts.Fatalf("usage: pty size ROWS COLS")
		}
		rows, err := strconv.ParseUint(args[1], 10, 16)
		ts.Check(err)
		cols, err := strconv.ParseUint(args[2], 10, 16)
		ts.Check(err)
		ts.Check(pty.Setsize(t.file, &pty.Winsize{Rows: uint16(rows), Cols: uint16(cols)}))
	case "exit":
		t.exit(ts, args[1])
	default:
		ts.Fatalf("unknown: pty %s", args[0])
	}
}

func startTerminal(ts *testscript.TestScript, args []string) *terminal {
	path := args[0]
	if !strings.Contains(path, "/") {
		found, err := exec.LookPath(path)
		ts.Check(err)
		path = found
	}
	t := &terminal{done: make(chan struct{})}
	t.cmd = exec.CommandContext(context.Background(), path, args[1:]...)
	t.cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"W", "HOME", "OUT", "WORK", "PATH", "LANG", "TERM", "TMPDIR"} {
		t.cmd.Env = append(t.cmd.Env, name+"="+ts.Getenv(name))
	}
	t.cmd.Env = append(t.cmd.Env, "PWD="+t.cmd.Dir, "PS1=ready> ")
	file, err := pty.StartWithSize(t.cmd, &pty.Winsize{Rows: 24, Cols: 80})
	ts.Check(err)
	// In a mode in which Close ends a Read: the terminal hangs up only then, and what
	// was left in the background holds it open otherwise.
	fd, err := syscall.Dup(int(file.Fd()))
	ts.Check(err)
	ts.Check(file.Close())
	syscall.CloseOnExec(fd)
	ts.Check(syscall.SetNonblock(fd, true))
	t.file = os.NewFile(uintptr(fd), file.Name())
	go t.read()
	ts.Defer(func() {
		_ = t.cmd.Process.Kill()
		_ = t.file.Close()
		<-t.done
	})
	return t
}

func (t *terminal) exit(ts *testscript.TestScript, status string) {
	want, err := strconv.Atoi(status)
	ts.Check(err)
	ended := make(chan int, 1)
	go func() {
		_ = t.cmd.Wait()
		ended <- exitStatus(t.cmd.ProcessState)
	}()
	select {
	case got := <-ended:
		if got != want {
			ts.Fatalf("status %d, want %d; the terminal has %q", got, want, t.rest())
		}
	case <-time.After(10 * time.Second):
		ts.Fatalf("no end; the terminal has %q", t.rest())
	}
}

func cmdKillDrill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: killdrill N MAX_MS program [arg]...")
	}
	times, err := strconv.Atoi(args[0])
	ts.Check(err)
	most, err := strconv.Atoi(args[1])
	ts.Check(err)
	path, err := exec.LookPath(args[2])
	ts.Check(err)
	for i := range times {
		cmd := exec.CommandContext(context.Background(), path, args[3:]...)
		cmd.Dir = ts.MkAbs(".")
		cmd.Env = []string{"HOME=" + ts.Getenv("HOME"), "PATH=" + ts.Getenv("PATH"), "TMPDIR=" + ts.Getenv("TMPDIR")}
		ts.Check(cmd.Start())
		// Evenly spread, so that each run tries the same moments.
		time.Sleep(time.Duration(most*i/times) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// told are lines about what was refused.
var told = regexp.MustCompile(`(?m)^srt: (blocked|hint:|and \d+ more).*\n`)

func cmdCrowd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: crowd ROUNDS MAX_MS file")
	}
	rounds, err := strconv.Atoi(args[0])
	ts.Check(err)
	most, err := strconv.Atoi(args[1])
	ts.Check(err)
	home := ts.Getenv("HOME")
	var mu sync.Mutex
	var wrong []string
	run := func(line string, wait, kill time.Duration) {
		time.Sleep(wait)
		cmd := exec.CommandContext(context.Background(), "sh", "-c", "exec "+line)
		cmd.Dir = ts.MkAbs(".")
		cmd.Env = []string{"HOME=" + home, "WORK=" + ts.Getenv("WORK"), "PATH=" + ts.Getenv("PATH"), "LANG=C.UTF-8"}
		if kill > 0 {
			_ = cmd.Start()
			time.Sleep(kill)
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			return
		}
		text, err := cmd.CombinedOutput()
		text = told.ReplaceAll(text, nil)
		if err != nil || len(text) > 0 {
			mu.Lock()
			defer mu.Unlock()
			wrong = append(wrong, fmt.Sprintf("%s: %v: %s", line, err, text))
		}
	}
	for round := range rounds {
		chance := rand.New(rand.NewPCG(uint64(round), 0)) // the same moments each time
		moment := func() time.Duration { return time.Duration(1+chance.IntN(most*1000)) * time.Microsecond }
		ts.Check(os.RemoveAll(home))
		ts.Check(os.Mkdir(home, 0o750))
		var runs sync.WaitGroup
		for line := range strings.Lines(ts.ReadFile(args[2])) {
			wait, kill := moment(), time.Duration(0)
			line, killed := strings.CutPrefix(strings.TrimSpace(line), "kill ")
			if killed {
				kill = moment()
			}
			runs.Go(func() { run(line, wait, kill) })
		}
		runs.Wait()
		run("srt run -- true", 0, 0) // it removes what is left of those that were killed
		wrong = append(wrong, notOf(home, ".local/state/srt/placeholders")...)
		if len(wrong) > 0 {
			ts.Fatalf("round %d: %s", round, strings.Join(wrong, "\n"))
		}
	}
}

// notOf lists what is in a folder, less those on the way to a folder in it and the pool
// of empty folders there.
func notOf(dir, inner string) []string {
	var out []string
	pool := filepath.Join(dir, inner, "folders")
	_ = filepath.WalkDir(dir, func(path string, e os.DirEntry, _ error) error {
		pooled := path == pool || filepath.Dir(path) == pool && e.IsDir()
		log := filepath.Join(dir, ".local/state/srt/events")
		if !strings.HasPrefix(filepath.Join(dir, inner)+"/", path+"/") && !pooled && !strings.HasPrefix(path+"/", log+"/") {
			out = append(out, "left: "+path)
		}
		return nil
	})
	return out
}

// entry is one row of testdata/cases.jsonl: settings in the shape of the npm
// tool, a command, and what must hold. In its texts $W, $HOME, $OUT and $P stand
// for the folders of TestScripts and for the port of an echo server.
type entry struct {
	Name string `json:"name"`
	// The settings are those of base, with these keys added or replaced.
	Network    map[string]any `json:"network"`
	Filesystem map[string]any `json:"filesystem"`
	Top        map[string]any `json:"top"`
	Text       string         `json:"text"` // or the text of a settings file as it is

	Setup   string   `json:"setup"`   // shell, on the host, before
	Options []string `json:"options"` // of srt
	Line    string   `json:"line"`    // for -c
	Args    []string `json:"args"`    // or the words of a command
	Stdin   string   `json:"stdin"`
	Env     []string `json:"env"`
	Status  int      `json:"status"`
	Fails   bool     `json:"fails"` // any status but 0
	Out     string   `json:"out"`
	NotOut  string   `json:"not_out"`
	Err     string   `json:"err"`
	After   string   `json:"after"` // shell, on the host, afterwards: must be true
	Names   bool     `json:"names"` // needs the names of the condition "names"
}

// settings is the text of the row's settings file.
func (c *entry) settings() (string, error) {
	if c.Text != "" {
		return c.Text, nil
	}
	network := map[string]any{"allowedDomains": []string{}, "deniedDomains": []string{}}
	filesystem := map[string]any{"denyRead": []string{}, "allowWrite": []string{"."}, "denyWrite": []string{}}
	maps.Copy(network, c.Network)
	maps.Copy(filesystem, c.Filesystem)
	top := map[string]any{"network": network, "filesystem": filesystem}
	maps.Copy(top, c.Top)
	text, err := json.Marshal(top)
	return string(text), err
}

// TestCases runs testdata/cases.jsonl.
func TestCases(t *testing.T) {
	if noSandbox != "" {
		t.Skip(noSandbox)
	}
	text, err := os.ReadFile("../../testdata/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(echo(nil))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	for decoder.More() {
		var c entry
		if err := decoder.Decode(&c); err != nil {
			t.Fatal(err)
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if c.Names && os.Getenv("SRT_TEST_HOSTS") == "" {
				t.Skip("needs names for loopback addresses in /etc/hosts, which only root can give")
			}
			c.run(t, port)
		})
	}
}

var placeholder = regexp.MustCompile(`\$(W|HOME|OUT|P)\b`)

func (c *entry) run(t *testing.T, port string) {
	t.Helper()
	root, err := os.MkdirTemp("/var/tmp", "srt-case-") //nolint:usetesting // not below /tmp
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeAll(root) })
	vars := map[string]string{"W": root + "/w", "HOME": root + "/home", "OUT": root + "/out", "P": port}
	env := []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}
	for name, value := range vars {
		env = append(env, name+"="+value)
		if name != "P" {
			if err := os.Mkdir(value, 0o750); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(root+"/out/secret", []byte("SECRET\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expand := func(text string) string {
		return placeholder.ReplaceAllStringFunc(text, func(name string) string { return vars[name[1:]] })
	}
	shell := func(line string) error {
		cmd := exec.CommandContext(t.Context(), "bash", "-c", line)
		cmd.Dir, cmd.Env = root+"/w", env
		return cmd.Run()
	}
	if c.Setup != "" {
		if err := shell(c.Setup); err != nil {
			t.Fatalf("setup: %v", err)
		}
	}
	settings, err := c.settings()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/settings.json", []byte(expand(settings)), 0o600); err != nil {
		t.Fatal(err)
	}
	argv := []string{"--settings", root + "/settings.json"}
	argv = append(argv, c.Options...)
	if c.Line != "" {
		argv = append(argv, "-c", expand(c.Line))
	}
	argv = append(argv, c.Args...)

	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(tools, "srt"), argv...)
	var out, problems bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = root+"/w", append(env, c.Env...), strings.NewReader(c.Stdin), &out, &problems
	err = cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	status := exitStatus(cmd.ProcessState)
	if c.Fails && status == 0 || !c.Fails && status != c.Status {
		t.Errorf("status %d, want %d", status, c.Status)
	}
	if !strings.Contains(out.String(), expand(c.Out)) {
		t.Errorf("stdout lacks %q", expand(c.Out))
	}
	if c.NotOut != "" && strings.Contains(out.String(), expand(c.NotOut)) {
		t.Errorf("stdout has %q", expand(c.NotOut))
	}
	if !strings.Contains(problems.String(), expand(c.Err)) {
		t.Errorf("stderr lacks %q", expand(c.Err))
	}
	if c.After != "" {
		if err := shell(c.After); err != nil {
			t.Errorf("afterwards not: %s", c.After)
		}
	}
	if t.Failed() {
		t.Logf("srt %q\nstdout %q\nstderr %q", argv, out.String(), problems.String())
	}
}
