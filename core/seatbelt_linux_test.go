package core

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/srt-sh/srt/core/config"
	"github.com/srt-sh/srt/core/policy"
	"github.com/srt-sh/srt/sandbox"
	"github.com/srt-sh/srt/sandbox/stage"
)

var seatbeltTriples = flag.Int("seatbelt-triples", 10_000, "how many random questions profiles of macOS are asked")

// seatbeltOf gives the profile for options, as text and as the reader has it.
func seatbeltOf(t *testing.T, o Options, s sandbox.SeatbeltOptions) (*engine, string, *profile) {
	t.Helper()
	e, err := open(o)
	if err == nil {
		err = e.decide()
	}
	if err != nil {
		return nil, err.Error(), nil
	}
	text, err := sandbox.Seatbelt(e.spec, e.plan, s)
	if err != nil {
		t.Fatal(err)
	}
	p, err := readProfile(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return e, text, p
}

// planAccess is what the mounts of Linux say of a path.
func planAccess(plan *sandbox.Plan, path string) (read, write bool) {
	read, write = true, plan.BaseWritable
	for _, m := range plan.Mounts {
		if path == m.Path || strings.HasPrefix(path, m.Path+"/") {
			read = m.Kind != stage.HideDir && m.Kind != stage.HideFile
			write = m.Kind == stage.Writable || m.Kind == stage.Private
		}
	}
	return read, write
}

// checkSeatbelt compares, for one random world, what a profile says with the policy and
// with the plan of Linux. It returns how many questions were asked.
func checkSeatbelt(t *testing.T, base string, seed uint64) (asked int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 11))
	root := filepath.Join(base, "t")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
	}()
	w, err := newPlanWorld(root, rng)
	if err != nil {
		t.Fatal(err)
	}
	settings := put(t, base+"/settings.toml", w.rules, 0o644)
	e, text, p := seatbeltOf(t, Options{
		Args: []string{"/bin/true"}, Dir: base, Home: base + "/home", Settings: settings,
		Environ: []string{"PATH=/usr/bin:/bin", "HOME=" + base + "/home", "XDG_STATE_HOME=" + base + "/state"},
	}, sandbox.SeatbeltOptions{Tag: "T", Proxies: []uint16{1}})
	if p == nil {
		return 0 // refused on every system, as some random rules are
	}
	c := seatbeltCheck{T: t, w: w, e: e, p: p, pol: e.policy.Load()}
	paths := w.sorted()
	for range 150 {
		path := w.some(rng, true)
		for range 1 + rng.IntN(2) {
			path += "/" + planNames[rng.IntN(len(planNames))]
		}
		paths = append(paths, path)
	}
	for _, rel := range paths {
		path := filepath.Join(root, rel)
		if slices.ContainsFunc(w.links, func(l string) bool { return rel == l || strings.HasPrefix(rel, l+"/") }) {
			continue // rules that name a link hold for where it leads
		}
		c.read(path)
		c.write(path)
		asked += 2
		if _, known := w.paths[rel]; known {
			if p.file("file-write-unlink", path) {
				w.compareMove(t, c.pol, path)
			}
			asked++
		}
	}
	if t.Failed() {
		t.Fatalf("seed %d, rules:\n%s\ntree: %q\n%s", seed, w.rules, w.sorted(), text)
	}
	return asked
}

type seatbeltCheck struct {
	*testing.T

	w   *planWorld
	e   *engine
	p   *profile
	pol *policy.Policy
}

