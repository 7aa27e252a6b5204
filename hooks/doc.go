// Package hooks holds what runs other people's code without a shell of the user's in
// between: the hooks of git, scripts of npm's packages, builds of Python's, recipes of make.
//
// Of git it guarantees that what it says about a repository is read from files and never asked
// of git, which would run what the repository says; that a hook gets the arguments, the
// input and the environment that git gave it; and that a hook which is not known to be
// there is not run at all.
//
// What all of its tools share: a [Ledger] remembers what srt has written into files of
// the user and takes back just that; [LoginEnv] are the entries that give processes an
// environment which no interactive shell starts; a [Probe] tries from outside whether a
// guard really holds, for the status verbs. A [Guard] is a set of shims with what it adds:
// the Python that pip runs itself with ([PipInterpreter]), the shell of recipes
// ([RecipeCommand]).
package hooks
