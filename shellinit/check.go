package shellinit

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/core/fence"
)

// Startup is how a start-up file starts the integration.
type Startup struct {
	File    string
	Fence   bool   // it has lines between the marks of srt install
	Changed bool   // those are not as srt install writes them
	Own     bool   // a line outside of marks calls srt init
	Srt     string // the path that the lines name, "" for the srt on the PATH or when not known
}

// Set reports whether the file starts the integration, as far as its text tells.
func (s Startup) Set() bool { return s.Fence || s.Own }

// fenced is the path that is quoted in what written matches.
var fenced = sync.OnceValue(func() *regexp.Regexp { //nolint:gochecknoglobals // a constant, likewise
	return regexp.MustCompile(`"\$\('(.*)' init |; '(.*)' init fish`)
})

// LookStartup looks for the integration in the start-up file of a shell. A file that
// cannot be read has none.
func LookStartup(shell, home string, getenv func(string) string) Startup {
	s := Startup{File: StartFile(shell, home, getenv)}
	if c, err := fence.Read(s.File); err == nil {
		s.look(shell, c.Old)
	}
	if own := filepath.Join(filepath.Dir(filepath.Dir(s.File)), "config.fish"); shell == "fish" && !s.Set() {
		if c, err := fence.Read(own); err == nil {
			s.look(shell, c.Old)
			if s.Set() {
				s.File = own
			}
		}
	}
	return s
}

func (s *Startup) look(shell, text string) {
	s.Fence = strings.Contains(text, fence.Start(fenceName))
	block := written().FindString(text)
	s.Changed = s.Fence && block == ""
	if match := fenced().FindStringSubmatch(block); match != nil {
		if match[1] != "" {
			s.Srt = strings.ReplaceAll(match[1], `'\''`, "'")
		} else {
			s.Srt = strings.NewReplacer(`\\`, `\`, `\'`, "'").Replace(match[2])
		}
	}
	for line := range strings.Lines(text) {
		code, _, _ := strings.Cut(line, "#")
		s.Own = s.Own || !s.Fence && strings.Contains(strings.ReplaceAll(code, "'", ""), "srt init "+shell)
	}
}

// Faults are the shims that do not do what they are there for, by their names.
type Faults struct {
	Gone    []string // lead nowhere
	Other   []string // lead to another program than the srt that asks
	Foreign []string // are no links
	Missing []string // are not there, though their programs are on the PATH

	Target string // where the first of Gone, or else of Other, leads
}

// CheckShims looks at all shims, at those that no name stands for any more too.
func CheckShims(v Values) Faults {
	var f Faults
	self, _ := os.Stat(v.Srt)
	entries, _ := os.ReadDir(v.Shims) // without the folder all are missing
	var gone, other string
	for _, entry := range entries {
		file := filepath.Join(v.Shims, entry.Name())
		target, err := os.Readlink(file)
		if err != nil {
			f.Foreign = append(f.Foreign, entry.Name())
			continue
		}
		info, err := os.Stat(file)
		switch {
		case err != nil:
			f.Gone = append(f.Gone, entry.Name())
			gone = cmp.Or(gone, target)
		case self == nil || !os.SameFile(self, info):
			f.Other = append(f.Other, entry.Name())
			other = cmp.Or(other, target)
		}
	}
	f.Target = cmp.Or(gone, other)
	for _, name := range v.shimmed() {
		if _, err := os.Lstat(filepath.Join(v.Shims, name)); errors.Is(err, fs.ErrNotExist) {
			if _, err := core.FindProgram(name); err == nil {
				f.Missing = append(f.Missing, name)
			}
		}
	}
	slices.Sort(f.Missing)
	return f
}

// shimmed are the names that may have a shim.
func (v Values) shimmed() []string {
	var names []string
	for _, name := range v.Names {
		if !strings.Contains(name, "/") && (!interpreter(name) || name == "git" && slices.Contains(v.Whole, name)) {
			names = append(names, name)
		}
	}
	return names
}

// Before is a folder of the PATH that is searched before the shims.
type Before struct {
	Dir   string
	Names []string // those of its programs that srt stands in front of elsewhere
}

// CheckPath reports whether the shims are on the PATH, and which folders before them
// have programs of the same names.
func CheckPath(v Values, path string) (on bool, before []Before) {
	self, _ := os.Stat(v.Srt)
	for _, dir := range filepath.SplitList(path) {
		if dir == v.Shims {
			return true, before
		}
		b := Before{Dir: dir}
		for _, name := range v.shimmed() {
			info, err := os.Stat(filepath.Join(dir, name))
			if err == nil && !info.IsDir() && info.Mode()&0o111 != 0 && (self == nil || !os.SameFile(self, info)) {
				b.Names = append(b.Names, name)
			}
		}
		if b.Names != nil && !slices.ContainsFunc(before, func(have Before) bool { return have.Dir == dir }) {
			slices.Sort(b.Names)
			before = append(before, b)
		}
	}
	return false, before
}

// AliasHolds reports whether an alias still leads to a function or a shim: what it runs
// is one of the names, without a path, and behind nothing but words that a shim is found
// behind too.
func (v Values) AliasHolds(text string) bool {
	shim := false // a function is passed over, and only a shim is found
	for word := range strings.FieldsSeq(text) {
		word = strings.TrimPrefix(word, `\`)
		name, _, assigns := strings.Cut(word, "=")
		switch {
		case slices.Contains(v.Names, word):
			return !strings.Contains(word, "/") && (!shim || !interpreter(word))
		case assigns && plain(name) && name != "PATH":
		case slices.Contains([]string{"noglob", "nocorrect", "time"}, word):
		case slices.Contains([]string{"command", "env", "nice", "nohup", "exec"}, word):
			shim = true
		default:
			return false
		}
	}
	return false
}
