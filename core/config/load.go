package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/srt-sh/srt/core/policy"
)

// DefaultManagedPath is the machine-wide settings file.
const DefaultManagedPath = "/etc/srt/config.toml"

// Options say what to load. Home and Dir are absolute.
type Options struct {
	Home, Dir   string
	Getenv      func(string) string // nil: an empty environment
	Settings    string              // the file of --settings, when SettingsSet
	SettingsSet bool
	// SettingsData, if not nil, is the content of that file, in the npm form.
	SettingsData []byte
	// Preset chooses the preset by the [[command]] rules, in the order in which they
	// count. nil, or a nil result, is none.
	Preset func([]Command) (*Preset, error)
	// NoProject leaves out the files that a repository brings along.
	NoProject bool
	// Repository names the repository that a folder with a .git belongs to, the same
	// for all its work trees; trust is recorded under that name. nil: the folder.
	Repository func(root string) string
	// Contents is what is taken for the content of settings files of the user and of a
	// repository, by absolute path: what would be if they said so, and were trusted.
	Contents map[string][]byte
	// Distrust takes every file of a repository for one that is not trusted.
	Distrust    bool
	Flags       Flags
	ManagedPath string                            // "": DefaultManagedPath
	Yes         bool                              // "." may be a write root even in the home directory or above
	Unasked     bool                              // nobody named the preset: where "." would be such a root, it is left out
	GOOS        string                            // "": runtime.GOOS; decides what can be enforced
	Lstat       func(string) (fs.FileInfo, error) // nil: os.Lstat
}

// Preset is a named policy for a tool, as core/preset makes it.
type Preset = policy.Preset

// Flags are the rules of the command line.
type Flags struct {
	AllowWrite, DenyWrite, AllowRead, DenyRead []string
	AllowDomain, DenyDomain                    []string
	Limit                                      []string // KEY=VALUE, as in [limits]
	AllowWeaker                                []string // names of WeakerNames
}

// LayerPath is a place that settings may come from.
type LayerPath struct {
	Layer  policy.Layer
	Path   string // absolute
	Exists bool
	Used   bool // Load reads it

	root string // of a project's file: the folder that it may not lead out of
}

// Check reads the file and reports its first fault, as the function Check does.
func (p LayerPath) Check() error {
	if p.root == "" {
		return Check(p.Path)
	}
	data, err := readProject(p.root, p.Path, p.Path)
	if err == nil {
		_, err = parseFile(data, p.Path, isTOML(p.Path), false)
	}
	return err
}

func (o Options) getenv(name string) string {
	if o.Getenv == nil {
		return ""
	}
	return o.Getenv(name)
}

// xdg returns a base directory of the XDG specification: the variable's value
// if it is absolute, else the default below the home.
func (o Options) xdg(name, def string) string {
	if v := o.getenv(name); path.IsAbs(v) {
		return path.Clean(v)
	}
	return path.Join(o.Home, def)
}

func (o Options) userTOML() string {
	return path.Join(o.xdg("XDG_CONFIG_HOME", ".config"), "srt", "config.toml")
}

// eventDir is the folder of the event log.
func (o Options) eventDir() string {
	return path.Join(o.xdg("XDG_STATE_HOME", ".local/state"), "srt/events")
}

// presets is the folder of the user's presets.
func (o Options) presets() string { return path.Join(path.Dir(o.userTOML()), "presets") }

func (o Options) userJSON() string { return path.Join(o.Home, ".srt-settings.json") }

func (o Options) managed() string {
	if o.ManagedPath != "" {
		return o.ManagedPath
	}
	return DefaultManagedPath
}

