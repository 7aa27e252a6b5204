package config

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/srt-sh/srt/core/policy"
)

func TestLimitsOfLayers(t *testing.T) {
	h := newHost(t)
	h.user("[limits]\nmemory = '4GiB'\nprocesses = 100\ncpu = 2\ntime = '1h30m'\ntmp = '10MB'\n")
	h.opts.Flags.Limit = []string{"processes=200", "processes=300", "cpu=0.5"}
	h.managed("[limits]\nmemory = '1GiB'\nprocesses = 1000\ntime = '2h'\n")
	c, _ := h.load()
	l := c.Limits
	if l.Memory.Value != 1<<30 || l.Memory.Origin.Layer != policy.LayerManaged {
		t.Errorf("memory %+v: the managed layer is an upper bound", l.Memory)
	}
	if l.Processes.Value != 300 || l.Processes.Origin.Layer != policy.LayerFlag {
		t.Errorf("processes %+v: a lower limit than the managed one stays, and the last flag counts", l.Processes)
	}
	if l.CPU.Value != 0.5 || l.Time.Value != 90*time.Minute || l.Time.Origin.Line != 5 || l.Tmp.Value != 10_000_000 {
		t.Errorf("limits %+v", l)
	}
}

// A layer that only narrows may set limits, and may not accept weaker ones.
func TestManagedOnlyRefusesWeaker(t *testing.T) {
	h := newHost(t)
	h.user("allow_weaker = ['limits']\n[limits]\nmemory = '4GiB'\n")
	h.opts.Flags.AllowWeaker = []string{"limits"}
	if c, _ := h.load(); c.AllowsWeaker("limits") == nil || c.AllowsWeaker("walls") != nil {
		t.Errorf("allow_weaker is %v", c.AllowWeaker)
	}
	h.managed("managed_only = true\n")
	if c, _ := h.load(); c.AllowsWeaker("limits") != nil || c.Limits.Memory.Value != 4<<30 || len(c.Notes) != 2 {
		t.Errorf("allow_weaker %v, memory %v, notes %q", c.AllowWeaker, c.Limits.Memory, c.Notes)
	}
	h.managed("managed_only = true\nallow_weaker = ['limits']\n")
	if c, _ := h.load(); c.AllowsWeaker("limits") == nil {
		t.Error("the managed layer cannot accept a weaker form")
	}
}

func TestLimitsAreOfTOML(t *testing.T) {
	h := newHost(t)
	h.npm(`{"network":{"allowedDomains":[],"deniedDomains":[]},"filesystem":{"denyRead":[],"allowWrite":[],"denyWrite":[]},"limits":{"memory":"4GiB","cpu":"x"},"allowWeaker":["limits"],"allow_weaker":["limits"]}`)
	if c, _ := h.load(); c.Limits != (Limits{}) || c.AllowWeaker != nil {
		t.Errorf("the JSON form has limits: %+v, %v", c.Limits, c.AllowWeaker)
	}
}

func TestLimitFlags(t *testing.T) {
	for _, c := range []struct{ limit, weaker, want, hint string }{
		{limit: "memory", want: "a limit and its value", hint: "--limit memory=4GiB"},
		{limit: "memory=x", want: "expected an amount of memory", hint: "memory=4GiB"},
		{limit: "memory=1KiB", want: "at least 16MiB", hint: "memory=4GiB"},
		{limit: "processes=many", want: "from 16 to", hint: "processes=2048"},
		{limit: "processes=0", want: "from 16 to", hint: "processes=2048"},
		{limit: "cpu=NaN", want: "a number of processors", hint: "cpu=2.0"},
		{limit: "cpu=Inf", want: "a number of processors", hint: "cpu=2.0"},
		{limit: "cpu=0.001", want: "a number of processors", hint: "cpu=2.0"},
		{limit: "time=-1s", want: "expected a duration", hint: "time=30m"},
		{limit: "time=30", want: "expected a duration", hint: "time=30m"},
		{limit: "tmp=0", want: "expected an amount", hint: "tmp=4GiB"},
		{limit: "memroy=4GiB", want: `no limit "memroy"`, hint: "did you mean memory?"},
		{limit: "=4GiB", want: "no limit", hint: "memory, processes, cpu, time, tmp"},
		{weaker: "walls", want: "walls", hint: "limits"},
		{weaker: "", want: `""`, hint: "limits"},
	} {
		h := newHost(t)
		if c.limit != "" {
			h.opts.Flags.Limit = []string{c.limit}
		} else {
			h.opts.Flags.AllowWeaker = []string{c.weaker}
		}
		_, err := Load(h.opts)
		e, ok := errors.AsType[*Error](err)
		if !ok || !strings.Contains(e.Msg, c.want) || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%q %q: %v, hint %q; want %q and %q", c.limit, c.weaker, err, e.Hint, c.want, c.hint)
		}
	}
}

func TestMergedLimits(t *testing.T) {
	h := newHost(t)
	const text = "allow_weaker = [\n    \"limits\",\n]\n\n[limits]\nmemory = \"4GiB\"\nprocesses = 100\ncpu = 2.5\ntime = \"30m\"\ntmp = \"10MB\"\n"
	h.user(text)
	c, _ := h.load()
	if got := c.Merged(false); got != text {
		t.Errorf("merged\n%s\nwant\n%s", got, text)
	}
	if got := c.Merged(true); !strings.Contains(got, "memory = \"4GiB\" # ~/.config/srt/config.toml:6\n") {
		t.Errorf("merged\n%s", got)
	}
}

// What is accepted is spelled so that it is accepted again, as the same.
func FuzzLimits(f *testing.F) {
	for _, s := range []string{"4GiB", "512MB", "1", "3K", "18446744073709551615", "10000000000000000000", "9TiB", "30m", "1h30m", "90s", "1.5h", "1h0m1s", "100ms", "-1s", "", "GiB", "1µs", "2562047h47m16.854775807s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := parseSize(s); ok {
			again, ok := parseSize(FormatSize(n))
			if !ok || again != n || n == 0 {
				t.Errorf("size %q is %d, spelled %q, which is %d", s, n, FormatSize(n), again)
			}
		} else if memoryEntry(s) == "" {
			t.Errorf("%q is accepted and no size", s)
		}
		if durationEntry(s) == "" {
			d, err := time.ParseDuration(s)
			again, againErr := time.ParseDuration(FormatDuration(d))
			if err != nil || againErr != nil || again != d || d <= 0 {
				t.Errorf("duration %q is %v, spelled %q", s, d, FormatDuration(d))
			}
		}
	})
}
