package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/event"
)

// Options says what to run and where the settings come from. The zero value of
// every field but Args and Line is usable.
type Options struct {
	// Args is the program and its arguments, verbatim. The program is found on the
	// PATH of Environ.
	Args []string
	// Line is a shell line that bash -c runs instead of Args.
	Line string
	// As are the words that rules and presets are matched with where Args do not tell
	// what is run, nil for Args.
	As []string
	// Dir is the working folder, "" the current one.
	Dir string
	// Home is the home folder, "" that of $HOME in Environ or, without, the one that
	// the system has for this user.
	Home string
	// Environ is the environment before the policy removes and adds to it, nil that
	// of this process.
	Environ []string

	// Settings names a settings file that stands for all but the machine-wide one;
	// "" reads the user's and those of the repository.
	Settings string
	// NoProject leaves out the settings that a repository brings along: .srt.toml,
	// .sandbox/settings.json and .srt.local.toml from its root to Dir. Otherwise what
	// they open counts where the user trusts them, and what they deny in any case.
	NoProject bool
	// Contents stands for what settings files of the user and of a repository say, by
	// absolute path, as if they were trusted: [Decide] tells what would be.
	Contents map[string][]byte
	// Preset is the name of a preset, "none", or "" for the one whose rule matches
	// Args; with Settings or Line none applies by itself.
	Preset string
	// Unasked tells that it was not the user who named Preset: as one whose rule matches,
	// it leaves the home folder closed.
	Unasked bool
	// Trees are folders that may be written as the working folder may, each by its name:
	// that of a repository, where Dir is somewhere below. The home folder and what it
	// lies in stay closed.
	Trees []string
	// Flags are rules on top of all files.
	Flags config.Flags
	// Yes allows "." as a write root where that opens the home folder.
	Yes bool

	// Stdin, Stdout and Stderr are the command's own; nil stands for those of this
	// process.
	Stdin, Stdout, Stderr *os.File
	// Keep lists descriptors above 2 that the command inherits, each under its
	// number. They must be pipes.
	Keep []int
	// Control gives settings while the command runs: each line is a complete file in
	// the JSON shape of the npm tool, of which the network lists apply at once, to
	// open connections too. nil means that none come.
	Control *os.File
	// Reload makes the settings be read again, with the same effect.
	Reload <-chan struct{}
	// Ready, unless nil, is called before anything is made that an end by a signal would
	// leave: who handles signals has no need to before.
	Ready func()
	// Started, unless nil, is called when the command runs, beside the rest.
	Started func()
	// Signals are passed to the command.
	Signals <-chan os.Signal

	// OnEvent is told of each blocked attempt as it happens. It must be quick.
	OnEvent func(event.Event)
	// Ask decides about a host that no rule names, while the connection waits; nil refuses
	// it. It is asked once in a run for each host and port, may be called by several
	// goroutines, and its context ends with the run. With strict_allowlist nobody is asked,
	// and addresses that the settings deny stay denied.
	Ask func(ctx context.Context, host string, port uint16) bool
	// Logger gets what happens in the life of a run, as records with attributes: "config
	// loaded", "command wrapped", "proxy started", "violation" with the event, "proxy
	// stopped", "command ended". nil drops it.
	Logger *slog.Logger
	// NoLog keeps what is blocked out of the event log, which [Violations] reads.
	NoLog bool
	// Logf gets what helps to find faults, nil drops it.
	Logf func(format string, args ...any)
	// Warnf gets what the user should know and what does not stop the run, such as
	// a setting that does not apply here; nil drops it.
	Warnf func(format string, args ...any)
}

// CommandError says that the command cannot be run, with the exit status that
// shells have for it: 127 for a program that is not there, 126 for one that
// cannot be executed.
type CommandError struct {
	Code int
	Err  error
}

func (e *CommandError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *CommandError) Unwrap() error { return e.Err }

// errNoCommand is the npm tool's sentence.
var errNoCommand = errors.New("No command specified. Use -c <command> or provide command arguments.") //nolint:revive,staticcheck // compatible wording

// withRoots fills in the environment and the folders.
func (o Options) withRoots() (Options, error) {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	var err error
	o.Home, o.Dir, err = o.Roots()
	return o, err
}

// complete fills in what is left open, and copies what it changes.
func (o Options) complete() (Options, error) {
	o, err := o.withRoots()
	if err != nil {
		return o, err
	}
	if err := unix.Access(o.Dir, unix.X_OK); err != nil && filepath.IsAbs(o.Dir) {
		return o, &hintError{
			text: fmt.Sprintf("the working folder %q cannot be entered", o.Dir), err: err, hint: "change to a folder that you may enter",
		}
	}
	if o.Line != "" {
		o.Args = []string{"bash", "-c", o.Line}
	}
	if o.As == nil {
		o.As = o.Args
	}
	if len(o.Args) == 0 {
		return o, errNoCommand
	}
	o.fillStreams()
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	if o.Warnf == nil {
		o.Warnf = o.Logf
	}
	return o, nil
}

// fillStreams gives the streams that are left open those of this process.
func (o *Options) fillStreams() {
	for _, f := range []struct {
		slot **os.File
		std  *os.File
	}{{&o.Stdin, os.Stdin}, {&o.Stdout, os.Stdout}, {&o.Stderr, os.Stderr}} { //nolint:forbidigo // what nil is documented to mean
		if *f.slot == nil {
			*f.slot = f.std
		}
	}
}

// Roots are the home folder and the working folder of a command, free of symbolic
// links: the rules of a folder are about the place, however it was reached. A home
// that is not there is what its name says. Errors are about the working folder
// only where the home was found.
func (o Options) Roots() (home, dir string, err error) {
	environ := o.Environ
	if environ == nil {
		environ = os.Environ()
	}
	if home, err = homeOf(o.Home, environ); err != nil {
		return "", "", err
	}
	if place, err := filepath.EvalSymlinks(home); err == nil {
		home = place
	}
	switch {
	case o.Dir == "":
		// Not os.Getwd, which believes $PWD.
		if dir, err = syscall.Getwd(); err != nil {
			return home, "", &hintError{
				text: "the current folder is not there any more", err: err, hint: "change to a folder that exists",
			}
		}
		return home, dir, nil
	case !filepath.IsAbs(o.Dir):
		return home, o.Dir, nil // the settings say what is wrong with it
	}
	if dir, err = filepath.EvalSymlinks(o.Dir); err != nil {
		return home, "", &hintError{text: "the working folder cannot be used", err: err}
	}
	return home, dir, nil
}

// homeOf finds the home folder of a user as shells do.
func homeOf(set string, environ []string) (string, error) {
	if set != "" {
		return set, nil
	}
	if home := getenv(environ, "HOME"); home != "" {
		return home, nil
	}
	u, err := user.LookupId(strconv.Itoa(os.Getuid()))
	if err != nil {
		return "", &hintError{text: "HOME is not set, and the system knows no home folder of this user", err: err, hint: "set HOME"}
	}
	return u.HomeDir, nil
}

// hintError is an error whose next step is known.
type hintError struct {
	text string
	err  error
	hint string // "" if there is nothing better than the error itself
}

func (e *hintError) Error() string { return e.text + ": " + e.err.Error() }

func (e *hintError) Unwrap() error { return e.err }

// getenv is the value of a variable in an environment, "" if it is not there.
func getenv(environ []string, name string) string {
	value, _ := lookupEnv(environ, name)
	return value
}
