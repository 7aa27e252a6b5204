package sandbox

import "time"

// Op says what a path rule does.
type Op uint8

// The operations of a path rule. A denied write beats an allowed one wherever
// either stands; for reads the deeper rule wins, and at equal depth the denial.
// What no rule speaks of can be read and not written.
const (
	AllowWrite Op = iota + 1 // a write root: this path and what is beneath it
	DenyWrite                // not writable, whatever root it is in
	AllowRead                // readable again inside something that is hidden
	DenyRead                 // hidden
)

func (o Op) String() string {
	switch o {
	case AllowWrite:
		return "allow write"
	case DenyWrite:
		return "deny write"
	case AllowRead:
		return "allow read"
	case DenyRead:
		return "deny read"
	default:
		return "invalid"
	}
}

// PathRule is one rule on the file system.
type PathRule struct {
	Op   Op
	Path string // absolute and clean; for a glob its longest literal folder
	// Match makes the rule a glob: it holds for the paths below Path that Match
	// accepts, and all beneath those, as they are at the start.
	Match func(path string) bool
	// Glob is the pattern, of what follows Path and a slash, in which * stands for any
	// characters but a slash, ** for any, **/ for any folders, ? for one character and [a-z]
	// for one of a set: for systems that match at each access.
	Glob string
	// Cache marks a write root that is a tool's own store: it is not searched for
	// protected names, and no placeholders are made in it.
	Cache bool
	// Make makes a write root that is not there, and removes it again if it stays
	// empty.
	Make bool
	// Deep makes the missing folders on the way to an absent DenyWrite path, so that
	// others can be made beside it; without, the first missing one is covered.
	Deep bool
	// Folder says that an absent DenyWrite path would be a folder: what others look for
	// in it meanwhile is not there, rather than no file that could be read.
	Folder bool
	// Except are paths below an existing DenyWrite path that it does not deny.
	Except []string
	// Final makes a DenyRead hold against every AllowRead and write root below it.
	Final  bool
	Reason string // shown to people: the setting and where it comes from
}

// Placeholder is the form in which an absent protected path exists while a
// sandbox runs.
type Placeholder uint8

// The forms of a placeholder.
const (
	NoPlaceholder     Placeholder = iota
	PlaceholderDir                // an empty folder
	PlaceholderFile               // an empty file, which readers can open
	PlaceholderSocket             // nothing that can be opened; git does not see it
	PlaceholderDot                // a file that says ".": the folder that it is in
)

func (p Placeholder) String() string {
	switch p {
	case NoPlaceholder:
		return "none"
	case PlaceholderDir:
		return "folder"
	case PlaceholderFile:
		return "file"
	case PlaceholderSocket:
		return "socket"
	case PlaceholderDot:
		return "file that says \".\""
	default:
		return "invalid"
	}
}

// Protected is a name that cannot be written, made, removed or renamed in any
// write root.
type Protected struct {
	// Name is relative to a write root, slash-separated. One component may be "*":
	// any number of folders, of which the last is one of git's (".git/modules/*/config").
	Name string
	// Absent says what stands in when the path does not exist in a write root or,
	// for names below ".git", in a repository.
	Absent Placeholder
	// Cover says what stands in for the first missing folder on the way, so that
	// nothing else can be made in it either. NoPlaceholder makes the folders on the
	// way instead.
	Cover Placeholder
	// RootOnly limits the name to the top of write roots; others hold at any depth.
	RootOnly bool
	Except   []string // absolute paths of this name, or inside of one, that are not protected
	Reason   string
}

// RepoPath is a path that git runs or obeys.
type RepoPath struct {
	Path   string      // absolute
	Absent Placeholder // what stands in where it does not exist: an empty folder or an empty file
	Reason string
}

// Spec is what to run and what it may reach.
type Spec struct {
	Program string   // the file to execute, absolute or seen from Dir
	Args    []string // its arguments, verbatim, the name that it is called by first
	Dir     string   // absolute working folder
	Env     []string // complete environment of the command

	Rules   []PathRule
	Protect []Protected
	Later   []Later
	// RepoPaths names further paths to protect for a repository whose .git, a
	// folder or what points to one, is given, and for "" those of no repository in
	// particular; nil names none. Where it fails, the work tree is read-only; an
	// error about a write root or what is above one ends the planning.
	RepoPaths func(dotGit string) ([]RepoPath, error)
	// RepoRuns says what git would run that the configuration of a new repository,
	// given likewise, names, but for configuration in folders that are known; nil looks
	// at none.
	RepoRuns func(dotGit string, known func(dir string) bool) []string
	// OpenFiles lifts every rule on files.
	OpenFiles bool
	// Listen names further ports on the loopback interface inside that are listened on,
	// at most 100. Sockets is how many connections to what listens inside srt can have
	// open at once, at most 100; 0: it needs none.
	Listen  []uint16
	Sockets int
	// TempDir is an absolute path where a private, empty, writable folder is
	// mounted; "" for none.
	TempDir string

	// Files are put into TempDir, which must then be a folder that no rule opens.
	Files []File

	// TempSize bounds TempDir and /dev/shm, each, in bytes; 0 means a quarter of the
	// memory of this machine.
	TempSize uint64

	NestedUserns bool // whether the command may make user namespaces, see FilterOptions

	StateDir string        // where the journal of placeholders is kept
	ScanTime time.Duration // bound on the search for protected names; 0 means 3 s
}

// File is one that is made inside, for its owner to read.
type File struct {
	Path string // absolute, beneath TempDir
	Data string // without NUL
}

// Measure is one protection and whether it is in force.
type Measure struct {
	Name    string // "network namespace"
	InForce bool
	Weaker  bool // in force, and in a weaker form than was asked for
	Detail  string
}

// Lacking reports whether a measure is not, or only in a weaker form, in force.
func (m Measure) Lacking() bool { return !m.InForce || m.Weaker }
