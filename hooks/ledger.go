package hooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/fence"
)

// A Ledger remembers what srt has written where outside of its own folders, so that an
// uninstall takes back just that. There is one for each tool, a file in the folder for
// state, which no sandbox may write.
//
//	ledger := hooks.LedgerOf("npm", home, os.Getenv)
//	plan, err := ledger.Install(entries)    // or ledger.Uninstall()
//	plan.Diff()                             // nothing is written until
//	err = plan.Apply()
//
// A plan is empty when all is there already. What somebody has changed since it was
// written is neither changed nor taken out: [Plan.Left] tells of it.
type Ledger struct {
	File string // absolute
}

// LedgerOf is the ledger of a tool, for an environment.
func LedgerOf(tool, home string, getenv func(string) string) Ledger {
	state := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		state = filepath.Join(home, ".local", "state")
	}
	return Ledger{filepath.Join(state, "srt", "hooks", tool+".json")}
}

// Kind says what an entry writes.
type Kind string

// The kinds.
const (
	KindBlock Kind = "block" // lines between marks in a text file: File, Name, Text, Under
	KindLink  Kind = "link"  // a symbolic link: File, Text
	KindGit   Kind = "git"   // one value in a file of git configuration: File, Name, Text
)

// Entry is one thing to be written. What the fields from Before on say is filled in by
// the ledger.
type Entry struct {
	Kind Kind   `json:"kind"`
	File string `json:"file"` // absolute

	// Name is what stands in the marks of a block, such as "srt hook pip": one block of
	// a name is in a file. For git it is the key, such as "core.hooksPath".
	Name string `json:"name,omitempty"`
	// Text is what is between the marks, where the link leads, or the value.
	Text string `json:"text"`
	// Under is a line of the file, such as "[global]", behind which a block is put; if
	// there is none, it comes with the block. "" puts it at the end.
	Under string `json:"under,omitempty"`

	Before []string `json:"before,omitempty"` // what a link led to, or the values that git had
	Made   bool     `json:"made,omitempty"`   // the file was not there
	Ended  bool     `json:"ended,omitempty"`  // its last line had no end
	Header bool     `json:"header,omitempty"` // Under came with the block
	Folder string   `json:"folder,omitempty"` // the topmost folder that was made for it
}

// block is the text of a block with its marks.
func (e *Entry) block() string {
	text := fence.Block(e.Name, e.Text)
	if e.Header {
		text = e.Under + "\n" + text
	}
	return text
}

func (e *Entry) same(o *Entry) bool {
	return e.Kind == o.Kind && e.File == o.File && e.Name == o.Name
}

// Left is what a plan leaves as it is.
type Left struct {
	File string
	Why  string // "the lines between the marks of srt hook pip were changed"
}

// Plan is what is to be written. It is made from what the files say now, and Apply does
// not write one that was changed in between.
type Plan struct {
	Left []Left

	ledger  Ledger
	entries []Entry // what the ledger says afterwards
	was     []Entry
	others  []Entry // of other ledgers
	files   []*fence.Change
	links   []link
	gone    []Entry // whose folders may be empty now
}

// link is a symbolic link to be made, or with an empty target removed.
type link struct{ file, from, to string }

// Entries are those that are written, as far as the ledger knows.
func (l Ledger) Entries() ([]Entry, error) {
	text, err := os.ReadFile(l.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file
	}
	var entries []Entry
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, fmt.Errorf("%q, where srt keeps what it has written, cannot be read: %w", l.File, err)
	}
	return entries, nil
}

// others are the entries of the ledgers beside this one.
func (l Ledger) others() ([]Entry, error) {
	dir := filepath.Dir(l.File)
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err //nolint:wrapcheck // names the folder
	}
	var out []Entry
	for _, file := range files {
		name := filepath.Join(dir, file.Name())
		if name == l.File || filepath.Ext(name) != ".json" {
			continue
		}
		entries, err := Ledger{name}.Entries()
		if err != nil {
			return nil, err
		}
		out = append(out, entries...)
	}
	return out, nil
}

