package hooks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/core"
)

// Manager is a program that manages hooks, and how it is told to install them.
type Manager struct {
	Name string
	Args []string
}

// Managers finds those that a work tree is set up for. What they are is looked up in
// files; none is started.
func Managers(tree string) []Manager {
	has := func(name string) bool { return unix.Access(filepath.Join(tree, name), unix.F_OK) == nil }
	program := func(name string) string {
		if local := filepath.Join("node_modules", ".bin", name); has(local) {
			return local
		}
		return name
	}
	var out []Manager
	var manifest struct {
		Scripts         map[string]string `json:"scripts"`
		Dependencies    map[string]any    `json:"dependencies"`
		DevDependencies map[string]any    `json:"devDependencies"`
	}
	if data, err := os.ReadFile(filepath.Join(tree, "package.json")); err == nil {
		_ = json.Unmarshal(data, &manifest) // what is none names no manager
	}
	_, dev := manifest.DevDependencies["husky"]
	_, dep := manifest.Dependencies["husky"]
	if dev || dep {
		m := Manager{"husky", []string{program("husky")}}
		for _, script := range []string{"prepare", "postinstall"} {
			words := strings.Fields(manifest.Scripts[script])
			if at := slices.Index(words, "husky"); at >= 0 {
				// Version 9 takes a folder, older ones "install" before it.
				for _, word := range words[at+1:] {
					if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-") != "" {
						break
					}
					m.Args = append(m.Args, word)
				}
				break
			}
		}
		out = append(out, m)
	}
	for _, name := range []string{"lefthook", ".lefthook"} {
		if slices.ContainsFunc([]string{".yml", ".yaml", ".toml", ".json"}, func(end string) bool { return has(name + end) }) {
			out = append(out, Manager{"lefthook", []string{program("lefthook"), "install"}})
			break
		}
	}
	if has(".pre-commit-config.yaml") {
		out = append(out, Manager{"pre-commit", []string{"pre-commit", "install"}})
	}
	return out
}

// Waiting names the manager whose hooks a work tree should have by now, and has not: as
// after npm install in a sandbox, which lets none be installed. "" is none.
func (g Git) Waiting(r *core.GitRepository) string {
	if r == nil || r.Tree == "" {
		return ""
	}
	managers := Managers(r.Tree)
	if len(managers) != 1 || managers[0].Name == "pre-commit" { // no package manager installs those
		return ""
	}
	dir, err := g.hooksOf(r)
	if err != nil {
		return ""
	}
	m := managers[0]
	if m.Name == "husky" {
		if strings.HasSuffix(dir, "/.husky") || strings.Contains(dir, "/.husky/") || len(m.Args) == 1 && !scripted(r.Tree) {
			return ""
		}
		return m.Name
	}
	entries, _ := os.ReadDir(dir) // without the folder there are none
	for _, entry := range entries {
		if text, err := os.ReadFile(filepath.Join(dir, entry.Name())); err == nil && bytes.Contains(text, []byte("lefthook")) {
			return ""
		}
	}
	return m.Name
}

// scripted reports whether a script of package.json runs husky by itself.
func scripted(tree string) bool {
	data, err := os.ReadFile(filepath.Join(tree, "package.json"))
	if err != nil {
		return false
	}
	var manifest struct{ Scripts map[string]string }
	_ = json.Unmarshal(data, &manifest) // what is none has no scripts
	return strings.Contains(manifest.Scripts["prepare"]+" "+manifest.Scripts["postinstall"], "husky")
}

// Scratch is a stand-in for a work tree in which a manager may install hooks: what it
// writes for git is a copy, all else are links to the tree, which stays as it is.
type Scratch struct {
	Dir  string // the work tree of it
	r    *core.GitRepository
	home string
}

