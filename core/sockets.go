package core

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/event"
	"github.com/srt-sh/srt/core/policy"
	"github.com/srt-sh/srt/sandbox"
)

// socketsByPath reports whether the settings open some unix sockets, and not all.
func (e *engine) socketsByPath() bool {
	n := &e.cfg.Network
	return len(n.AllowUnixSockets) > 0 && !n.AllowAllUnixSockets.Value
}

// openSockets finds the unix sockets that the settings open, and doubts those by which
// the sandbox can be left.
func (e *engine) openSockets() error {
	if !e.socketsByPath() {
		return nil
	}
	for _, rule := range e.cfg.Network.AllowUnixSockets {
		place, err := socketPath(rule, policy.Roots{Home: e.o.Home, Dir: e.o.Dir}, e.cfg.NPM)
		if err != nil {
			return err
		}
		e.sockets = append(e.sockets, place)
		if socket, ok := sandbox.SocketAt(place); ok {
			e.socketsThere = append(e.socketsThere, socket)
		}
		if what := wayOutOf(place); what != "" {
			e.o.Warnf("network.allow_unix_sockets %q of %s: %s, so a command that reaches it can leave the sandbox", rule.Text, rule.Origin, what)
		}
	}
	return nil
}

// socketPath is where an entry of the list really is, as far as it is there. In the npm
// form it may begin in the working folder.
func socketPath(rule policy.Rule, roots policy.Roots, npm bool) (string, error) {
	fault := func(msg, hint string) error {
		return &config.Error{File: rule.Origin.File, Line: rule.Origin.Line, Key: "network.allow_unix_sockets", Msg: msg, Hint: hint}
	}
	if policy.HasGlob(rule.Text) {
		return "", fault(fmt.Sprintf("%q is a pattern", rule.Text), "name the socket, or the folder that it is in")
	}
	if !npm && !path.IsAbs(rule.Text) && !strings.HasPrefix(rule.Text, "~/") {
		return "", fault(fmt.Sprintf("%q does not begin with / or ~/", rule.Text), "write the whole path")
	}
	abs, err := roots.Resolve(rule.Text)
	if err != nil {
		return "", fault(err.Error(), "write the whole path")
	}
	// What is not there yet is so below a folder that is.
	for rest, at := "", abs; ; rest, at = path.Join(path.Base(at), rest), path.Dir(at) {
		if place, err := filepath.EvalSymlinks(at); err == nil {
			if at = path.Join(place, rest); at == "/" {
				return "", fault(fmt.Sprintf("%q is every socket", rule.Text), "allow_all_unix_sockets = true says so")
			}
			return at, nil
		}
		if at == "/" {
			return abs, nil
		}
	}
}

// wayOutOf knows sockets by which programs can be started outside; "" for others.
func wayOutOf(place string) string {
	base := path.Base(place)
	switch {
	case slices.Contains([]string{"docker.sock", "containerd.sock", "podman.sock", "crio.sock", "buildkitd.sock"}, base):
		return "it starts containers, with any folder of this machine in them"
	case base == "bus" || base == "system_bus_socket":
		return "it starts services"
	case base == "private" && path.Base(path.Dir(place)) == "systemd":
		return "it starts services"
	case strings.HasPrefix(path.Base(path.Dir(place)), "tmux-"), base == "default" && strings.Contains(place, "tmux"):
		return "it types into terminals"
	case place == "/run", place == "/var/run", place == "/tmp", strings.HasPrefix(place, "/run/user/") && strings.Count(place, "/") == 3:
		return "all kinds of services listen there"
	case strings.HasPrefix(base, "wayland-"), path.Base(path.Dir(place)) == ".X11-unix":
		return "it sees and types what you see and type"
	}
	return ""
}

// mayConnect decides about a unix socket. Where the command may write, it could put
// another in the place of one that is listed; there it has to be the one of the start.
func (e *engine) mayConnect(s sandbox.Socket) bool {
	listed := slices.ContainsFunc(e.sockets, func(at string) bool {
		return s.Path == at || strings.HasPrefix(s.Path, at+"/")
	})
	if !listed || s.Ino == 0 || !e.files.Write(s.Path).Allow {
		return listed
	}
	return slices.Contains(e.socketsThere, s)
}

// socketEvent tells of a connection that was refused.
func (e *engine) socketEvent(a sandbox.Attempt) event.Event {
	name := a.Path
	if rest, ok := strings.CutPrefix(name, e.o.Home+"/"); ok {
		name = "~/" + rest
	}
	ev := event.Event{
		Time: a.Time, Kind: event.Unix, Target: a.Path, Reason: "the socket is not on the allow list", Count: a.Count,
		PID: a.PID, Program: a.Program, Call: a.Call,
	}
	switch listed := e.mayConnect(sandbox.Socket{Path: a.Path}); {
	case listed:
		ev.Reason = "the command could have put it there, since it may write there and the socket is not the one of the start"
	case wayOutOf(a.Path) == "":
		ev.Hint = "allow_unix_sockets = [" + policy.Quote(name) + "]"
	}
	return ev
}
