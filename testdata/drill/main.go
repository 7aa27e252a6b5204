// Drill breaks srt on purpose, many times, and looks at what is left: a process of
// the chain is killed or stopped at some moment or at a certain system call, a call
// fails, descriptors or processes run out, the state folder is full or gone.
//
//	drill -srt ./srt [-n 1000] [-seed 1] [-v]
//
// After each fault it requires, looking from outside:
//
//   - the command did not run, or ran in the sandbox: in namespaces of its own, with
//     the filter, and nothing of it is to be seen outside;
//   - srt ended, with a status that is not 0 when the command did not run, and with a
//     line on standard error then, unless a signal ended it;
//   - no process goes on;
//   - the next run works, and nothing of the faulty one is left after it.
//
// The same seed gives the same faults; what moment they meet is the machine's.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "victim" {
		os.Exit(victim(os.Args[2:]))
	}
	failed, err := run(os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "drill:", err)
		os.Exit(2)
	}
	if failed > 0 {
		os.Exit(1)
	}
}

// victim is the command in the sandbox: it says in the file ran where it runs, tries
// to get out, and stays a moment.
func victim(args []string) int {
	outside, ran, address, pause := args[0], args[1], args[2], args[3]
	status, _ := os.ReadFile("/proc/self/status")
	ns, _ := os.Readlink("/proc/self/ns/net")
	_ = os.WriteFile(outside+"/escaped", []byte("x"), 0o600)
	if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		_ = conn.Close()
	}
	if err := os.WriteFile(ran, append([]byte("netns "+ns+"\n"), status...), 0o600); err != nil {
		return 9
	}
	wait, err := time.ParseDuration(pause)
	if err != nil {
		return 9
	}
	time.Sleep(wait)
	return 0
}

// fault is one thing that goes wrong.
type fault struct {
	name string
	// wrap gives the command line that starts srt, and its environment.
	wrap func(w *world, srt []string) (argv, env []string)
	// during is called while srt runs; nil for nothing.
	during func(srt *os.Process)
}

type drill struct {
	srt, self string
	seed      uint64
	verbose   bool
	out       io.Writer
	strace    string // "" where there is none

	mu     sync.Mutex
	counts map[string]int
	failed atomic.Int64
	conns  atomic.Int64 // that reached the host
	addr   string
}

func run(args []string, out io.Writer) (int, error) {
	flags := flag.NewFlagSet("drill", flag.ContinueOnError)
	srt := flags.String("srt", "./srt", "the binary under test")
	n := flags.Int("n", 1000, "how many faults")
	seed := flags.Uint64("seed", 1, "choose the faults by")
	verbose := flags.Bool("v", false, "name each fault")
	if err := flags.Parse(args); err != nil {
		return 0, err
	}
	d := &drill{seed: *seed, verbose: *verbose, out: out, counts: map[string]int{}}
	var err error
	if d.srt, err = filepath.Abs(*srt); err != nil {
		return 0, err
	}
	if d.self, err = os.Executable(); err != nil {
		return 0, err
	}
	d.strace, _ = exec.LookPath("strace")
	host, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = host.Close() }()
	d.addr = host.Addr().String()
	go func() {
		for {
			conn, err := host.Accept()
			if err != nil {
				return
			}
			d.conns.Add(1)
			_ = conn.Close()
		}
	}()
	root, err := os.MkdirTemp("/var/tmp", "srt-drill-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(root) }()
	// The tool has to be able to tell: a command without srt is seen to run outside.
	if err := d.calibrate(root); err != nil {
		return 0, err
	}
	began := time.Now()
	var group sync.WaitGroup
	var next atomic.Int64
	for worker := range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(*n) {
					return
				}
				d.one(filepath.Join(root, strconv.Itoa(worker)), int(i))
			}
		})
	}
	group.Wait()
	kinds := make([]string, 0, len(d.counts))
	for kind := range d.counts {
		kinds = append(kinds, kind)
	}
	sort.Strings(kinds)
	for _, kind := range kinds {
		fmt.Fprintf(out, "%6d  %s\n", d.counts[kind], kind)
	}
	failed := int(d.failed.Load())
	if d.conns.Load() != 1 { // the calibration's
		failed++
		fmt.Fprintf(out, "the host was reached %d times\n", d.conns.Load()-1)
	}
	fmt.Fprintf(out, "%d faults in %.0f s, %d failed\n", *n, time.Since(began).Seconds(), failed)
	return failed, nil
}

// world is a project with all around it.
type world struct {
	dir, project, outside, home, state string
}

