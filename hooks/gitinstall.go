package hooks

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/fence"
)

// createdKey tells in a configuration that srt has made the file, which goes with the
// last of srt's settings.
const createdKey = "srt.created"

// ConfigChange is a change of a configuration file of git.
type ConfigChange struct {
	*fence.Change

	// Foreign is a core.hooksPath that somebody has set since srt has: it stays.
	Foreign string
}

// Installed is how core.hooksPath stands in a configuration file.
type Installed struct {
	File    string
	Own     bool   // it is srt's
	Path    string // what it is, "" for none
	Chained string // what it was before, if it is srt's
	Left    bool   // it was srt's, and somebody has set another
}

// ConfigFile is the file that git config --global writes, or with a repository that of
// the repository.
func (g Git) ConfigFile(r *core.GitRepository) string {
	if r != nil {
		return filepath.Join(r.Common, "config")
	}
	if name := g.getenv("GIT_CONFIG_GLOBAL"); name != "" {
		return name
	}
	own := filepath.Join(g.Home, ".gitconfig")
	config := g.getenv("XDG_CONFIG_HOME")
	if config == "" {
		config = filepath.Join(g.Home, ".config")
	}
	other := filepath.Join(config, "git", "config")
	if _, err := os.Stat(own); err != nil {
		if _, err := os.Stat(other); err == nil {
			return other
		}
	}
	return own
}

// LookInstalled looks into a configuration file, without what it includes.
func (g Git) LookInstalled(file string) (Installed, error) {
	in := Installed{File: file}
	settings, err := core.GitFileSettings(file)
	if err != nil {
		return in, err //nolint:wrapcheck // names the file
	}
	chained, has := "", false
	for _, s := range settings {
		switch s.Key {
		case hooksPathKey:
			in.Path = s.Value
		case chainedKey:
			chained, has = s.Value, true
		}
	}
	in.Own = g.Views.Own(in.Path)
	in.Left = has && !in.Own
	if in.Own {
		in.Chained = chained
	}
	return in, nil
}

// PlanInstall plans to set core.hooksPath to a view, with what it was beside it. Old and
// New are equal if it is so already.
func (g Git) PlanInstall(file, view string) (*ConfigChange, error) {
	c, err := readConfig(file)
	if err != nil {
		return nil, err
	}
	in, err := g.LookInstalled(file)
	if err != nil || in.Path == view {
		return c, err
	}
	chained := in.Path
	if in.Own {
		chained = in.Chained
	}
	// An empty value stands for none, and tells that it was srt.
	sets := [][]string{{"core.hooksPath", view}, {chainedKey, chained}}
	if !c.There() {
		sets = append(sets, []string{createdKey, "true"})
	}
	for _, set := range sets {
		if err := c.edit(append([]string{"--replace-all"}, set...)...); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// PlanUninstall plans to put back what was there before PlanInstall. What somebody has set
// since stays, and Foreign tells it. Old and New are equal if there is nothing of srt.
func (g Git) PlanUninstall(file string) (*ConfigChange, error) {
	c, err := readConfig(file)
	if err != nil {
		return nil, err
	}
	in, err := g.LookInstalled(file)
	if err != nil || !in.Own && !in.Left {
		return c, err
	}
	switch {
	case in.Left:
		c.Foreign = in.Path
	case in.Chained != "":
		err = c.edit("--replace-all", "core.hooksPath", in.Chained)
	default:
		err = c.edit("--unset-all", "core.hooksPath")
	}
	created := strings.Contains(c.New, "created = true")
	for _, key := range []string{chainedKey, createdKey} {
		if err == nil && (key == chainedKey || created) {
			err = c.edit("--unset-all", key)
		}
	}
	if created && strings.TrimSpace(c.New) == "" {
		c.Remove, c.New = true, ""
	}
	return c, err
}

// edit lets git change the text.
func (c *ConfigChange) edit(args ...string) (err error) {
	c.New, err = gitEdit(c.New, args...)
	return err
}

func readConfig(file string) (*ConfigChange, error) {
	c, err := fence.Read(file)
	return &ConfigChange{Change: c}, err //nolint:wrapcheck // names the file
}

// Write makes the change under the lock that git itself takes for the file.
func (c *ConfigChange) Write() error {
	place := c.File
	if to, err := filepath.EvalSymlinks(c.File); err == nil {
		place = to
	}
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil { //nolint:gosec // as git makes it
		return err //nolint:wrapcheck // names the folder
	}
	lock, err := os.OpenFile(place+".lock", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%q is there: git is changing %q", place+".lock", c.File)
	}
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	defer func() {
		_ = lock.Close()
		_ = os.Remove(place + ".lock")
	}()
	return c.Change.Write() //nolint:wrapcheck // likewise
}

// Diff shows how a text changes, as diff -u does.
func Diff(name, from, to string) string {
	if from == to {
		return ""
	}
	return (&fence.Change{File: name, Old: from, New: to}).Diff()
}
