package core

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/policy"
)

// Decided is what the settings say about a command. It is made by the same code that
// decides when the command runs.
type Decided struct {
	Args    []string // as in Options; empty: what holds for a command that no preset fits
	Dir     string
	Preset  string // the preset in force, "" if there is none
	Config  *config.Config
	Policy  *policy.Policy
	options Options // complete
}

// Decide reads the settings for a command and starts nothing. It does not look whether
// the command can be run. Without Args and Line, it is about commands that no preset
// fits.
func Decide(o Options) (*Decided, error) {
	d := &Decided{Args: o.Args}
	if len(o.Args) == 0 && o.Line == "" {
		o.Args = []string{"true"}
		if o.Preset == "" {
			o.Preset, o.Unasked = "none", true
		}
	}
	e, err := open(o)
	if err != nil {
		return nil, err
	}
	if o.Line != "" {
		d.Args = e.o.Args
	}
	e.cfg.Temp = tempDir
	if d.Policy, err = e.cfg.Policy(); err != nil {
		return nil, err //nolint:wrapcheck // names file, line and key itself
	}
	if e.preset != nil {
		d.Preset = e.preset.Name
	}
	d.Dir, d.Config, d.options = e.o.Dir, e.cfg, e.o
	return d, nil
}

// Place is where a path leads that is relative to the working folder or begins with ~:
// rules hold for the places that links lead to. What does not exist of it is taken as
// it is spelled.
func (d *Decided) Place(name string) (string, error) {
	abs, err := policy.Roots{Home: d.Config.Home, Dir: d.Dir}.Resolve(name)
	if err != nil {
		return "", err //nolint:wrapcheck // names the path
	}
	return realPlace(abs), nil
}

// realPlace follows the links in an absolute path as far as it exists.
func realPlace(abs string) string {
	rest := ""
	for at := abs; ; at = filepath.Dir(at) {
		place, err := filepath.EvalSymlinks(at)
		if err == nil {
			return filepath.Join(place, rest)
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) || at == "/" {
			return abs
		}
		// A link that leads nowhere: what is written there is made where it leads.
		if to, err := os.Readlink(at); err == nil {
			if !filepath.IsAbs(to) {
				to = filepath.Join(filepath.Dir(at), to)
			}
			if to != at && !strings.HasPrefix(to+"/", at+"/") {
				return realPlace(filepath.Join(to, rest))
			}
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}

// Read decides about reading a place, as [Decided.Place] gives it.
func (d *Decided) Read(place string) policy.Decision { return d.Policy.Read(place) }

// Write decides about writing, making, renaming or removing a place as it is now. What
// is hidden cannot be written either, whoever allows it; and a name that is protected at
// any depth is held where it is there when the command starts.
func (d *Decided) Write(place string) policy.Decision {
	dec := d.Policy.WriteWhere(place, func(name string) bool {
		_, err := os.Lstat(name)
		return err == nil
	})
	if read := d.Policy.Read(place); dec.Allow && !read.Allow {
		return read
	}
	return dec
}

// Host decides about a connection. An address is judged as one that a name leads to as
// well.
func (d *Decided) Host(host string, port uint16) policy.Decision {
	dec := d.Policy.Host(host, port)
	if addr, err := netip.ParseAddr(dec.Host); err == nil && dec.Allow {
		if guard := d.Policy.Addr(host, port, addr); !guard.Allow {
			return guard
		}
	}
	return dec
}
