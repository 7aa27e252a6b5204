package hooks

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"unicode/utf8"
)

// maxSeenText is how much of a file is kept to show later what has changed, in bytes.
const maxSeenText = 64 << 10

// Source is a file that a hook consists of, as it was at some time.
type Source struct {
	File string `json:"file"` // absolute
	Sum  string `json:"sum"`  // SHA-256 of the bytes, in hex
	Text string `json:"text"` // "" for a file that is long or no text
}

// seenHook is what is kept of a hook that has run.
type seenHook struct {
	Hook    string   `json:"hook"` // absolute
	Sources []Source `json:"sources"`
}

// Seen remembers the hooks that have run, and the settings that a user has accepted, in
// a folder that no sandbox may write.
type Seen struct{ Dir string }

// SeenState says how a hook compares with its last run.
type SeenState uint8

// The states.
const (
	SeenSame SeenState = iota
	SeenNew
	SeenChanged
)

// Seen is the memory that belongs to the views.
func (v Views) Seen() Seen { return Seen{filepath.Join(v.Base, "seen")} }

// Sources are the files that a hook consists of, as far as the managers of hooks that
// are known put them: the file itself, what husky calls from there, the files in which
// lefthook and pre-commit look for what to do. tree is the work tree, "" for none.
func Sources(hook, tree string) ([]Source, error) {
	first, text, err := readSource(hook)
	if err != nil {
		return nil, err
	}
	out := []Source{first}
	dir, name := filepath.Split(hook)
	var more []string
	if dir = filepath.Clean(dir); filepath.Base(dir) == "_" && filepath.Base(filepath.Dir(dir)) == ".husky" {
		more = append(more, filepath.Join(filepath.Dir(dir), name))
	}
	if tree != "" && bytes.Contains(text, []byte("lefthook")) {
		for _, name := range []string{"lefthook", ".lefthook"} {
			for _, end := range []string{".yml", ".yaml", ".toml", ".json", "-local.yml"} {
				more = append(more, filepath.Join(tree, name+end))
			}
		}
	}
	if tree != "" && bytes.Contains(text, []byte("pre-commit")) {
		more = append(more, filepath.Join(tree, ".pre-commit-config.yaml"))
	}
	for _, name := range more {
		source, _, err := readSource(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, err
		default:
			out = append(out, source)
		}
	}
	return out, nil
}

func readSource(name string) (Source, []byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return Source{}, nil, err //nolint:wrapcheck // names the file
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return Source{}, nil, err //nolint:wrapcheck // likewise
	}
	if !info.Mode().IsRegular() {
		return Source{}, nil, fmt.Errorf("%q is no regular file: %w", name, fs.ErrNotExist)
	}
	sum := sha256.New()
	var text bytes.Buffer
	if _, err := io.Copy(io.MultiWriter(sum, &limited{&text}), f); err != nil {
		return Source{}, nil, fmt.Errorf("reading %q: %w", name, err)
	}
	s := Source{File: name, Sum: hex.EncodeToString(sum.Sum(nil))}
	if text.Len() <= maxSeenText && utf8.Valid(text.Bytes()) {
		s.Text = text.String()
	}
	return s, text.Bytes(), nil
}

// limited keeps one byte more than is kept of a text.
type limited struct{ to *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.to.Write(p[:min(len(p), max(0, maxSeenText+1-l.to.Len()))])
	return len(p), nil
}

// Compare compares a hook with its last run. was is what it consisted of then.
func (s Seen) Compare(hook string, now []Source) (state SeenState, was []Source) {
	data, err := os.ReadFile(s.file(hook))
	var kept seenHook
	if err != nil || json.Unmarshal(data, &kept) != nil || kept.Hook != hook {
		return SeenNew, nil
	}
	same := func(a, b Source) bool { return a.File == b.File && a.Sum == b.Sum }
	if slices.EqualFunc(kept.Sources, now, same) {
		return SeenSame, kept.Sources
	}
	return SeenChanged, kept.Sources
}

// Record remembers a hook as it is.
func (s Seen) Record(hook string, now []Source) error {
	data, err := json.Marshal(seenHook{hook, now})
	if err != nil {
		return fmt.Errorf("remembering the hook %q: %w", hook, err)
	}
	return s.write(s.file(hook), data)
}

// file is where it is remembered.
func (s Seen) file(hook string) string {
	sum := sha256.Sum256([]byte(hook))
	return filepath.Join(s.Dir, hex.EncodeToString(sum[:16])+".json")
}

// write puts a file in its place whole.
func (s Seen) write(name string, data []byte) error {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return err //nolint:wrapcheck // names the folder
	}
	return putFile(name, data, 0o600)
}

// putFile writes a file under another name and puts it in its place.
func putFile(name string, data []byte, mode fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".srt-new-")
	if err != nil {
		return err //nolint:wrapcheck // names the folder
	}
	defer func() {
		_ = f.Close()
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err //nolint:wrapcheck // names the file
	}
	if err := f.Chmod(mode); err != nil {
		return err //nolint:wrapcheck // likewise
	}
	if err := f.Close(); err != nil {
		return err //nolint:wrapcheck // likewise
	}
	return os.Rename(f.Name(), name) //nolint:wrapcheck // likewise
}
