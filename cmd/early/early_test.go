package early

import (
	"os"
	"slices"
	"testing"

	"github.com/srt-sh/srt/core/config"
)

func TestSandboxes(t *testing.T) {
	for _, c := range []struct {
		args []string
		want bool
	}{
		{[]string{"srt", "npm", "install"}, true},
		{[]string{"/usr/bin/srt", "run", "--", "true"}, true},
		{[]string{"srt", "-c", "npm install"}, true},
		{[]string{"srt", "--settings", "f", "-c", "true"}, true},
		{[]string{"srt"}, false},
		{[]string{"srt", "route", "npm", "install"}, false},
		{[]string{"srt", "--help"}, false},
		{[]string{"srt", "run", "-h"}, false},
		{[]string{"srt", "--control-fd", "3", "true"}, false},
		{[]string{"srt", "--control-fd=3", "true"}, false},
		{[]string{"srt", "cat", "/dev/fd/63"}, false},
		{[]string{"npm", "install"}, false},
		{[]string{"srt.test", "-test.v"}, false},
		{nil, false},
	} {
		if got := sandboxes(c.args, ""); got != c.want {
			t.Errorf("%q: %v", c.args, got)
		}
	}
	if sandboxes([]string{"srt", "true"}, "-j --jobserver-auth=3,4") {
		t.Error("descriptors of make's job server would be missing")
	}
}

func TestHooks(t *testing.T) {
	t.Chdir(t.TempDir())
	view := []string{"/usr/bin/srt", "--git-hook", "/s/srt/git/hooks-12/pre-commit"}
	if sandboxes(view, "") {
		t.Error("a hook that is not there")
	}
	if err := os.MkdirAll(".git/hooks", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(".git/hooks/pre-commit", nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if !sandboxes(view, "") {
		t.Error("a hook that is there")
	}
	t.Setenv("SRT_ACTIVE", "1")
	if sandboxes(view, "") {
		t.Error("a hook inside of a sandbox")
	}
}

// With other ports than core's there would be no gain.
func TestPorts(t *testing.T) {
	var want []uint16
	for _, p := range config.ProxyPorts {
		want = append(want, uint16(p))
	}
	if !slices.Equal(ports, want) {
		t.Errorf("ports %v, want %v", ports, want)
	}
}
