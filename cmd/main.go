// Package cmd is the command line of srt: what is typed becomes core.Options,
// and what comes back becomes words and an exit status.
//
// It guarantees that the command's words arrive as they were typed, that nothing
// of srt's own is printed when all went well, and that no control character from
// outside reaches the terminal through srt's words.
package cmd

import (
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/srt-sh/srt/core"
	"github.com/srt-sh/srt/hooks"
)

// Exit statuses of srt's own.
const (
	statusOK      = 0
	statusFailed  = 1   // a verb answers no, or the npm tool has this status
	statusRefused = 125 // srt refuses or fails; the command did not run
)

// streams are where a command reads and writes.
type streams struct {
	in, out, err *os.File

	// lost is why an answer did not arrive; nil drops it.
	lost *error
}

// Write writes a part of an answer.
func (t streams) Write(text []byte) (int, error) {
	if _, err := t.out.Write(text); err != nil && t.lost != nil && *t.lost == nil {
		*t.lost = err
	}
	return len(text), nil
}

// Main runs one command line, args[0] being srt's own name, and returns the exit
// status. The streams are handed to the command as they are.
func Main(args []string, in, out, errw *os.File) int {
	t := streams{in: in, out: out, err: errw, lost: new(error)}
	if isScriptShell(args) {
		return t.script(args[1:])
	}
	if len(args) > 0 && args[0] == core.BuildWall {
		return t.failBuild(core.ExecBuild(args[1:]))
	}
	if words, views, ok := hooks.Called(args); ok {
		return t.gitHook(views, words)
	}
	if name := shimName(args); name != "" {
		return t.route(append([]string{name}, args[1:]...))
	}
	if len(args) > 0 {
		args = args[1:]
	}
	line, err := scan(args)
	if err != nil {
		return t.fail(err)
	}
	if !line.help && !line.version && (line.verb == "" || line.verb == "run") {
		return t.run(&line.run)
	}
	if !line.help && line.verb == "route" {
		return t.route(afterDashes(line.rest))
	}
	if !line.help && line.verb == "git" {
		return t.git(afterDashes(line.rest))
	}
	status := t.verb(line, args)
	if *t.lost != nil && status == statusOK {
		return t.fail(*t.lost)
	}
	return status
}

// quietStart keeps the runtime on one processor for the time that a start takes in a
// small folder. Its idle threads would look for work on the others, where bubblewrap is
// setting the sandbox up: a millisecond of 12. What takes longer, such as the search of a
// large tree, gets all of them, and so does what comes once the command runs, which is
// when to call the function that it gives.
func quietStart() (end func()) {
	all := runtime.GOMAXPROCS(1)
	end = sync.OnceFunc(func() { runtime.GOMAXPROCS(all) })
	time.AfterFunc(quickStart, end)
	return end
}