// ownPaths are the directories and files of srt itself, which nothing in a
// sandbox may write.
func (o Options) ownPaths() []string {
	own := []string{
		path.Dir(o.userTOML()), o.userJSON(),
		path.Join(o.xdg("XDG_STATE_HOME", ".local/state"), "srt"),
		path.Join(o.xdg("XDG_DATA_HOME", ".local/share"), "srt"),
		path.Join(o.xdg("XDG_CACHE_HOME", ".cache"), "srt"),
		path.Dir(o.managed()),
	}
	files := []string{o.userTOML(), o.userJSON(), o.managed()}
	for _, place := range o.projectPaths() {
		if place.Exists {
			files = append(files, place.Path)
		}
	}
	if o.SettingsSet {
		own = append(own, o.settings())
		files = append(files, o.settings())
	}
	files = append(files, o.presets())
	if entries, err := os.ReadDir(o.presets()); err == nil {
		for _, e := range entries {
			files = append(files, path.Join(o.presets(), e.Name()))
		}
	}
	// A settings file may be a link to a place that is not srt's.
	for _, name := range files {
		if target, err := filepath.EvalSymlinks(name); err == nil && target != name {
			own = append(own, target)
		}
	}
	return own
}

// settings is the absolute path of the file of --settings.
func (o Options) settings() string {
	if filepath.IsAbs(o.Settings) {
		return filepath.Clean(o.Settings)
	}
	return filepath.Join(o.Dir, o.Settings)
}

// realDir resolves the links on the way to a directory that is there, so that
// the home and what is below it are recognized by whatever way they are reached.
func realDir(dir string) string {
	if target, err := filepath.EvalSymlinks(dir); err == nil && path.IsAbs(dir) {
		return target
	}
	return dir
}

// shown spells a path for users, the home as ~.
func (o Options) shown(p string) string {
	home := path.Clean(o.Home)
	if rest, ok := strings.CutPrefix(p, home+"/"); ok && home != "/" && path.IsAbs(home) {
		return "~/" + rest
	}
	return p
}

// Paths lists the places of settings files, weakest layer first.
func Paths(o Options) []LayerPath {
	var out []LayerPath
	add := func(l policy.Layer, p string) bool {
		_, err := os.Lstat(p)
		out = append(out, LayerPath{Layer: l, Path: p, Exists: !errors.Is(err, fs.ErrNotExist)})
		return !errors.Is(err, fs.ErrNotExist)
	}
	if o.SettingsSet {
		add(policy.LayerSettings, o.settings())
		out[0].Used = true
	} else {
		first := add(policy.LayerUser, o.userTOML())
		second := add(policy.LayerUser, o.userJSON())
		out[0].Used, out[1].Used = first, second && !first
		out = append(out, o.projectPaths()...)
	}
	there := add(policy.LayerManaged, o.managed())
	out[len(out)-1].Used = there
	return out
}

// Load reads every layer and merges them. A settings file that cannot be used
// is a *RefusedError; a fault elsewhere an *Error.
func Load(o Options) (*Config, error) {
	o.Home, o.Dir = realDir(o.Home), realDir(o.Dir)
	c := &Config{Home: o.Home, Dir: o.Dir, Lstat: o.Lstat, goos: o.GOOS, own: o.ownPaths(), events: o.eventDir(), runLater: map[string]string{}}
	for _, name := range policy.RunLater {
		c.runLater[name] = o.getenv(name)
	}
	if c.Lstat == nil {
		c.Lstat = os.Lstat
	}
	if c.goos == "" {
		c.goos = runtime.GOOS
	}
	if !path.IsAbs(o.Dir) {
		return nil, &Error{File: "working directory", Msg: fmt.Sprintf("%q is not an absolute path", o.Dir)}
	}
	if !path.IsAbs(o.Home) {
		// Without it what is protected below the home would not be.
		return nil, &Error{File: "$HOME", Msg: fmt.Sprintf("%q is not an absolute path", o.Home), Hint: "set HOME to your home directory"}
	}
	files, err := o.readFiles()
	if err != nil {
		return nil, err
	}
	managed := files.managed
	b := binder{c: c}
	if managed != nil {
		b.narrow = managed.root.get("managedOnly").truth()
		b.lasting = len(managed.root.get("filesystem", "denyRead").items())+len(managed.root.get("filesystem", "denyWrite").items())+
			len(managed.root.get("permissions", "deny").items())+len(managed.root.get("credentials", "files").items()) > 0
		c.managedOnly = b.narrow
	}
	c.Commands = files.commandRules()
	if o.Preset != nil {
		p, err := o.Preset(c.Commands)
		if err != nil {
			return nil, err
		}
		if p != nil {
			if err := b.preset(p); err != nil {
				return nil, err
			}
		}
	}
	if err := b.user(o, files.user, files.projects); err != nil {
		return nil, err
	}
	if err := b.flags(o.Flags); err != nil {
		return nil, err
	}
	if managed != nil {
		b.narrow, b.lasting = false, false
		if err := b.file(managed, policy.LayerManaged); err != nil {
			return nil, err
		}
	}
	if err := c.checkRoots(o.Yes, o.Unasked); err != nil {
		return nil, err
	}
	return c, c.checkGlobs()
}

