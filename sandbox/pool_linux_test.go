package sandbox

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// opened opens a folder as a node's folder.
func opened(t *testing.T, path string) int {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

func TestPool(t *testing.T) {
	state, work := folder(t), folder(t)
	at := node{opened(t, work), "idea"}
	path := filepath.Join(work, at.name)
	p := openPool(state)
	defer p.close()
	if p.take(at) {
		t.Error("an empty pool gave a folder")
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	var before, after unix.Stat_t
	if err := unix.Lstat(path, &before); err != nil {
		t.Fatal(err)
	}
	if !p.put(at, opened(t, path)) {
		t.Fatal("an empty folder was not taken")
	}
	wantEmpty(t, work)
	next := openPool(state)
	defer next.close()
	if !next.take(at) {
		t.Fatal("there is one now")
	}
	if err := unix.Lstat(path, &after); err != nil || after.Ino != before.Ino || after.Mode != before.Mode {
		t.Errorf("another one came back: %v", err)
	}
	wantEmpty(t, filepath.Join(state, "folders"))
}

// What is in use, or no longer what it was, is not moved.
func TestPoolLeavesAlone(t *testing.T) {
	state, work := folder(t), folder(t)
	at := node{opened(t, work), "idea"}
	path := filepath.Join(work, at.name)
	p := openPool(state)
	defer p.close()
	write(t, filepath.Join(path, "file"), "somebody's")
	if p.put(at, opened(t, path)) {
		t.Error("a folder with a file in it was moved")
	}
	// Another one was put in the place of the one that was locked.
	old := opened(t, folder(t))
	if p.put(at, old) {
		t.Error("another folder was moved")
	}
	if text, err := os.ReadFile(filepath.Join(path, "file")); err != nil || string(text) != "somebody's" {
		t.Errorf("the file is %q, %v", text, err)
	}
	if p.put(at, -1) {
		t.Error("a folder that is not open was moved")
	}
	// What came into a folder of the pool stays there.
	kept := filepath.Join(state, "folders", strconv.Itoa(0))
	write(t, filepath.Join(kept, "file"), "somebody's")
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	next := openPool(state)
	defer next.close()
	if next.take(at) {
		t.Error("a folder with a file in it was given")
	}
	if _, err := os.Stat(filepath.Join(kept, "file")); err != nil {
		t.Error(err)
	}
}

func TestPoolIsBounded(t *testing.T) {
	state, work := folder(t), folder(t)
	dir := opened(t, work)
	p := openPool(state)
	defer p.close()
	for i := range poolSize + 2 {
		name := strconv.Itoa(i)
		if err := os.Mkdir(filepath.Join(work, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if got := p.put(node{dir, name}, opened(t, filepath.Join(work, name))); got != (i < poolSize) {
			t.Errorf("folder %d: %v", i, got)
		}
	}
}
