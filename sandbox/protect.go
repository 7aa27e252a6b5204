package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// protect applies the protected names: at the top of every write root, be they
// there or not, and wherever else in it they exist.
func (r *resolver) protect() error {
	if len(r.spec.Protect) == 0 {
		return nil
	}
	heads := map[string][]Protected{}
	for _, p := range r.spec.Protect {
		head, _, _ := strings.Cut(p.Name, "/")
		head = strings.ToLower(head)
		heads[head] = append(heads[head], p)
	}
	if err := r.protectAround(); err != nil {
		return err
	}
	var dirs []string
	veiled, _ := r.veiled()
	for _, root := range slices.Clone(r.roots) {
		// A root may be hidden and have something open in it.
		if !root.dir || r.denied(root.path) && !slices.Contains(veiled, root.path) {
			continue
		}
		if err := r.protectTop(root, heads); err != nil {
			return err
		}
		if !root.cache && !r.inOtherRoot(root) {
			dirs = append(dirs, root.path)
		}
	}
	for _, dir := range r.aroundDir() {
		if err := r.protectTop(root{path: dir, dir: true}, heads); err != nil {
			return err
		}
	}
	found, err := r.search(dirs, heads)
	if err != nil {
		return err
	}
	slices.Sort(found)
	for _, path := range found {
		if err := r.protectFound(path, heads); err != nil {
			return err
		}
	}
	return nil
}

// aroundDir gives the working folder and what is above it, as far as a write root holds
// them. It is the project as much as the root is, when that is a folder of projects.
func (r *resolver) aroundDir() []string {
	at := r.places.find(r.spec.Dir)
	if at.err != nil || at.missing != "" || !at.dir() || r.denied(at.real) {
		return nil
	}
	top := ""
	for _, root := range r.roots {
		if root.dir && beneath(at.real, root.path) && len(root.path) > len(top) {
			top = root.path
			if root.cache {
				return nil
			}
		}
	}
	if top == "" {
		return nil
	}
	var dirs []string
	for dir := at.real; dir != top; dir = parent(dir) {
		dirs = append(dirs, dir)
	}
	return dirs
}

// denied reports whether a rule denies writing at or above path, or hides it.
func (r *resolver) denied(path string) bool {
	for dir := path; ; dir = parent(dir) {
		if p := r.points[dir]; p != nil && (p.denyWrite || p.denyRead && dir == path) {
			return true
		}
		if dir == "/" {
			return false
		}
	}
}

func (r *resolver) inOtherRoot(inner root) bool {
	for _, root := range r.roots {
		if root.path != inner.path && !root.cache && beneath(inner.path, root.path) {
			return true
		}
	}
	return false
}

// protectTop protects the names directly in a write root, and what is left of those
// that the root lies on the way to, as .git does.
func (r *resolver) protectTop(root root, heads map[string][]Protected) error {
	git, noRepo := os.Lstat(join(root.path, []byte(".git")))
	for _, names := range heads {
		for _, p := range names {
			for _, tail := range tailsWithin(root.path, p.Name) {
				if err := r.protectName(root.path, tail, p, absentIn(root, p)); err != nil {
					return err
				}
			}
			head, tail, _ := strings.Cut(p.Name, "/")
			dir := join(root.path, []byte(head))
			if head == ".git" && (noRepo != nil || git.Mode().IsRegular() != (tail == "")) {
				continue // to make a repository is allowed
			}
			if err := r.protectName(dir, tail, p, absentIn(root, p)); err != nil {
				return err
			}
		}
	}
	return nil
}

// absentIn is what stands in for a name that a write root lacks.
func absentIn(root root, p Protected) Placeholder {
	if root.cache {
		return NoPlaceholder
	}
	return p.Absent
}

// tailsWithin gives what is left of a protected name below a folder that ends in its
// first components; "*" stands for one or more of them.
func tailsWithin(dir, name string) []string {
	var tails []string
	parts := strings.Split(name, "/")
	for n := 1; n < len(parts); n++ {
		if _, ok := cutTail(dir, parts[:n]); !ok {
			continue
		}
		tails = append(tails, strings.Join(parts[n:], "/"))
		if parts[n-1] == "*" {
			tails = append(tails, strings.Join(parts[n-1:], "/")) // and deeper
		}
	}
	return tails
}

// cutTail takes components off the end of a path, without regard to case, and
// reports whether all were there.
func cutTail(dir string, parts []string) (string, bool) {
	if len(parts) == 0 {
		return dir, true
	}
	at := strings.LastIndexByte(dir, '/')
	if at < 0 {
		return "", false
	}
	last, before := parts[len(parts)-1], parts[:len(parts)-1]
	if last != "*" {
		if !strings.EqualFold(dir[at+1:], last) {
			return "", false
		}
		return cutTail(dir[:at], before)
	}
	for ; at > 0; at = strings.LastIndexByte(dir[:at], '/') {
		if rest, ok := cutTail(dir[:at], before); ok {
			return rest, true
		}
	}
	return "", false
}