// readManaged reads the machine's file; nil if there is none.
func (o Options) readManaged() (*file, error) {
	f, err := readFile(o.managed(), o.shown(o.managed()))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil //nolint:nilnil // no file is no fault
	case err != nil:
		return nil, err
	case !f.toml:
		return nil, &Error{File: f.shown, Msg: "the managed settings have to be TOML"}
	}
	return f, nil
}

func (b *binder) file(f *file, layer policy.Layer) error {
	b.layer, b.shown, b.toml = layer, f.shown, f.toml
	if layer != policy.LayerManaged {
		if n := f.root.get("managedOnly"); n != nil {
			return refuseAt(&Error{File: f.shown, Line: n.line, Key: "managed_only", Msg: "only the machine-wide settings can have it", Hint: "remove it"})
		}
	}
	return b.bind(f.root)
}

func (b *binder) preset(p *Preset) error {
	for _, part := range p.Files {
		f, err := parseFile(part.TOML, part.Shown, true, true)
		switch {
		case err != nil && part.Own:
			return err
		case err != nil:
			return fmt.Errorf("bug: %s: %w", part.Shown, err)
		}
		if n := f.root.get("command"); n != nil {
			return refuseAt(&Error{File: part.Shown, Line: n.line, Key: "command", Msg: "a preset has no rules about presets", Hint: "write match in its [preset] table"})
		}
		if err := b.file(f, policy.LayerPreset); err != nil {
			return err
		}
	}
	b.layer, b.shown, b.toml = policy.LayerPreset, "", true
	for _, e := range p.Paths {
		b.path(e)
	}
	return b.domains(p.Domains, false)
}

