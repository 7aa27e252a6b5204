package sandbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// fakeCgroups is a tree that looks like a cgroup file system, mounted with a space in
// its name.
type fakeCgroups struct {
	t   *testing.T
	top string
	fs  cgroupFS
}

// newCgroups makes a tree; self is the cgroup that this process is in.
func newCgroups(t *testing.T, self string) *fakeCgroups {
	t.Helper()
	f := &fakeCgroups{t: t, top: filepath.Join(t.TempDir(), "c g")}
	f.fs = cgroupFS{
		mountinfo: "22 1 0:20 / /proc rw - proc proc rw\n" +
			"30 1 0:26 / " + strings.ReplaceAll(f.top, " ", `\040`) + " rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
		self: "5:pids:/elsewhere\n0::" + self + "\n", pid: 4711,
		mkdir: func(path string) error {
			if err := unix.Mkdir(path, 0o755); err != nil {
				return err
			}
			f.control(path, "domain", "", "memory pids cpu", "")
			return nil
		},
		// The kernel removes a cgroup with its files, and none with processes.
		rmdir: func(path string) error {
			if _, err := os.Lstat(path); err != nil {
				return unix.ENOENT
			}
			if populated(path) == "1" {
				return unix.EBUSY
			}
			if below, _ := filepath.Glob(filepath.Join(path, "*", "cgroup.procs")); below != nil {
				return unix.EBUSY
			}
			return os.RemoveAll(path)
		},
	}
	return f
}

// control writes the files of a cgroup. The root has no type.
func (f *fakeCgroups) control(dir, kind, procs, controllers, enabled string) {
	f.t.Helper()
	files := map[string]string{
		"cgroup.procs": procs, "cgroup.controllers": controllers, "cgroup.subtree_control": enabled,
		"cgroup.events": "populated 0\nfrozen 0\n", "cgroup.kill": "",
	}
	if kind != "" {
		files["cgroup.type"] = kind + "\n"
		for _, name := range []string{"memory.max", "memory.swap.max", "memory.oom.group", "memory.events", "pids.max", "pids.events", "cpu.max"} {
			files[name] = ""
		}
	}
	for name, text := range files {
		write(f.t, filepath.Join(dir, name), text)
	}
}

func (f *fakeCgroups) add(path, kind, procs, controllers, enabled string) string {
	f.t.Helper()
	dir := filepath.Join(f.top, path)
	f.control(dir, kind, procs, controllers, enabled)
	return dir
}

func TestFindCgroup(t *testing.T) {
	want := []string{"memory", "pids"}
	for _, c := range []struct {
		name  string
		self  string
		tree  func(f *fakeCgroups)
		dir   string // "" none
		has   []string
		alone bool
	}{
		{
			name: "an ancestor without processes", self: "/user/app.slice/term.scope",
			tree: func(f *fakeCgroups) {
				f.add("user/app.slice/term.scope", "domain", "1\n4711\n", "memory pids", "")
				f.add("user/app.slice", "domain", "", "memory pids", "memory pids")
			},
			dir: "user/app.slice", has: want,
		},
		{
			name: "an ancestor with processes", self: "/a/b",
			tree: func(f *fakeCgroups) {
				f.add("a/b", "domain", "1\n4711\n", "memory pids", "")
				f.add("a", "domain", "99\n", "memory pids", "memory pids")
			},
		},
		{
			name: "an ancestor that hands nothing on", self: "/a/b",
			tree: func(f *fakeCgroups) {
				f.add("a/b", "domain", "1\n4711\n", "memory pids", "")
				f.add("a", "domain", "", "memory pids", "cpu")
			},
		},
		{
			name: "alone in its own", self: "/run.scope",
			tree: func(f *fakeCgroups) { f.add("run.scope", "domain", "4711\n", "memory pids", "") },
			dir:  "run.scope", has: want, alone: true,
		},
		{
			name: "with others in its own", self: "/run.scope",
			tree: func(f *fakeCgroups) { f.add("run.scope", "domain", "4711\n4712\n", "memory pids", "") },
		},
		{
			name: "a threaded one", self: "/run.scope",
			tree: func(f *fakeCgroups) { f.add("run.scope", "threaded", "4711\n", "memory pids", "") },
		},
		{
			name: "the root, with processes", self: "/",
			tree: func(f *fakeCgroups) { f.add("", "", "1\n2\n4711\n", "memory pids", "pids") },
			dir:  ".", has: []string{"pids"},
		},
		{
			name: "the one with the most", self: "/a/b/c",
			tree: func(f *fakeCgroups) {
				f.add("a/b/c", "domain", "1\n4711\n", "pids", "")
				f.add("a/b", "domain", "", "memory pids", "pids")
				f.add("a", "domain", "", "memory pids", "memory pids")
			},
			dir: "a", has: want,
		},
		{name: "outside of the namespace", self: "/../other", tree: func(f *fakeCgroups) { f.add("", "", "", "memory pids", "memory pids") }},
		{name: "removed meanwhile", self: "/a (deleted)", tree: func(f *fakeCgroups) { f.add("", "", "", "memory pids", "memory pids") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newCgroups(t, c.self)
			c.tree(f)
			p := f.fs.find(want)
			if p == nil {
				if c.dir != "" {
					t.Fatalf("no place, want %q", c.dir)
				}
				return
			}
			if p.dir != filepath.Join(f.top, c.dir) || c.dir == "" {
				t.Fatalf("place %q, want %q", p.dir, c.dir)
			}
			if !slices.Equal(p.controllers, c.has) || p.alone != c.alone {
				t.Errorf("controllers %v, alone %v; want %v, %v", p.controllers, p.alone, c.has, c.alone)
			}
			if !slices.Equal(p.mounts, []string{f.top}) {
				t.Errorf("mounts %q", p.mounts)
			}
		})
	}
}

