package core

import (
	"bytes"
	_ "embed" // the Python below
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/srt-sh/srt/core/preset"
	"github.com/srt-sh/srt/sandbox"
	"github.com/srt-sh/srt/sandbox/inner"
)

//go:embed builds.py
var buildsCode string

// BuildWall is the name by which pip starts srt in front of builds.
const BuildWall = "srt-build-wall"

// buildsStart is what Python is told to run; the rest is in its environment, where no
// build can look.
const buildsStart = `import os; exec(os.environ["SRT_PIP_CODE"])`

// buildsVariable hands a run's word on builds down to the wall.
const buildsVariable = "SRT_BUILDS"

// pipBoot is what buildsCode is told.
type pipBoot struct {
	Script string            `json:"script"` // the file that is pip, "" for the module
	Args   []string          `json:"args"`   // pip's
	Files  map[string]string `json:"files"`  // its settings, by where pip looks, and where they are
	Temp   string            `json:"tmp"`    // its folder for temporary files, which builds share
	Srt    string            `json:"srt"`
	Wall   string            `json:"wall"`
	Start  string            `json:"start"`
	Order  string            `json:"order"`  // a buildOrder
	Narrow string            `json:"narrow"` // one for what pip has unpacked
}

// buildOrder is what a run says about builds.
type buildOrder struct {
	Write []string `json:"write"`
	Temp  string   `json:"temp"` // the private folder of the run, with pip's settings
	Open  bool     `json:"open,omitempty"`
}

// password finds one in a URL. It is made at the first use, as all else that few runs
// need.
var password = sync.OnceValue(func() *regexp.Regexp { //nolint:gochecknoglobals // a constant
	return regexp.MustCompile(`://[^/@\s]+@`)
})

// builds prepares a run of pip whose settings hold the password of an index: pip gets
// it, and what pip builds does not. A pip without one runs as it is.
func (e *engine) builds(env *environment, self string) error {
	if !slices.Contains(e.parts, "pip") || e.spec.OpenFiles {
		return nil
	}
	form, known := pipForm(e.program, e.o.Args, e.o.Environ)
	secret := slices.ContainsFunc(e.o.Args[1:], password().MatchString)
	for _, name := range env.names {
		secret = secret || strings.HasPrefix(name, "PIP_") && password().MatchString(env.get(name))
	}
	boot := pipBoot{
		Script: form.script, Args: form.args, Files: map[string]string{}, Temp: filepath.Join(e.spec.TempDir, "builds"),
		Srt: self, Wall: BuildWall, Start: buildsStart,
	}
	user := PresetEnv(e.o.Home, e.o.Dir, env.get)
	names := preset.PipFiles(user)
	if len(form.python) > 0 {
		names = append(names, filepath.Join(filepath.Dir(filepath.Dir(form.python[0])), "pip.conf")) // of its environment
	}
	var rules []sandbox.PathRule
	var files []sandbox.File
	pol := e.policy.Load()
	for _, name := range names {
		if !filepath.IsAbs(name) || !pol.Read(name).Allow || boot.Files[name] != "" {
			continue
		}
		text, err := readSmall(name)
		if err != nil || !password().Match(text) || bytes.ContainsRune(text, 0) {
			continue
		}
		secret = true
		boot.Files[name] = filepath.Join(e.spec.TempDir, "pip", strconv.Itoa(len(files)))
		files = append(files, sandbox.File{Path: boot.Files[name], Data: string(text)})
		rules = append(rules, sandbox.PathRule{
			Op: sandbox.DenyRead, Path: name, Final: true, Reason: "it holds the password of an index, which pip gets in another way and builds do not",
		})
	}
	switch {
	case !secret:
		return nil
	case !known:
		e.o.Warnf("builds can read the password of your index: srt does not know how %q starts pip", e.program)
		return nil
	case e.cfg.NPM:
		e.o.Warnf("builds can read the password of your index: with settings in the npm form srt has no place for what only pip knows")
		return nil
	}
	if version, err := inner.Version(); err != nil || version < 2 {
		return &hintError{text: "builds would see the password of your index", err: inner.ErrNoLandlock, hint: "take the password out of pip's settings, or run pip without srt"}
	}
	order := buildOrder{Temp: e.spec.TempDir, Write: []string{boot.Temp}}
	for _, r := range e.spec.Rules {
		if r.Op == sandbox.AllowWrite && !r.Cache && r.Match == nil {
			order.Write = append(order.Write, r.Path)
		}
	}
	e.spec.Rules, e.spec.Files = append(e.spec.Rules, rules...), append(e.spec.Files, files...)
	text, err := json.Marshal(order)
	if err != nil {
		return fmt.Errorf("bug: %w", err)
	}
	boot.Order = string(text)
	// What was fetched has no business in the project, nor in the environment, where pip's
	// own code is.
	order.Write = []string{boot.Temp}
	if text, err = json.Marshal(order); err != nil {
		return fmt.Errorf("bug: %w", err)
	}
	boot.Narrow = string(text)
	if text, err = json.Marshal(boot); err != nil {
		return fmt.Errorf("bug: %w", err)
	}
	env.set("SRT_PIP", string(text))
	env.set("SRT_PIP_CODE", buildsCode)
	e.spec.Program, e.spec.Args = form.python[0], append(slices.Clone(form.python), "-c", buildsStart)
	return nil
}

