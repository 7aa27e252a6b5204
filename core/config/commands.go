package config

import (
	"slices"

	"github.com/srt-sh/srt/core/policy"
)

// Commands reads the [[command]] rules of all files and nothing else, in the order in
// which they count. A file that cannot be used is an error, as it is for Load.
func Commands(o Options) ([]Command, error) {
	o.Home, o.Dir = realDir(o.Home), realDir(o.Dir)
	files, err := o.readFiles()
	if err != nil {
		return nil, err
	}
	return files.commandRules(), nil
}

// files are the settings files that there are, nil for one that is not.
type files struct {
	managed, user *file
	projects      []project // weakest first
}

func (o Options) readFiles() (f files, err error) {
	if f.managed, err = o.readManaged(); err != nil {
		return f, err
	}
	if f.user, err = o.user(); err != nil {
		return f, err
	}
	f.projects, err = o.readProjects()
	return f, err
}

// commandRules puts the rules of the files in the order in which they count: those of
// the machine, of the trusted files of the repository, the strongest first, of the
// user. Rules of files that are not trusted come last, where they stand before no
// other, and without their presets: who adds a name has a command confined, and under
// which policy is not for such a file to say. Not even none, since a preset takes
// variables away too.
func (f files) commandRules() []Command {
	var out, held []Command
	add := func(f *file, layer policy.Layer) {
		if f != nil {
			out = append(out, commandsOf(f, layer)...)
		}
	}
	add(f.managed, policy.LayerManaged)
	for _, p := range slices.Backward(f.projects) {
		if p.Trusted {
			add(p.file, p.Layer)
			continue
		}
		for _, c := range commandsOf(p.file, p.Layer) {
			c.Preset, c.Held = "", true
			held = append(held, c)
		}
	}
	add(f.user, policy.LayerUser)
	return append(out, held...)
}

func commandsOf(f *file, layer policy.Layer) []Command {
	b := binder{layer: layer, shown: f.shown, toml: f.toml}
	var out []Command
	for _, n := range f.root.get("command").items() {
		c := Command{Preset: n.get("preset").text(), Origin: b.origin(n, "command")}
		for _, m := range n.get("match").items() {
			c.Match = append(c.Match, b.rule(m, "command.match"))
		}
		out = append(out, c)
	}
	return out
}
