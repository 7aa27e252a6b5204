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
	var found error
	for _, folder := range filepath.SplitList(path) {
		if folder == "" {
			folder = "."
		}
		candidate := strings.TrimSuffix(folder, "/") + "/" + name
		err := executable(inDir(dir, candidate))
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
