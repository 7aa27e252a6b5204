package core

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/sandbox"
)

// What is read of a git configuration. git itself is never asked: it would run
// what the configuration says.
const (
	maxGitConfig   = 1 << 20 // bytes of one file
	maxGitIncludes = 10      // files that include each other, git's own limit (config.c, MAX_INCLUDE_DEPTH)
	maxGitFiles    = 100
)

// gitEntry is one variable of a configuration file, named as git names it: the
// section and the key in lower case, a subsection in quotes as it is spelled.
type gitEntry struct {
	name  string
	value string
	set   bool // false: the key stands alone, without a =
	line  int
}

// parseGitConfig reads a configuration file as git does (config.c; git-config(1),
// "Syntax"). What git refuses is refused, so that nothing is read in another way
// than by git.
func parseGitConfig(data []byte) ([]gitEntry, error) {
	text := strings.TrimPrefix(string(data), "\ufeff")
	p := gitParser{text: strings.ReplaceAll(text, "\r\n", "\n"), line: 1}
	if strings.IndexByte(p.text, 0) >= 0 {
		return nil, errors.New("it has a NUL")
	}
	var entries []gitEntry
	section := ""
	for {
		c := p.next()
		switch {
		case p.eof:
			return entries, nil
		case gitSpace(c):
		case c == '#' || c == ';':
			p.comment()
		case c == '[':
			name, ok := p.section()
			if !ok {
				return nil, fmt.Errorf("line %d: no valid section", p.line)
			}
			section = name + "."
		case gitLetter(c):
			e := gitEntry{line: p.line}
			p.back()
			name := p.word(false)
			var ok bool
			if e.value, e.set, ok = p.value(); !ok {
				return nil, fmt.Errorf("line %d: no valid value of %s", e.line, name)
			}
			e.name = section + name
			entries = append(entries, e)
			// Old versions of git make every white space outside of quotes a blank.
			if spaced := strings.NewReplacer("\t", " ", "\r", " ").Replace(e.value); spaced != e.value {
				e.value = spaced
				entries = append(entries, e)
			}
		default:
			return nil, fmt.Errorf("line %d: neither a section nor a key", p.line)
		}
	}
}

type gitParser struct {
	text string
	at   int
	line int
	eof  bool
}

// next gives the next byte. The end counts as the end of a line.
func (p *gitParser) next() byte {
	if p.at >= len(p.text) {
		p.eof = true
		p.at = len(p.text) + 1
		return '\n'
	}
	c := p.text[p.at]
	p.at++
	if c == '\n' {
		p.line++
	}
	return c
}

// back makes next give the last byte again.
func (p *gitParser) back() {
	p.at--
	p.eof = false
	if p.at < len(p.text) && p.text[p.at] == '\n' {
		p.line--
	}
}

// gitSpace is git's own isspace, in every locale (git-compat-util.h).
func gitSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func gitLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// comment passes over the rest of the line.
func (p *gitParser) comment() {
	for c := p.next(); c != '\n'; {
		c = p.next()
	}
	p.back()
}

// word reads the characters of a key or, with dots, of a section's name.
func (p *gitParser) word(dots bool) string {
	start := p.at
	for {
		c := p.next()
		if !gitLetter(c) && (c < '0' || c > '9') && c != '-' && (!dots || c != '.') {
			p.back()
			return strings.ToLower(p.text[start:p.at])
		}
	}
}

// section reads what follows a [.
func (p *gitParser) section() (string, bool) {
	name := p.word(true)
	c := p.next()
	if c == ']' {
		return name, name != ""
	}
	if !gitSpace(c) {
		return "", false
	}
	for c != '\n' && gitSpace(c) {
		c = p.next()
	}
	if c != '"' {
		return "", false
	}
	var sub strings.Builder
	for {
		switch c = p.next(); c {
		case '\n':
			return "", false
		case '"':
			return name + "." + sub.String(), p.next() == ']'
		case '\\':
			if c = p.next(); c == '\n' {
				return "", false
			}
		}
		sub.WriteByte(c)
	}
}