// pipStart is how a command starts pip.
type pipStart struct {
	python []string // Python and its options
	script string   // the file that is pip, "" for the module
	args   []string // pip's
}

// pipForm takes a command that starts pip apart: a script of Python by the name of pip,
// python -m pip, or pip's runner.
func pipForm(program string, args, environ []string) (pipStart, bool) {
	if strings.HasPrefix(filepath.Base(args[0]), "python") {
		return pipModule(program, args[1:])
	}
	if !strings.HasPrefix(filepath.Base(args[0]), "pip") || filepath.Base(args[0]) == "pipx" {
		return pipStart{}, false
	}
	file, err := os.Open(program)
	if err != nil {
		return pipStart{}, false
	}
	defer func() { _ = file.Close() }()
	head := make([]byte, 512)
	n, _ := file.Read(head) // what is not there is no first line
	line, _, found := strings.Cut(string(head[:n]), "\n")
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	if !found || !strings.HasPrefix(line, "#!") || len(words) == 0 {
		return pipStart{}, false
	}
	if filepath.Base(words[0]) == "env" && len(words) == 2 {
		python, err := findCommand(words[1], "/", environ)
		if err != nil {
			return pipStart{}, false
		}
		words = []string{python}
	}
	if !filepath.IsAbs(words[0]) || !strings.HasPrefix(filepath.Base(words[0]), "python") {
		return pipStart{}, false
	}
	return pipStart{python: words, script: program, args: args[1:]}, true
}

// pipModule reads the words behind python.
func pipModule(program string, words []string) (pipStart, bool) {
	s := pipStart{python: []string{program}}
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case len(w) > 1 && w[0] == '-' && w[1] != '-':
			letters, module, found := strings.Cut(w[1:], "m")
			if strings.ContainsAny(letters, "cWX") {
				found = false
			}
			if !found {
				s.python = append(s.python, w)
				if (w == "-W" || w == "-X") && i+1 < len(words) {
					i++
					s.python = append(s.python, words[i])
				}
				continue
			}
			if letters != "" {
				s.python = append(s.python, "-"+letters)
			}
			if module == "" && i+1 < len(words) {
				i++
				module = words[i]
			}
			s.args = words[i+1:]
			return s, module == "pip"
		case filepath.Base(w) == "__pip-runner__.py":
			s.script, s.args = w, words[i+1:]
			return s, true
		default:
			return s, false
		}
	}
	return s, false
}

// ExecBuild becomes a program that pip starts, behind the inner wall: args are its file
// and its words, the name that it is called by first. It is for a process that is
// [Inside] a sandbox already, and returns only on failure.
func ExecBuild(args []string) error {
	environ := os.Environ()
	text, set := lookupEnv(environ, buildsVariable)
	var order buildOrder
	if !set || len(args) < 2 || !Inside() {
		return fmt.Errorf("%w: %s is for pip in a sandbox", ErrScriptWall, BuildWall)
	}
	if err := json.Unmarshal([]byte(text), &order); err != nil || order.Temp == "" {
		return errors.Join(fmt.Errorf("%w: reading %s", ErrScriptWall, buildsVariable), err)
	}
	program, err := findCommand(args[0], ".", environ)
	if err != nil {
		return err
	}
	environ = slices.DeleteFunc(environ, func(e string) bool { return strings.HasPrefix(e, buildsVariable+"=") })
	return becomeScript(inner.Rules{Write: order.Write, Closed: order.Temp, OpenFiles: order.Open}, program, args[1:], environ)
}
