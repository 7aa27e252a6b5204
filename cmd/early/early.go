// Package early starts bubblewrap for the program that imports it, srt, before most of
// its packages are initialized. Initialization goes by import path among those that are
// ready, and this package needs few; what follows it is done while the kernel makes the
// namespaces. A wrong guess is made good: what nobody takes over ends with srt.
package early

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Verbs are the words that mean something to srt in first place, in the order of its
// help. Those but run start no sandbox, or look first.
var Verbs = [...]string{"run", "route", "git", "init", "install", "uninstall", "status", "hook", "explain", "violations", "why", "allow", "learn", "events", "doctor", "config", "trust", "untrust", "preset", "version", "completion", "ssh-proxy"} //nolint:gochecknoglobals // a constant

// ports are those of the proxies inside, as core has them: with others there would be
// no gain.
var ports = []uint16{3128, 1080}

// sandboxes reports whether a command line is probably one that starts a sandbox of the
// usual kind. MAKEFLAGS and words may name descriptors that the command is to inherit.
func sandboxes(args []string, makeflags string) bool {
	if len(args) > 2 && args[1] == "--git-hook" {
		return os.Getenv("SRT_ACTIVE") == "" && hasHook(filepath.Base(args[2])) // inside of a sandbox there is no other
	}
	if len(args) < 2 || filepath.Base(args[0]) != "srt" || makeflags != "" {
		return false
	}
	first := args[1]
	if first != "run" && slices.Contains(Verbs[:], first) {
		return false
	}
	for _, word := range args[1:] {
		switch {
		case word == "-h", word == "--help", word == "-V", word == "--version", strings.HasPrefix(word, "--control-fd"):
			return false
		case strings.Contains(word, "/fd/"):
			return false
		}
	}
	return true
}

// hasHook reports whether a hook that git runs by way of srt is probably there: where
// most are, seen from the folder that git runs them in.
func hasHook(name string) bool {
	for _, dir := range []string{".git/hooks", ".husky", "hooks"} {
		if _, err := os.Stat(dir + "/" + name); err == nil {
			return true
		}
	}
	return false
}