// protectFound protects what the search came upon: path ends in the first
// component of one of the names.
func (r *resolver) protectFound(path string, heads map[string][]Protected) error {
	last := filepath.Base(path)
	if last == "HEAD" || last == "config" {
		return r.protectBare(parent(path), last, heads[".git"])
	}
	name := strings.ToLower(last)
	info, err := os.Lstat(path)
	if err != nil {
		return nil //nolint:nilerr // it vanished meanwhile
	}
	repo := name == ".git" && info.IsDir()
	for _, p := range heads[name] {
		_, tail, _ := strings.Cut(p.Name, "/")
		if p.RootOnly || name == ".git" && info.Mode().IsRegular() != (tail == "") {
			continue
		}
		absent := NoPlaceholder
		if repo {
			absent = p.Absent
		}
		if err := r.protectName(path, tail, p, absent); err != nil {
			return err
		}
	}
	if name != ".git" {
		return nil
	}
	r.bare[path] = true
	err = r.protectRepo(path)
	if tree := parent(path); err != nil && !r.isRoot(tree) {
		r.notef("%q is read-only: %v", tree, err)
		return r.denyWrite(tree, "git's configuration there cannot be read", NoPlaceholder, NoPlaceholder)
	}
	return err
}

// protectAround protects what git's configuration names without a repository in a
// write root: that of the user, and of the repositories that write roots lie in.
func (r *resolver) protectAround() error {
	if err := r.protectRepo(""); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, root := range slices.Clone(r.roots) {
		for dir := root.path; dir != "/" && !seen[dir]; {
			seen[dir] = true
			dir = parent(dir)
			dotGit := join(dir, []byte(".git"))
			if _, err := os.Lstat(dotGit); err != nil {
				continue // not a repository that can be used
			}
			if err := r.protectRepo(dotGit); err != nil {
				return err
			}
		}
	}
	return nil
}

// protectRepo protects the further paths of one repository.
func (r *resolver) protectRepo(dotGit string) error {
	if r.spec.RepoPaths == nil {
		return nil
	}
	extras, err := r.spec.RepoPaths(dotGit)
	if err != nil {
		return err
	}
	for _, extra := range extras {
		at := r.places.find(extra.Path)
		if !errors.Is(at.err, syscall.ELOOP) && (at.err != nil || !r.inWriteRoot(at.real)) {
			continue
		}
		if at.err == nil && at.missing == "" && r.isRoot(at.real) {
			if dotGit != "" && at.real == parent(dotGit) {
				return fmt.Errorf("%q is a write root, and %s; name another folder there", at.real, extra.Reason)
			}
			continue // opened by its name
		}
		cover := extra.Absent
		if cover == PlaceholderFile {
			cover = NoPlaceholder
		}
		if extra.Absent == NoPlaceholder && r.holdsRoot(extra.Path) {
			continue
		}
		if err := r.denyWrite(extra.Path, extra.Reason, extra.Absent, cover); err != nil {
			return err
		}
		if err := r.protectLinks(extra.Path, extra.Reason); err != nil {
			return err
		}
	}
	return nil
}

func (r *resolver) isRoot(path string) bool {
	return slices.ContainsFunc(r.roots, func(root root) bool { return root.path == path })
}

// protectBare protects a repository whose git folder has another name than .git: a
// bare one, or one that .git files lead to. HEAD tells it, or the configuration: an
// earlier command could have taken the one away, and not changed the other.
func (r *resolver) protectBare(dir, by string, names []Protected) error {
	if r.bare[dir] || !isGitDir(dir, by) {
		return nil
	}
	r.bare[dir] = true
	for _, p := range names {
		_, tail, _ := strings.Cut(p.Name, "/")
		if tail == "" || p.RootOnly {
			continue
		}
		if err := r.protectName(dir, tail, p, p.Absent); err != nil {
			return err
		}
	}
	return r.protectGitDir(dir)
}

// protectGitDir protects what a repository that has no work tree around it leads to.
func (r *resolver) protectGitDir(dir string) error {
	err := r.protectRepo(dir)
	if err == nil || r.isRoot(dir) {
		return err
	}
	r.notef("%q is read-only: %v", dir, err)
	return r.denyWrite(dir, "git's configuration there cannot be read", NoPlaceholder, NoPlaceholder)
}

func isGitDir(dir, by string) bool {
	if by == "HEAD" {
		if info, err := os.Lstat(dir + "/commondir"); err == nil && info.Mode().IsRegular() {
			return true
		}
		for _, name := range []string{"/objects", "/refs"} {
			if info, err := os.Stat(dir + name); err != nil || !info.IsDir() {
				return false
			}
		}
		return true
	}
	text, err := readRegular(dir+"/config", 1<<20)
	return err == nil && bytes.Contains(bytes.ToLower(text), []byte("repositoryformatversion"))
}

