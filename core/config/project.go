package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/srt-sh/srt/core/policy"
)

// The files that a repository brings along, by layer. Of a layer's, the first that
// is there in a folder counts.
func projectNames() []projectName {
	return []projectName{
		{policy.LayerProject, []string{".srt.toml", ".sandbox/settings.json"}},
		{policy.LayerLocal, []string{".srt.local.toml"}},
	}
}

type projectName struct {
	layer policy.Layer
	names []string
}

// ProjectFile is a settings file that a repository, or a folder without one, brings
// along.
type ProjectFile struct {
	Layer   policy.Layer
	Path    string // absolute
	Shown   string // as users see it
	Trusted bool   // all of it counts
	Held    []Held // entries that widen, and do not count since it is not trusted
	Names   []Held // patterns of [[command]], which count in any case, but make shells define names only when it is trusted
	Doubt   string // why there is a record of trust that does not help; empty: there is none

	record    Record // what trusting it would be
	overruled int    // entries that managed_only keeps from counting
}

// Held is an entry that counts only when its file is trusted.
type Held struct {
	Text   string // as spelled; empty where the key says it all
	Origin policy.Origin
}

// Trust records that all of the file counts, as long as its bytes are those that
// were read.
func (f *ProjectFile) Trust(o Options) error { return f.record.write(o.trustDir()) }

// projectRoot is the folder of the repository around the working folder, or the
// working folder itself where there is none.
func (o Options) projectRoot() string {
	for dir := o.Dir; ; dir = path.Dir(dir) {
		// What is neither is no repository, but a thing that stands where none is to be.
		if info, err := os.Lstat(path.Join(dir, ".git")); err == nil && (info.IsDir() || info.Mode().IsRegular() || info.Mode()&fs.ModeSymlink != 0) {
			return dir
		}
		if dir == "/" || dir == "." {
			return o.Dir
		}
	}
}

// projectPaths lists the files that are there, weakest first, and besides those that
// could be at the root. Every folder from the root to the working folder may have
// some: a file further down, which somebody else may have put there, adds to what is
// above it, so that it lifts nothing.
func (o Options) projectPaths() []LayerPath {
	if o.NoProject || o.SettingsSet || !path.IsAbs(o.Dir) {
		return nil
	}
	o.Dir = realDir(o.Dir)
	root := o.projectRoot()
	dirs := []string{o.Dir}
	for dirs[0] != root {
		dirs = slices.Insert(dirs, 0, path.Dir(dirs[0]))
	}
	var out []LayerPath
	for _, layer := range projectNames() {
		for _, dir := range dirs {
			used := false
			for _, name := range layer.names {
				p := LayerPath{Layer: layer.layer, Path: path.Join(dir, name), root: root}
				info, err := os.Lstat(p.Path)
				// A socket stands where another run keeps a file from being made.
				p.Exists = err == nil && info.Mode()&fs.ModeSocket == 0 || err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR)
				_, given := o.Contents[p.Path]
				p.Exists = p.Exists || given
				p.Used = p.Exists && !used
				used = used || p.Used
				if p.Exists || dir == root {
					out = append(out, p)
				}
			}
		}
	}
	return out
}

// project is a file of the repository that was read, once for all that is done with
// it.
type project struct {
	*file
	ProjectFile
}

