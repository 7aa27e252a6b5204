package config

import (
	"strings"
	"testing"
	"time"

	"github.com/srt-sh/srt/core/policy"
)

func TestAgeForms(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"72h": 72 * time.Hour, "3d": 72 * time.Hour, "1d12h": 36 * time.Hour, "90m": 90 * time.Minute,
		"0d1s": time.Second, "36500d": maxAge,
		"": 0, "0": 0, "0s": 0, "0d": 0, "3": 0, "d": 0, "-3d": 0, "+3d": 0, "3d-1h": 0, "3d+1h": 0, "-1h": 0,
		"1.5d": 0, "3 d": 0, "3d ": 0, "1w": 0, "36501d": 0, "36500d1s": 0, "99999999999d": 0, "2000000h": 0, "1h3d": 0,
	} {
		if got, ok := parseAge(text); ok != (want > 0) || ok && got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, ok, want)
		}
	}
}

// It tightens, so no layer takes any of it back, and a repository need not be trusted.
func TestLongestAgeCounts(t *testing.T) {
	h := newHost(t)
	if c, _ := h.load(); c.Guard.MinReleaseAge.Set {
		t.Error("a guard that nobody asked for")
	}
	h.project(".srt.toml", "[guard]\nmin_release_age = '1h'\n")
	c, _ := h.load()
	if a := c.Guard.MinReleaseAge; a.Value != time.Hour || a.Origin.Layer != policy.LayerProject || len(c.Projects[0].Held) > 0 {
		t.Errorf("of an untrusted file: %+v, held %v", a, c.Projects[0].Held)
	}
	h.user("[guard]\nmin_release_age = '3d'\n")
	c, _ = h.load()
	if a := c.Guard.MinReleaseAge; a.Value != 72*time.Hour || a.Origin.Layer != policy.LayerUser || a.Origin.Line != 2 || a.Origin.Key != "guard.min_release_age" {
		t.Errorf("the user's is longer: %+v", a)
	}
	if got, want := c.Merged(true), "[guard]\nmin_release_age = \"72h\" # "+c.Guard.MinReleaseAge.Origin.String()+"\n"; !strings.Contains(got, want) {
		t.Errorf("printed as\n%s\nwant %s", got, want)
	}
	h.project(".srt.toml", "[guard]\nmin_release_age = '100h'\n")
	h.managed("managed_only = true\n[guard]\nmin_release_age = '72h'\n")
	c, _ = h.load()
	if a := c.Guard.MinReleaseAge; a.Value != 100*time.Hour || a.Origin.Layer != policy.LayerProject || len(c.Notes) > 0 {
		t.Errorf("the repository's is the longest: %+v, notes %q", a, c.Notes)
	}
	h.managed("[guard]\nmin_release_age = '30d'\n")
	if c, _ = h.load(); c.Guard.MinReleaseAge.Origin.Layer != policy.LayerManaged {
		t.Errorf("the machine's is the longest: %+v", c.Guard.MinReleaseAge)
	}
}

func TestGuardIsOfTOML(t *testing.T) {
	h := newHost(t)
	h.npm(`{"network":{"allowedDomains":[],"deniedDomains":[]},"filesystem":{"denyRead":[],"allowWrite":[],"denyWrite":[]},"guard":{"minReleaseAge":"3d","min_release_age":"3d"}}`)
	if c, _ := h.load(); c.Guard.MinReleaseAge.Set {
		t.Errorf("the JSON form has a guard: %+v", c.Guard)
	}
}
