package shellinit

import (
	"errors"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/srt-sh/srt/core/fence"
)

// fenceName is in the marks around what srt install writes.
const fenceName = "srt"

// Block is what the start-up file of a shell gets. srt is "" for one that is on the
// PATH, but not for fish. A machine without srt starts its shells as ever.
func Block(shell, srt string) string {
	if shell == "fish" {
		quoted := quoteFish(srt)
		return fence.Block(fenceName, "if status is-interactive; and test -x "+quoted+"; "+quoted+" init fish | source; end")
	}
	line := `if command -v srt >/dev/null; then eval "$(srt init ` + shell + `)"; fi`
	if srt != "" {
		line = "if [ -x " + Quote(srt) + ` ]; then eval "$(` + Quote(srt) + " init " + shell + `)"; fi`
	}
	return fence.Block(fenceName, line)
}

// written matches a block as srt install writes it, with nothing changed. It is made at
// the first use, since each start of srt, srt route's too, would wait for it.
var written = sync.OnceValue(func() *regexp.Regexp { //nolint:gochecknoglobals // a constant
	return regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(fence.Start(fenceName)) + `\n` +
		`(if (command -v srt >/dev/null|\[ -x '.*' \]); then eval "\$\((srt|'.*') init [a-z]+\)"; fi|` +
		`if status is-interactive; and test -x '.*'; '.*' init fish \| source; end)\n` +
		regexp.QuoteMeta(fence.End(fenceName)) + `(\n|\z)`)
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

// Install plans to put the block of a shell at the end of a file. There is nothing to
// write if it is there.
func Install(file, block string) (*fence.Change, error) {
	c, err := fence.Read(file)
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file
	}
	if c.Has(fenceName) {
		if written().FindString(c.Old) == "" {
			return c, ErrChanged
		}
		return c, nil
	}
	c.Append(block)
	return c, nil
}

// Uninstall plans to take the block out of a file, and to remove one of ours that holds
// nothing else. There is nothing to write if there is none.
func Uninstall(file string) (*fence.Change, error) {
	c, err := fence.Read(file)
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file
	}
	block := written().FindString(c.Old)
	if block == "" || !c.Cut(block) {
		if c.Has(fenceName) {
			return c, ErrChanged
		}
		return c, nil
	}
	c.Remove = c.New == "" && filepath.Base(file) == ownFile
	return c, nil
}

// Installed reports whether a start-up file has a block, changed or not.
func Installed(file string) bool {
	c, err := fence.Read(file)
	return err == nil && c.Has(fenceName)
}