// A cgroup that the caller may not write is no place.
func TestFindCgroupOfOthers(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write all")
	}
	f := newCgroups(t, "/a/b")
	f.add("a/b", "domain", "1\n", "memory", "")
	dir := f.add("a", "domain", "", "memory", "memory")
	if f.fs.find([]string{"memory"}) == nil {
		t.Fatal("no place in a cgroup of one's own")
	}
	for _, path := range []string{filepath.Join(dir, "cgroup.procs"), dir} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, info.Mode().Perm()&^0o222); err != nil {
			t.Fatal(err)
		}
		if p := f.fs.find([]string{"memory"}); p != nil {
			t.Errorf("%q is a place although %q cannot be written", p.dir, path)
		}
		if err := os.Chmod(path, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCgroupLife(t *testing.T) {
	f := newCgroups(t, "/app.slice/x.scope")
	f.add("app.slice/x.scope", "domain", "1\n4711\n", "memory pids cpu", "")
	slice := f.add("app.slice", "domain", "", "memory pids cpu", "memory pids cpu")
	limits := Limits{Memory: 64 << 20, Processes: 50, CPU: 1.5}
	place := f.fs.find([]string{"memory", "pids", "cpu"})
	g, err := f.fs.create(place, limits)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(g.dir, slice+"/srt-") || g.inner.Name() != filepath.Join(g.dir, "in") {
		t.Errorf("made %q and %q", g.dir, g.inner.Name())
	}
	for file, want := range map[string]string{
		"memory.max": "67108864", "memory.swap.max": "0", "memory.oom.group": "1",
		"pids.max": "52", "cpu.max": "150000 100000", "in/memory.max": "",
	} {
		wantFile(t, filepath.Join(g.dir, file), want)
	}
	if got := g.reached(); got != nil {
		t.Errorf("reached %v before anything happened", got)
	}
	write(t, filepath.Join(g.dir, "memory.events"), "low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 1\n")
	write(t, filepath.Join(g.dir, "pids.events"), "max 7\n")
	if got := g.reached(); !slices.Equal(got, []string{LimitMemory, LimitProcesses}) {
		t.Errorf("reached %v", got)
	}
	// Another run leaves it alone, even before a process is in it.
	f.fs.sweep(slice)
	if _, err := os.Stat(g.dir); err != nil {
		t.Errorf("another run swept it away: %v", err)
	}
	g.remove()
	wantGone(t, g.dir)
}

func wantGone(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%q is still there (%v)", path, err)
	}
}