// holdsRoot reports whether a path is a write root or above one.
func (r *resolver) holdsRoot(path string) bool {
	at := r.places.find(path)
	return at.missing == "" && slices.ContainsFunc(r.roots, func(root root) bool { return beneath(root.path, at.real) })
}

// protectLinks protects what the symlinks in a protected folder lead to: a hook may be
// one to a script of the project.
func (r *resolver) protectLinks(dir, reason string) error {
	at := r.places.find(dir)
	if at.err != nil || at.missing != "" || !at.dir() || !r.inWriteRoot(at.real) {
		return nil //nolint:nilerr // nothing to look into
	}
	left := 2000 // what is larger is no folder of hooks and the like
	var links []string
	var walk func(dir string, depth int)
	walk = func(dir string, depth int) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return
		}
		for _, e := range entries {
			if left--; left < 0 {
				return
			}
			switch path := dir + "/" + e.Name(); {
			case e.Type()&os.ModeSymlink != 0:
				links = append(links, path)
			case e.IsDir() && depth > 0:
				walk(path, depth-1)
			}
		}
	}
	walk(at.real, 4)
	for _, link := range links {
		to := r.places.find(link)
		// One that leads up would close the project.
		if to.missing == "" && beneath(link, to.real) || r.holdsRoot(link) {
			continue
		}
		if err := r.denyWrite(link, reason+"; "+link+" leads here", PlaceholderSocket, PlaceholderSocket); err != nil {
			return err
		}
	}
	return nil
}

// protectName denies writing dir/tail, where a component of tail may be "*".
func (r *resolver) protectName(dir, tail string, p Protected, absent Placeholder) error {
	before, after, star := strings.Cut(tail, "*/")
	if star {
		return r.protectStar(strings.TrimSuffix(dir+"/"+before, "/"), after, p)
	}
	path := dir
	if tail != "" {
		path += "/" + tail
	}
	if slices.Contains(p.Except, path) {
		return nil
	}
	var inside []string
	for _, e := range p.Except {
		if beneath(e, path) {
			inside = append(inside, e)
		}
	}
	if err := r.denyWrite(path, p.Reason, absent, p.Cover, inside...); err != nil {
		return err
	}
	return r.protectLinks(path, p.Reason)
}

// protectStar protects after in each git folder at any depth below dir: submodules of
// submodules keep theirs in one another.
func (r *resolver) protectStar(dir, after string, p Protected) error {
	holders, err := r.gitFolders(dir)
	if err != nil {
		return err
	}
	for _, holder := range holders {
		if err := r.protectName(holder, after, p, p.Absent); err != nil {
			return err
		}
	}
	return nil
}

