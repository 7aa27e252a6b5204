package core

import (
	"errors"
	"fmt"
	"os"

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
	// Dir is the working folder, "" the current one.
	Dir string
	// Home is the home folder, "" that of $HOME in Environ.
	Home string
	// Environ is the environment before the policy removes and adds to it, nil that
	// of this process.
	Environ []string

	// Settings names a settings file that stands for all but the machine-wide one;
	// "" reads the user's.
	Settings string
	// Preset is the name of a preset, "none", or "" for the one whose rule matches
	// Args; with Settings or Line none applies by itself.
	Preset string
	// Flags are rules on top of all files.
	Flags config.Flags
	// Yes allows "." as a write root where that opens the home folder.
	Yes bool

	// Stdin, Stdout and Stderr are the command's own; nil stands for those of this
	// process.
	Stdin, Stdout, Stderr *os.File
	// Keep lists descriptors above 2 that the command inherits. They must be pipes.
	Keep []int
	// Control gives settings while the command runs: each line is a complete file in
	// the JSON shape of the npm tool, of which the network lists apply at once, to
	// open connections too. nil means that none come.
	Control *os.File
	// Reload makes the settings be read again, with the same effect.
	Reload <-chan struct{}
	// Signals are passed to the command.
	Signals <-chan os.Signal

	// OnEvent is told of each blocked attempt as it happens. It must be quick.
	OnEvent func(event.Event)
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

// complete fills in what is left open, and copies what it changes.
func (o Options) complete() (Options, error) {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	if o.Home == "" {
		o.Home = getenv(o.Environ, "HOME")
	}
	if o.Home == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return o, fmt.Errorf("finding the home folder: %w; set HOME", err)
		}
		o.Home = home
	}
	if o.Dir == "" {
		dir, err := os.Getwd()
		if err != nil {
			return o, fmt.Errorf("the current folder is not there any more (%w); change to one that exists", err)
		}
		o.Dir = dir
	}
	if o.Line != "" {
		o.Args = []string{"bash", "-c", o.Line}
	}
	if len(o.Args) == 0 {
		return o, errNoCommand
	}
	for _, f := range []struct {
		slot **os.File
		std  *os.File
	}{{&o.Stdin, os.Stdin}, {&o.Stdout, os.Stdout}, {&o.Stderr, os.Stderr}} { //nolint:forbidigo // what nil is documented to mean
		if *f.slot == nil {
			*f.slot = f.std
		}
	}
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	if o.Warnf == nil {
		o.Warnf = o.Logf
	}
	return o, nil
}

// getenv is the value of a variable in an environment, "" if it is not there.
func getenv(environ []string, name string) string {
	value, _ := lookupEnv(environ, name)
	return value
}