// value reads what follows a key, to the end of the line. set tells whether there
// is a =.
func (p *gitParser) value() (value string, set, ok bool) {
	c := p.next()
	for c == ' ' || c == '\t' {
		c = p.next()
	}
	if c != '=' {
		return "", false, c == '\n'
	}
	var b strings.Builder
	quoted, comment := false, false
	end := 0 // the length without white space that may turn out to be at the end
	for {
		c := p.next()
		switch {
		case c == '\n' && quoted:
			return "", false, false
		case c == '\n':
			return b.String()[:end], true, true
		case comment:
			continue
		case gitSpace(c) && !quoted:
			if b.Len() > 0 {
				b.WriteByte(c)
			}
			continue
		case (c == '#' || c == ';') && !quoted:
			comment = true
			continue
		case c == '\\':
			switch c = p.next(); c {
			case '\n':
				if p.eof {
					p.back()
				}
			case 't':
				b.WriteByte('\t')
			case 'b':
				b.WriteByte('\b')
			case 'n':
				b.WriteByte('\n')
			case '\\', '"':
				b.WriteByte(c)
			default:
				return "", false, false
			}
		case c == '"':
			quoted = !quoted
		default:
			b.WriteByte(c)
		}
		end = b.Len()
	}
}

// gitPaths finds what git's configuration names and git would run or obey: the
// folders of hooks and the files that are included. It takes every condition of
// an include for true, and every value of a key for the one that counts.
type gitPaths struct {
	home string
	get  func(name string) string // of the user's environment

	general *gitSettings // of the user and the system, when they have been read
}

// gitSettings are the values of some files.
type gitSettings struct {
	hooks     []string // core.hooksPath, as spelled but with ~ expanded
	templates []string // init.templateDir, likewise
	attrs     []string // core.attributesFile, likewise
	commands  []gitEntry
	worktrees []string // core.worktree
	included  []string // files, absolute
	seen      map[string]bool
}

// of names the paths to protect for the repository whose .git, a folder or a
// pointer, is given; for "" those of the user's and the system's configuration.
func (g *gitPaths) of(dotGit string) ([]sandbox.RepoPath, error) {
	if g.general == nil {
		s := &gitSettings{seen: map[string]bool{}}
		for _, name := range g.generalFiles() {
			if err := g.read(s, name, 0, true); err != nil {
				return nil, err
			}
		}
		g.general = s
	}
	if dotGit == "" {
		return g.general.paths(g, nil, nil), nil
	}
	dir, common, err := gitDirs(dotGit)
	if err != nil || dir == "" {
		return nil, err
	}
	s, err := g.repository(dir, common)
	if err != nil {
		return nil, err
	}
	// Hooks run in the work tree, or in the git folder for a push.
	bases := []string{filepath.Dir(dotGit), dir}
	if common != dir {
		bases = append(bases, common)
	}
	for _, tree := range s.worktrees {
		if !filepath.IsAbs(tree) {
			tree = filepath.Join(common, tree)
		}
		bases = append(bases, tree)
	}
	return s.paths(g, bases, g.general), nil
}

