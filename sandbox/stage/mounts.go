package stage

// Kind says what a mount does to its path.
type Kind uint8

// The kinds of mount, in the order in which a plan uses them.
const (
	Pin      Kind = iota + 1 // a folder that cannot be renamed or removed; it stays as writable as it was
	ReadOnly                 // the whole path read-only
	Writable                 // the path as it is outside
	HideDir                  // an empty folder that cannot be listed
	HideFile                 // a file that cannot be opened
	Private                  // an empty writable folder of the sandbox's own
)

func (k Kind) String() string {
	switch k {
	case Pin:
		return "pin"
	case ReadOnly:
		return "read-only"
	case Writable:
		return "writable"
	case HideDir:
		return "hidden folder"
	case HideFile:
		return "hidden file"
	case Private:
		return "private"
	default:
		return "invalid"
	}
}

// Mount is one step of a plan.
type Mount struct {
	Kind   Kind
	Path   string // absolute, free of symlinks
	Dir    bool   // whether Path is a folder
	Reveal bool   // Path lies in a hidden folder, so its mount point must be made there
	Open   bool   // HideDir: folders below are revealed, so it must be passable
	Reason string
}
