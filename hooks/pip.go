package hooks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/core/fence"
)

// pipConf is the user's configuration of pip, the file that counts where there are two
// (https://pip.pypa.io/en/stable/topics/configuration/).
func pipConf(home string, getenv func(string) string) string {
	config := getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(config) {
		config = filepath.Join(home, ".config")
	}
	return filepath.Join(config, "pip", "pip.conf")
}

// pipConfEntry has pip run itself with another Python, wherever it is started and by
// whatever name: pip 22.3 and newer take that from [global] python. It does not come
// beside a choice of the user's own.
func pipConfEntry(g Guard, python string) (Entry, error) {
	e := Entry{Kind: KindBlock, File: pipConf(g.Home, g.Getenv), Name: g.mark(), Text: "python = " + python, Under: "[global]"}
	if strings.ContainsAny(python, "\n\r") {
		return e, fmt.Errorf("the path %q is more than a line", python)
	}
	c, err := fence.Read(e.File)
	if err != nil {
		return e, err //nolint:wrapcheck // names the file
	}
	n, section := 0, ""
	for line := range strings.Lines(c.Old) {
		n++
		if line[0] == '[' {
			section = strings.TrimSpace(line)
		}
		key, value, found := strings.Cut(line, "=")
		if !found {
			key, value, found = strings.Cut(line, ":")
		}
		if found && section == "[global]" && strings.TrimSpace(key) == "python" && strings.TrimSpace(value) != python {
			return e, fmt.Errorf("%s:%d: pip is told to run with another Python, where srt would stand: take the line out first", e.File, n)
		}
	}
	return e, nil
}

// ErrNoParent says that it is not pip that asked for a Python.
var ErrNoParent = errors.New("it was not pip that started " + PipPython)

// PipInterpreter finds the Python that pip would have run itself with, had nobody told
// it to use [PipPython]: that of the process that has started this one. It is spelled as
// it was started, since Python finds its virtual environment by that name. environ is
// the environment, which pip has passed on.
func PipInterpreter(args, environ []string) (string, error) {
	if len(args) == 0 || filepath.Base(args[0]) != "__pip-runner__.py" || filepath.Base(filepath.Dir(args[0])) != "pip" {
		return "", ErrNoParent
	}
	parent := fmt.Sprintf("/proc/%d/", os.Getppid())
	line, err := os.ReadFile(parent + "cmdline")
	if err != nil {
		return "", err //nolint:wrapcheck // names the file
	}
	name, _, _ := strings.Cut(string(line), "\x00")
	var tries []string
	switch {
	case filepath.IsAbs(name):
		tries = []string{name}
	case strings.Contains(name, "/"):
		// It may have changed the folder since, but pip does not.
		dir, err := os.Getwd()
		if err != nil {
			return "", err //nolint:wrapcheck // says what it means
		}
		tries = []string{filepath.Join(dir, name)}
	default:
		for _, e := range environ {
			if list, ok := strings.CutPrefix(e, "PATH="); ok {
				for _, dir := range filepath.SplitList(list) {
					if filepath.IsAbs(dir) {
						tries = append(tries, filepath.Join(dir, name))
					}
				}
			}
		}
	}
	runs, err := os.Stat(parent + "exe")
	if err != nil {
		return "", err //nolint:wrapcheck // names the file
	}
	for _, file := range tries {
		if info, err := os.Stat(file); err == nil && os.SameFile(info, runs) && unix.Access(file, unix.X_OK) == nil { //nolint:gosec // the user's PATH
			return file, nil
		}
	}
	return "", fmt.Errorf("the Python of pip, %q, is not to be found", name)
}

// VirtualEnv is the virtual environment that a Python belongs to, "" for none.
func VirtualEnv(python string) string {
	dir := filepath.Dir(filepath.Dir(python))
	if info, err := os.Stat(filepath.Join(dir, "pyvenv.cfg")); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return dir
}

// PlainPip reports whether a command is pip by its name, and does not choose a Python.
func PlainPip(argv []string) bool {
	if len(argv) == 0 {
		return false
	}
	name := filepath.Base(argv[0])
	return strings.HasPrefix(name, "pip") && name != "pipx" &&
		!slices.ContainsFunc(argv[1:], func(w string) bool { return strings.HasPrefix(w, "--py") })
}

// OnlyGuard reports whether a file is the user's configuration of pip and there for the
// guard alone: that it is hidden from what is not pip keeps nothing from anybody.
func OnlyGuard(file, home string, getenv func(string) string) bool {
	if file != pipConf(home, getenv) {
		return false
	}
	c, err := fence.Read(file)
	if err != nil {
		return false
	}
	e := Entry{
		Name: Guard{Tool: "pip"}.mark(), Text: "python = " + filepath.Join(Dir(home, getenv), PipPython),
		Under: "[global]", Header: true,
	}
	return c.Cut(e.block()) && c.New == ""
}