// MakeScratch makes one for a manager. Close removes it.
func (g Git) MakeScratch(r *core.GitRepository, m Manager) (s *Scratch, err error) {
	if r.Tree == "" {
		return nil, errors.New("a bare repository has no files that say which hooks to install")
	}
	base, err := g.cacheDir()
	if err != nil {
		return nil, err
	}
	if base, err = filepath.EvalSymlinks(base); err != nil {
		return nil, err //nolint:wrapcheck // names the folder
	}
	removeStale(base)
	dir, err := os.MkdirTemp(base, "srt-adopt-")
	if err != nil {
		return nil, err //nolint:wrapcheck // names the folder
	}
	s = &Scratch{Dir: dir, r: r, home: g.Home}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	for _, name := range []string{"objects", "refs", "hooks", "info"} {
		if err := os.MkdirAll(filepath.Join(dir, ".git", name), 0o700); err != nil {
			return nil, err //nolint:wrapcheck // names the folder
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ".git", "HEAD"), []byte("ref: refs/heads/main\n"), 0o600); err != nil {
		return nil, err //nolint:wrapcheck // names the file
	}
	// A manager refuses where srt stands in core.hooksPath.
	config, err := g.PlanUninstall(g.ConfigFile(r))
	if err != nil {
		return nil, err
	}
	if m.Name == "husky" && strings.Contains(config.New, ".husky") {
		// husky sets it anew, and what it names could not be written.
		if err := config.edit("--unset-all", "core.hooksPath"); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ".git", "config"), []byte(config.New), 0o600); err != nil {
		return nil, err //nolint:wrapcheck // likewise
	}
	if err := copyFiles(filepath.Join(r.Common, "hooks"), filepath.Join(dir, ".git", "hooks")); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(r.Tree)
	if err != nil {
		return nil, err //nolint:wrapcheck // names the folder
	}
	for _, entry := range entries {
		from, to := filepath.Join(r.Tree, entry.Name()), filepath.Join(dir, entry.Name())
		switch entry.Name() {
		case ".git":
		case ".husky":
			err = copyFiles(from, to)
		default:
			err = os.Symlink(from, to)
		}
		if err != nil {
			return nil, err //nolint:wrapcheck // names the file
		}
	}
	return s, os.MkdirAll(filepath.Join(dir, ".husky"), 0o700) //nolint:wrapcheck // likewise
}

// Close removes it.
func (s *Scratch) Close() { _ = os.RemoveAll(s.Dir) }

// Opens are the places of it that are protected elsewhere, and that a manager may write
// here.
func (s *Scratch) Opens() []string {
	return []string{filepath.Join(s.Dir, ".git", "config"), filepath.Join(s.Dir, ".git", "hooks"), filepath.Join(s.Dir, ".husky")}
}

// cacheDir is the folder for caches of the user, made if it is not there.
func (g Git) cacheDir() (string, error) {
	dir := g.getenv("XDG_CACHE_HOME")
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(g.Home, ".cache")
	}
	return dir, os.MkdirAll(dir, 0o700) //nolint:wrapcheck // names the folder
}

// removeStale removes what a verb that was killed has left there.
func removeStale(cache string) {
	names, _ := filepath.Glob(filepath.Join(cache, "srt-adopt-*")) // the pattern is one
	for _, name := range names {
		if info, err := os.Lstat(name); err == nil && info.IsDir() && time.Since(info.ModTime()) > time.Hour {
			_ = os.RemoveAll(name)
		}
	}
}

// maxHookFile bounds a file of hooks that is copied or adopted, in bytes.
const maxHookFile = 1 << 20

// copyFiles copies the regular files below a folder, two folders deep at most.
func copyFiles(from, to string) error {
	return walkFiles(from, func(rel string, data []byte, mode fs.FileMode) error {
		name := filepath.Join(to, rel)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err //nolint:wrapcheck // names the folder
		}
		return os.WriteFile(name, data, mode|0o600) //nolint:wrapcheck,gosec // likewise; of a file in it
	})
}

