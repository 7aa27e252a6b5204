package hooks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
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

// Try tries the shim of a program, in an environment: a stand-in for the program is put
// behind the shim, where srt takes it for the real one.
func (g Guard) Try(ctx context.Context, name string, environ []string) (Tried, error) {
	file, err := LookPath(name, environ)
	if err != nil {
		return Tried{}, err
	}
	if filepath.Dir(file) != filepath.Clean(g.Shims()) {
		return Tried{}, fmt.Errorf("%q comes before it on the PATH", file)
	}
	environ = slices.Clone(environ) // changed below
	return Probe{Environ: environ, Prepare: func(work, write string) ([]string, error) {
		dir := filepath.Join(work, "bin")
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, err //nolint:wrapcheck // names the folder
		}
		for i, e := range environ {
			if path, ok := strings.CutPrefix(e, "PATH="); ok {
				// Right behind the shims: other guards may have theirs in front.
				list := filepath.SplitList(path)
				at := slices.IndexFunc(list, func(dir string) bool { return filepath.Clean(dir) == filepath.Dir(file) })
				environ[i] = "PATH=" + strings.Join(slices.Insert(list, at+1, dir), ":")
			}
		}
		return []string{name, "probe"}, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+write+"\n"), 0o700) //nolint:gosec // a program
	}}.Try(ctx)
}

// LookPath finds a program as execvp(3) would in an environment.
func LookPath(name string, environ []string) (string, error) {
	for _, e := range environ {
		path, ok := strings.CutPrefix(e, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(path) {
			file := filepath.Join(dir, name)
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && unix.Access(file, unix.X_OK) == nil {
				return file, nil
			}
		}
	}
	return "", fmt.Errorf("%q is not on the PATH", name)
}

// ErrNoPip says that a Python has no pip, or one that does not take another Python.
var ErrNoPip = errors.New("there is no pip 22.3 or newer")

// PipProbe is a package whose build runs the line write, and what has pip build it.
func PipProbe(python, work, write string) ([]string, error) {
	check := exec.CommandContext(context.Background(), python, "-c", "import pip,sys; v=pip.__version__.split('.'); sys.exit((int(v[0]),int(v[1]))<(22,3))")
	if check.Run() != nil {
		return nil, ErrNoPip
	}
	for name, text := range map[string]string{
		"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"probe\"\nbackend-path = [\".\"]\n",
		"probe.py":       "import os\ndef get_requires_for_build_wheel(*_):\n    os.system(" + pyQuote(write) + ")\n    raise SystemExit(1)\n",
	} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o600); err != nil {
			return nil, err //nolint:wrapcheck // names the file
		}
	}
	return []string{python, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "wheel", "--quiet", "--no-deps", "--no-index", "."}, nil
}

// pyQuote makes a string of Python of a line.
func pyQuote(line string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`).Replace(line) + "'"
}
