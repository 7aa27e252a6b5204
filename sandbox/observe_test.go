package sandbox

import (
	"testing"

	"github.com/srt-sh/srt/sandbox/stage"
)

func TestTerrain(t *testing.T) {
	ground := newTerrain(&Plan{
		Mounts: []Mount{
			{Kind: stage.Writable, Path: "/home/u/p"},
			{Kind: stage.ReadOnly, Path: "/home/u/p/.git/hooks"},
			{Kind: stage.HideDir, Path: "/home/u/.ssh"},
			{Kind: stage.ReadOnly, Path: "/home/u/.ssh/config"},
			{Kind: stage.HideFile, Path: "/home/u/.npmrc"},
			{Kind: stage.Private, Path: "/tmp/claude"},
		},
		Pins: []Mount{{Kind: stage.Pin, Path: "/home/u/p/.git"}},
	})
	for _, c := range []struct {
		path string
		act  stage.Act
		read bool
		want bool
	}{
		{"/etc/x", stage.Open, false, true},
		{"/etc/x", stage.Open, true, false},
		{"/home/u/p/x", stage.Open, false, false},
		{"/home/u/p/.git/x", stage.Make, false, false},
		{"/home/u/p/.git/hooks/x", stage.Make, false, true},
		{"/home/u/p/.git/hooks", stage.Remove, false, true},
		{"/home/u/p/.git", stage.Remove, false, true},
		{"/home/u/p/.git", stage.Replace, false, true},
		{"/home/u/p/.gitx", stage.Remove, false, false},
		{"/home/u/px", stage.Make, false, true},
		{"/home/u/p", stage.Remove, false, true},
		{"/tmp/claude/a/b", stage.Make, false, false},
		{"/home/u/.ssh/id_rsa", stage.Open, true, true},
		{"/home/u/.ssh", stage.Open, true, true},
		{"/home/u/.ssh/config", stage.Open, true, false},
		{"/home/u/.sshx", stage.Open, true, false},
		{"/home/u/.npmrc", stage.Open, true, true},
		{"/dev/null", stage.Open, false, false},
		{"/dev/x", stage.Open, false, true},
		{"/proc/self/oom_score_adj", stage.Open, false, false},
		{"/", stage.Open, false, true},
	} {
		if got := ground.suspect(c.path, c.act, c.read); got != c.want {
			t.Errorf("%q, act %d, read %v: %v", c.path, c.act, c.read, got)
		}
	}
	if !ground.hidden || !ground.refusesAnything() {
		t.Error("it hides and refuses")
	}
	if open := newTerrain(&Plan{BaseWritable: true}); open.refusesAnything() || open.suspect("/etc/x", stage.Open, false) {
		t.Error("with all files open nothing is refused")
	}
}

func TestIsQuiet(t *testing.T) {
	for path, want := range map[string]bool{
		"/dev/null": true, "/proc/1/attr": true, "/proc/sys/kernel/x": false, "/proc/sysrq-trigger": false, "/etc/x": false, "/dev/nullx": false,
	} {
		if isQuiet(path) != want {
			t.Errorf("%q", path)
		}
	}
}