// walkFiles visits the regular files below a folder, and follows no link to get there.
func walkFiles(dir string, visit func(rel string, data []byte, mode fs.FileMode) error) error {
	place, err := filepath.EvalSymlinks(filepath.Dir(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || place != filepath.Dir(dir) {
		return fmt.Errorf("%q is a link, or lies behind one", dir)
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err //nolint:wrapcheck // names the folder
	}
	defer func() { _ = root.Close() }()
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if strings.Count(rel, "/") >= 2 {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxHookFile {
			return err
		}
		data, err := root.ReadFile(rel)
		if err != nil {
			return err
		}
		return visit(rel, data, info.Mode().Perm())
	})
	if err != nil {
		return fmt.Errorf("reading the hooks in %q: %w", dir, err)
	}
	return nil
}

// Adoption is what a manager has installed in a scratch, as changes of the repository.
type Adoption struct {
	files  []adoptedFile
	config *ConfigChange
}

type adoptedFile struct {
	name     string // absolute, in the repository
	old, new string
	mode     fs.FileMode
	remove   bool
}

// Adoption compares a scratch with its repository. It is an error where anything else
// than hooks was installed: that is for nobody to adopt by this way.
func (g Git) Adoption(s *Scratch) (*Adoption, error) {
	a := &Adoption{}
	places := []struct{ from, to string }{
		{filepath.Join(s.Dir, ".git", "hooks"), filepath.Join(s.r.Common, "hooks")},
		{filepath.Join(s.Dir, ".husky"), filepath.Join(s.r.Tree, ".husky")},
	}
	for _, p := range places {
		inHooks := filepath.Base(p.to) == "hooks"
		seen := map[string]bool{}
		err := walkFiles(p.from, func(rel string, data []byte, mode fs.FileMode) error {
			seen[rel] = true
			text := strings.ReplaceAll(string(data), s.Dir, s.r.Tree)
			name := filepath.Join(p.to, rel)
			old, err := os.ReadFile(name)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err //nolint:wrapcheck // names the file
			}
			if err == nil && string(old) == text {
				return nil
			}
			if inHooks && !hookFile(rel) {
				return fmt.Errorf("%q is no hook", rel)
			}
			a.files = append(a.files, adoptedFile{name: name, old: string(old), new: text, mode: mode | 0o600})
			return nil
		})
		if err != nil {
			return nil, err
		}
		err = walkFiles(p.to, func(rel string, data []byte, _ fs.FileMode) error {
			if !seen[rel] {
				a.files = append(a.files, adoptedFile{name: filepath.Join(p.to, rel), old: string(data), remove: true})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	// lefthook's own note of what it has installed.
	if sum, err := os.ReadFile(filepath.Join(s.Dir, ".git", "info", "lefthook.checksum")); err == nil && len(sum) < 1000 {
		name := filepath.Join(s.r.Common, "info", "lefthook.checksum")
		if old, _ := os.ReadFile(name); !bytes.Equal(old, sum) {
			a.files = append(a.files, adoptedFile{name: name, old: string(old), new: string(sum), mode: 0o644})
		}
	}
	return a, g.adoptConfig(a, s)
}

// hookFile reports whether a file is a hook or what a manager keeps of one.
func hookFile(name string) bool {
	for _, end := range []string{".old", ".legacy"} {
		name = strings.TrimSuffix(name, end)
	}
	return hookName(name)
}

// adoptConfig takes core.hooksPath over, and nothing else.
func (g Git) adoptConfig(a *Adoption, s *Scratch) error {
	now, err := core.GitFileSettings(filepath.Join(s.Dir, ".git", "config"))
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	file := g.ConfigFile(s.r)
	before, err := core.GitFileSettings(file)
	if err != nil {
		return err //nolint:wrapcheck // likewise
	}
	last := func(list []core.GitSetting, key string) (value string, set bool) {
		for _, s := range list {
			if s.Key == key {
				value, set = s.Value, true
			}
		}
		return value, set
	}
	for _, setting := range now {
		if setting.Key == hooksPathKey {
			continue
		}
		if old, set := last(before, setting.Key); !set || old != setting.Value {
			return fmt.Errorf("it sets %s too, which has nothing to do with hooks", setting.Key)
		}
	}
	value, set := last(now, hooksPathKey)
	in, err := g.LookInstalled(file)
	if err != nil {
		return err
	}
	was := in.Path
	if in.Own {
		was = in.Chained
	}
	if a.config, err = readConfig(file); err != nil {
		return err
	}
	value = strings.ReplaceAll(value, s.Dir, s.r.Tree)
	switch {
	case value == was:
		return nil
	case in.Own:
		return a.config.edit("--replace-all", chainedKey, value)
	case !set:
		return a.config.edit("--unset-all", "core.hooksPath")
	}
	return a.config.edit("--replace-all", "core.hooksPath", value)
}

// Empty reports whether there is nothing to adopt.
func (a *Adoption) Empty() bool { return len(a.files) == 0 && a.config.Same() }

// Diff shows it. What is the same as a file before, as most of husky's are, is named only.
func (a *Adoption) Diff() string {
	var b strings.Builder
	shown := map[[2]string]string{}
	for _, f := range a.files {
		change := [2]string{f.old, f.new}
		if as := shown[change]; as != "" {
			b.WriteString("+++ " + f.name + " as " + as + "\n")
			continue
		}
		shown[change] = f.name
		b.WriteString(Diff(f.name, f.old, f.new))
	}
	b.WriteString(Diff(a.config.File, a.config.Old, a.config.New))
	return b.String()
}

// Write makes the changes, the configuration last: it makes git look at the files.
func (a *Adoption) Write() error {
	for _, f := range a.files {
		if now, err := os.ReadFile(f.name); string(now) != f.old || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%q was changed meanwhile", f.name)
		}
		if f.remove {
			if err := os.Remove(f.name); err != nil {
				return err //nolint:wrapcheck // names the file
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(f.name), 0o755); err != nil { //nolint:gosec // as managers make it
			return err //nolint:wrapcheck // names the folder
		}
		if err := putFile(f.name, []byte(f.new), f.mode&0o111|0o644); err != nil {
			return err
		}
	}
	if a.config.Same() {
		return nil
	}
	return a.config.Write()
}