func newWorld(dir string) (*world, error) {
	w := &world{dir: dir, project: dir + "/project", outside: dir + "/outside", home: dir + "/home", state: dir + "/state"}
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	for _, d := range []string{w.project + "/.git/hooks", w.project + "/.git/info", w.outside, w.home, w.state} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	for name, text := range map[string]string{"HEAD": "ref: refs/heads/main\n", "config": "[core]\n\tbare = false\n"} {
		if err := os.WriteFile(w.project+"/.git/"+name, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *world) env() []string {
	return []string{"HOME=" + w.home, "XDG_STATE_HOME=" + w.state, "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C"}
}

// calibrate checks that an escape would be seen.
func (d *drill) calibrate(root string) error {
	w, err := newWorld(filepath.Join(root, "calibrate"))
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(context.Background(), d.self, "victim", w.outside, w.dir+"/ran", d.addr, "0s")
	if err := cmd.Run(); err != nil {
		return err
	}
	for range 100 {
		if d.conns.Load() == 1 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if d.inspect(w, w.dir+"/ran") == nil || d.conns.Load() != 1 {
		return errors.New("a command outside of any sandbox is not recognized as one")
	}
	return nil
}

// inspect looks for effects of the command outside, and at where it ran, if it did.
func (d *drill) inspect(w *world, ran string) error {
	entries, err := os.ReadDir(w.outside)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("the folder outside holds %v", entries)
	}
	text, err := os.ReadFile(ran)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(text) == 0 {
		return nil // it did not run, or had not come so far
	}
	if err != nil {
		return err
	}
	here, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return err
	}
	for _, want := range []string{"\nSeccomp:\t2\n", "\nNoNewPrivs:\t1\n", "\nCapEff:\t0000000000000000\n"} {
		if !bytes.Contains(text, []byte(want)) {
			return fmt.Errorf("the command ran without %q", strings.TrimSpace(want))
		}
	}
	if bytes.Contains(text, []byte("netns "+here+"\n")) {
		return errors.New("the command ran in the network namespace of the host")
	}
	return nil
}

func (d *drill) one(dir string, i int) {
	rng := rand.New(rand.NewPCG(d.seed, uint64(i)))
	f := d.pick(rng)
	kind, _, _ := strings.Cut(f.name, ":")
	err := d.try(dir, &f)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts[kind]++
	if err != nil {
		d.failed.Add(1)
		fmt.Fprintf(d.out, "fault %d, %s: %v\n", i, f.name, err)
	} else if d.verbose {
		fmt.Fprintf(d.out, "fault %d, %s: held\n", i, f.name)
	}
}

func (d *drill) try(dir string, f *fault) error {
	w, err := newWorld(dir)
	if err != nil {
		return err
	}
	ran := w.project + "/ran"
	srt := []string{d.srt, "run", "--allow-write", ".", "--allow-domain", "example.com", "--", d.self, "victim", w.outside, ran, d.addr, "15ms"}
	argv, env := f.wrap(w, srt)
	var stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stderr = w.project, env, &stderr
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return err
	}
	if f.during != nil {
		f.during(cmd.Process)
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("no end within 30 s; stderr %q", stderr.String())
	}
	if cmd.ProcessState == nil {
		return err
	}
	status, byItself := exitOf(cmd.ProcessState)
	if err := d.inspect(w, ran); err != nil {
		return err
	}
	_, statErr := os.Stat(ran)
	if didNotRun := statErr != nil; didNotRun && byItself {
		if status == 0 {
			return fmt.Errorf("status 0 and the command did not run; stderr %q", stderr.String())
		}
		// The word may be bubblewrap's, or that of the language's runtime.
		if status < 128 && strings.TrimSpace(stderr.String()) == "" {
			return fmt.Errorf("status %d without a word", status)
		}
	}
	if err := gone(w.dir); err != nil {
		return err
	}
	return d.next(w)
}

// exitOf gives the status, and whether the process ended by itself.
func exitOf(state *os.ProcessState) (int, bool) {
	if wait, ok := state.Sys().(syscall.WaitStatus); ok && wait.Signaled() {
		return 128 + int(wait.Signal()), false
	}
	return state.ExitCode(), true
}

// gone waits until no process has the world's folder on its command line.
func gone(dir string) error {
	var left []string
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		left = left[:0]
		files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, file := range files {
			if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte(dir+"/")) {
				left = append(left, string(bytes.ReplaceAll(text, []byte{0}, []byte{' '})))
			}
		}
		if len(left) == 0 {
			return nil
		}
	}
	return fmt.Errorf("still running: %q", left)
}

// next runs srt once more and looks at what is left then.
func (d *drill) next(w *world) error {
	_ = os.Remove(w.project + "/ran")
	cmd := exec.CommandContext(context.Background(), d.srt, "run", "--allow-write", ".", "--", "true")
	cmd.Dir, cmd.Env = w.project, w.env()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the next run: %w, %q", err, out)
	}
	var left []string
	for _, dir := range []string{w.project, w.project + "/.git", w.project + "/.git/info", w.project + "/.git/hooks", w.state} {
		_ = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			if err == nil && path != dir {
				left = append(left, path)
			}
			if entry != nil && entry.IsDir() && path != dir {
				return filepath.SkipDir
			}
			return nil
		})
	}
	allowed := map[string]bool{
		w.project + "/.git": true, w.project + "/.git/HEAD": true, w.project + "/.git/config": true, w.project + "/.git/hooks": true,
		w.project + "/.git/info": true, w.state + "/srt": true,
	}
	for _, path := range left {
		if !allowed[path] {
			return fmt.Errorf("left behind: %q", path)
		}
	}
	journals, _ := filepath.Glob(w.state + "/srt/placeholders/*")
	journals = slices.DeleteFunc(journals, func(path string) bool { return filepath.Base(path) == "folders" }) // kept empty for the next run
	if len(journals) > 0 {
		return fmt.Errorf("left behind: %q", journals)
	}
	return nil
}
