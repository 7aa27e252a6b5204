package hooks

import (
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Dir is the folder for links to srt that a guard needs, for an environment. Nothing in
// a sandbox may write it.
func Dir(home string, getenv func(string) string) string {
	data := getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(data) {
		data = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(data, "srt", "hooks")
}

// The names that srt is called by where it stands for something that is no program.
const (
	PipPython   = "python-for-pip" // the Python that pip is to run itself with
	RecipeShell = "recipe-shell"   // the shell of make's recipes
)

// Guard is what an install writes for a tool.
type Guard struct {
	Tool  string // "pip"
	Home  string
	Srt   string   // what links lead to
	Names []string // the programs that there are shims for, where they are installed
	// Recipes puts each recipe of make into a sandbox of its own too, see RecipeShell.
	Recipes bool
	Getenv  func(string) string
}

// PipNames are the programs of Python that install or build packages.
func PipNames() []string {
	return []string{"pip", "pip3", "pipx", "uv", "uvx", "poetry", "pdm", "pyproject-build"}
}

// MakeNames are the programs that run recipes.
func MakeNames() []string {
	return []string{"make", "gmake", "cmake", "ctest", "cpack", "ninja", "just"}
}

// Shims is the folder of a guard's shims, which stands first on the PATH. It is not that
// of the shell integration, whose shims are for more names and go with it.
func (g Guard) Shims() string { return filepath.Join(Dir(g.Home, g.Getenv), g.Tool) }

// mark is what stands in the marks of blocks.
func (g Guard) mark() string { return "srt hook " + g.Tool }

// Entries are what is to be written.
func (g Guard) Entries() ([]Entry, error) {
	var settings []Setting
	var out []Entry
	link := func(file string) { out = append(out, Entry{Kind: KindLink, File: file, Text: g.Srt}) }
	for _, name := range g.Names {
		// A shim for a program that is not there would make scripts believe that it is.
		if installed(name) {
			link(filepath.Join(g.Shims(), name))
		}
	}
	dir := Dir(g.Home, g.Getenv)
	if g.Tool == "pip" && runtime.GOOS == "linux" {
		python := filepath.Join(dir, PipPython)
		link(python)
		settings = append(settings, Setting{Name: "PIP_PYTHON", Value: python})
		conf, err := pipConfEntry(g, python)
		if err != nil {
			return nil, err
		}
		out = append(out, conf)
	}
	if g.Recipes {
		shell := filepath.Join(dir, RecipeShell)
		link(shell)
		settings = append(settings, Setting{Name: "MAKEFLAGS", Value: "SHELL=" + escapeMake(shell), Keep: true})
	}
	login, err := LoginEnv(g.mark(), g.Shims(), settings, g.Home, g.Getenv)
	return slices.Concat(out, login), err
}

// escapeMake spells a word of MAKEFLAGS, where a backslash takes the meaning of what
// follows and $ begins a reference.
func escapeMake(word string) string {
	return strings.NewReplacer(`\`, `\\`, " ", `\ `, "$", "$$", "#", `\#`).Replace(word)
}