func (c seatbeltCheck) read(path string) {
	c.Helper()
	got, d := c.p.file("file-read-data", path), c.pol.Read(path)
	plan, _ := planAccess(c.e.plan, path)
	later := d.Rule != nil && policy.HasGlob(d.Rule.Text) // it is not there, and something is open below
	// A rule that opens what is not there opens nothing, as on Linux.
	if got && !d.Allow && (!later || !plan) || !got && d.Allow && plan {
		c.Errorf("reading %s: %v, the policy says %v", path, got, d.Allow)
	}
	if got && !plan {
		c.Errorf("reading %s is allowed, and not on Linux", path)
	}
	if !got {
		others := []string{strings.ToUpper(path), "/System/Volumes/Data" + path, strings.Replace(path, "k", "\u212a", 1), strings.ReplaceAll(path, "s", "\u017f")}
		if other := others[len(path)%len(others)]; c.p.file("file-read-data", other) {
			c.Errorf("reading %s is allowed as %s", path, other)
		}
	}
}

func (c seatbeltCheck) write(path string) {
	c.Helper()
	op := "file-write-create"
	if _, err := os.Lstat(path); err == nil {
		op = "file-write-data"
	}
	got, d := c.p.file(op, path), c.pol.Write(path)
	for dir := filepath.Dir(path); len(dir) > len(c.w.root); dir = filepath.Dir(dir) {
		if info, err := os.Lstat(dir); err == nil && !info.IsDir() {
			return // nothing can be there
		}
	}
	want := d.Allow && c.pol.Read(path).Allow
	_, plan := planAccess(c.e.plan, path)
	inGit := strings.Contains(path, "/.git")
	switch {
	case got && !want && (d.Rule == nil || !strings.Contains(d.Rule.Text, ".git")) && c.pol.Read(path).Allow:
		c.Errorf("writing %s is allowed, the policy says: %s", path, d.Reason)
	case !got && want && !inGit && !c.w.stricter(c.e.explanation(), path) && !c.below(path) && plan:
		c.Errorf("writing %s is refused, the policy allows it", path)
	}
	if got && !plan {
		c.Errorf("writing %s is allowed, and not on Linux", path)
	}
	if !got && plan && want && !inGit && !c.w.stricter(c.e.explanation(), path) {
		c.Errorf("writing %s is refused, and not on Linux", path)
	}
}

// below reports whether a path lies in a folder that stands for a missing protected one.
func (c seatbeltCheck) below(path string) bool {
	return slices.ContainsFunc(c.e.plan.Make, func(m sandbox.Make) bool { return strings.HasPrefix(path, m.Path+"/") })
}

func (e *engine) explanation() *Explanation {
	return &Explanation{Plan: e.plan, Policy: e.policy.Load()}
}

// Profiles have the effect that the policy decides, and the one of Linux: random trees and
// rules. What may differ is in docs/macos.md.
func TestSeatbeltKeepsThePolicy(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for seed := uint64(0); asked < *seatbeltTriples; seed++ {
		asked += checkSeatbelt(t, base, seed)
	}
	t.Logf("%d questions", asked)
}

var updateProfiles = flag.Bool("update-profiles", false, "write the golden profiles anew")

// hostRules are built-in rules on files of the system, of which each has its own.
var hostRules = regexp.MustCompile(`(?m)^; [^\n]*deny_read "/[^\n]* \(built-in\)\n[^\n]*\n`)