// readProjects reads the files of the repository, weakest first.
func (o Options) readProjects() ([]project, error) {
	var out []project
	for _, place := range o.projectPaths() {
		if !place.Used {
			continue
		}
		shown := o.shown(place.Path)
		data, given := o.Contents[place.Path]
		var err error
		if !given {
			data, err = readProject(place.root, place.Path, shown)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		f, err := parseFile(data, shown, isTOML(place.Path), false)
		if refused, ok := errors.AsType[*RefusedError](err); ok {
			refused.Reason = strings.TrimSuffix(refused.Reason, ".") + " (srt run --no-project goes without it)."
		}
		if err != nil {
			return nil, err
		}
		p := ProjectFile{Layer: place.Layer, Path: place.Path, Shown: shown, record: o.record(place, data)}
		switch {
		case given:
			p.Trusted = true
		case !o.Distrust:
			p.Trusted, p.Doubt = o.trusts(p.record)
		}
		for _, c := range commandsOf(f, p.Layer) {
			for _, m := range c.Match {
				p.Names = append(p.Names, Held{Text: m.Text, Origin: m.Origin})
			}
		}
		out = append(out, project{f, p})
	}
	return out, nil
}

// projects binds the files of the repository.
func (b *binder) projects(o Options, files []project) error {
	for _, f := range files {
		p := f.ProjectFile
		b.base, b.project = projectDir(p.Path), &p
		err := b.file(f.file, p.Layer)
		b.base, b.project = "", nil
		if err != nil {
			return err
		}
		b.c.Projects = append(b.c.Projects, p)
		if p.overruled > 0 {
			b.c.Notes = append(b.c.Notes, fmt.Sprintf("%s: what it opens (%d) is ignored: the managed settings allow no other to widen them", p.Shown, p.overruled))
		}
		if len(p.Held) > 0 && !o.Distrust {
			b.c.Notes = append(b.c.Notes, heldNote(&p))
		}
	}
	return nil
}

// heldNote says what an untrusted file asks for in vain.
func heldNote(p *ProjectFile) string {
	var keys []string
	for _, h := range p.Held {
		if key := h.Origin.Key[strings.LastIndexByte(h.Origin.Key, '.')+1:]; !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	const most = 4
	if more := len(keys) - most; more > 1 {
		keys = append(keys[:most], fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("%s %s: what it opens (%s) does not count; srt trust shows it and asks", p.Shown, cmp.Or(p.Doubt, "is not trusted"), strings.Join(keys, ", "))
}

// projectDir is the folder that relative paths of a project's file begin in.
func projectDir(name string) string {
	return strings.TrimSuffix(path.Dir(name), "/.sandbox")
}

// readProject reads a file once, for all that is done with it. Links may lead to a
// file of the same repository and to none outside of it.
func readProject(root, name, shown string) ([]byte, error) {
	rel, err := filepath.Rel(root, name)
	if err != nil {
		return nil, fmt.Errorf("bug: %w", err)
	}
	const next = "; remove it, or leave it out with srt run --no-project"
	dir, err := os.OpenRoot(root)
	if err != nil {
		return nil, refuse(lostFile, err, "%s could not be read (%s)%s.", shown, errnoName(err), next)
	}
	defer dir.Close() //nolint:errcheck // nothing was written
	info, err := dir.Stat(rel)
	if err == nil && info.Mode()&fs.ModeSocket != 0 {
		return nil, fs.ErrNotExist
	}
	if err == nil && !info.Mode().IsRegular() {
		return nil, refuse(lostFile, errNotFile, "%s is not a file%s.", shown, next)
	}
	var f *os.File
	if err == nil {
		f, err = dir.OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	}
	if err == nil {
		defer f.Close() //nolint:errcheck // likewise
		info, err = f.Stat()
	}
	link := false
	if err != nil {
		there, lost := os.Lstat(name)
		link = lost == nil && there.Mode()&fs.ModeSymlink != 0
	}
	switch {
	case !link && errors.Is(err, fs.ErrNotExist):
		return nil, fs.ErrNotExist
	case link && errors.Is(err, fs.ErrNotExist):
		return nil, refuse(lostFile, nil, "%s is a symbolic link to a file that does not exist%s.", shown, next)
	case link && !errors.Is(err, fs.ErrPermission):
		return nil, refuse(lostFile, err, "%s is a symbolic link that leads out of %s or nowhere%s.", shown, root, next)
	case err != nil:
		return nil, refuse(lostFile, err, "%s could not be read (%s)%s.", shown, errnoName(err), next)
	case !info.Mode().IsRegular():
		return nil, refuse(lostFile, errNotFile, "%s is not a file%s.", shown, next)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, refuse(lostFile, err, "%s could not be read (%s)%s.", shown, errnoName(err), next)
	case len(data) > maxFile:
		return nil, refuse(lostFile, errTooBig, "%s is larger than %d MiB%s.", shown, maxFile>>20, next)
	}
	return data, nil
}

// record is what trusting the bytes of a file would be.
func (o Options) record(place LayerPath, data []byte) Record {
	sum := sha256.Sum256(data)
	rel, err := filepath.Rel(place.root, place.Path)
	if err != nil {
		rel = place.Path
	}
	return Record{Repository: o.repository(place.root), Name: rel, File: place.Path, Sum: hex.EncodeToString(sum[:])}
}

func (o Options) repository(root string) string {
	if o.Repository == nil {
		return root
	}
	return o.Repository(root)
}
