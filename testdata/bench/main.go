// Bench measures what srt costs, side by side with the same work done without it,
// and prints each ratio beside its target.
//
//	bench -srt ./srt [-only startup,route,prompt,git,tree,proxy,npm,report,kill] [-quick]
//
// Every number is the median of runs that take turns, so that what else the
// machine does falls on both sides. On a machine that is not quiet the ratios
// still move by some percent; targets are for two quiet cores.
//
// The program is its own server, its own client inside the sandbox, and its own
// sleeping command: see the commands in client.go.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// bench is one run of the program.
type bench struct {
	srt   string // absolute path of the binary under test
	self  string // absolute path of this program
	work  string // a temporary folder
	home  string // an empty home in it
	quick bool   // fewer runs
	out   io.Writer
}

func main() {
	if len(os.Args) > 1 && clients[os.Args[1]] != nil {
		if err := clients[os.Args[1]](os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

var parts = []struct {
	name string
	do   func(*bench) error
}{
	{"startup", (*bench).startup},
	{"route", (*bench).route},
	{"prompt", (*bench).prompt},
	{"git", (*bench).git},
	{"tree", (*bench).tree},
	{"proxy", (*bench).proxy},
	{"npm", (*bench).npm},
	{"report", (*bench).report},
	{"kill", (*bench).kill},
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	srt := flags.String("srt", "./srt", "the binary to measure")
	only := flags.String("only", "", "names of the parts to run, with commas between")
	quick := flags.Bool("quick", false, "fewer runs, to see that it works")
	if err := flags.Parse(args); err != nil {
		return err
	}
	b := &bench{quick: *quick, out: out}
	var err error
	if b.srt, err = filepath.Abs(*srt); err != nil {
		return err
	}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.work, err = os.MkdirTemp("/var/tmp", "srt-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.work) }()
	if b.srt, err = installed(b.srt, b.dir("installed")); err != nil {
		return err
	}
	b.home = b.dir("home")
	fmt.Fprintf(out, "%-52s %12s %12s %10s   %s\n", "", "without", "with srt", "", "target")
	for _, part := range parts {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), part.name) {
			continue
		}
		if err := part.do(b); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// installed copies a binary as install.sh does. The linker writes through a memory map,
// which leaves a binary in the page cache in pages of the smallest size; one that was
// copied or read from the disk starts half a millisecond faster.
func installed(binary, dir string) (string, error) {
	data, err := os.ReadFile(binary)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "srt")
	return path, os.WriteFile(path, data, 0o700)
}

// row prints a line of the table.
func (b *bench) row(what, without, with, ratio, target string, met bool) {
	mark := "missed"
	if met {
		mark = "met"
	}
	fmt.Fprintf(b.out, "%-52s %12s %12s %10s   %s, %s\n", what, without, with, ratio, target, mark)
}

// dir makes a folder in the working folder.
func (b *bench) dir(name string) string {
	path := filepath.Join(b.work, name)
	if err := os.MkdirAll(path, 0o755); err != nil {
		panic(err) // the folder was made by us a moment ago
	}
	return path
}

// runs is how often something is done: n, or little when it is only tried out.
func (b *bench) runs(n int) int {
	if b.quick {
		return max(1, n/10)
	}
	return n
}

// command runs in dir with an environment that does not depend on the caller's
// settings.
func (b *bench) command(dir string, argv ...string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.home, "LANG=C.UTF-8", "TMPDIR=" + b.dir("tmp")}
	return cmd
}

// timed runs a command and says how long that took.
func timed(cmd *exec.Cmd) (time.Duration, error) {
	from := time.Now()
	text, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, text)
	}
	return time.Since(from), nil
}

// turns does each thing n times in turn and returns the median of each.
func turns(n int, things ...func() (float64, error)) ([]float64, error) {
	values := make([][]float64, len(things))
	for i := range n {
		for j, thing := range things {
			value, err := thing()
			if err != nil {
				return nil, err
			}
			// The first turn finds cold caches.
			if i > 0 || n < 3 {
				values[j] = append(values[j], value)
			}
		}
	}
	medians := make([]float64, len(things))
	for j := range values {
		medians[j] = median(values[j])
	}
	return medians, nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

func ms(seconds float64) string { return fmt.Sprintf("%.1f ms", seconds*1000) }
