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
// a path, any other is searched on the PATH.
func findCommand(name, dir string, environ []string) (string, error) {
	if name == "" {
		return "", &CommandError{Code: 127, Err: errors.New("the command is an empty word")}
	}
	if strings.ContainsRune(name, 0) {
		return "", &CommandError{Code: 127, Err: fmt.Errorf("the command %q has a NUL in it", name)}
	}
	if strings.Contains(name, "/") {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		if err := executable(path); err != nil {
			return "", commandError(name, err)
		}
		return path, nil
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
		if !filepath.IsAbs(folder) {
			folder = filepath.Join(dir, folder)
		}
		candidate := filepath.Join(folder, name)
		err := executable(candidate)
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
