package hooks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/core"
)

// createdKey tells in a configuration that srt has made the file, which goes with the
// last of srt's settings.
const createdKey = "srt.created"

// ConfigChange is a change of a configuration file of git. Nothing is written before
// Write.
type ConfigChange struct {
	File     string // as its name is known
	Old, New string
	// Foreign is a core.hooksPath that somebody has set since srt has: it stays.
	Foreign string

	to      string // where File leads to
	mode    fs.FileMode
	existed bool
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
	if !c.existed {
		sets = append(sets, []string{createdKey, "true"})
	}
	for _, set := range sets {
		if err := g.edit(c, append([]string{"--replace-all"}, set...)...); err != nil {
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
		err = g.edit(c, "--replace-all", "core.hooksPath", in.Chained)
	default:
		err = g.edit(c, "--unset-all", "core.hooksPath")
	}
	created := strings.Contains(c.New, "created = true")
	for _, key := range []string{chainedKey, createdKey} {
		if err == nil && (key == chainedKey || created) {
			err = g.edit(c, "--unset-all", key)
		}
	}
	if created && strings.TrimSpace(c.New) == "" {
		c.existed, c.New = false, ""
	}
	return c, err
}

// edit lets git change the text of a configuration file, in a copy and away from any
// repository.
func (g Git) edit(c *ConfigChange, args ...string) error {
	dir, err := os.MkdirTemp("", "srt-git-config-")
	if err != nil {
		return fmt.Errorf("changing a copy of %q: %w", c.File, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	name := filepath.Join(dir, "config")
	if err := os.WriteFile(name, []byte(c.New), 0o600); err != nil {
		return fmt.Errorf("changing a copy of %q: %w", c.File, err)
	}
	cmd := exec.CommandContext(context.Background(), g.Program, append([]string{"config", "--file", name}, args...)...)
	cmd.Dir = "/"
	cmd.Env = []string{"HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_DIR=" + dir, "PATH=" + g.getenv("PATH")}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git config %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("changing a copy of %q: %w", c.File, err)
	}
	c.New = string(text)
	return nil
}

func readConfig(file string) (*ConfigChange, error) {
	c := &ConfigChange{File: file, to: file, mode: 0o644}
	to, err := filepath.EvalSymlinks(file)
	if errors.Is(err, fs.ErrNotExist) {
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
	text, err := os.ReadFile(to)
	if err != nil {
		return nil, err //nolint:wrapcheck // likewise
	}
	c.to, c.mode, c.existed, c.Old, c.New = to, info.Mode().Perm(), true, string(text), string(text)
	return c, nil
}

// Changes reports whether there is anything to write.
func (c *ConfigChange) Changes() bool { return c.Old != c.New }

// ReadOnly reports whether the file is meant not to be written, as one that a tool for
// such files has made.
func (c *ConfigChange) ReadOnly() bool {
	if !c.existed && c.Old == "" {
		return false
	}
	return c.mode&0o200 == 0 || unix.Access(c.to, unix.W_OK) != nil || unix.Access(filepath.Dir(c.to), unix.W_OK) != nil
}

// Write writes the file whole, under the lock that git itself takes for it.
func (c *ConfigChange) Write() (err error) {
	if err := os.MkdirAll(filepath.Dir(c.to), 0o755); err != nil { //nolint:gosec // as git makes it
		return err //nolint:wrapcheck // names the folder
	}
	lock := c.to + ".lock"
	f, err := os.OpenFile(lock, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%q is there: git is changing %q", lock, c.File)
	}
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	defer func() {
		_ = f.Close()
		if err != nil {
			_ = os.Remove(lock)
		}
	}()
	if now, err := readConfig(c.File); err != nil || now.Old != c.Old {
		return fmt.Errorf("%q was changed meanwhile", c.File)
	}
	if c.New == "" && !c.existed {
		if err := os.Remove(c.to); err != nil {
			return err //nolint:wrapcheck // names the file
		}
		return os.Remove(lock) //nolint:wrapcheck // likewise
	}
	if _, err := f.WriteString(c.New); err != nil {
		return err //nolint:wrapcheck // likewise
	}
	if err := f.Chmod(c.mode); err != nil {
		return err //nolint:wrapcheck // likewise
	}
	if err := f.Sync(); err != nil {
		return err //nolint:wrapcheck // likewise
	}
	return os.Rename(lock, c.to) //nolint:wrapcheck // likewise
}