// The profiles of the presets, for people to read. In the folder that stands for a
// user's are a home 1 and a project 2.
func TestSeatbeltOfPresets(t *testing.T) {
	// Names without letters, and of one length, look the same in patterns.
	base := fmt.Sprintf("/var/tmp/7341-%010d", os.Getpid())
	home, dir := base+"/1", base+"/2"
	t.Cleanup(func() {
		if err := os.RemoveAll(base); err != nil {
			t.Error(err)
		}
	})
	for _, name := range []string{home + "/.ssh", home + "/.npm", dir + "/.git/hooks", dir + "/3"} {
		if err := os.MkdirAll(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"npm", "pip", "make", "none"} {
		t.Run(name, func(t *testing.T) {
			_, text, p := seatbeltOf(t, Options{
				Args: []string{"/bin/true"}, Dir: dir, Home: home, Preset: name, NoProject: true, Flags: config.Flags{AllowWrite: []string{dir}},
				Environ: []string{"PATH=/usr/bin:/bin", "HOME=" + home, "XDG_STATE_HOME=" + home + "/.local/state"},
			}, sandbox.SeatbeltOptions{Tag: "TAG", Proxies: []uint16{61001, 61002}})
			if p == nil {
				t.Fatal(text)
			}
			for path, want := range map[string]bool{
				dir + "/3/new": true, dir + "/new": true, dir + "/.git/config": false, dir + "/.git/hooks/pre-commit": false,
				dir + "/3/.envrc": false, dir + "/3/.ENVRC": false, dir + "/.Ba\u017fhrc": false, home + "/x": false, home + "/.ssh/id": false, "/etc/x": false, "/dev/null": true,
			} {
				if got := p.file("file-write-create", path); got != want {
					t.Errorf("writing %s: %v, want %v", path, got, want)
				}
			}
			for path, want := range map[string]bool{dir + "/3": true, "/usr/bin/true": true, home + "/.ssh/id": false, home + "/.SSH/id": false, "/System/Volumes/Data" + home + "/.ssh/id": false} {
				if got := p.file("file-read-data", path); got != want {
					t.Errorf("reading %s: %v, want %v", path, got, want)
				}
			}
			text = strings.ReplaceAll(text, filepath.Base(base), "7341-0000000000")
			text = strings.ReplaceAll(text, "/private/tmp/claude-"+strconv.Itoa(os.Getuid()), "/private/tmp/claude")
			text = hostRules.ReplaceAllString(text, "")
			golden := "testdata/seatbelt/" + name + ".sb"
			if *updateProfiles {
				if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if text != string(want) {
				t.Errorf("it is not %s (write it anew with -update-profiles, and look at what changed):\n%s", golden, text)
			}
		})
	}
}

// What the settings open beside files, and only that.
func TestSeatbeltSwitches(t *testing.T) {
	spec := &sandbox.Spec{Args: []string{"true"}, Dir: "/"}
	plan, err := sandbox.NewPlan(spec)
	if err != nil {
		t.Fatal(err)
	}
	out := func(remote string) profileQuestion { return profileQuestion{op: "network-outbound", remote: remote} }
	bind := func(local string) profileQuestion { return profileQuestion{op: "network-bind", local: local} }
	mach := func(name string) profileQuestion { return profileQuestion{op: "mach-lookup", name: name} }
	unix := func(path string) profileQuestion { return profileQuestion{op: "network-outbound", path: path} }
	for _, c := range []struct {
		name    string
		o       sandbox.SeatbeltOptions
		yes, no []profileQuestion
	}{
		{
			name: "nothing", o: sandbox.SeatbeltOptions{Proxies: []uint16{4001}},
			yes: []profileQuestion{out("localhost:4001"), mach("com.apple.system.logger"), {op: "process-fork"}},
			no: []profileQuestion{
				out("localhost:4002"),
				out("192.0.2.1:4001"),
				{op: "network-outbound", local: "localhost:4001", remote: "192.0.2.1:443"},
				bind("localhost:4001"),
				mach("com.apple.SecurityServer"), mach("com.apple.trustd.agent"), mach("com.apple.coreservices.launchservicesd"),
				{op: "appleevent-send"},
				{op: "lsopen"},
				{op: "mach-register", name: "x"},
				{op: "job-creation"},
				{op: "pseudo-tty"},
				unix("/var/run/docker.sock"),
			},
		},
		{
			name: "ports", o: sandbox.SeatbeltOptions{Forward: []uint16{5432}, Bind: []uint16{3000}},
			yes: []profileQuestion{out("localhost:5432"), bind("localhost:3000")},
			no:  []profileQuestion{out("localhost:3000"), bind("*:3000"), bind("localhost:5432"), out("192.0.2.1:5432")},
		},
		{
			name: "local binding", o: sandbox.SeatbeltOptions{LocalBinding: true},
			yes: []profileQuestion{bind("*:1"), out("localhost:1")},
			no:  []profileQuestion{{op: "network-outbound", local: "localhost:1", remote: "192.0.2.1:443"}},
		},
		{
			name: "sockets", o: sandbox.SeatbeltOptions{UnixSockets: []string{"/tmp/a.sock"}},
			yes: []profileQuestion{unix("/tmp/a.sock"), unix("/private/tmp/a.sock")},
			no:  []profileQuestion{unix("/tmp/a.sock/b"), unix("/tmp/b.sock")},
		},
		{
			name: "all sockets", o: sandbox.SeatbeltOptions{AllUnixSockets: true},
			yes: []profileQuestion{unix("/x")}, no: []profileQuestion{out("192.0.2.1:1")},
		},
		{
			name: "services", o: sandbox.SeatbeltOptions{Trust: true, Mach: []string{"org.x", `org."y*`}},
			yes: []profileQuestion{mach("com.apple.trustd.agent"), mach("org.x"), mach(`org."y.z`)},
			no:  []profileQuestion{mach("org.x.y"), mach("org."), {op: "appleevent-send"}},
		},
		{
			name: "applications", o: sandbox.SeatbeltOptions{AppleEvents: true, Pty: true},
			yes: []profileQuestion{{op: "appleevent-send"}, {op: "lsopen"}, {op: "pseudo-tty"}, {op: "file-write-data", path: "/dev/ttys003"}},
			no:  []profileQuestion{mach("com.apple.trustd.agent"), {op: "file-write-data", path: "/dev/disk0"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := sandbox.Seatbelt(spec, plan, c.o)
			if err != nil {
				t.Fatal(err)
			}
			p, err := readProfile(text)
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range c.yes {
				if !p.allows(q) {
					t.Errorf("%+v is refused", q)
				}
			}
			for _, q := range c.no {
				if p.allows(q) {
					t.Errorf("%+v is allowed", q)
				}
			}
		})
	}
}

// FuzzSeatbeltPath has paths of any bytes denied, and opened exactly or not at all.
func FuzzSeatbeltPath(f *testing.F) {
	for _, path := range []string{"/a", `/a"b`, `/a\b`, "/a\nb", "/\xff", "/B\u00fcro", "/e\u0301", "/file", "/" + strings.Repeat("x/", 600), "/" + strings.Repeat("k", 255), "/a^b]c`d", "/a(b|c)*", "/private/tmp/x"} {
		f.Add(path, "x")
	}
	f.Fuzz(func(t *testing.T, path, below string) {
		path = filepath.Clean("/" + path)
		below = filepath.Join(path, filepath.Clean("/"+below))
		if strings.ContainsRune(below, 0) || len(below) > 1000 {
			t.Skip()
		}
		spec := &sandbox.Spec{Args: []string{"true"}, Dir: "/", Rules: []sandbox.PathRule{{Op: sandbox.DenyRead, Path: path, Reason: path}}}
		text, err := sandbox.Seatbelt(spec, &sandbox.Plan{}, sandbox.SeatbeltOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := readProfile(text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if p.file("file-read-data", path) || p.file("file-read-data", below) {
			t.Errorf("%q and %q can be read:\n%s", path, below, text)
		}
		if path != "/" && !p.file("file-read-data", "/") {
			t.Errorf("nothing can be read, for %q", path)
		}
		open := &sandbox.Plan{Mounts: []sandbox.Mount{{Kind: stage.Writable, Path: path}}}
		text, err = sandbox.Seatbelt(&sandbox.Spec{}, open, sandbox.SeatbeltOptions{})
		if errors.Is(err, sandbox.ErrSeatbelt) {
			return
		}
		if p, err = readProfile(text); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if !p.file("file-write-data", below) || path != "/" && p.file("file-write-data", path+"x") {
			t.Errorf("opening %q does not open that:\n%s", path, text)
		}
	})
}
