package cmd

import "github.com/srt-sh/srt/hooks"

// What srt hook says of all tools.
const (
	sayProbeHeld     = "holds: a write outside of the project was tried, and blocked"
	sayProbeEscaped  = "does not hold: a write outside of the project was tried, and made"
	hintHookReadOnly = "who made the file read-only keeps its text elsewhere: --dry-run shows what to put there"
	sayAfterLogin    = "this shell is from before the install, or puts something in front"
	askHook          = "make these changes?"
)

func sayToolThere(tool string) string { return "srt hook " + tool + " is installed already" }
func sayToolInstalled(tool string) string {
	return "installed; it holds for what is started after the next login, and srt hook " + tool + " status tries it"
}
func sayToolUninstalled(tool string) string { return "the guard of " + tool + " is removed" }
func sayHookLeft(l hooks.Left) string       { return "left as it is: " + l.File + ": " + l.Why }
func sayHookReadOnly(file string) string {
	return "the file " + file + " is read-only; nothing was changed"
}
func sayProbeFailed(err error) string { return "could not be tried: " + err.Error() }
func sayProbeSilent(output string) string {
	if len(output) > 200 {
		output = "…" + output[len(output)-200:]
	}
	return "what should have run did not: " + output
}

func sayNotInstalled(tool string) string { return "no: srt hook " + tool + " install" }
func sayNoPip(python string) string {
	return python + " has no pip 22.3 or newer: only the names above are caught"
}

func sayRecipeShell(err error) string {
	return "the shell of a recipe cannot be told: " + err.Error()
}

// What srt hook pip and make say.
const (
	sayPipNotCaught = "pip before 22.3 by its full path or as python -m pip, pip --python, PIP_CONFIG_FILE or a pip.conf of an environment that says otherwise; " +
		"python -m build, python setup.py and uv, poetry, pdm, pipx by their full path or in front on the PATH, as in an active environment; sudo"
	sayEachRecipe       = "each recipe of make by its full path: "
	sayMakeNotCaught    = "make by its full path or with another PATH: install --recipes; sudo"
	sayRecipesNotCaught = "recipes where the Makefile says override SHELL, SHELL is a word of the command, or MAKEFLAGS is changed or taken away; $(file) and load, which make itself does; make by its full path: these but for --recipes; sudo"
	hintPipPython       = "pip --python PYTHON takes another; srt hook pip uninstall takes it out of pip.conf and the environment"
	hintBuildWall       = "without the password of an index in pip's settings builds need no wall"
	hintRecipeShell     = "srt make puts all of make into a sandbox, where its shell is that of the Makefile; MAKEFLAGS= make runs it without srt"
)
