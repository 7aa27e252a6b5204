package cmd

import (
	"errors"
	"io"

	"github.com/alecthomas/kong"

	"github.com/srt-sh/srt/core/config"
)

// tree is the command line: its help, and all that is not read by scan.
type tree struct {
	globalFlags
	Help    helpFlag    `short:"h" help:"Show this."`
	Version versionFlag `short:"V" help:"Show the version."`

	Bare       bareVerb       `cmd:"" hidden:"" default:"withargs" help:"Run a command in a sandbox."`
	Run        runVerb        `cmd:"" help:"Run a command in a sandbox, with rules of its own."`
	Route      routeVerb      `cmd:"" help:"Run a command in a sandbox if a rule or a preset matches it, else as it is."`
	Git        gitVerb        `cmd:"" help:"Run git with its hooks in a sandbox."`
	Init       initVerb       `cmd:"" help:"Print the integration of a shell, for its start-up file."`
	Install    installVerb    `cmd:"" help:"Put the integration into the start-up file of your shell."`
	Uninstall  uninstallVerb  `cmd:"" help:"Take it out again."`
	Status     statusVerb     `cmd:"" help:"Show what is active in this shell."`
	Hook       hookVerb       `cmd:"" help:"Guard what runs other people's code without your shell."`
	Explain    explainVerb    `cmd:"" help:"Show what would run, under which rules and why; run nothing."`
	Violations violationsVerb `cmd:"" help:"List what was blocked."`
	Why        whyVerb        `cmd:"" help:"Explain why something is blocked or allowed."`
	Allow      allowVerb      `cmd:"" help:"Allow what was blocked."`
	Learn      learnVerb      `cmd:"" help:"Run a command, and propose the rules that it needs."`
	Events     eventsVerb     `cmd:"" help:"Send what was blocked elsewhere."`
	Doctor     doctorVerb     `cmd:"" help:"Try out what this system can enforce."`
	Config     configVerb     `cmd:"" help:"Show and check settings."`
	Trust      trustVerb      `cmd:"" help:"Let the settings that a repository brings along open what they ask for."`
	Untrust    untrustVerb    `cmd:"" help:"Take that back."`
	PresetCmd  presetVerb     `cmd:"" name:"preset" help:"Show the named policies for tools."`
	VersionCmd versionVerb    `cmd:"" name:"version" help:"Show the version and what it was built from."`
	Completion completionVerb `cmd:"" help:"Print the completion script of a shell."`
	SSHProxy   sshProxyVerb   `cmd:"" name:"ssh-proxy" hidden:"" help:"Connect ssh to a host through the proxy of the sandbox."`
}

// globalFlags are the options before the command or the verb.
type globalFlags struct {
	Settings  *string   `short:"s" placeholder:"FILE" help:"Read settings from FILE, in place of yours."`
	Preset    *string   `placeholder:"NAME" help:"Use the preset NAME, or none. By default the command decides."`
	Line      string    `short:"c" placeholder:"LINE" help:"Run a shell line, with bash -c."`
	Debug     bool      `short:"d" help:"Say what is done, on standard error."`
	ControlFD controlFD `name:"control-fd" placeholder:"N" help:"Read new settings from descriptor N, as JSON lines, while the command runs."`
}

// controlFD is the number of a descriptor, as scan accepts it.
type controlFD int

// UnmarshalText reads the number.
func (fd *controlFD) UnmarshalText(text []byte) error {
	n, err := controlNumber(string(text))
	*fd = controlFD(n)
	return err
}

// ruleFlags are rules for one run.
type ruleFlags struct {
	AllowWrite  []string `sep:"none" placeholder:"PATH" help:"Allow writing PATH and what is beneath."`
	DenyWrite   []string `sep:"none" placeholder:"PATH" help:"Deny writing PATH, whatever allows it."`
	AllowRead   []string `sep:"none" placeholder:"PATH" help:"Allow reading PATH inside what is hidden."`
	DenyRead    []string `sep:"none" placeholder:"PATH" help:"Hide PATH."`
	AllowDomain []string `sep:"none" placeholder:"HOST" help:"Allow connections to HOST, *.HOST or HOST:PORT."`
	DenyDomain  []string `sep:"none" placeholder:"HOST" help:"Deny them, whatever allows them."`
	Limit       []string `sep:"none" placeholder:"KEY=VALUE" help:"Limit memory, processes, cpu, time or tmp, such as memory=4GiB."`
	AllowWeaker []string `sep:"none" placeholder:"NAME" help:"Accept a weaker form of what this system cannot fully enforce: limits."`
	NoProject   bool     `help:"Leave out the settings that the repository brings along."`
	Yes         bool     `help:"Let . be writable even if it is the home folder or above."`
}

