package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/srt-sh/srt/core/policy"
)

// Change is a change of a settings file that has not been made.
type Change struct {
	File     string // absolute, as its name is known
	Shown    string // as users see it
	Old, New []byte // Old is nil if the file is not there

	to    string // where File leads to
	mode  fs.FileMode
	place *LayerPath // of a file of a repository
}

// ChangeUser plans additions to the user's settings. It is an error if those are in the
// JSON form: beside a file in TOML they would not be read any more.
func ChangeUser(o Options, additions []Addition) (*Change, error) {
	o.Home = realDir(o.Home)
	if _, err := os.Lstat(o.userTOML()); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(o.userJSON()); err == nil {
			return nil, &Error{File: o.shown(o.userJSON()), Msg: "your settings are in the JSON form, which srt does not write", Hint: "add it there by hand"}
		}
	}
	return o.change(o.userTOML(), additions)
}

// ChangeProject plans additions to the settings of the repository around the working
// folder, in .srt.toml at its root.
func ChangeProject(o Options, additions []Addition) (*Change, error) {
	o.Home, o.Dir = realDir(o.Home), realDir(o.Dir)
	root := o.projectRoot()
	name := path.Join(root, ".srt.toml")
	place := LayerPath{Layer: policy.LayerProject, Path: name, root: root}
	if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(path.Join(root, ".sandbox/settings.json")); err == nil {
			return nil, &Error{File: o.shown(path.Join(root, ".sandbox/settings.json")), Msg: "the settings of the repository are in the JSON form, which srt does not write", Hint: "add it there by hand"}
		}
	} else {
		projects, err := o.readProjects()
		if err != nil {
			return nil, err
		}
		for _, p := range projects {
			// A file that nobody trusts is not trusted for what it says besides.
			if p.Path == name && !p.Trusted && opens(o, p) {
				return nil, &Error{File: p.Shown, Msg: "it is not trusted as it is, and with the addition it would have to be", Hint: "srt trust shows what it opens"}
			}
		}
	}
	c, err := o.change(name, additions)
	if err == nil {
		c.place = &place
	}
	return c, err
}

// opens reports whether a file of a repository has entries that count only when it is
// trusted.
func opens(o Options, p project) bool {
	b := binder{c: &Config{Home: o.Home, Dir: o.Dir, Lstat: os.Lstat}}
	b.base, b.project = projectDir(p.Path), &p.ProjectFile
	err := b.file(p.file, p.Layer)
	return err != nil || len(b.project.Held) > 0 || len(b.project.Names) > 0
}

func (o Options) change(name string, additions []Addition) (*Change, error) {
	c := &Change{File: name, Shown: o.shown(name), to: name, mode: 0o644}
	to, err := filepath.EvalSymlinks(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(name); err == nil {
			return nil, &Error{File: c.Shown, Msg: "it is a link that leads nowhere"}
		}
	case err != nil:
		return nil, err //nolint:wrapcheck // names the file
	default:
		info, err := os.Stat(to)
		if err != nil {
			return nil, err //nolint:wrapcheck // likewise
		}
		if !info.Mode().IsRegular() {
			return nil, &Error{File: c.Shown, Msg: "it is not a file"}
		}
		if c.Old, err = ReadFile(to); err != nil {
			return nil, err //nolint:wrapcheck // likewise
		}
		c.to, c.mode = to, info.Mode().Perm()
		if len(bytes.TrimSpace(c.Old)) > 0 {
			if _, err := parseFile(c.Old, c.Shown, true, false); err != nil {
				return nil, err
			}
		}
	}
	if c.New, err = Add(c.Old, additions); err != nil {
		return nil, &Error{File: c.Shown, Msg: err.Error(), Hint: "add it there by hand"}
	}
	if _, err := parseFile(c.New, c.Shown, true, false); err != nil {
		return nil, err
	}
	return c, nil
}

// Write makes the change, if the file is still as it was: whole under another name, and
// then in its place. A file of a repository is trusted with what is written.
func (c *Change) Write(o Options) (err error) {
	o.Home, o.Dir = realDir(o.Home), realDir(o.Dir)
	now, err := ReadFile(c.to)
	if err != nil && !errors.Is(err, fs.ErrNotExist) || c.Old == nil != errors.Is(err, fs.ErrNotExist) || !bytes.Equal(now, c.Old) {
		return fmt.Errorf("%s was changed meanwhile", c.Shown)
	}
	if err := os.MkdirAll(path.Dir(c.to), 0o755); err != nil { //nolint:gosec // as other programs make it
		return err //nolint:wrapcheck // names the folder
	}
	partial, err := os.CreateTemp(path.Dir(c.to), ".srt-new-")
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	_, err = partial.Write(c.New)
	err = errors.Join(err, partial.Chmod(c.mode), partial.Sync(), partial.Close())
	if err == nil {
		err = os.Rename(partial.Name(), c.to)
	}
	if err != nil {
		_ = os.Remove(partial.Name())
		return fmt.Errorf("writing %s: %w", c.Shown, err)
	}
	if c.place != nil {
		return o.record(*c.place, c.New).write(o.trustDir())
	}
	return nil
}

// Sensitive tells why a path should not be opened lightly, "" for one that may be. The
// path is absolute and clean.
func (c *Config) Sensitive(target string) string {
	return policy.Sensitive(policy.Roots{Home: c.Home, Dir: c.Dir}, c.own, target)
}

// Secret tells what secrets a path holds, "" for one that is not known to hold any.
func (c *Config) Secret(target string) string {
	return policy.Secret(policy.Roots{Home: c.Home, Dir: c.Dir}, target)
}
