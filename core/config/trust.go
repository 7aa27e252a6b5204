package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Record says that a user trusts a file of a repository, in the state that it had.
type Record struct {
	Repository string    // what its work trees share: the absolute path of the git folder, or the folder without one
	Name       string    // the file's path inside of the work tree
	File       string    // where it was; absolute
	Sum        string    // SHA-256 of its bytes, in lower case hex
	Time       time.Time // in UTC, to the second
}

// recordHead is the first line of a record, and the version of its form.
const recordHead = "srt trust 1"

// maxRecord bounds a record, in bytes: three paths, each byte escaped.
const maxRecord = 64 << 10

// text spells a record: a line for each field, strings in quotes. There is one way
// to spell it, so that what is read is what was written.
func (r Record) text() string {
	return fmt.Sprintf("%s\nrepository %s\nname %s\nfile %s\nsha256 %s\ntime %s\n", recordHead,
		strconv.QuoteToASCII(r.Repository), strconv.QuoteToASCII(r.Name), strconv.QuoteToASCII(r.File), r.Sum, r.Time.UTC().Format(time.RFC3339))
}

var errRecord = errors.New("not a record of trust")

// parseRecord reads a record. What is not exactly as text spells it is an error.
func parseRecord(data []byte) (Record, error) {
	lines := strings.Split(string(data), "\n")
	if len(lines) != 7 {
		return Record{}, errRecord
	}
	var r Record
	for i, field := range []struct {
		name string
		to   *string
	}{{"repository ", &r.Repository}, {"name ", &r.Name}, {"file ", &r.File}} {
		quoted, ok := strings.CutPrefix(lines[i+1], field.name)
		text, err := strconv.Unquote(quoted)
		if !ok || err != nil {
			return Record{}, errRecord
		}
		*field.to = text
	}
	var err error
	r.Sum = strings.TrimPrefix(lines[4], "sha256 ")
	if r.Time, err = time.Parse(time.RFC3339, strings.TrimPrefix(lines[5], "time ")); err != nil {
		return Record{}, errRecord
	}
	sum, err := hex.DecodeString(r.Sum)
	if err != nil || len(sum) != sha256.Size || !path.IsAbs(r.Repository) || !path.IsAbs(r.File) || r.text() != string(data) {
		return Record{}, errRecord
	}
	return r, nil
}

func (o Options) trustDir() string { return TrustDir(o) }

// TrustDir is the folder of the records of trust.
func TrustDir(o Options) string {
	return path.Join(o.xdg("XDG_STATE_HOME", ".local/state"), "srt", "trust")
}

// place is the name of the record's file: there is one for each file of a repository.
func (r Record) place() string {
	sum := sha256.Sum256([]byte(r.Repository + "\x00" + r.Name))
	return hex.EncodeToString(sum[:])
}

// trusts reports whether the user trusts a file in the state that r says. why tells
// what is wrong with a record that is there.
func (o Options) trusts(r Record) (ok bool, why string) {
	got, err := readRecord(path.Join(o.trustDir(), r.place()))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, ""
	case err != nil || got.Repository != r.Repository || got.Name != r.Name:
		return false, "is not trusted, as its record cannot be used (" + o.shown(path.Join(o.trustDir(), r.place())) + ")"
	case got.Sum != r.Sum:
		return false, "has changed since it was trusted"
	}
	return true, ""
}

// readRecord reads a record that this user has written and nobody else can write.
func readRecord(name string) (Record, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return Record{}, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	info, err := f.Stat()
	if err != nil {
		return Record{}, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 || int(stat.Uid) != os.Geteuid() {
		return Record{}, errRecord
	}
	data, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil {
		return Record{}, err
	}
	return parseRecord(data)
}

// write puts a record in its place, at once and whole.
func (r Record) write(dir string) error {
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	r.Time = r.Time.UTC().Truncate(time.Second)
	if len(r.text()) >= maxRecord {
		return fmt.Errorf("recording trust in %q: its path is too long", r.File)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("recording trust: %w", err)
	}
	f, err := os.CreateTemp(dir, ".new-") // mode 0600
	if err != nil {
		return fmt.Errorf("recording trust: %w", err)
	}
	_, err = f.WriteString(r.text())
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path.Join(dir, r.place()))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("recording trust: %w", err)
	}
	return nil
}

// TrustedFile is a file that was trusted, and how it is now.
type TrustedFile struct {
	Record
	State TrustState
	place string
}

// TrustState compares a trusted file with its record.
type TrustState uint8

// The states.
const (
	TrustSame TrustState = iota
	TrustChanged
	TrustGone // it is not there or cannot be read
)

// TrustedFiles lists what the user trusts, by the path of the file. Records that
// cannot be read are in broken.
func TrustedFiles(o Options) (files []TrustedFile, broken []string, err error) {
	entries, err := os.ReadDir(o.trustDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("listing what is trusted: %w", err)
	}
	for _, e := range entries {
		name := path.Join(o.trustDir(), e.Name())
		if strings.HasPrefix(e.Name(), ".new-") {
			continue
		}
		r, err := readRecord(name)
		if err != nil || r.place() != e.Name() {
			broken = append(broken, name)
			continue
		}
		files = append(files, TrustedFile{r, r.state(), name})
	}
	slices.SortFunc(files, func(a, b TrustedFile) int { return cmp.Compare(a.File, b.File) })
	return files, broken, nil
}

func (r Record) state() TrustState {
	root := strings.TrimSuffix(r.File, "/"+r.Name)
	data, err := readProject(root, filepath.Clean(r.File), r.File)
	sum := sha256.Sum256(data)
	switch {
	case err != nil:
		return TrustGone
	case hex.EncodeToString(sum[:]) != r.Sum:
		return TrustChanged
	}
	return TrustSame
}

// Untrust removes what is recorded for the repository of the working folder, and
// returns the files.
func Untrust(o Options) ([]TrustedFile, error) {
	root := o.Dir
	if info, err := os.Stat(o.Dir); err == nil && info.IsDir() {
		o.Dir = realDir(o.Dir)
		root = o.projectRoot()
	}
	keys := []string{o.repository(root), root, path.Join(root, ".git")} // the last for a folder that is gone
	all, _, err := TrustedFiles(o)
	if err != nil {
		return nil, err
	}
	var gone []TrustedFile
	for _, f := range all {
		if !slices.Contains(keys, f.Repository) {
			continue
		}
		if err := os.Remove(f.place); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return gone, fmt.Errorf("taking trust back: %w", err)
		}
		gone = append(gone, f)
	}
	return gone, nil
}
