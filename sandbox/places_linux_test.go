package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A pipe in the place of a folder that rules name much of holds nobody up.
func TestListingPipe(t *testing.T) {
	dir := folder(t)
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		ps := places{known: map[string]*place{}}
		for range 2 * listAfter {
			ps.lacks(pipe, "x")
		}
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for the pipe")
	}
}

// Placeholders are made and removed in the folder that was looked at, wherever its path
// leads meanwhile.
func TestPlaceholdersOfMovedFolder(t *testing.T) {
	work, state, other := folder(t), folder(t), folder(t)
	dir, away := filepath.Join(work, "dir"), filepath.Join(work, "away")
	mkdir := func() {
		t.Helper()
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mkdir()
	wanted := []Make{{filepath.Join(dir, ".envrc"), PlaceholderSocket}, {filepath.Join(dir, ".vscode"), PlaceholderDir}, {filepath.Join(dir, "file"), PlaceholderFile}}
	write(t, filepath.Join(other, "file"), "")
	swap := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	holds, err := makePlaceholders(state, wanted, rests{})
	if err != nil {
		t.Fatal(err)
	}
	swap(dir, away)
	if err := os.Symlink(other, dir); err != nil {
		t.Fatal(err)
	}
	holds.release()
	wantEmpty(t, away)
	wantFile(t, filepath.Join(other, "file"), "")
	wantNoJournals(t, state)

	// None are made through a link, and those of a killed run stay noted.
	if _, err := makePlaceholders(state, wanted, rests{}); !errors.Is(err, ErrMoved) {
		t.Errorf("%v, want %v", err, ErrMoved)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	swap(away, dir)
	if holds, err = makePlaceholders(state, wanted, rests{}); err != nil {
		t.Fatal(err)
	}
	holds.unlock()
	_ = holds.journal.Close()
	swap(dir, away)
	if err := os.Symlink(other, dir); err != nil {
		t.Fatal(err)
	}
	sweep(state, nil)
	wantFile(t, filepath.Join(other, "file"), "")
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	swap(away, dir)
	sweep(state, nil)
	wantEmpty(t, dir)
	wantNoJournals(t, state)

	// Where the folder is gone, there is nothing left to note.
	if holds, err = makePlaceholders(state, wanted, rests{}); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	holds.release()
	wantNoJournals(t, state)
	if holds, err = makePlaceholders(state, []Make{{filepath.Join(other, "x"), PlaceholderSocket}}, rests{}); err != nil {
		t.Fatal(err)
	}
	holds.unlock()
	_ = holds.journal.Close()
	if err := os.RemoveAll(other); err != nil {
		t.Fatal(err)
	}
	sweep(state, nil)
	wantNoJournals(t, state)
}
