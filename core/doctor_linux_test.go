package core

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/srt-sh/srt/sandbox"
	"github.com/srt-sh/srt/sandbox/launch"
)

func TestInstallCommand(t *testing.T) {
	for release, want := range map[string]string{
		"ID=debian\n": "sudo apt-get install bubblewrap",
		"NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n":      "sudo apt-get install bubblewrap",
		"ID=pop\nID_LIKE=\"ubuntu debian\"\n":               "sudo apt-get install bubblewrap",
		"ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n":    "sudo dnf install bubblewrap",
		"ID=manjaro\nID_LIKE=arch\n":                        "sudo pacman -S bubblewrap",
		"ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n": "sudo zypper install bubblewrap",
		"ID=alpine\n": "sudo apk add bubblewrap",
		"ID=haiku\n":  "install the package bubblewrap",
		"":            "install the package bubblewrap",
	} {
		if got := installCommand(release); got != want {
			t.Errorf("installCommand(%q) = %q, want %q", release, got, want)
		}
	}
}

func TestAtLeast(t *testing.T) {
	for version, want := range map[string]bool{
		"5.12": true, "5.12.0-generic": true, "5.11.99": false, "5.9": false, "6.1": true, "6.18.44-fc": true,
		"4.4.0-19041-Microsoft": false, "10.0": true, "5": false, "": false, "x.y": false, "5.x": false,
	} {
		if got := sandbox.AtLeast(version, 5, 12); got != want {
			t.Errorf("sandbox.AtLeast(%q, 5, 12) = %v", version, got)
		}
	}
}

func TestNextStep(t *testing.T) {
	t.Setenv("SANDBOX_RUNTIME", "")
	if got := NextStep(fmt.Errorf("x: %w", sandbox.ErrNoBwrap)); !strings.Contains(got, "bubblewrap") {
		t.Errorf("without bubblewrap: %q", got)
	}
	if got := NextStep(sandbox.ErrSetup); got == "" {
		t.Error("no next step when the set-up fails")
	}
	if got := NextStep(fmt.Errorf("making the journal of placeholders: %w", syscall.ENOSPC)); got != fixFull {
		t.Errorf("a full disk: %q", got)
	}
	if got := NextStep(fmt.Errorf("making the journal of placeholders: %w", syscall.EROFS)); got != fixJournal {
		t.Errorf("a read-only disk: %q", got)
	}
	if got := NextStep(errors.New("anything")); got != "" {
		t.Errorf("a next step for anything: %q", got)
	}
	t.Setenv("SANDBOX_RUNTIME", "1")
	if got := NextStep(sandbox.ErrNoUserns); !strings.Contains(got, "without srt") {
		t.Errorf("nested: %q", got)
	}
}

func TestPlatform(t *testing.T) {
	if os.Getenv("SANDBOX_RUNTIME") == "1" {
		t.Skip("in a sandbox already")
	}
	if _, err := launch.FindHelper("bwrap"); err != nil {
		t.Skip(err)
	}
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	report := Platform(t.Context())
	var names []string
	for _, m := range report.Measures {
		names = append(names, m.Name)
		if m.OK == (m.Fix != "") && m.Fix != "" {
			t.Errorf("%s holds and has a fix: %q", m.Name, m.Fix)
		}
	}
	if i := slices.IndexFunc(report.Measures, func(m Measure) bool { return m.Name == "user namespaces" }); !report.Measures[i].OK {
		t.Skip(report.Measures[i].Detail)
	}
	if !report.OK {
		t.Errorf("%+v", report.Measures)
	}
	for _, t2 := range trialMeasures {
		if !slices.Contains(names, t2.name) {
			t.Errorf("%s is not in the report", t2.name)
		}
	}
}

// Where nothing can be recorded, the report says so, and the rest of it is there.
func TestPlatformJournal(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "/proc/nowhere")
	for _, m := range platform(t.Context()) {
		if m.Name == "journal" && (m.OK || m.Fix != fixJournal) {
			t.Errorf("%+v", m)
		}
	}
}
