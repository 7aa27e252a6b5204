package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxGlobPaths bounds what one glob may stand for.
const maxGlobPaths = 100_000

// resolver turns the rules of a Spec into points: what they mean on the disk as
// it is now. It reads and changes nothing.
type resolver struct {
	spec         *Spec
	places       places
	points       map[string]*point
	roots        []root
	caches       []string // the roots among them that runs make
	placeholders []Make
	planned      map[string]Placeholder // what will be made, by path
	makeable     map[string]error       // why nothing can be made in a folder
	bare         map[string]bool        // folders of git that are protected
	gits         map[string][]string    // those below modules and worktrees
	notes        []string
	ledger       ledger
	warnings     []string
}

// root is a write root that exists.
type root struct {
	path  string
	dir   bool
	cache bool
}

func (r *resolver) notef(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

func (r *resolver) warnf(format string, args ...any) {
	r.warnings = append(r.warnings, fmt.Sprintf(format, args...))
}

// at gives the point of a path, new if need be.
func (r *resolver) at(path string, dir bool, reason string) *point {
	p := r.points[path]
	if p == nil {
		p = &point{path: path, dir: dir, reason: reason}
		r.points[path] = p
	}
	return p
}

// resolve applies the rules: write roots first, since the others ask whether
// they lie in one.
func (r *resolver) resolve() error {
	for _, rule := range r.spec.Rules {
		if rule.Op == AllowWrite {
			if err := r.allowWrite(rule); err != nil {
				return err
			}
		}
	}
	for _, rule := range r.spec.Rules {
		var err error
		switch {
		case rule.Op == AllowWrite:
		case rule.Match != nil:
			err = r.glob(rule)
		case rule.Op == DenyWrite:
			cover := PlaceholderDir
			if rule.Deep {
				cover = NoPlaceholder
			}
			absent := PlaceholderSocket
			if rule.Folder {
				absent = PlaceholderDir
			}
			err = r.denyWrite(rule.Path, rule.Reason, absent, cover, rule.Except...)
		case rule.Op == DenyRead:
			err = r.denyRead(rule)
		case rule.Op == AllowRead:
			err = r.allowRead(rule)
		default:
			err = fmt.Errorf("bug: path rule with %v", rule.Op)
		}
		if err != nil {
			return err
		}
	}
	return r.protect()
}

// allowWrite opens a write root. A path that does not exist opens nothing, and
// neither does one that leads elsewhere by a symlink: a command that may write
// beside it could have put that link there.
func (r *resolver) allowWrite(rule PathRule) error {
	if rule.Match != nil {
		r.notef("%s: a write root with a glob opens nothing on Linux", rule.Reason)
		return nil
	}
	if beneath(rule.Path, "/dev") {
		return nil // the sandbox has a /dev of its own
	}
	at := r.places.find(rule.Path)
	switch {
	case !at.trusted():
		r.notef("%s: %q is a symlink to another place, so it opens nothing; name the place itself", rule.Reason, rule.Path)
		return nil
	case at.missing != "" && at.dir() && rule.Make && r.canMake(at.real) == nil:
		r.makeCache(at, rule)
		return nil
	case at.missing != "" || unreachable(at.err):
		r.notef("%s: %q does not exist, so it opens nothing", rule.Reason, rule.Path)
		return nil
	case at.err != nil:
		return fmt.Errorf("resolving write root %q: %w", rule.Path, at.err)
	case !at.dir() && at.mode&unix.S_IFMT != unix.S_IFREG:
		r.notef("%s: %q is neither a folder nor a regular file, so it opens nothing", rule.Reason, rule.Path)
		return nil
	}
	p := r.at(at.real, at.dir(), rule.Reason)
	if !p.allowWrite {
		r.roots = append(r.roots, root{path: at.real, dir: at.dir(), cache: rule.Cache})
	}
	p.allowWrite = true
	if rule.Make {
		r.caches = append(r.caches, at.real)
	}
	return nil
}

// makeCache plans to make the store of a tool that has not run yet.
func (r *resolver) makeCache(at *place, rule PathRule) {
	path := at.real
	for name := range strings.SplitSeq(at.missing, "/") {
		path = join(path, []byte(name))
		r.plan(Make{Path: path, Form: PlaceholderDir})
	}
	r.at(path, true, rule.Reason).allowWrite = true
	r.roots = append(r.roots, root{path: path, dir: true, cache: rule.Cache})
}

// trusted reports whether only the system's owner made the symlinks on the way:
// they belong to root and, where root is who asks, lie in the root folder (/home
// → /var/home). Others could have been put there by an earlier command.
func (p *place) trusted() bool {
	for _, l := range p.links {
		if l.uid != 0 || os.Getuid() == 0 && parent(l.path) != "/" {
			return false
		}
	}
	return true
}

// unreachable tells of errors after which the user could not get at a path
// outside either, so that nothing needs to be done about it.
func unreachable(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) ||
		errors.Is(err, fs.ErrPermission)
}