// Install plans that the files say what want says and, of what was written before,
// nothing else.
func (l Ledger) Install(want []Entry) (*Plan, error) {
	was, err := l.Entries()
	if err != nil {
		return nil, err
	}
	p := &Plan{ledger: l, was: was}
	if p.others, err = l.others(); err != nil {
		return nil, err
	}
	for i := range was {
		if !slices.ContainsFunc(want, func(e Entry) bool { return e.same(&was[i]) }) {
			if err := p.remove(was[i]); err != nil {
				return nil, err
			}
		}
	}
	for _, e := range want {
		if !filepath.IsAbs(e.File) {
			return nil, fmt.Errorf("bug: %q is no absolute path", e.File)
		}
		var old *Entry
		if i := slices.IndexFunc(was, func(o Entry) bool { return o.same(&e) }); i >= 0 {
			old = &was[i]
		}
		if err := p.add(e, old); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Uninstall plans to take out all that was written, and to put back what was there.
func (l Ledger) Uninstall() (*Plan, error) { return l.Install(nil) }

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool {
	return len(p.links) == 0 && !slices.ContainsFunc(p.files, func(c *fence.Change) bool { return !c.Same() }) &&
		slices.EqualFunc(p.entries, p.was, func(a, b Entry) bool { return a.same(&b) && a.Text == b.Text })
}

// Diff shows what is written, as diff -u does; for a link, where it leads.
func (p *Plan) Diff() string {
	var b strings.Builder
	for _, c := range p.files {
		if !c.Same() {
			b.WriteString(c.Diff())
		}
	}
	for _, l := range p.links {
		for _, side := range []struct{ sign, to string }{{"-", l.from}, {"+", l.to}} {
			if side.to != "" {
				b.WriteString(side.sign + l.file + " -> " + side.to + "\n")
			}
		}
	}
	return b.String()
}

// ReadOnly is the first file that is meant not to be written, "" for none.
func (p *Plan) ReadOnly() string {
	for _, c := range p.files {
		if !c.Same() && c.ReadOnly() {
			return c.File
		}
	}
	return ""
}

// file is the change of a file that other entries may be in too.
func (p *Plan) file(name string) (*fence.Change, error) {
	for _, c := range p.files {
		if c.File == name {
			return c, nil
		}
	}
	c, err := fence.Read(name)
	if err == nil {
		p.files = append(p.files, c)
	}
	return c, err //nolint:wrapcheck // names the file
}

func (p *Plan) leave(file, format string, args ...any) {
	p.Left = append(p.Left, Left{file, fmt.Sprintf(format, args...)})
}

// add plans to write an entry that may be there as old.
func (p *Plan) add(e Entry, old *Entry) (err error) {
	if old != nil {
		e.Before, e.Made, e.Ended, e.Header, e.Folder = old.Before, old.Made, old.Ended, old.Header, old.Folder
	}
	if old == nil {
		e.Folder = missingFolder(filepath.Dir(e.File))
		p.inherit(&e)
	}
	made := e.Made
	written := false
	switch e.Kind {
	case KindBlock:
		written, err = p.addBlock(&e, old)
	case KindLink:
		written = p.addLink(&e, old)
	case KindGit:
		written, err = p.addGit(&e, old)
	default:
		err = fmt.Errorf("bug: no entry is of the kind %q", e.Kind)
	}
	if written {
		e.Made = e.Made || made
		p.entries = append(p.entries, e)
	} else if old != nil {
		p.entries = append(p.entries, *old)
	}
	return err
}

// inherit takes over what another ledger has made: who is uninstalled last removes it.
func (p *Plan) inherit(e *Entry) {
	for _, o := range p.others {
		e.Made = e.Made || o.Made && o.File == e.File
		if o.Folder != "" && strings.HasPrefix(e.File, o.Folder+"/") && (e.Folder == "" || len(o.Folder) < len(e.Folder)) {
			e.Folder = o.Folder
		}
	}
}

func (p *Plan) addBlock(e, old *Entry) (bool, error) {
	c, err := p.file(e.File)
	if err != nil {
		return false, err
	}
	if c.Has(e.Name) {
		switch {
		case strings.Contains(c.New, fence.Block(e.Name, e.Text)):
			return true, nil
		case old != nil && c.Replace(fence.Block(e.Name, old.Text), fence.Block(e.Name, e.Text)):
			return true, nil
		}
		p.leave(e.File, "the lines between the marks of %s were changed", e.Name)
		return false, nil
	}
	e.Made, e.Header, e.Ended = !c.There() && c.New == "", false, false
	if e.Under != "" {
		if c.Replace(e.Under+"\n", e.Under+"\n"+e.block()) {
			return true, nil
		}
		e.Header = true
	}
	// Behind the block of another ledger that has ended the last line, the last to go takes
	// that back.
	e.Ended = slices.ContainsFunc(p.others, func(o Entry) bool {
		return o.Ended && o.Kind == KindBlock && o.File == e.File && strings.HasSuffix(c.New, o.block())
	})
	e.Ended = c.Append(e.block()) || e.Ended
	return true, nil
}

func (p *Plan) addLink(e, old *Entry) bool {
	target, err := os.Readlink(e.File)
	switch absent := errors.Is(err, fs.ErrNotExist); {
	case err != nil && !absent:
		p.leave(e.File, "it is there, and no symbolic link")
		return false
	case target == e.Text:
		return true
	case old != nil && !absent && target != old.Text:
		p.leave(e.File, "it leads to %q now", target)
		return false
	case old == nil && !absent:
		e.Before = []string{target}
	}
	p.links = append(p.links, link{e.File, target, e.Text})
	return true
}

func (p *Plan) addGit(e, old *Entry) (bool, error) {
	c, err := p.file(e.File)
	if err != nil {
		return false, err
	}
	values, err := gitValues(c.New, e.Name)
	if err != nil {
		return false, err
	}
	switch {
	case slices.Equal(values, []string{e.Text}) && old != nil:
		return true, nil
	case old != nil && len(values) > 0 && !slices.Equal(values, []string{old.Text}):
		p.leave(e.File, "%s is %q now", e.Name, values)
		return false, nil
	case old == nil:
		e.Before, e.Made = values, !c.There() && c.New == ""
	}
	c.New, err = gitEdit(c.New, "--replace-all", e.Name, e.Text)
	return true, err
}

// remove plans to take out an entry.
func (p *Plan) remove(e Entry) error {
	var err error
	done := false
	switch e.Kind {
	case KindBlock:
		done, err = p.removeBlock(&e)
	case KindLink:
		target, wrong := os.Readlink(e.File)
		switch {
		case errors.Is(wrong, fs.ErrNotExist):
			done = true
		case wrong != nil || target != e.Text:
			p.leave(e.File, "it does not lead to %q any more", e.Text)
		default:
			done = true
			l := link{file: e.File, from: target}
			if len(e.Before) == 1 {
				l.to = e.Before[0]
			}
			p.links = append(p.links, l)
		}
	case KindGit:
		done, err = p.removeGit(&e)
	default:
		err = fmt.Errorf("%q has an entry of the kind %q, which this srt does not know", p.ledger.File, e.Kind)
	}
	if done {
		p.gone = append(p.gone, e)
	}
	// What is left is the user's from now on: the ledger forgets it.
	return err
}

func (p *Plan) removeBlock(e *Entry) (bool, error) {
	c, err := p.file(e.File)
	if err != nil {
		return false, err
	}
	last := strings.HasSuffix(c.New, e.block())
	switch {
	case c.Cut(e.block()):
	case e.Header && c.Cut(fence.Block(e.Name, e.Text)): // the header has other lines below it now
	case c.Has(e.Name):
		p.leave(e.File, "the lines between the marks of %s were changed", e.Name)
		return false, nil
	case !strings.Contains(e.Text, "\n") && c.Cut(e.Text+"\n"): // a tool that writes the file anew drops comments
	default:
		return true, nil // somebody has taken it out
	}
	shared := slices.ContainsFunc(p.others, func(o Entry) bool {
		return o.Kind == KindBlock && o.File == e.File && strings.HasSuffix(c.New, o.block())
	})
	if e.Ended && last && !shared {
		c.New = strings.TrimSuffix(c.New, "\n")
	}
	c.Remove = e.Made && c.New == ""
	return true, nil
}

func (p *Plan) removeGit(e *Entry) (bool, error) {
	c, err := p.file(e.File)
	if err != nil {
		return false, err
	}
	values, err := gitValues(c.New, e.Name)
	if err != nil {
		return false, err
	}
	if len(values) == 0 {
		return true, nil
	}
	if !slices.Equal(values, []string{e.Text}) {
		p.leave(e.File, "%s is %q now", e.Name, values)
		return false, nil
	}
	if len(e.Before) == 0 {
		c.New, err = gitEdit(c.New, "--unset-all", e.Name)
	} else {
		c.New, err = gitEdit(c.New, "--replace-all", e.Name, e.Before[0])
		for _, value := range e.Before[1:] {
			if err == nil {
				c.New, err = gitEdit(c.New, "--add", e.Name, value)
			}
		}
	}
	// git leaves the header of a section that it has made.
	section, _, _ := strings.Cut(e.Name, ".")
	if e.Made && strings.TrimSpace(c.New) == "["+section+"]" {
		c.New = ""
	}
	c.Remove = e.Made && c.New == ""
	return true, err
}

// Apply writes it. The ledger comes first, so that nothing is ever written that it does
// not know of.
func (p *Plan) Apply() error {
	known := slices.Clone(p.entries)
	for _, e := range p.gone {
		if !slices.ContainsFunc(known, func(o Entry) bool { return o.same(&e) }) {
			known = append(known, e)
		}
	}
	if err := p.ledger.write(known); err != nil {
		return err
	}
	for _, c := range p.files {
		if c.Same() {
			continue
		}
		if err := c.Write(); err != nil {
			return err //nolint:wrapcheck // names the file
		}
	}
	for _, l := range p.links {
		if err := l.apply(); err != nil {
			return err
		}
	}
	for _, e := range p.gone {
		removeFolders(filepath.Dir(e.File), e.Folder)
	}
	return p.ledger.write(p.entries)
}

func (l link) apply() error {
	if target, err := os.Readlink(l.file); l.from == "" && err == nil || l.from != target {
		return fmt.Errorf("%q was changed meanwhile", l.file)
	}
	if l.to == "" {
		return os.Remove(l.file) //nolint:wrapcheck // names the file
	}
	if err := os.MkdirAll(filepath.Dir(l.file), 0o755); err != nil { //nolint:gosec // as other programs make it
		return err //nolint:wrapcheck // names the folder
	}
	partial := l.file + ".new" + strconv.Itoa(os.Getpid())
	if err := os.Symlink(l.to, partial); err != nil {
		return err //nolint:wrapcheck // names the file
	}
	if err := os.Rename(partial, l.file); err != nil {
		_ = os.Remove(partial)
		return err //nolint:wrapcheck // likewise
	}
	return nil
}

func (l Ledger) write(entries []Entry) error {
	c, err := fence.Read(l.File)
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	if len(entries) == 0 {
		if !c.There() {
			return nil
		}
		c.New, c.Remove = "", true
		return c.Write() //nolint:wrapcheck // names the file
	}
	text, err := json.MarshalIndent(entries, "", "  ")
	if err != nil {
		return fmt.Errorf("bug: %w", err)
	}
	c.New = string(text) + "\n"
	if c.Same() {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(l.File), 0o700); err != nil {
		return err //nolint:wrapcheck // names the folder
	}
	return c.Write() //nolint:wrapcheck // names the file
}

// missingFolder is the topmost folder of a path that is not there, "" for none.
func missingFolder(dir string) string {
	missing := ""
	for {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			return missing
		}
		missing, dir = dir, filepath.Dir(dir)
	}
}

// removeFolders removes a folder and those above it up to top, as far as they are empty.
func removeFolders(dir, top string) {
	for top != "" && strings.HasPrefix(dir+"/", top+"/") && os.Remove(dir) == nil {
		dir = filepath.Dir(dir)
	}
}

// gitValues are the values of a key in a text of git configuration, none of those that
// it includes.
func gitValues(text, key string) ([]string, error) {
	out, _, err := gitConfig(text, "--null", "--get-all", key)
	if status, ok := errors.AsType[*exec.ExitError](err); ok && status.ExitCode() == 1 {
		return nil, nil // there is none
	}
	if err != nil || out == "" {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(out, "\x00"), "\x00"), nil
}

// gitEdit has git change a text of its configuration.
func gitEdit(text string, args ...string) (string, error) {
	_, after, err := gitConfig(text, args...)
	return after, err
}

// gitConfig runs git config on a copy.
func gitConfig(text string, args ...string) (out, after string, err error) {
	program, err := core.FindProgram("git")
	if err != nil {
		return "", "", err //nolint:wrapcheck // says what is not there
	}
	dir, err := os.MkdirTemp("", "srt-git-")
	if err != nil {
		return "", "", err //nolint:wrapcheck // names the folder
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "config")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", "", err //nolint:wrapcheck // names the file
	}
	cmd := exec.CommandContext(context.Background(), program, append([]string{"config", "--file", file, "--no-includes"}, args...)...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C"}
	cmd.Dir = dir
	answer, err := cmd.Output()
	if err != nil {
		return "", "", fmt.Errorf("git config %s: %w", strings.Join(args, " "), err)
	}
	changed, err := os.ReadFile(file)
	return string(answer), string(changed), err //nolint:wrapcheck // likewise
}
