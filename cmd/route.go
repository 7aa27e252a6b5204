package cmd

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/hooks"
)

// depthVariable counts how often a program was routed below itself. A program that
// leads back to srt, such as another tool's shim that takes ours for the next one on
// the PATH, would do so for ever.
const depthVariable = "SRT_ROUTE_DEPTH"

// maxDepth is far beyond what programs that start themselves reach.
const maxDepth = 100

// shimName is the program that srt stands in front of when it is started by another
// name than its own, as by a symbolic link on the PATH; "" when it is srt itself.
// Names that begin with srt are its own.
func shimName(args []string) string {
	if len(args) == 0 {
		return ""
	}
	name := filepath.Base(args[0])
	if strings.HasPrefix(name, "srt") || name == "." || name == "/" {
		return ""
	}
	return name
}

// route runs a command that a function or a shim of the shell integration stands for:
// in a sandbox if a rule or a preset matches it, else as it is, in the place of this
// process.
func (t streams) route(argv []string) int {
	if len(argv) == 0 {
		return t.fail(usageError{text: sayRouteNothing, hint: hintVerbHelp("route")})
	}
	switch argv[0] {
	case hooks.PipPython:
		return t.pipPython(argv[1:])
	case hooks.RecipeShell:
		return t.recipe(argv[1:])
	}
	if !core.Inside() {
		line := &runLine{command: argv}
		governed, err := core.Governs(t.options(line))
		if err != nil {
			return t.fail(err)
		}
		if governed {
			return t.run(line)
		}
	}
	if filepath.Base(argv[0]) == "git" && !core.Inside() {
		return t.git(argv[1:])
	}
	return t.become(argv)
}

// become runs a command as it is, in the place of this process.
func (t streams) become(argv []string) int {
	program, err := core.FindProgram(argv[0])
	if err != nil {
		return t.fail(err)
	}
	return t.replace(program, argv)
}

// replace runs a program with its words, the first of them its name, in the place of
// this process.
func (t streams) replace(program string, argv []string) int {
	depth, environ := depthOf(os.Environ(), argv[0])
	if depth > maxDepth {
		return t.fail(usageError{text: sayRouteLoop(argv[0], program), hint: hintRouteLoop})
	}
	return t.exec(program, argv, environ)
}

// exec is the end of this process, if it can be.
func (t streams) exec(program string, argv, environ []string) int {
	err := syscall.Exec(program, argv, environ)
	// A script without a first line that names its interpreter is one of sh, for
	// shells and for execvp(3).
	if errors.Is(err, syscall.ENOEXEC) {
		err = syscall.Exec("/bin/sh", append([]string{"sh", program}, argv[1:]...), environ)
	}
	code := 126
	if errors.Is(err, fs.ErrNotExist) {
		code = 127
	}
	return t.fail(&core.CommandError{Code: code, Err: &os.PathError{Op: "running", Path: program, Err: err}})
}

// depthOf counts one more run of a program below itself, and gives the environment
// that says so.
func depthOf(environ []string, name string) (int, []string) {
	depth := 1
	out := make([]string, 0, len(environ)+1)
	for _, entry := range environ {
		value, found := strings.CutPrefix(entry, depthVariable+"=")
		if !found {
			out = append(out, entry)
			continue
		}
		if count, of, _ := strings.Cut(value, " "); of == name {
			if n, err := strconv.Atoi(count); err == nil && n > 0 {
				depth = n + 1
			}
		}
	}
	return depth, append(out, depthVariable+"="+strconv.Itoa(depth)+" "+name)
}
