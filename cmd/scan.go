package cmd

import (
	"slices"
	"strconv"
	"strings"

	"github.com/srt-sh/srt/cmd/early"
	"github.com/srt-sh/srt/core/config"
)

// global holds the options that stand before the command or the verb.
type global struct {
	settings  *string // a pointer since an empty name is not none
	preset    *string
	line      string
	debug     bool
	controlFD int // 0: none
}

// runLine is what the command line says about a run: the bare form, -c and run.
type runLine struct {
	global
	flags config.Flags
	yes   bool
	// noProject leaves out what the repository brings along.
	noProject bool
	command   []string
}

// parsed is a command line, as far as scan reads it.
type parsed struct {
	verb    string // "" for the bare form
	help    bool   // help is asked for, about verb
	version bool
	run     runLine
	rest    []string // the words after a verb other than run
}

// scan reads a command line. What is typed all day, the bare form, -c and run, it
// reads to the end; any other verb is left to kong, whose model costs more to
// build than all that srt does before a sandbox starts. The options are those of
// tree; a test compares both readings.
//
// Options end at the first word that is none, or at --. A verb is one only in
// first place, so that a program of that name can be run behind -- or run.
func scan(args []string) (*parsed, error) {
	p := &parsed{}
	words, ended, err := p.options(args, false)
	if err != nil || p.help || p.version {
		return p, err
	}
	p.run.command = words
	// A line wins over words, as in the npm tool.
	if p.run.line != "" || ended || len(words) == 0 || !slices.Contains(early.Verbs[:], words[0]) {
		return p, nil
	}
	// Where rules are named, git is the program that they are for, as in the npm tool.
	if words[0] == "git" && (p.run.settings != nil || p.run.preset != nil) {
		return p, nil
	}
	p.verb, p.rest, p.run.command = words[0], words[1:], nil
	if p.verb == "run" {
		p.run.command, _, err = p.options(p.rest, true)
		p.rest = nil
	}
	return p, err
}

// options reads options and returns what follows them, and whether -- ended them.
func (p *parsed) options(args []string, run bool) (rest []string, ended bool, err error) {
	for len(args) > 0 {
		word := args[0]
		if word == "--" {
			return args[1:], true, nil
		}
		if len(word) < 2 || word[0] != '-' {
			break
		}
		args = args[1:]
		if strings.HasPrefix(word, "--") {
			name, value, joined := strings.Cut(word, "=")
			args, err = p.option(name, value, joined, args, run)
		} else {
			args, err = p.letters(word[1:], args, run)
		}
		if err != nil || p.help || p.version {
			return nil, false, err
		}
	}
	return args, false, nil
}

// letters reads a word of one-letter options; the value of one may be the rest of
// the word.
func (p *parsed) letters(letters string, args []string, run bool) ([]string, error) {
	for i := range len(letters) {
		name := "-" + letters[i:i+1]
		rest := letters[i+1:]
		_, flag := p.slot(name, run).(*bool)
		var err error
		if flag || rest == "" {
			args, err = p.option(name, "", false, args, run)
		} else {
			return p.option(name, rest, true, args, run)
		}
		if err != nil {
			return nil, err
		}
	}
	return args, nil
}

// option reads one option, whose value is joined to it or the next word. That of
// -c and the like may look as it wants; a path or a host that begins with a dash
// is a mistake, more likely than not.
func (p *parsed) option(name, value string, joined bool, args []string, run bool) ([]string, error) {
	slot := p.slot(name, run)
	if slot == nil {
		return nil, unknownOption(name, run)
	}
	if flag, ok := slot.(*bool); ok {
		if joined {
			return nil, usageError{text: sayNoValue(name)}
		}
		*flag = true
		return args, nil
	}
	if !joined {
		if len(args) == 0 {
			return nil, usageError{text: sayValueMissing(name)}
		}
		value, args = args[0], args[1:]
		if _, list := slot.(*[]string); list && len(value) > 1 && value[0] == '-' {
			return nil, usageError{text: sayValueMissing(name), hint: hintJoined(name, value)}
		}
	}
	switch slot := slot.(type) {
	case *string:
		*slot = value
	case **string:
		if value == "" {
			return nil, usageError{text: sayEmptyValue(name)}
		}
		*slot = &value
	case *[]string:
		*slot = append(*slot, value)
	case *int:
		n, err := controlNumber(value)
		if err != nil {
			return nil, err
		}
		*slot = n
	}
	return args, nil
}

// slot is where the value of an option goes, nil for one that there is not.
func (p *parsed) slot(name string, run bool) any {
	r := &p.run
	switch name {
	case "-s", "--settings":
		return &r.settings
	case "--preset":
		return &r.preset
	case "-c", "--line":
		return &r.line
	case "-d", "--debug":
		return &r.debug
	case "--control-fd":
		return &r.controlFD
	case "-h", "--help":
		return &p.help
	case "-V", "--version":
		return &p.version
	}
	if !run {
		return nil
	}
	switch name {
	case "--allow-write":
		return &r.flags.AllowWrite
	case "--deny-write":
		return &r.flags.DenyWrite
	case "--allow-read":
		return &r.flags.AllowRead
	case "--deny-read":
		return &r.flags.DenyRead
	case "--allow-domain":
		return &r.flags.AllowDomain
	case "--deny-domain":
		return &r.flags.DenyDomain
	case "--limit":
		return &r.flags.Limit
	case "--allow-weaker":
		return &r.flags.AllowWeaker
	case "--no-project":
		return &r.noProject
	case "--yes":
		return &r.yes
	}
	return nil
}

// controlNumber reads the number of a control descriptor; below 3 are the
// command's own streams.
func controlNumber(value string) (int, error) {
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil || n < 3 {
		return 0, usageError{text: sayControlNumber(value), status: statusFailed}
	}
	return int(n), nil
}

// usageError is a mistake in what was typed.
type usageError struct {
	text   string
	hint   string
	status int // 0: statusRefused
}

func (e usageError) Error() string { return e.text }

func unknownOption(name string, run bool) error {
	if !run && (&parsed{}).slot(name, true) != nil {
		return usageError{text: sayUnknownOption(name), hint: hintRunOption(name)}
	}
	return usageError{text: sayUnknownOption(name), hint: hintHelp}
}
