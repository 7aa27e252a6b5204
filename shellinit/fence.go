package shellinit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// The lines around what srt install writes.
const (
	fenceStart = "# >>> srt >>>"
	fenceEnd   = "# <<< srt <<<"
)

// Block is what the start-up file of a shell gets. srt is "" for one that is on the
// PATH, but not for fish. A machine without srt starts its shells as ever.
func Block(shell, srt string) string {
	if shell == "fish" {
		quoted := quoteFish(srt)
		return fenceStart + "\nif status is-interactive; and test -x " + quoted + "; " + quoted + " init fish | source; end\n" + fenceEnd + "\n"
	}
	line := `if command -v srt >/dev/null; then eval "$(srt init ` + shell + `)"; fi`
	if srt != "" {
		line = "if [ -x " + Quote(srt) + ` ]; then eval "$(` + Quote(srt) + " init " + shell + `)"; fi`
	}
	return fenceStart + "\n" + line + "\n" + fenceEnd + "\n"
}

// written matches a block as srt install writes it, with nothing changed. It is made at
// the first use, since each start of srt, srt route's too, would wait for it.
var written = sync.OnceValue(func() *regexp.Regexp { //nolint:gochecknoglobals // a constant
	return regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(fenceStart) + `\n` +
		`(if (command -v srt >/dev/null|\[ -x '.*' \]); then eval "\$\((srt|'.*') init [a-z]+\)"; fi|` +
		`if status is-interactive; and test -x '.*'; '.*' init fish \| source; end)\n` +
		regexp.QuoteMeta(fenceEnd) + `(\n|\z)`)
})

// ownFile is the start-up file of fish that holds nothing but the block.
const ownFile = "srt.fish"

// StartFile is the start-up file of a shell, for an environment.
func StartFile(shell, home string, getenv func(string) string) string {
	if dir := getenv("ZDOTDIR"); shell == "zsh" && filepath.IsAbs(dir) {
		home = dir
	}
	if shell == "fish" {
		dir := getenv("XDG_CONFIG_HOME")
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(home, ".config")
		}
		return filepath.Join(dir, "fish", "conf.d", ownFile)
	}
	return filepath.Join(home, "."+shell+"rc")
}

// ErrChanged says that somebody has changed the block: it is left alone.
var ErrChanged = errors.New("the lines between the marks of srt were changed")

// Change is a change of a start-up file. Nothing is written before Write.
type Change struct {
	File     string // as its name is known
	Old, New string

	at   int // the line, from 0, where the block is put or was
	mode fs.FileMode
	to   string // where File leads to
}

// Install plans to put the block of a shell at the end of a file. Old and New are
// equal if it is there.
func Install(file, block string) (*Change, error) {
	c, err := read(file)
	if err != nil {
		return nil, err
	}
	if strings.Contains(c.Old, fenceStart) || strings.Contains(c.Old, fenceEnd) {
		if written().FindString(c.Old) == "" {
			return c, ErrChanged
		}
		return c, nil
	}
	c.New = c.Old
	if c.New != "" && !strings.HasSuffix(c.New, "\n") {
		c.New += "\n"
	}
	c.at = strings.Count(c.New, "\n")
	c.New += block
	return c, nil
}

// Uninstall plans to take the block out of a file. Old and New are equal if there is
// none.
func Uninstall(file string) (*Change, error) {
	c, err := read(file)
	if err != nil {
		return nil, err
	}
	place := written().FindStringIndex(c.Old)
	if place == nil {
		if strings.Contains(c.Old, fenceStart) {
			return c, ErrChanged
		}
		return c, nil
	}
	c.at = strings.Count(c.Old[:place[0]], "\n")
	c.New = c.Old[:place[0]] + c.Old[place[1]:]
	return c, nil
}

func read(file string) (*Change, error) {
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
	c.to, c.mode, c.Old, c.New = to, info.Mode().Perm(), string(text), string(text)
	return c, nil
}

// Diff shows the change with the lines around it.
func (c *Change) Diff() string {
	const around = 3
	from, to := strings.SplitAfter(c.Old, "\n"), strings.SplitAfter(c.New, "\n")
	count, sign, lines := strings.Count(c.New, "\n")-strings.Count(c.Old, "\n"), "+", to
	if len(c.New) < len(c.Old) {
		count, sign, lines = -count, "-", from
	}
	if c.Old != "" && sign == "+" && !strings.HasSuffix(c.Old, "\n") {
		count-- // the end of a last line that had none
	}
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n@@ line %d @@\n", c.File, c.File, c.at+1)
	for i := max(0, c.at-around); i < min(len(lines), c.at+count+around); i++ {
		mark := " "
		if i >= c.at && i < c.at+count {
			mark = sign
		}
		if lines[i] != "" {
			b.WriteString(mark + strings.TrimSuffix(lines[i], "\n") + "\n")
		}
	}
	return b.String()
}

// ReadOnly reports whether the file is meant not to be written, as one that a tool for
// start-up files has made. Root could write all.
func (c *Change) ReadOnly() bool {
	if _, err := os.Lstat(c.to); errors.Is(err, fs.ErrNotExist) {
		return false
	}
	return c.mode&0o200 == 0 || unix.Access(c.to, unix.W_OK) != nil || unix.Access(filepath.Dir(c.to), unix.W_OK) != nil
}

// Write writes the file whole under another name, and puts it in its place. A file of
// ours that holds nothing any more is removed.
func (c *Change) Write() (err error) {
	if now, err := read(c.File); err != nil || now.Old != c.Old {
		return fmt.Errorf("%q was changed meanwhile", c.File)
	}
	if c.New == "" && filepath.Base(c.File) == ownFile {
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

// Installed reports whether a start-up file has a block, changed or not.
func Installed(file string) bool {
	c, err := read(file)
	return err == nil && strings.Contains(c.Old, fenceStart)
}