type bareVerb struct {
	Command []string `arg:"" optional:"" passthrough:"partial" name:"command"`
}

type routeVerb struct {
	Command []string `arg:"" optional:"" passthrough:"all" name:"command" help:"The command and its words."`
}

type runVerb struct {
	ruleFlags
	Command []string `arg:"" optional:"" passthrough:"partial" name:"command" help:"The command and its words."`
}

// line is what kong has read as scan would have.
func (c *tree) line(run bool) runLine {
	if run {
		return c.runLine(c.Run.ruleFlags, afterDashes(c.Run.Command))
	}
	return c.runLine(ruleFlags{}, c.Bare.Command)
}

func (c *tree) runLine(rules ruleFlags, words []string) runLine {
	return runLine{
		global: global{settings: c.Settings, preset: c.Preset, line: c.Line, debug: c.Debug, controlFD: int(c.ControlFD)},
		flags: config.Flags{
			AllowWrite: rules.AllowWrite, DenyWrite: rules.DenyWrite,
			AllowRead: rules.AllowRead, DenyRead: rules.DenyRead,
			AllowDomain: rules.AllowDomain, DenyDomain: rules.DenyDomain,
			Limit: rules.Limit, AllowWeaker: rules.AllowWeaker,
		},
		yes: rules.Yes, noProject: rules.NoProject, command: words,
	}
}

// afterDashes drops the -- that kong leaves in front of the words of a verb.
func afterDashes(words []string) []string {
	if len(words) > 0 && words[0] == "--" {
		return words[1:]
	}
	return words
}

// errDone ends kong's reading when what was asked for has been printed.
var errDone = errors.New("done")

type helpFlag bool

// BeforeReset prints help before anything else is looked at.
func (helpFlag) BeforeReset(ctx *kong.Context) error {
	if err := ctx.PrintUsage(false); err != nil {
		return err //nolint:wrapcheck // there is nothing to add
	}
	return errDone
}

type versionFlag bool

// exitError is how a verb ends when it has said all there is to say.
type exitError int

func (exitError) Error() string { return "exit" }

// newParser builds kong's model.
func newParser(c *tree, out io.Writer) (*kong.Kong, error) {
	return kong.New(c, //nolint:wrapcheck // a bug
		kong.Name("srt"), kong.NoDefaultHelp(), kong.Writers(out, io.Discard),
		kong.WithHyphenPrefixedParameters(true),
		kong.Exit(func(int) {}),
		kong.Help(printHelp),
	)
}

// verb runs what scan leaves to kong.
func (t streams) verb(p *parsed, args []string) int {
	c := &tree{}
	parser, err := newParser(c, t)
	if err != nil {
		panic("bug: the command line: " + err.Error())
	}
	switch {
	case p.version:
		t.answer(buildVersion())
		return statusOK
	case p.help && p.verb == "":
		args = []string{"--help"}
	case p.help:
		args = []string{p.verb, "--help"}
	}
	ctx, err := parser.Parse(args)
	if errors.Is(err, errDone) {
		return statusOK
	}
	if err != nil {
		hint := hintHelp
		if p.verb != "" {
			hint = hintVerbHelp(p.verb)
		}
		return t.fail(usageError{text: err.Error(), hint: hint})
	}
	err = ctx.Run(t, c)
	if status, ok := errors.AsType[exitError](err); ok {
		return int(status)
	}
	if err != nil {
		return t.fail(err)
	}
	return statusOK
}

// Run is never called: scan reads the forms of a run. It is here for kong's sake.
func (*bareVerb) Run() error { return errRunForm }

// Run is never called, as that of bareVerb.
func (*runVerb) Run() error { return errRunForm }

// Run is never called, as that of bareVerb.
func (*routeVerb) Run() error { return errRunForm }

var errRunForm = errors.New("bug: a run was not read as one")

// printHelp prints what kong knows of a verb, below lines that show how it is
// typed.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	options.Compact = true
	options.NoAppSummary = true
	options.NoExpandSubcommands = false
	node := ctx.Selected()
	verb := ""
	if node != nil && node.Name != "bare" {
		verb = node.Path()
	}
	if _, err := io.WriteString(ctx.Stdout, usage(verb)); err != nil {
		return err //nolint:wrapcheck // a closed output needs no explanation
	}
	if verb == "" {
		for i, step := range ctx.Path {
			if step.Command != nil {
				ctx.Path = ctx.Path[:i]
				break
			}
		}
	}
	return kong.DefaultHelpPrinter(options, ctx) //nolint:wrapcheck // likewise
}
