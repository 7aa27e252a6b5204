package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/srt-sh/srt/core/policy"
)

// Limits is [limits]. What is not Set is not limited, but for Tmp, which is then a
// quarter of the memory of this machine.
type Limits struct {
	Memory    Setting[uint64]  // bytes
	Processes Setting[int]     // processes and threads at once
	CPU       Setting[float64] // processors' worth of time
	Time      Setting[time.Duration]
	Tmp       Setting[uint64] // bytes, of TMPDIR and of /dev/shm each
}

// The bounds of limits. With less the sandbox itself would not start.
const (
	minMemory    = 16 << 20
	minProcesses = 16
	maxProcesses = 1 << 22 // the kernel's own, PID_MAX_LIMIT
	minCPU       = 0.01    // the least quota of cpu.max, 1 ms of 100
	maxCPU       = 1 << 20
)

// limitKeys are the keys of [limits], in the order of the schema.
func limitKeys() []string { return []string{"memory", "processes", "cpu", "time", "tmp"} }

// WeakerNames are what allow_weaker and --allow-weaker may name: the protections
// that can be had in a weaker form where the full one cannot.
func WeakerNames() []string { return []string{"limits"} }

// memoryEntry checks [limits] memory.
func memoryEntry(s string) string {
	if n, ok := parseSize(s); ok && n < minMemory {
		return "at least " + FormatSize(minMemory) + " is needed: the sandbox itself takes some of it"
	}
	return sizeEntry(s)
}

// set puts a limit in place of that of a weaker layer. The managed layer is bound
// last, and is an upper bound: a lower limit of another layer stays.
// A repository's file may lower a limit, and until it is trusted not raise one; tmp
// has one without being set.
func set[T int | uint64 | float64 | time.Duration](b *binder, s *Setting[T], value T, text string, o policy.Origin) {
	if b.untrusted() && (s.Set && value > s.Value || !s.Set && o.Key == "limits.tmp") && !b.widens("= "+text, o) {
		return
	}
	if o.Layer == policy.LayerManaged && s.Set && s.Value <= value {
		return
	}
	*s = Setting[T]{value, true, o}
}

func (b *binder) limits(n *node) {
	l := &b.c.Limits
	if n == nil || !b.toml { // the JSON form knows no limits
		return
	}
	for _, s := range []struct {
		key string
		to  *Setting[uint64]
	}{{"memory", &l.Memory}, {"tmp", &l.Tmp}} {
		if x := n.get(s.key); x != nil {
			size, _ := parseSize(x.str) // the schema has looked at it
			set(b, s.to, size, x.str, b.origin(x, "limits."+s.key))
		}
	}
	if x := n.get("processes"); x != nil {
		set(b, &l.Processes, int(x.num), strconv.Itoa(int(x.num)), b.origin(x, "limits.processes"))
	}
	if x := n.get("cpu"); x != nil {
		set(b, &l.CPU, x.num, FormatCPU(x.num), b.origin(x, "limits.cpu"))
	}
	if x := n.get("time"); x != nil {
		d, _ := time.ParseDuration(x.str)
		set(b, &l.Time, d, x.str, b.origin(x, "limits.time"))
	}
}

// limitFlags binds the words of --limit, each KEY=VALUE.
func (b *binder) limitFlags(words []string) error {
	const flag = "--limit"
	l := &b.c.Limits
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		o := policy.Origin{Layer: b.layer, Key: flag}
		fault := func(msg, hint string) error {
			return &Error{File: flag, Key: flag, Msg: policy.Quote(word) + ": " + msg, Hint: hint}
		}
		if !ok {
			return fault("a limit and its value are expected", "write "+flag+" memory=4GiB")
		}
		switch key {
		case "memory", "tmp":
			check := memoryEntry
			to := &l.Memory
			if key == "tmp" {
				check, to = sizeEntry, &l.Tmp
			}
			if msg := check(value); msg != "" {
				return fault(msg, "write "+flag+" "+key+"=4GiB")
			}
			size, _ := parseSize(value)
			set(b, to, size, value, o)
		case "processes":
			n, err := strconv.Atoi(value)
			if err != nil || n < minProcesses || n > maxProcesses {
				return fault(fmt.Sprintf("expected a number from %d to %d", minProcesses, maxProcesses), "write "+flag+" processes=2048")
			}
			set(b, &l.Processes, n, value, o)
		case "cpu":
			n, err := strconv.ParseFloat(value, 64)
			if err != nil || !validCPU(n) {
				return fault(cpuExpected, "write "+flag+" cpu=2.0")
			}
			set(b, &l.CPU, n, value, o)
		case "time":
			if msg := durationEntry(value); msg != "" {
				return fault(msg, "write "+flag+" time=30m")
			}
			d, _ := time.ParseDuration(value)
			set(b, &l.Time, d, value, o)
		default:
			hint := "the limits are " + strings.Join(limitKeys(), ", ")
			if near := policy.Nearest(key, limitKeys()); near != "" {
				hint = "did you mean " + near + "?"
			}
			return fault("there is no limit "+policy.Quote(key), hint)
		}
	}
	return nil
}

const cpuExpected = "expected a number of processors, 0.01 or more"

func validCPU(n float64) bool { return n >= minCPU && n <= maxCPU }

// weaker binds allow_weaker.
func (b *binder) weaker(list *node) {
	if !b.toml {
		return
	}
	for _, n := range list.items() {
		if r := b.rule(n, "allowWeaker"); b.widens(r.Text, r.Origin) {
			b.c.AllowWeaker = append(b.c.AllowWeaker, r)
		}
	}
}

// weakerFlags binds the words of --allow-weaker.
func (b *binder) weakerFlags(words []string) error {
	const flag = "--allow-weaker"
	for _, word := range words {
		known := false
		for _, name := range WeakerNames() {
			known = known || name == word
		}
		if !known {
			return &Error{File: flag, Key: flag, Msg: "nothing that has a weaker form is called " + policy.Quote(word), Hint: "the names are " + strings.Join(WeakerNames(), ", ")}
		}
		if r := b.word(word, flag); b.widens(r.Text, r.Origin) {
			b.c.AllowWeaker = append(b.c.AllowWeaker, r)
		}
	}
	return nil
}

// AllowsWeaker returns the rule that accepts a weaker form of a protection of
// WeakerNames, or nil.
func (c *Config) AllowsWeaker(name string) *policy.Rule {
	for i := range c.AllowWeaker {
		if c.AllowWeaker[i].Text == name {
			return &c.AllowWeaker[i]
		}
	}
	return nil
}

// FormatSize spells an amount of memory as settings have it, with the largest unit
// that needs no fraction.
func FormatSize(n uint64) string {
	for _, u := range []struct {
		name string
		size uint64
	}{
		{"TiB", 1 << 40},
		{"TB", 1e12},
		{"GiB", 1 << 30},
		{"GB", 1e9},
		{"MiB", 1 << 20},
		{"MB", 1e6},
		{"KiB", 1 << 10},
		{"KB", 1e3},
	} {
		if n >= u.size && n%u.size == 0 {
			return strconv.FormatUint(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatUint(n, 10) + "B"
}

// FormatDuration spells a duration as settings have it, without the zeros of
// time.Duration.
func FormatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// FormatCPU spells a number of processors.
func FormatCPU(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