// protect names all that is to protect for a repository: what of says, and a part of a
// git folder that its work tree does not have. With all of them, and without .git/HEAD,
// the work tree would be a repository in itself, whose configuration nothing protects.
// HEAD comes last: a file of that name would make git ask which of the two is meant.
func (g *gitPaths) protect(dotGit string) ([]sandbox.RepoPath, error) {
	paths, err := g.of(dotGit)
	if err != nil || filepath.Base(dotGit) != ".git" {
		return paths, err
	}
	for _, part := range []string{"refs", "objects", "HEAD"} {
		if part = filepath.Join(filepath.Dir(dotGit), part); !exists(part) {
			paths = append(paths, sandbox.RepoPath{Path: part, Absent: sandbox.PlaceholderSocket, Reason: "with it, the folder could be a repository of its own"})
			break
		}
	}
	return paths, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// repository reads what the configuration of a repository says.
func (g *gitPaths) repository(dir, common string) (*gitSettings, error) {
	s := &gitSettings{seen: map[string]bool{}}
	names := []string{filepath.Join(common, "config"), filepath.Join(common, "config.worktree")}
	if dir != common {
		names = append(names, filepath.Join(dir, "config.worktree"))
	}
	for _, name := range names {
		if err := g.read(s, name, 0, false); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// runs says what git would run in a new repository as its configuration says. Where a
// known folder has the configuration, only what a work tree adds to it counts.
func (g *gitPaths) runs(dotGit string, known func(dir string) bool) []string {
	dir, common, err := gitDirs(dotGit)
	if err == nil && dir == "" {
		return nil
	}
	s := &gitSettings{seen: map[string]bool{}}
	switch {
	case err != nil:
	case known(common) && dir == common:
		return nil
	case known(common):
		err = g.read(s, filepath.Join(dir, "config.worktree"), 0, false)
	default:
		s, err = g.repository(dir, common)
	}
	if err != nil {
		return []string{"a new repository, whose configuration srt cannot read"}
	}
	keys := s.risky()
	if len(keys) == 0 {
		return nil
	}
	return []string{"a new repository, in which git runs what its configuration says (" + strings.Join(keys, ", ") + ")"}
}

// risky names the keys that git would run something for. What the installer of
// git-lfs writes is left out.
func (s *gitSettings) risky() []string {
	var keys []string
	for _, e := range s.commands {
		if !usualValue(e.name, e.value) && !slices.Contains(keys, e.name) {
			keys = append(keys, e.name)
		}
	}
	if len(s.hooks) > 0 {
		keys = append(keys, "core.hookspath")
	}
	if len(s.included) > 0 {
		keys = append(keys, "include.path")
	}
	return keys
}

// includes reports whether a key names a file to read further settings from.
func includes(key string) bool {
	return key == "include.path" || strings.HasPrefix(key, "includeif.") && strings.HasSuffix(key, ".path")
}

// runsValue reports whether git runs the value of a key.
func runsValue(key, value string) bool {
	switch key {
	case "core.fsmonitor", "core.sshcommand", "core.editor", "core.pager", "core.askpass", "core.gitproxy", "core.alternaterefscommand",
		"sequence.editor", "diff.external", "interactive.difffilter", "uploadpack.packobjectshook", "gpg.program", "credential.helper",
		"trailer.command", "gc.recentobjectshook", "imap.tunnel", "instaweb.httpd", "lfs.standalonetransferagent":
		return true
	case "protocol.allow":
		return value == "always" // of ext:: too, whose URL is a command
	}
	section, rest, _ := strings.Cut(key, ".")
	name := rest[strings.LastIndexByte(rest, '.')+1:]
	switch section {
	case "alias":
		// The words of an alias may be options of git itself, such as -c.
		return strings.HasPrefix(value, "!") || strings.HasPrefix(strings.TrimSpace(value), "-")
	case "hook":
		return name == "command" // git 2.54, whatever the event
	case "tar":
		return name == "command"
	case "svn":
		return name == "authorsprog"
	case "guitool":
		return name == "cmd"
	case "protocol":
		return name == "allow" && value == "always" && strings.HasPrefix(rest, "ext.")
	case "lfs":
		return strings.HasPrefix(rest, "customtransfer.") && name == "path" || strings.HasPrefix(rest, "extension.") && (name == "clean" || name == "smudge")
	case "sendemail":
		return slices.Contains([]string{"sendmailcmd", "tocmd", "cccmd", "headercmd"}, name) || name == "smtpserver" && filepath.IsAbs(value)
	case "pager":
		return true
	case "filter":
		return name == "clean" || name == "smudge" || name == "process"
	case "diff":
		return name == "command" || name == "textconv"
	case "merge":
		return name == "driver"
	case "difftool", "mergetool", "browser", "man":
		return name == "cmd" || name == "path"
	case "gpg":
		return name == "program" || name == "defaultkeycommand"
	case "credential":
		return name == "helper"
	case "submodule":
		return name == "update" && strings.HasPrefix(value, "!")
	case "remote":
		return name == "uploadpack" || name == "receivepack" || name == "vcs"
	case "trailer":
		return name == "command" || name == "cmd"
	}
	return false
}

// commandFiles are the files that a command names, such as the script of a filter: the
// parts of its line that are one. Relative paths begin in the work tree.
func (g *gitPaths) commandFiles(line string, bases []string) []string {
	var files []string
	for i, word := range strings.FieldsFunc(strings.TrimPrefix(line, "!"), func(c rune) bool {
		return strings.ContainsRune(" \t\n\"'`;|&()<>=$", c)
	}) {
		paths := []string{word}
		switch rest, home := strings.CutPrefix(word, "~/"); {
		case home:
			paths[0] = filepath.Join(g.home, rest)
		case filepath.IsAbs(word):
		case i == 0 && !strings.Contains(word, "/"):
			continue // looked for on the PATH
		default:
			paths = nil
			for _, base := range bases {
				paths = append(paths, filepath.Join(base, word))
			}
		}
		for _, path := range paths {
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				files = append(files, filepath.Clean(path))
			}
		}
	}
	return files
}

// generalFiles are the files of the system and of the user (git-config(1),
// "Files").
func (g *gitPaths) generalFiles() []string {
	names := []string{"/etc/gitconfig", "/usr/local/etc/gitconfig", "/opt/homebrew/etc/gitconfig"}
	if name := g.get("GIT_CONFIG_SYSTEM"); filepath.IsAbs(name) {
		names = append(names, name)
	}
	if name := g.get("GIT_CONFIG_GLOBAL"); filepath.IsAbs(name) {
		names = append(names, name)
	}
	config := g.get("XDG_CONFIG_HOME")
	if config == "" {
		config = filepath.Join(g.home, ".config")
	}
	for _, name := range []string{filepath.Join(config, "git", "config"), filepath.Join(g.home, ".gitconfig")} {
		if filepath.IsAbs(name) {
			names = append(names, name)
		}
	}
	return names
}

// gitDirs finds the git folder of a work tree and the one that it shares with
// others. Both are "" where there is no repository.
func gitDirs(dotGit string) (dir, common string, err error) {
	info, err := os.Stat(dotGit)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ELOOP):
		return "", "", nil
	case err != nil:
		return "", "", fmt.Errorf("looking at %q: %w", dotGit, err)
	case info.IsDir():
		dir = dotGit
	case !info.Mode().IsRegular():
		return "", "", nil // git takes nothing else
	default:
		text, err := readGitFile(dotGit)
		if err != nil {
			return "", "", err
		}
		target, ok := strings.CutPrefix(strings.TrimRight(text, "\r\n"), "gitdir: ")
		if !ok || target == "" {
			return "", "", nil // git takes it for no repository
		}
		dir = resolveFrom(filepath.Dir(dotGit), target)
	}
	common = dir
	text, err := readGitFile(filepath.Join(dir, "commondir"))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
	case err != nil:
		return "", "", err
	default:
		if target := strings.TrimRight(text, "\r\n"); target != "" {
			common = resolveFrom(dir, target)
		}
	}
	return dir, common, nil
}