// denyWrite denies a path, be it there or not.
func (r *resolver) denyWrite(path, reason string, absent, cover Placeholder, except ...string) error {
	p := r.places.find(path)
	for _, l := range p.links {
		// Where the way leads must not change either.
		if r.inWriteRoot(l.path) {
			r.at(l.path, false, reason).link = true
		}
	}
	switch {
	case errors.Is(p.err, syscall.ELOOP):
		return fmt.Errorf("%s: %q is a symlink that leads round in a circle; remove it", reason, path)
	case unreachable(p.err):
		return nil
	case p.err != nil:
		return fmt.Errorf("resolving denied path %q: %w", path, p.err)
	}
	existing, missing := p.real, p.missing
	if !r.touchesWriteRoot(existing) || missing != "" && (absent == NoPlaceholder || !r.inWriteRoot(existing)) {
		return nil
	}
	// Where a file stands in place of a folder, the path cannot come into being as
	// long as the file stays.
	if missing == "" || !p.dir() {
		denied := r.at(existing, p.dir(), reason)
		if len(except) == 0 {
			denied.denyWrite = true
			return nil
		}
		denied.protect = true
		for _, path := range except {
			if e := r.places.find(path); e.err == nil && e.missing == "" && e.trusted() {
				r.at(e.real, e.dir(), reason).exempt = true
			}
		}
		return nil
	}
	switch err := r.canMake(existing); {
	case err == nil:
		r.absent(existing, missing, reason, absent, cover)
	case errors.Is(err, errClosed):
		// The command could open the folder by chmod and srt would have to, too.
		r.notef("%q is closed to who runs the command, so nothing can stand in for %q there; it is read-only", existing, missing)
		r.at(existing, true, reason).denyWrite = true
	default: // the command cannot make anything there either
	}
	return nil
}

var errClosed = errors.New("the folder is closed, and the command could make something in it all the same")

// canMake is makeable, asked once for each folder.
func (r *resolver) canMake(dir string) error {
	err, known := r.makeable[dir]
	if !known {
		err = makeable(dir)
		r.makeable[dir] = err
	}
	return err
}

// makeable reports why nothing can be made in a folder, and removed again: to lock it, it
// must be open for reading too.
func makeable(dir string) error {
	err := unix.Access(dir, unix.R_OK|unix.W_OK|unix.X_OK)
	if err == nil || errors.Is(err, unix.EROFS) {
		return err //nolint:wrapcheck // only looked at
	}
	var stat unix.Stat_t
	if statErr := unix.Stat(dir, &stat); statErr != nil || int(stat.Uid) == os.Getuid() || unix.Access(dir, unix.W_OK|unix.X_OK) == nil {
		return errClosed
	}
	return err //nolint:wrapcheck // only looked at
}

// absent plans the placeholders for a path that does not exist.
func (r *resolver) absent(existing, missing, reason string, form, cover Placeholder) {
	names := strings.Split(missing, "/")
	if cover != NoPlaceholder && len(names) > 1 {
		names, form = names[:1], cover
	}
	path := existing
	for i, name := range names {
		path = strings.TrimSuffix(path, "/") + "/" + name
		if known := r.planned[path]; known != NoPlaceholder && known != PlaceholderDir {
			return // it is denied itself, and nothing can be made in it
		}
		e := Make{Path: path, Form: PlaceholderDir}
		if i == len(names)-1 {
			// Where others are made in it, it is a folder already.
			if e.Form = form; r.planned[path] != NoPlaceholder {
				e.Form = r.planned[path]
			}
			r.at(path, e.Form == PlaceholderDir, reason).denyWrite = true
		}
		r.plan(e)
	}
}

// plan adds a placeholder, unless it is planned already.
func (r *resolver) plan(e Make) {
	if r.planned[e.Path] == NoPlaceholder {
		r.planned[e.Path] = e.Form
		r.placeholders = append(r.placeholders, e)
	}
}

// inWriteRoot reports whether path lies in a write root.
func (r *resolver) inWriteRoot(path string) bool {
	for _, root := range r.roots {
		if beneath(path, root.path) {
			return true
		}
	}
	return false
}

