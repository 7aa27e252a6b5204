package cmd

type hookVerb struct {
	Git  hookGitVerb  `cmd:"" help:"Put the hooks of git into a sandbox, whoever starts git."`
	Npm  hookNpmVerb  `cmd:"" help:"Give the scripts of packages less than npm and pnpm have, whoever starts these."`
	Pip  hookPipVerb  `cmd:"" help:"Put pip and its like into a sandbox, whoever starts them."`
	Make hookMakeVerb `cmd:"" help:"Put make and its like into a sandbox, whoever starts them."`
}

// hookFlags are those of what changes something.
type hookFlags struct {
	DryRun bool `help:"Show what would be changed, and change nothing."`
	Yes    bool `help:"Do not ask."`
}

// agree shows what is about to be changed, and asks. It reports whether to go on.
func (v hookFlags) agree(t streams, shown, question string) (bool, error) {
	t.text(shown)
	switch {
	case v.DryRun:
		return false, nil
	case v.Yes:
		return true, nil
	case !t.canAsk():
		return false, usageError{text: sayCannotAsk, hint: hintYes, status: statusFailed}
	case !t.ask(question):
		return false, exitError(statusFailed)
	}
	return true, nil
}
