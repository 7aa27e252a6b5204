package hooks

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Probe tries whether a guard holds: something that the guard should put into a sandbox
// makes two files, one in its working folder, which it may, and one outside, which it
// must not. Which of them are there is seen from outside of the sandbox; what the
// command says of itself does not count.
type Probe struct {
	// Environ is the environment to start it in, such as that of a login shell.
	Environ []string
	// Prepare puts into the folder work what is needed, such as a package whose script
	// is the shell line write, and tells what to run there. PATH of Environ applies to
	// its name, as execvp(3) has it.
	Prepare func(work, write string) (argv []string, err error)
}

// Tried is what a probe has found.
type Tried struct {
	Ran     bool   // the file inside was made: the code did run
	Escaped bool   // the file outside was made too
	Output  string // of the command, where it did not run
}

// Holds reports whether the guard does: the code ran, and was held.
func (t Tried) Holds() bool { return t.Ran && !t.Escaped }

// Try makes the probe, in a folder of its own below that for temporary files, and
// removes it again.
func (p Probe) Try(ctx context.Context) (Tried, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	base, err := os.MkdirTemp("", "srt-probe-")
	if err != nil {
		return Tried{}, fmt.Errorf("making a folder to try the guard in: %w", err)
	}
	defer func() { _ = os.RemoveAll(base) }()
	if base, err = filepath.EvalSymlinks(base); err != nil {
		return Tried{}, err //nolint:wrapcheck // names the folder
	}
	work := filepath.Join(base, "work")
	inside, outside := filepath.Join(work, "inside"), filepath.Join(base, "outside")
	if err := os.Mkdir(work, 0o700); err != nil {
		return Tried{}, err //nolint:wrapcheck // likewise
	}
	argv, err := p.Prepare(work, ": >"+quoteSh(inside)+"; (: >"+quoteSh(outside)+") 2>/dev/null; true")
	if err != nil {
		return Tried{}, err
	}
	// env(1) looks for the program on the PATH that the probe has.
	cmd := exec.CommandContext(ctx, "/usr/bin/env", append([]string{"--"}, argv...)...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = work, p.Environ, time.Second
	out, err := cmd.CombinedOutput()
	t := Tried{Ran: there(inside), Escaped: there(outside)}
	if !t.Ran {
		t.Output = strings.TrimSpace(string(out))
		if t.Output == "" && err != nil {
			t.Output = err.Error()
		}
	}
	return t, nil
}