// touchesWriteRoot reports whether path lies in a write root or above one: what
// does not is read-only anyway.
func (r *resolver) touchesWriteRoot(path string) bool {
	for _, root := range r.roots {
		if beneath(path, root.path) || beneath(root.path, path) {
			return true
		}
	}
	return false
}

// denyRead hides a path. One that does not exist needs nothing: what the command
// makes there is its own.
func (r *resolver) denyRead(rule PathRule) error {
	p := r.places.find(rule.Path)
	switch {
	case errors.Is(p.err, syscall.ELOOP), unreachable(p.err):
		return nil
	case p.err != nil:
		return fmt.Errorf("resolving hidden path %q: %w", rule.Path, p.err)
	case p.missing != "":
		return nil
	}
	return r.hide(p, rule)
}

func (r *resolver) hide(at *place, rule PathRule) error {
	if at.real == "/" {
		return fmt.Errorf("%s: the root folder cannot be hidden; hide the folders in it that matter", rule.Reason)
	}
	if beneath(at.real, "/dev") || beneath(at.real, "/proc") {
		return nil // the sandbox has its own
	}
	p := r.at(at.real, at.dir(), rule.Reason)
	p.denyRead, p.reason = true, rule.Reason
	p.final = p.final || rule.Final
	return nil
}

// allowRead opens a path for reading. It names what stands there: a symlink
// opens nothing, since whoever writes there could have put it.
func (r *resolver) allowRead(rule PathRule) error {
	p := r.places.find(rule.Path)
	switch {
	case !p.trusted():
		r.notef("%s: %q is a symlink to another place, so it opens nothing", rule.Reason, rule.Path)
		return nil
	case unreachable(p.err), p.missing != "":
		return nil
	case p.err != nil:
		return fmt.Errorf("resolving readable path %q: %w", rule.Path, p.err)
	}
	r.at(p.real, p.dir(), rule.Reason).allowRead = true
	return nil
}

// glob applies a rule to every path that matches now.
func (r *resolver) glob(rule PathRule) error {
	if rule.Path == "/" {
		return fmt.Errorf("%s: a glob needs a literal first folder to be enforced on Linux; write /folder/**/name", rule.Reason)
	}
	at := r.places.find(rule.Path)
	if unreachable(at.err) || at.missing != "" {
		return nil
	}
	if at.err != nil {
		return fmt.Errorf("resolving the folder of a glob %q: %w", rule.Path, at.err)
	}
	base := at.real
	var found []string
	// What is beneath a match is covered with it, but for what another rule opens
	// there again: a deeper match lies in that.
	var opened []string
	if rule.Op == DenyRead && !rule.Final {
		opened = r.opened()
	}
	walk := walker{
		deadline: time.Now().Add(r.spec.scanTime()),
		// The glob speaks of the path as spelled, before symlinks of its base.
		visit: func(path string, _ []byte) bool {
			return !rule.Match(rule.Path+strings.TrimPrefix(path, base)) ||
				onTheWay(path, opened)
		},
		keep: func(path string) bool {
			return rule.Match(rule.Path + strings.TrimPrefix(path, base))
		},
	}
	found, unseen := walk.run([]string{base})
	if len(unseen) > 0 || len(found) > maxGlobPaths {
		return fmt.Errorf("%s: the tree below %q is too large to apply the glob to all of it; name a narrower folder", rule.Reason, base)
	}
	for _, path := range found {
		p := r.places.find(path)
		if p.err != nil || p.missing != "" && rule.Op != DenyWrite {
			continue
		}
		var err error
		switch rule.Op {
		case DenyRead:
			err = r.hide(p, rule)
		case DenyWrite:
			err = r.denyWrite(path, rule.Reason, NoPlaceholder, NoPlaceholder)
		case AllowRead:
			if len(p.links) == 0 {
				r.at(path, p.dir(), rule.Reason).allowRead = true
			}
		case AllowWrite:
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// onTheWay reports whether path leads to one of others, is one or lies in one.
func onTheWay(path string, others []string) bool {
	return slices.ContainsFunc(others, func(o string) bool { return beneath(o, path) || beneath(path, o) })
}

// opened lists where rules allow reading, write roots among them.
func (r *resolver) opened() []string {
	var out []string
	for _, rule := range r.spec.Rules {
		if rule.Op == AllowRead || rule.Op == AllowWrite {
			if at := r.places.find(rule.Path); at.err == nil && (at.missing == "" || rule.Match != nil) {
				out = append(out, at.real)
			}
		}
	}
	return out
}

func (s *Spec) scanTime() time.Duration {
	if s.ScanTime > 0 {
		return s.ScanTime
	}
	return 3 * time.Second
}
