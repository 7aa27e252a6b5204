package early

import (
	"os"

	"github.com/srt-sh/srt/sandbox/launch"
)

func init() { //nolint:gochecknoinits // see above
	if !sandboxes(os.Args, os.Getenv("MAKEFLAGS")) {
		return
	}
	if bwrap, err := launch.FindHelper("bwrap"); err == nil {
		launch.Early(launch.Options{Bwrap: bwrap, Listen: ports, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}) //nolint:forbidigo // those of the command
	}
}