func TestCgroupStepsAside(t *testing.T) {
	f := newCgroups(t, "/run.scope")
	scope := f.add("run.scope", "domain", "4711\n", "memory pids", "")
	g, err := f.fs.create(f.fs.find([]string{"memory", "pids"}), Limits{Memory: 64 << 20, Processes: 50})
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, filepath.Join(scope, "cgroup.subtree_control"), "+memory +pids")
	wantFile(t, filepath.Join(g.aside.dir, "cgroup.procs"), "4711")
	if g.aside.dir == g.dir {
		t.Error("srt is in the sandbox's cgroup")
	}
	g.remove()
	wantFile(t, filepath.Join(scope, "cgroup.subtree_control"), "-memory -pids")
	wantGone(t, g.dir)
	wantGone(t, g.aside.dir)
}

// What killed runs left goes, and only that.
func TestCgroupSweep(t *testing.T) {
	f := newCgroups(t, "/")
	f.add("", "", "", "memory", "memory")
	dead := f.add("srt-dead", "domain", "", "memory", "")
	f.add("srt-dead/in", "domain", "", "", "")
	alive := f.add("srt-alive", "domain", "", "memory", "")
	f.add("srt-alive/in", "domain", "12\n", "", "")
	write(t, filepath.Join(alive, "cgroup.events"), "populated 1\nfrozen 0\n")
	other := f.add("other", "domain", "", "memory", "")
	g, err := f.fs.create(f.fs.find([]string{"memory"}), Limits{Memory: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer g.remove()
	wantGone(t, dead)
	for _, dir := range []string{alive, other} {
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("%q was removed", dir)
		}
	}
}

// A limit that cannot be written refuses, and leaves nothing.
func TestCgroupRefuses(t *testing.T) {
	f := newCgroups(t, "/")
	f.add("", "", "", "memory", "memory")
	mkdir := f.fs.mkdir
	f.fs.mkdir = func(path string) error {
		err := mkdir(path)
		_ = os.Remove(filepath.Join(path, "memory.max"))
		return err
	}
	if _, err := f.fs.create(f.fs.find([]string{"memory"}), Limits{Memory: 64 << 20}); err == nil || !strings.Contains(err.Error(), "memory.max") {
		t.Errorf("error %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(f.top, "srt-*")); left != nil {
		t.Errorf("left %q", left)
	}
}

// The real thing, as far as the kernel here goes: a sandbox is born in its cgroup,
// cannot write to it, and leaves nothing. Without controllers nothing is limited.
func TestSandboxInCgroup(t *testing.T) {
	system, err := systemCgroups()
	if err != nil {
		t.Fatal(err)
	}
	own, ok := ownCgroup(system.self)
	mounts := cgroupMounts(system.mountinfo)
	if !ok || len(mounts) == 0 {
		t.Skip("no cgroups of version 2")
	}
	rel, below := cutFolder(own, mounts[0].root)
	parentDir := filepath.Join(mounts[0].point, rel)
	if !below || unix.Access(parentDir, unix.W_OK) != nil || unix.Access(filepath.Join(parentDir, "cgroup.procs"), unix.W_OK) != nil {
		t.Skip("its cgroup cannot be written")
	}
	place := &cgroupPlace{dir: parentDir}
	for _, m := range mounts {
		place.mounts = append(place.mounts, m.point)
	}
	work := folder(t)
	b := newBox(t, work)
	// Even so.
	b.spec.Rules = append(b.spec.Rules, PathRule{Op: AllowWrite, Path: "/sys", Cache: true, Reason: "all of it"})
	b.start.Limits = &LimitPlan{Limits: Limits{Memory: 1}, place: place}
	s, out := b.open("until [ -e go ]; do sleep 0.02; done; mkdir " + parentDir + "/mine; echo 0 >" + parentDir + "/cgroup.procs")
	defer out.Close()
	runner, ok := s.run.(*linuxRunner)
	if !ok {
		t.Fatal("not the runner of Linux")
	}
	dir := runner.group.dir
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", runner.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "/"+filepath.Base(dir)+"/in\n") {
		t.Errorf("its first process is in %q", text)
	}
	// Bubblewrap's two and the shell, with what it runs.
	if members := readWords(filepath.Join(dir, "in", "cgroup.procs")); len(members) < 3 {
		t.Errorf("only %v are in the cgroup", members)
	}
	write(t, filepath.Join(work, "go"), "")
	said, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	s.Wait()
	if n := strings.Count(string(said), "Read-only file system"); n != 2 {
		t.Errorf("the command could write to its cgroup: %q", said)
	}
	s.Close()
	wantGone(t, dir)
}