// gitFolders finds the folders below dir that have a HEAD or a configuration.
func (r *resolver) gitFolders(dir string) ([]string, error) {
	if known, ok := r.gits[dir]; ok {
		return known, nil
	}
	if _, err := os.Lstat(dir); err != nil {
		r.gits[dir] = nil // nothing there to protect
		return nil, nil   //nolint:nilerr // likewise
	}
	found, unseen := gitFoldersIn(dir, time.Now().Add(r.spec.scanTime()))
	for _, dir := range unseen {
		if err := r.denyWrite(dir, "not searched for folders of git", NoPlaceholder, NoPlaceholder); err != nil {
			return nil, err
		}
	}
	r.gits[dir] = found
	for _, git := range found {
		if err := r.protectGitDir(git); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// gitFoldersIn gives the folders of git below one of modules or worktrees, and those
// that it could not look into.
func gitFoldersIn(dir string, deadline time.Time) (found, unseen []string) {
	holds := func(dir string) bool {
		for _, name := range []string{"/HEAD", "/config"} {
			if info, err := os.Lstat(dir + name); err == nil && !info.IsDir() {
				return true
			}
		}
		return false
	}
	walk := walker{
		deadline: deadline,
		// A branch may be named config, and a submodule objects.
		visit: func(path string, name []byte) bool {
			up := parent(path)
			return up == dir || !slices.Contains(gitInner, string(name)) || !holds(up) || holds(path)
		},
		keepName: func(_ string, name []byte) bool { return string(name) == "HEAD" || string(name) == "config" },
	}
	names, unseen := walk.run([]string{dir})
	for _, path := range names {
		if up := parent(path); up != dir && holds(up) {
			found = append(found, up)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), unseen
}

// gitInner are folders of a git folder that hold no others.
var gitInner = []string{"objects", "refs", "logs", "hooks", "info", "lfs", "branches", "rebase-merge", "rebase-apply", "sequencer"}

// search walks the write roots for the first components of protected names. What
// it cannot read or has no time for becomes read-only as a whole.
func (r *resolver) search(dirs []string, heads map[string][]Protected) ([]string, error) {
	var initial [256]bool
	for head := range heads {
		initial[head[0]] = true
		initial[strings.ToUpper(head)[0]] = true
	}
	later := newLaterNames(r.spec.Later)
	r.ledger.names, r.ledger.protected = later, protectedNames(r.spec.Protect)
	r.ledger.git = gitLedger{repos: r.bare, inner: r.gits, runs: r.spec.RepoRuns}
	_, git := heads[".git"]
	initial['H'], initial['c'] = initial['H'] || git, initial['c'] || git
	match := func(name []byte) bool {
		if !initial[name[0]] {
			return false
		}
		_, ok := heads[strings.ToLower(string(name))]
		return ok || git && (string(name) == "HEAD" || string(name) == "config")
	}
	// A folder that is protected whole, and git's own, need no further search.
	closed := func(name []byte) bool {
		return strings.EqualFold(string(name), ".git") ||
			slices.ContainsFunc(heads[strings.ToLower(string(name))], func(p Protected) bool { return !strings.Contains(p.Name, "/") })
	}
	veiled, opened := r.veiled()
	hidden := func(path string) bool {
		if slices.ContainsFunc(veiled, func(v string) bool { return beneath(path, v) }) {
			return !onTheWay(path, opened)
		}
		p := r.points[path]
		return p != nil && (p.denyRead || p.denyWrite) || path == "/proc" || path == "/sys" || path == "/dev"
	}
	walk := walker{
		deadline: time.Now().Add(r.spec.scanTime()),
		visit: func(path string, name []byte) bool {
			return (!match(name) || !closed(name)) && !hidden(path)
		},
		// Packages ship folders like .vscode; only repositories matter among them.
		keepName: func(dir string, name []byte) bool {
			return match(name) && (!inModules(dir) || strings.EqualFold(string(name), ".git") || string(name) == "HEAD") || later.match(dir, name) != ""
		},
		stamp: true,
	}
	found, unseen := walk.run(dirs)
	found = slices.DeleteFunc(found, func(path string) bool {
		name := filepath.Base(path)
		if later.match(parent(path), []byte(name)) == "" {
			return false
		}
		r.ledger.files = append(r.ledger.files, path)
		return !match([]byte(name))
	})
	r.ledger.dirs = walk.stamps
	if len(walk.stamps) > maxLedgerDirs {
		r.notef("more than %d folders: changes in them are not told at the end", maxLedgerDirs)
		r.ledger.dirs, r.ledger.tooMany = nil, slices.Min(dirs)
	}
	for _, dir := range fewer(unseen, dirs, maxUnseen) {
		r.warnf("%s could not be searched for protected names, so it is read-only", quoteShort(dir))
		if err := r.denyWrite(dir, "not searched for protected names", NoPlaceholder, NoPlaceholder); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// veiled lists the hidden folders in which something is open again, and what is: names
// in that are protected as anywhere else.
func (r *resolver) veiled() (folders, opened []string) {
	for path, p := range r.points {
		if p.allowRead || p.allowWrite {
			opened = append(opened, path)
		}
	}
	for path, p := range r.points {
		if p.denyRead && slices.ContainsFunc(opened, func(o string) bool { return o != path && beneath(o, path) }) {
			folders = append(folders, path)
		}
	}
	return folders, opened
}

// maxUnseen bounds how many folders that were not searched are named one by one.
const maxUnseen = 20

// fewer replaces paths by folders above them, the deepest first and never above a
// root, until there are few enough.
func fewer(paths, roots []string, most int) []string {
	set := map[string]bool{}
	for _, p := range paths {
		set[p] = true
	}
	for len(set) > most {
		deepest := 0
		for p := range set {
			if n := strings.Count(p, "/"); n > deepest && !slices.Contains(roots, p) {
				deepest = n
			}
		}
		if deepest == 0 {
			break
		}
		for p := range set {
			if strings.Count(p, "/") == deepest && !slices.Contains(roots, p) {
				delete(set, p)
				set[parent(p)] = true
			}
		}
	}
	left := slices.Sorted(maps.Keys(set))
	return slices.DeleteFunc(left, func(p string) bool {
		for dir := p; dir != "/"; {
			if dir = parent(dir); set[dir] {
				return true
			}
		}
		return false
	})
}

// quoteShort quotes a path and leaves out the middle of a long one.
func quoteShort(path string) string {
	const most = 200
	if len(path) <= most {
		return strconv.Quote(path)
	}
	return strconv.Quote(path[:most/2]) + "…" + strconv.Quote(path[len(path)-most/4:])
}

func inModules(dir string) bool {
	return strings.HasSuffix(dir, "/node_modules") || strings.Contains(dir, "/node_modules/")
}