func resolveFrom(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// readGitFile reads a small regular file, and waits for no other.
func readGitFile(name string) (string, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ENXIO) {
		// A socket: the placeholder of another run, where there is no such file.
		return "", fs.ErrNotExist
	}
	if err != nil {
		return "", err //nolint:wrapcheck // names the file
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return "", err //nolint:wrapcheck // likewise
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%q is no regular file", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxGitConfig+1))
	if err == nil && len(data) > maxGitConfig {
		err = fmt.Errorf("%q is larger than %d MiB", name, maxGitConfig>>20)
	}
	return string(data), err
}

// read adds what a file says, and the files that it includes. One that is not
// there says nothing; git itself passes over a file of the user that may not be
// read.
func (g *gitPaths) read(s *gitSettings, name string, depth int, general bool) error {
	if s.seen[name] || name == os.DevNull { // the latter is how a user says that there is none
		return nil
	}
	if depth > maxGitIncludes || len(s.seen) >= maxGitFiles {
		return fmt.Errorf("git's configuration includes too many files, such as %q", name)
	}
	s.seen[name] = true
	text, err := readGitFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR),
		general && depth == 0 && errors.Is(err, fs.ErrPermission):
		return nil
	case err != nil:
		return fmt.Errorf("reading git's configuration: %w", err)
	}
	entries, err := parseGitConfig([]byte(text))
	if err != nil {
		return fmt.Errorf("reading git's configuration %q: %w", name, err)
	}
	for _, e := range entries {
		include := includes(e.name)
		if runsValue(e.name, e.value) {
			s.commands = append(s.commands, e)
		}
		if !include && e.name != "core.hookspath" && e.name != "core.worktree" && e.name != "core.attributesfile" && e.name != "init.templatedir" {
			continue
		}
		path, err := g.expand(e)
		if err != nil {
			return fmt.Errorf("reading git's configuration %q: line %d: %s: %w", name, e.line, e.name, err)
		}
		switch {
		case include:
			path = resolveFrom(filepath.Dir(name), path)
			s.included = append(s.included, path)
			if err := g.read(s, path, depth+1, general); err != nil {
				return err
			}
		case e.name == "core.attributesfile":
			s.attrs = append(s.attrs, path)
		case e.name == "init.templatedir":
			s.templates = append(s.templates, path)
		case e.name == "core.worktree":
			s.worktrees = append(s.worktrees, path)
		default:
			s.hooks = append(s.hooks, path)
		}
	}
	return nil
}

