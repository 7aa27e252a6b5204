// Package launch finds and starts bubblewrap. It needs few packages, so that a program
// which will need a sandbox can start one (see [Early]) while most of its own packages
// are still to be initialized.
package launch

// Args are those of bubblewrap, which makes the namespaces, less the few capabilities
// that the stage gets to make the mounts.
var Args = []string{
	"--unshare-user", "--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
	"--die-with-parent", "--cap-drop", "ALL",
	"--dev-bind", "/", "/", "--proc", "/proc",
}
