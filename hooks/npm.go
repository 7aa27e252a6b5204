package hooks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/srt-sh/srt/core"
)

// Npm guards the scripts of packages that npm and pnpm start: srt is the shell that they
// take for it. They are told by variables, which no file of a project beats in npm, and
// not by ~/.npmrc, which a project's does.
type Npm struct {
	Home   string
	Getenv func(string) string
	Srt    string // the file of srt that lasts
}

// npmMark stands in the marks of blocks.
const npmMark = "srt hook npm"

func (n Npm) ledger() Ledger { return LedgerOf("npm", n.Home, n.Getenv) }

// Shell is the link by which srt is that shell.
func (n Npm) Shell() string { return core.ScriptShellPath(n.Home, n.Getenv) }

// PlanInstall plans what tells them.
func (n Npm) PlanInstall() (*Plan, error) {
	var settings []Setting
	for _, name := range core.ScriptVariables() {
		settings = append(settings, Setting{Name: name, Value: n.Shell()})
	}
	entries, err := LoginEnv(npmMark, "", settings, n.Home, n.Getenv)
	if err != nil {
		return nil, err
	}
	return n.ledger().Install(append([]Entry{{Kind: KindLink, File: n.Shell(), Text: n.Srt}}, entries...))
}

// PlanUninstall plans to take that back.
func (n Npm) PlanUninstall() (*Plan, error) { return n.ledger().Uninstall() }

// Files are those that are written, as far as srt knows.
func (n Npm) Files() ([]string, error) {
	entries, err := n.ledger().Entries()
	var out []string
	for _, e := range entries {
		if e.Kind == KindBlock {
			out = append(out, e.File)
		}
	}
	return out, err
}

// ErrShellGone says that the shell of scripts is not there, and so no script runs.
var ErrShellGone = errors.New("it is not there")

// CheckShell reports whether the link leads to this srt.
func (n Npm) CheckShell() error {
	link, err := os.Stat(n.Shell())
	if errors.Is(err, fs.ErrNotExist) {
		return ErrShellGone
	}
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	if own, err := os.Stat(n.Srt); err != nil || !os.SameFile(link, own) {
		target, _ := os.Readlink(n.Shell())
		return fmt.Errorf("it leads to %q, which is another program than this srt", target)
	}
	return nil
}

// Told reports whether an environment tells npm or pnpm.
func (n Npm) Told(environ []string) bool {
	return !slices.ContainsFunc(core.ScriptVariables(), func(name string) bool {
		return !slices.Contains(environ, name+"="+n.Shell())
	})
}

// Try has a tool run a script that writes where it may not, in an environment: first
// where nothing else holds it, and then, as the script of a dependency, in a sandbox that
// would let it.
func (n Npm) Try(ctx context.Context, tool string, environ []string) error {
	// What is blocked here is nothing to tell the user of later.
	state, err := os.MkdirTemp("", "srt-probe-")
	if err != nil {
		return fmt.Errorf("making a folder to try the guard in: %w", err)
	}
	defer func() { _ = os.RemoveAll(state) }()
	environ = append(slices.Clone(environ), "XDG_STATE_HOME="+state)
	alone := Probe{Environ: environ, Prepare: func(work, write string) ([]string, error) {
		return []string{tool, "run", "probe"}, writePackage(work, write)
	}}
	tried, err := alone.Try(ctx)
	if err == nil {
		err = outcome(tried, "outside of a sandbox")
	}
	if err != nil {
		return err
	}
	tried, err = n.tryInside(ctx, tool, environ)
	if err != nil {
		return err
	}
	return outcome(tried, "in a sandbox")
}

func outcome(t Tried, where string) error {
	switch {
	case t.Escaped:
		return fmt.Errorf("%s, a script wrote outside of its package", where)
	case !t.Ran:
		return fmt.Errorf("%s, a script did not run: %s", where, lastLine(t.Output))
	}
	return nil
}

// lastLine is the last line with something in it.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func writePackage(dir, script string) error {
	// JSON has the quotes of Go for such text.
	text := fmt.Sprintf(`{"name": "probe", "version": "1.0.0", "scripts": {"probe": %q}}`, script)
	return os.WriteFile(filepath.Join(dir, "package.json"), []byte(text+"\n"), 0o600) //nolint:wrapcheck // names the file
}

// tryInside has the script of a dependency write into its project, which the sandbox
// around it may.
func (n Npm) tryInside(ctx context.Context, tool string, environ []string) (Tried, error) {
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
	work := filepath.Join(base, "node_modules", "probe")
	inside, outside := filepath.Join(work, "inside"), filepath.Join(base, "outside")
	if err := os.MkdirAll(work, 0o700); err != nil {
		return Tried{}, err //nolint:wrapcheck // likewise
	}
	if err := writePackage(work, ": >"+quoteSh(inside)+"; (: >"+quoteSh(outside)+") 2>/dev/null; true"); err != nil {
		return Tried{}, err
	}
	cmd := exec.CommandContext(ctx, n.Srt, "run", "--no-project", "--preset", filepath.Base(tool), "--allow-write", base, "--", tool, "run", "probe")
	cmd.Dir, cmd.Env, cmd.WaitDelay = work, environ, time.Second
	out, err := cmd.CombinedOutput()
	t := Tried{Ran: there(inside), Escaped: there(outside), Output: strings.TrimSpace(string(out))}
	if t.Output == "" && err != nil {
		t.Output = err.Error()
	}
	return t, nil
}
