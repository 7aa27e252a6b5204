package launch

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindHelper(t *testing.T) {
	dir := t.TempDir()
	before := helperDirs
	t.Cleanup(func() { helperDirs = before })
	helperDirs = []string{dir + "/link", dir + "/bin", dir + "/none"}
	if err := errors.Join(os.Mkdir(dir+"/bin", 0o755), os.Symlink("bin", dir+"/link")); err != nil {
		t.Fatal(err)
	}
	if _, err := FindHelper("helper"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	file := filepath.Join(dir, "bin", "helper")
	for _, mode := range []os.FileMode{0o644, 0o757} {
		if err := errors.Join(os.WriteFile(file, nil, mode), os.Chmod(file, mode)); err != nil {
			t.Fatal(err)
		}
		// Two of the folders are the same one: it is spoken of once.
		if _, err := FindHelper("helper"); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if err := os.Chmod(file, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := FindHelper("helper"); err != nil || got != file {
		t.Errorf("%q, %v", got, err)
	}
}
