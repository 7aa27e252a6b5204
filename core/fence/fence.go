// Package fence changes files of the user that are not srt's: start-up files of shells,
// configuration of tools. What is put there stands between two lines that name it, so
// that it can be found and taken out again.
//
// Nothing is written before Write, and Diff shows what it will do. A file is written
// whole under another name and then put in its place, with the mode that it had and
// where a link leads; one that somebody changed since it was read is not written.
package fence

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Start is the line before what name has put into a file, without its end.
func Start(name string) string { return "# >>> " + name + " >>>" }

// End is the line behind it.
func End(name string) string { return "# <<< " + name + " <<<" }

// Block puts the lines of body between the marks of name.
func Block(name, body string) string {
	return Start(name) + "\n" + strings.TrimSuffix(body, "\n") + "\n" + End(name) + "\n"
}

// Change is a change of a file.
type Change struct {
	File     string // as its name is known
	Old, New string // the text that it has and will have
	Remove   bool   // the file is to go; New is ""

	there bool
	mode  fs.FileMode
	to    string // where File leads to
}

// Read reads a file to be changed. One that is not there is empty, and Write makes it,
// with the folders that it lies in.
func Read(file string) (*Change, error) {
	c := &Change{File: file, to: file, mode: 0o644}
	to, err := filepath.EvalSymlinks(file)
	if errors.Is(err, fs.ErrNotExist) {
		// A link that leads nowhere is not ours to replace.
		if _, err := os.Lstat(file); err == nil {
			return nil, fmt.Errorf("%q is a link that leads nowhere", file)
		}
		return c, nil
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file
	}
	info, err := os.Stat(to)
	if err != nil {
		return nil, err //nolint:wrapcheck // likewise
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is not a file", file)
	}
	text, err := os.ReadFile(to)
	if err != nil {
		return nil, err //nolint:wrapcheck // likewise
	}
	c.there, c.to, c.mode, c.Old, c.New = true, to, info.Mode().Perm(), string(text), string(text)
	return c, nil
}

// There reports whether the file was there when it was read.
func (c *Change) There() bool { return c.there }

// Same reports whether there is nothing to write.
func (c *Change) Same() bool { return c.Old == c.New && !c.Remove }

// Has reports whether there is a mark of name in the file.
func (c *Change) Has(name string) bool {
	return hasLine(c.New, Start(name)) || hasLine(c.New, End(name))
}

// Append puts text at the end, on a line of its own. It reports whether the line before
// had to be ended for that.
func (c *Change) Append(text string) (ended bool) {
	if c.New != "" && !strings.HasSuffix(c.New, "\n") {
		c.New += "\n"
		ended = true
	}
	c.New += text
	return ended
}

// Cut takes out text, whole lines that are there once, and reports whether it could.
func (c *Change) Cut(text string) bool { return c.Replace(text, "") }

// Replace puts other lines in the place of text, which are there once, and reports
// whether it could.
func (c *Change) Replace(text, with string) bool {
	i := strings.Index(c.New, text)
	if i < 0 || i > 0 && c.New[i-1] != '\n' || strings.Contains(c.New[i+1:], text) {
		return false
	}
	c.New = c.New[:i] + with + c.New[i+len(text):]
	return true
}

func hasLine(text, line string) bool {
	return strings.HasPrefix(text, line) || strings.Contains(text, "\n"+line)
}

// Diff shows the change as diff -u does, in one piece.
func (c *Change) Diff() string {
	const around = 3
	from, to := lines(c.Old), lines(c.New)
	same := 0
	for same < min(len(from), len(to)) && from[same] == to[same] {
		same++
	}
	tail := 0
	for tail < min(len(from), len(to))-same && from[len(from)-1-tail] == to[len(to)-1-tail] {
		tail++
	}
	first := max(0, same-around)
	last := max(0, tail-around) // lines at the end that are not shown
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n@@ -%s +%s @@\n", c.File, c.File,
		hunk(first, len(from)-last-first), hunk(first, len(to)-last-first))
	show := func(sign string, list []string) {
		for _, line := range list {
			b.WriteString(sign + strings.TrimSuffix(line, "\n") + "\n")
			if !strings.HasSuffix(line, "\n") {
				b.WriteString("\\ No newline at end of file\n")
			}
		}
	}
	show(" ", from[first:same])
	show("-", from[same:len(from)-tail])
	show("+", to[same:len(to)-tail])
	show(" ", from[len(from)-tail:len(from)-last])
	return b.String()
}

// hunk spells lines as diff -u does: the number of the first, from 1, and how many.
func hunk(first, n int) string {
	if n > 0 {
		first++
	}
	return fmt.Sprintf("%d,%d", first, n)
}

// lines takes a text apart, each line with its end.
func lines(text string) []string { return slices.Collect(strings.Lines(text)) }

// ReadOnly reports whether the file is meant not to be written, as one that a tool for
// start-up files has made. Root could write all.
func (c *Change) ReadOnly() bool {
	if _, err := os.Lstat(c.to); errors.Is(err, fs.ErrNotExist) {
		return false
	}
	return c.mode&0o200 == 0 || unix.Access(c.to, unix.W_OK) != nil || unix.Access(filepath.Dir(c.to), unix.W_OK) != nil
}

// Write makes the change.
func (c *Change) Write() (err error) {
	if now, err := Read(c.File); err != nil || now.Old != c.Old || now.there != c.there {
		return fmt.Errorf("%q was changed meanwhile", c.File)
	}
	if c.Remove {
		return os.Remove(c.File) //nolint:wrapcheck // names the file
	}
	if err := os.MkdirAll(filepath.Dir(c.to), 0o755); err != nil { //nolint:gosec // as other programs make it
		return err //nolint:wrapcheck // names the folder
	}
	partial, err := os.CreateTemp(filepath.Dir(c.to), "."+strings.TrimPrefix(filepath.Base(c.to), ".")+".srt-")
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	defer func() {
		_ = partial.Close()
		if err != nil {
			_ = os.Remove(partial.Name())
		}
	}()
	if _, err := partial.WriteString(c.New); err != nil {
		return err //nolint:wrapcheck // likewise
	}
	if err := partial.Chmod(c.mode); err != nil {
		return err //nolint:wrapcheck // likewise
	}
	var stat unix.Stat_t
	if unix.Stat(c.to, &stat) == nil && os.Getuid() == 0 {
		if err := partial.Chown(int(stat.Uid), int(stat.Gid)); err != nil {
			return err //nolint:wrapcheck // likewise
		}
	}
	if err := partial.Sync(); err != nil {
		return err //nolint:wrapcheck // likewise
	}
	return os.Rename(partial.Name(), c.to) //nolint:wrapcheck // likewise
}
