package core

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// defaultPath is where execvp(3) looks without a PATH.
const defaultPath = "/usr/local/bin:/usr/bin:/bin"

// findCommand looks for a program as the C library does: a name with a slash is
// a path, any other is searched on the PATH. call is how the kernel is asked for
// it, in the working folder: a script learns its own name from that.
func findCommand(name, dir string, environ []string) (call string, err error) {
	if name == "" {
		return "", &CommandError{Code: 127, Err: errors.New("the command is an empty word")}
	}
	if strings.ContainsRune(name, 0) {
		return "", &CommandError{Code: 127, Err: fmt.Errorf("the command %q has a NUL in it", name)}
	}
	if strings.Contains(name, "/") {
		if err := executable(inDir(dir, name)); err != nil {
			return "", commandError(name, err)
		}
		return name, nil
	}
	path, set := lookupEnv(environ, "PATH")
	if !set {
		path = defaultPath
	}
	self := ownFile(name)
	var found error
	for _, folder := range filepath.SplitList(path) {
		if folder == "" {
			folder = "."
		}
		candidate := strings.TrimSuffix(folder, "/") + "/" + name
		err := executable(inDir(dir, candidate))
		if err == nil && self != nil && sameFile(self, inDir(dir, candidate)) {
			continue
		}
		if err == nil {
			return candidate, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			found = err
		}
	}
	if found != nil {
		return "", commandError(name, found)
	}
	return "", &CommandError{Code: 127, Err: fmt.Errorf("%q: command not found", name)}
}

// FindProgram finds a program on the PATH of this process as a run does: a name that
// leads to this very file, as the shims of the shell integration do, is passed over.
// The error is a [CommandError].
func FindProgram(name string) (string, error) {
	program, err := findCommand(name, ".", os.Environ())
	if err != nil {
		return "", err
	}
	if self := ownFile(name); self != nil && sameFile(self, program) {
		return "", &CommandError{Code: 127, Err: fmt.Errorf("%q is srt, and no program of its own", name)}
	}
	return program, nil
}

// FindProgramIn finds a program on the PATH of an environment as [FindProgram] does on
// that of this process; "" where there is none.
func FindProgramIn(name string, environ []string) string {
	program, err := findCommand(name, "/", environ)
	if err != nil || !filepath.IsAbs(program) {
		return ""
	}
	if self := ownFile(name); self != nil && sameFile(self, program) {
		return ""
	}
	return program
}

// ownFile is the file of this program, nil where it need not be passed over: under
// its own name it is what was asked for.
func ownFile(name string) fs.FileInfo {
	if strings.HasPrefix(filepath.Base(name), "srt") {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	info, err := os.Stat(self)
	if err != nil {
		return nil
	}
	return info
}

func sameFile(self fs.FileInfo, path string) bool {
	info, err := os.Stat(path)
	return err == nil && os.SameFile(self, info)
}

// inDir makes a path absolute. It leaves .. to the kernel, for which it is the
// folder above the one that a symlink leads to.
func inDir(dir, path string) string {
	switch {
	case strings.Contains("/"+path+"/", "/../"):
		if filepath.IsAbs(path) {
			return path
		}
		return dir + "/" + path
	case filepath.IsAbs(path):
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err //nolint:wrapcheck // commandError adds the name
	}
	if info.IsDir() {
		return syscall.EISDIR
	}
	return unix.Access(path, unix.X_OK) //nolint:wrapcheck // likewise
}

func commandError(name string, err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	code := 126
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		code = 127
	}
	return &CommandError{Code: code, Err: fmt.Errorf("%q: %w", name, err)}
}

func lookupEnv(environ []string, name string) (string, bool) {
	for _, entry := range environ {
		if key, value, ok := strings.Cut(entry, "="); ok && key == name {
			return value, true
		}
	}
	return "", false
}
