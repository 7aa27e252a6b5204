package core

import (
	"path/filepath"
	"slices"
	"strings"
)

// npmrc is what matters here of a file of npm's settings, an ini file
// (https://docs.npmjs.com/cli/configuring-npm/npmrc).
type npmrc struct {
	secrets []string // values that are credentials, as they stand there
	vars    []string // variables that its credentials are taken from
	values  map[string]npmrcValue
	body    string // the lines before any section, which alone are settings
}

// npmrcValue is a setting and its line.
type npmrcValue struct {
	text string
	line int
}

// credentialKey reports whether a key of npm's holds a secret. Those of one registry
// have its address in front.
func credentialKey(key string) bool {
	if i := strings.LastIndexByte(key, ':'); strings.HasPrefix(key, "//") && i >= 0 {
		key = key[i+1:]
	}
	switch strings.ToLower(strings.ReplaceAll(key, "-", "_")) {
	case "_authtoken", "_auth", "_password", "authtoken", "key", "otp", "tokenhelper":
		return true
	}
	return false
}

// urlPassword reports whether a value is a URL with a password in it, as that of a
// registry or of a proxy can have.
func urlPassword(value string) bool {
	return strings.Contains(value, "://") && strings.Contains(value, "@") && password().MatchString(value)
}

// parseNpmrc reads a file; what is malformed is passed over, as npm does.
func parseNpmrc(text string) npmrc {
	rc := npmrc{values: map[string]npmrcValue{}}
	n := 0
	for line := range strings.Lines(text) {
		n++
		word := strings.TrimSpace(line)
		if strings.HasPrefix(word, "[") {
			break
		}
		rc.body += line
		if word == "" || word[0] == ';' || word[0] == '#' {
			continue
		}
		key, value, found := strings.Cut(word, "=")
		key = strings.TrimSuffix(unquoteIni(key), "[]")
		value = unquoteIni(value)
		if !found {
			value = "true"
		}
		rc.values[key] = npmrcValue{value, n}
		if value == "" || !credentialKey(key) && !urlPassword(value) {
			continue
		}
		names, literal := references(value)
		rc.vars = append(rc.vars, names...)
		if literal {
			rc.secrets = append(rc.secrets, value)
		}
	}
	if rc.body != "" && !strings.HasSuffix(rc.body, "\n") {
		rc.body += "\n"
	}
	return rc
}

// unquoteIni takes quotes off, and a comment that follows an unquoted word.
func unquoteIni(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	if i := strings.IndexAny(s, ";#"); i >= 0 {
		s = strings.TrimSpace(s[:i])
	}
	return s
}

// references gives the names of ${NAME} and ${NAME?} in a value, and whether there is
// anything besides.
func references(value string) (names []string, literal bool) {
	for {
		before, rest, found := strings.Cut(value, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			return names, literal || value != ""
		}
		literal = literal || before != ""
		// A default may follow the name.
		if i := strings.IndexAny(name, "?:-"); i >= 0 {
			literal = literal || strings.Trim(name[i:], "?:-") != ""
			name = name[:i]
		}
		names = append(names, name)
		value = after
	}
}

// get gives the last of several settings of a key.
func (rc *npmrc) get(key string) string { return rc.values[key].text }

// npmFile is a file of npm's settings that was found.
type npmFile struct {
	path    string
	project bool
	npmrc
}

// npmFiles reads npm's settings for a folder, those that count least first: the
// machine's, the user's, and those of the folders from the top of the repository down.
func npmFiles(home, dir string, getenv func(string) string, read func(string) ([]byte, error)) []npmFile {
	variable := func(name string) string {
		for _, n := range []string{"npm_config_" + name, "NPM_CONFIG_" + strings.ToUpper(name)} {
			if v := getenv(n); filepath.IsAbs(v) {
				return filepath.Clean(v)
			}
		}
		return ""
	}
	places := []string{"/usr/etc/npmrc", "/usr/local/etc/npmrc", "/etc/npmrc"}
	if prefix := variable("prefix"); prefix != "" {
		places = []string{filepath.Join(prefix, "etc/npmrc")}
	}
	if global := variable("globalconfig"); global != "" {
		places = []string{global}
	}
	config := getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(config) {
		config = filepath.Join(home, ".config")
	}
	// pnpm's own.
	places = append(places, filepath.Join(config, "pnpm/rc"), filepath.Join(config, "pnpm/auth.ini"))
	user := variable("userconfig")
	if user == "" {
		user = filepath.Join(home, ".npmrc")
	}
	places = append(places, user)
	first := len(places)
	for at := filepath.Clean(dir); at != "/" && at != home; at = filepath.Dir(at) {
		if p := filepath.Join(at, ".npmrc"); !slices.Contains(places, p) {
			places = slices.Insert(places, first, p)
		}
	}
	var out []npmFile
	for i, p := range places {
		if text, err := read(p); err == nil {
			out = append(out, npmFile{path: p, project: i >= first, npmrc: parseNpmrc(string(text))})
		}
	}
	return out
}

// scriptShellOf is the shell that npm's settings name for scripts, "" where they name
// none: the word of the strongest file.
func scriptShellOf(files []npmFile) string {
	for _, f := range slices.Backward(files) {
		if shell := f.get("script-shell"); shell != "" && filepath.Base(shell) != ScriptShell {
			return shell
		}
	}
	return ""
}

// Undoing is a setting of a project with which it has npm or pnpm themselves run
// something, or its scripts run by another shell than srt.
type Undoing struct {
	File string
	Line int
	Text string // as it stands there
	What string // what it does
	Held bool   // a run puts it right; else it does what it says
}

// undoings looks for such settings.
func undoings(files []npmFile) []Undoing {
	var out []Undoing
	for _, f := range files {
		if !f.project {
			continue
		}
		for _, key := range []struct {
			name, what string
			held       bool
		}{
			{"git", "npm runs it by itself", true},
			{"init-module", "npm init runs it by itself", true},
			{"init.module", "npm init runs it by itself", true},
			{"shell-emulator", "pnpm runs scripts by itself, in no shell", true},
		} {
			v, set := f.values[key.name]
			if set && (key.name != "shell-emulator" || v.text == "true") && (key.name != "git" || v.text != "git") {
				out = append(out, Undoing{File: f.path, Line: v.line, Text: key.name + " = " + v.text, What: key.what, Held: key.held})
			}
		}
	}
	return out
}

// workspaceUndoings looks into pnpm-workspace.yaml, whose settings beat the environment
// in pnpm 10, from a folder up.
func workspaceUndoings(dir, home string, read func(string) ([]byte, error)) []Undoing {
	var out []Undoing
	for at := filepath.Clean(dir); at != "/" && at != home; at = filepath.Dir(at) {
		file := filepath.Join(at, "pnpm-workspace.yaml")
		text, err := read(file)
		if err != nil {
			continue
		}
		n := 0
		for line := range strings.Lines(string(text)) {
			n++
			key, value, found := strings.Cut(strings.TrimSpace(line), ":")
			key, value = strings.Trim(key, `"' `), strings.Trim(strings.TrimSpace(value), `"'`)
			switch {
			case !found || line[0] == ' ' || line[0] == '\t':
			case key == "shellEmulator" && value == "true", key == "scriptShell" && value != "" && filepath.Base(value) != ScriptShell:
				out = append(out, Undoing{File: file, Line: n, Text: key + ": " + value, What: "pnpm 10 runs scripts past srt, inside of its own sandbox only"})
			}
		}
	}
	return out
}
