package launch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// helperDirs is where helper programs are looked for: the caller's PATH may
// begin with a folder that the commands in the sandbox can write.
var helperDirs = []string{"/usr/bin", "/usr/local/bin", "/bin", "/run/current-system/sw/bin"}

// FindHelper finds a helper program in the system's folders. It must belong to
// root or the caller, and nobody else may be able to change it.
func FindHelper(name string) (string, error) {
	var refused []error
	var seen []string // /bin leads to /usr/bin on many systems
	for _, dir := range helperDirs {
		path, err := filepath.EvalSymlinks(filepath.Join(dir, name))
		if err != nil || slices.Contains(seen, path) {
			continue
		}
		seen = append(seen, path)
		if err := CheckHelper(path); err != nil {
			refused = append(refused, err)
			continue
		}
		return path, nil
	}
	if len(refused) > 0 {
		return "", errors.Join(refused...)
	}
	return "", os.ErrNotExist
}

// CheckHelper reports why a program must not be trusted as a helper.
func CheckHelper(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("looking at the helper %q: %w", path, err)
	}
	uid, ok := owner(info)
	switch {
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return fmt.Errorf("the helper %q is not an executable file", path)
	case !ok || uid != 0 && uid != os.Getuid():
		return fmt.Errorf("the helper %q belongs to another user", path)
	case info.Mode()&0o002 != 0:
		return fmt.Errorf("the helper %q can be written by everybody", path)
	}
	return nil
}