// user reads the user's file, or the file of --settings in its place; nil if there
// is none.
func (o Options) user() (*file, error) {
	if o.SettingsSet {
		read := func() (*file, error) { return readFile(o.settings(), o.Settings) }
		if o.SettingsData != nil {
			read = func() (*file, error) { return parseFile(o.SettingsData, o.Settings, false, false) }
		}
		f, err := read()
		if errors.Is(err, fs.ErrNotExist) {
			return nil, refuse(lostSettings, err, "%s does not exist.", o.Settings)
		}
		return f, err
	}
	for _, name := range []string{o.userTOML(), o.userJSON()} {
		if data, ok := o.Contents[name]; ok {
			return parseFile(data, o.shown(name), isTOML(name), false)
		}
		f, err := readFile(name, o.shown(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return f, err
	}
	return nil, nil //nolint:nilnil // no file is no fault
}

// user binds the user's file, those of the repository and the environment, or the
// file of --settings in place of all.
func (b *binder) user(o Options, f *file, projects []project) error {
	if o.SettingsSet {
		b.c.NPM = !f.toml
		return b.file(f, policy.LayerSettings)
	}
	if f != nil {
		b.c.NPM = !f.toml
		if err := b.file(f, policy.LayerUser); err != nil {
			return err
		}
	}
	if err := b.projects(o, projects); err != nil {
		return err
	}
	return b.environ(o)
}

// word is a rule from outside of any file.
func (b *binder) word(text, key string) policy.Rule {
	return policy.Rule{Text: text, Origin: policy.Origin{Layer: b.layer, Key: key}}
}

func (b *binder) environ(o Options) error {
	b.layer, b.shown, b.toml = policy.LayerEnv, "", true
	return b.lists([]wordList{
		{"SRT_DENY_READ", strings.Split(o.getenv("SRT_DENY_READ"), ":"), policy.DenyRead},
		{"SRT_ALLOW_READ", strings.Split(o.getenv("SRT_ALLOW_READ"), ":"), policy.AllowRead},
		{"SRT_ALLOW_WRITE", strings.Split(o.getenv("SRT_ALLOW_WRITE"), ":"), policy.AllowWrite},
		{"SRT_DENY_WRITE", strings.Split(o.getenv("SRT_DENY_WRITE"), ":"), policy.DenyWrite},
	}, []domainList{
		{"SRT_ALLOWED_DOMAINS", strings.Split(o.getenv("SRT_ALLOWED_DOMAINS"), ","), false},
		{"SRT_DENIED_DOMAINS", strings.Split(o.getenv("SRT_DENIED_DOMAINS"), ","), true},
	}, true)
}

func (b *binder) flags(f Flags) error {
	b.layer, b.shown, b.toml = policy.LayerFlag, "", true
	if err := b.limitFlags(f.Limit); err != nil {
		return err
	}
	if err := b.weakerFlags(f.AllowWeaker); err != nil {
		return err
	}
	return b.lists([]wordList{
		{"--deny-read", f.DenyRead, policy.DenyRead},
		{"--allow-read", f.AllowRead, policy.AllowRead},
		{"--allow-write", f.AllowWrite, policy.AllowWrite},
		{"--deny-write", f.DenyWrite, policy.DenyWrite},
	}, []domainList{
		{"--allow-domain", f.AllowDomain, false},
		{"--deny-domain", f.DenyDomain, true},
	}, false)
}

type wordList struct {
	key   string
	words []string
	kind  policy.PathKind
}

type domainList struct {
	key    string
	words  []string
	denied bool
}

// lists binds the lists of the environment or of flags. In the environment an
// empty word is nothing, as between two colons; as a flag it is a mistake.
func (b *binder) lists(paths []wordList, domains []domainList, skipEmpty bool) error {
	for _, l := range paths {
		for _, w := range l.words {
			switch {
			case w == "" && skipEmpty:
				continue
			case w == "":
				return &Error{File: l.key, Msg: "the path is empty"}
			case strings.ContainsRune(w, 0):
				return &Error{File: l.key, Msg: "the path has a NUL"}
			case policy.OtherHome(w):
				return &Error{File: l.key, Msg: otherHome(w), Hint: otherHomeHint}
			case l.kind == policy.DenyRead || l.kind == policy.DenyWrite:
				if msg := slashedGlob(w); msg != "" {
					return &Error{File: l.key, Msg: msg}
				}
			}
			b.path(policy.PathEntry{Kind: l.kind, Rule: b.word(w, l.key)})
		}
	}
	for _, l := range domains {
		var rules []policy.Rule
		for _, w := range l.words {
			if w = strings.TrimSpace(w); w != "" || !skipEmpty {
				rules = append(rules, b.word(w, l.key))
			}
		}
		if err := b.domains(rules, l.denied); err != nil {
			return err
		}
	}
	return nil
}

func (b *binder) domains(rules []policy.Rule, denied bool) error {
	net := &b.c.Network
	for _, r := range rules {
		if msg := dottedEntry(denied)(r.Text); msg != "" {
			return &Error{File: cmp.Or(r.Origin.Key, r.Origin.File), Msg: fmt.Sprintf("%q: %s", r.Text, msg)}
		}
		if msg := inertDomain(denied)(r.Text); msg != "" {
			return &Error{File: cmp.Or(r.Origin.Key, r.Origin.File), Msg: msg, Hint: inertHint}
		}
		p, err := policy.ParseDottedDomain(r.Text, denied)
		if err != nil {
			return err
		}
		switch {
		case denied:
			net.DeniedDomains = append(net.DeniedDomains, policy.DomainRule{Pattern: p, Rule: r})
		case b.widens(r.Text, r.Origin):
			net.AllowedDomains = append(net.AllowedDomains, policy.DomainRule{Pattern: p, Rule: r})
		}
	}
	return nil
}

// checkRoots refuses "." and every other spelling that does not say so as a write
// root where that is the home directory or more. Settings in the npm form get a
// note, since npm srt takes it.
// A preset that nobody asked for, whose rule matched, opens no such folder.
func (c *Config) checkRoots(yes, unasked bool) error {
	if c.Filesystem.Disabled.Value {
		return nil
	}
	roots := policy.Roots{Home: c.Home, Dir: c.Dir}
	home := path.Clean(c.Home)
	for _, e := range slices.Clone(c.Filesystem.Paths) {
		if e.Kind != policy.AllowWrite || path.IsAbs(e.Rule.Text) || e.Rule.Text == "~" || strings.HasPrefix(e.Rule.Text, "~/") && !policy.Unnamed(e.Rule.Text) {
			continue
		}
		trimmed := e
		trimmed.Rule.Text = strings.TrimSuffix(e.Rule.Text, "**")
		dir, err := trimmed.Resolve(roots)
		if err != nil {
			return &Error{File: e.Rule.Origin.String(), Key: e.Rule.Origin.Key, Msg: err.Error()}
		}
		what := "a directory above the home"
		switch {
		case dir == "/":
			what = "the root directory"
		case dir == home:
			what = "the home directory"
		case !strings.HasPrefix(home, dir+"/"):
			continue
		}
		o := e.Rule.Origin
		if c.NPM || o.Layer == policy.LayerSettings {
			c.Notes = append(c.Notes, fmt.Sprintf("%s: %q makes all of %s writable, which is %s", o, e.Rule.Text, dir, what))
			continue
		}
		if !yes && unasked && o.Layer == policy.LayerPreset {
			c.Filesystem.Paths = slices.DeleteFunc(c.Filesystem.Paths, func(p policy.PathEntry) bool { return p.Rule.Origin == o && p.Rule.Text == e.Rule.Text })
			c.Narrowed = dir
			continue
		}
		if !yes {
			return &Error{
				File: o.String(), Key: o.Key, Msg: fmt.Sprintf("%q would make all of %s writable, which is %s", e.Rule.Text, dir, what),
				Hint: "run it in the project's directory, or give --yes",
			}
		}
	}
	return nil
}

// checkGlobs refuses write patterns that this system cannot allow, or notes
// them where npm srt skips them.
func (c *Config) checkGlobs() error {
	if !slices.ContainsFunc(c.Filesystem.Paths, func(e policy.PathEntry) bool {
		return e.Kind == policy.AllowWrite && !e.Literal && policy.HasGlob(strings.TrimSuffix(e.Rule.Text, "/**"))
	}) {
		return nil
	}
	pol, err := c.Policy()
	if err != nil {
		return err
	}
	for _, r := range pol.Skipped() {
		o := r.Rule.Origin
		msg := fmt.Sprintf("%q: %s can allow writing to a directory or a file, not to a pattern", r.Rule.Text, c.goos)
		if c.NPM && (o.Layer == policy.LayerSettings || o.Layer == policy.LayerUser) || o.Layer == policy.LayerProject && !isTOML(o.File) {
			c.Notes = append(c.Notes, o.String()+": "+msg+"; it is skipped")
			continue
		}
		return &Error{File: o.String(), Key: o.Key, Msg: msg, Hint: "name the directory, and deny what should stay"}
	}
	return nil
}