// expand reads a value as a path (git-config(1), "pathname").
func (g *gitPaths) expand(e gitEntry) (string, error) {
	path := strings.TrimPrefix(e.value, ":(optional)")
	name, rest, _ := strings.Cut(path, "/")
	switch {
	case !e.set:
		return "", errors.New("the key has no value")
	case strings.HasPrefix(path, "%(prefix)"):
		return "", errors.New("srt does not know the folder that %(prefix) stands for")
	case !strings.HasPrefix(path, "~"):
		return path, nil
	case name == "~" && filepath.IsAbs(g.home):
		return filepath.Join(g.home, rest), nil
	case name == "~":
		return "", errors.New("there is no home folder")
	}
	other, err := user.Lookup(name[1:])
	if err != nil {
		return "", fmt.Errorf("finding the home folder of %q: %w", name, err)
	}
	return filepath.Join(other.HomeDir, rest), nil
}

// paths are what the settings, and those that hold in every repository, name. A
// relative path is one below each of the bases.
func (s *gitSettings) paths(g *gitPaths, bases []string, general *gitSettings) []sandbox.RepoPath {
	var out []sandbox.RepoPath
	known := map[string]bool{}
	add := func(path string, form sandbox.Placeholder, reason string) {
		if !known[path] {
			known[path] = true
			out = append(out, sandbox.RepoPath{Path: path, Absent: form, Reason: reason})
		}
	}
	addFrom := func(path string, form sandbox.Placeholder, reason string) {
		if filepath.IsAbs(path) {
			add(path, form, reason)
			return
		}
		for _, base := range bases {
			add(filepath.Join(base, path), form, reason)
		}
	}
	hooks, attrs, commands := s.hooks, s.attrs, s.commands
	if general != nil {
		hooks, attrs, commands = slices.Concat(hooks, general.hooks), slices.Concat(attrs, general.attrs), slices.Concat(commands, general.commands)
	}
	for _, path := range hooks {
		if filepath.IsAbs(path) || path == "" {
			path = filepath.Clean("/" + path)
		}
		addFrom(path, sandbox.PlaceholderDir, "git runs hooks from there, as core.hooksPath says")
	}
	for _, path := range attrs {
		addFrom(path, sandbox.PlaceholderFile, "git takes attributes from there, as core.attributesFile says")
	}
	for _, e := range commands {
		for _, path := range g.commandFiles(e.value, bases) {
			add(path, sandbox.NoPlaceholder, "git runs it, as "+e.name+" says")
		}
	}
	for _, path := range s.templates {
		if filepath.IsAbs(path) {
			add(path, sandbox.PlaceholderDir, "git copies hooks from there, as init.templateDir says")
		}
	}
	for _, path := range s.included {
		add(path, sandbox.PlaceholderFile, "git's configuration includes it")
	}
	return out
}
