package sandbox

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A sandbox with limits gets a cgroup of its own, PARENT/srt-RANDOM, which has the
// limits, and in it one without any, which has the processes: to a command that makes
// a cgroup namespace, the root is the inner one, so that the limits are out of sight
// whatever it may mount. Its first process is born there (clone3(2),
// CLONE_INTO_CGROUP). cgroups(7); the kernel's Documentation/admin-guide/cgroup-v2.rst.
//
// Each run holds a lock on its outer folder. Whoever can lock one alone, and finds no
// process in it, may remove it: that is what a killed srt leaves.

const (
	cgroupPrefix = "srt-"
	cgroupInner  = "in"
)

// cgroupPlace is where a cgroup of a sandbox's own can be made.
type cgroupPlace struct {
	dir         string   // the folder of the cgroup that it will lie in
	controllers []string // those of the wanted ones that it can have
	// alone tells that dir is the cgroup that srt is in, and srt all that is in it:
	// srt has to step aside before it can hand controllers on.
	alone  bool
	mounts []string // where cgroup file systems are mounted
}

// cgroupFS is the cgroup file system as one process sees it. The texts and functions
// are the seam that tests use.
type cgroupFS struct {
	mountinfo string // proc_pid_mountinfo(5)
	self      string // /proc/self/cgroup, cgroups(7)
	pid       int
	mkdir     func(path string) error
	rmdir     func(path string) error
}

func systemCgroups() (*cgroupFS, error) {
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("looking for cgroups: %w", err)
	}
	self, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("looking for cgroups: %w", err)
	}
	return &cgroupFS{
		mountinfo: string(mountinfo), self: string(self), pid: os.Getpid(),
		mkdir: func(path string) error { return unix.Mkdir(path, 0o755) }, rmdir: unix.Rmdir,
	}, nil
}

// find looks for the nearest cgroup, from that of this process upwards, in which one
// with the controllers can be made; where none has all, the one with the most. nil
// if there is none at all.
func (c *cgroupFS) find(controllers []string) *cgroupPlace {
	own, ok := ownCgroup(c.self)
	if !ok {
		return nil
	}
	var top, dir string
	var mounts []string
	for _, m := range cgroupMounts(c.mountinfo) {
		mounts = append(mounts, m.point)
		rel, below := cutFolder(own, m.root)
		if top == "" && below {
			top, dir = m.point, filepath.Join(m.point, rel)
		}
	}
	if top == "" {
		return nil
	}
	var best *cgroupPlace
	for first := true; ; first = false {
		if p := c.placeIn(dir, controllers, first); p != nil && (best == nil || len(p.controllers) > len(best.controllers)) {
			p.mounts = mounts
			best = p
		}
		if dir == top || best != nil && len(best.controllers) == len(controllers) {
			return best
		}
		dir = filepath.Dir(dir)
	}
}

// placeIn looks at one cgroup. own tells that it is the one that srt is in.
func (c *cgroupFS) placeIn(dir string, want []string, own bool) *cgroupPlace {
	procs := filepath.Join(dir, "cgroup.procs")
	// The kernel asks for this file of the cgroup that both lie in.
	if unix.Access(dir, unix.W_OK) != nil || unix.Access(procs, unix.W_OK) != nil {
		return nil
	}
	kind, err := os.ReadFile(filepath.Join(dir, "cgroup.type"))
	root := errors.Is(err, fs.ErrNotExist) // only the root has none
	if !root && strings.TrimSpace(string(kind)) != "domain" {
		return nil
	}
	p := &cgroupPlace{dir: dir}
	members := readWords(procs)
	switch {
	case root || len(members) == 0:
		p.controllers = common(want, readWords(filepath.Join(dir, "cgroup.subtree_control")))
	case own && slices.Equal(members, []string{strconv.Itoa(c.pid)}) && unix.Access(filepath.Join(dir, "cgroup.subtree_control"), unix.W_OK) == nil:
		p.alone = true
		p.controllers = common(want, readWords(filepath.Join(dir, "cgroup.controllers")))
	}
	if len(p.controllers) == 0 {
		return nil
	}
	return p
}

// ownCgroup reads the line of version 2.
func ownCgroup(text string) (string, bool) {
	for line := range strings.Lines(text) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			// Outside of the namespace's root, or gone.
			return path, strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "/..") && !strings.HasSuffix(path, " (deleted)")
		}
	}
	return "", false
}

type cgroupMount struct{ root, point string }

func cgroupMounts(mountinfo string) []cgroupMount {
	var found []cgroupMount
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if !ok || len(fields) < 5 || !strings.HasPrefix(after, "cgroup2 ") {
			continue
		}
		found = append(found, cgroupMount{root: unescapeMount(fields[3]), point: unescapeMount(fields[4])})
	}
	return found
}

// unescapeMount undoes the octal escapes of mountinfo.
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// cutFolder gives what is left of path below a folder.
func cutFolder(path, dir string) (string, bool) {
	if dir == "/" || path == dir {
		return strings.TrimPrefix(path, dir), true
	}
	rest, ok := strings.CutPrefix(path, dir+"/")
	return rest, ok
}

func readWords(path string) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

// cgroup is that of one sandbox.
type cgroup struct {
	fs    *cgroupFS
	place *cgroupPlace
	dir   string
	lock  *os.File
	inner *os.File
	aside *cgroup // where srt stepped aside to, if it had to
}

// create makes the cgroup of a sandbox with its limits.
func (c *cgroupFS) create(place *cgroupPlace, l Limits) (_ *cgroup, err error) {
	c.sweep(place.dir)
	g := &cgroup{fs: c, place: place}
	defer func() {
		if err != nil {
			g.remove()
		}
	}()
	if place.alone {
		if err := g.stepAside(); err != nil {
			return nil, err
		}
	}
	if err := g.make(); err != nil {
		return nil, err
	}
	for _, s := range []struct {
		controller, file, value string
		optional                bool // not every kernel has it
	}{
		{"memory", "memory.max", strconv.FormatUint(l.Memory, 10), false},
		{"memory", "memory.swap.max", "0", true},
		{"memory", "memory.oom.group", "1", false},
		// Bubblewrap's two processes count too.
		{"pids", "pids.max", strconv.Itoa(l.Processes + 2), false},
		{"cpu", "cpu.max", cpuMax(l.CPU), false},
	} {
		if !place.has(s.controller) {
			continue
		}
		if err := writeControl(filepath.Join(g.dir, s.file), s.value); err != nil {
			if s.optional && errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return nil, fmt.Errorf("limiting the sandbox: %w", err)
		}
	}
	inner := filepath.Join(g.dir, cgroupInner)
	if err := c.mkdir(inner); err != nil {
		return nil, fmt.Errorf("making the cgroup %q: %w", inner, err)
	}
	if g.inner, err = os.Open(inner); err != nil {
		return nil, fmt.Errorf("making the cgroup: %w", err)
	}
	return g, nil
}

// make makes the folder and locks it. A run that sweeps at this very moment may take
// it away again.
func (g *cgroup) make() error {
	for try := 1; ; try++ {
		dir := filepath.Join(g.place.dir, cgroupPrefix+strings.ToLower(rand.Text()[:12]))
		if err := g.fs.mkdir(dir); err != nil {
			return fmt.Errorf("making the cgroup %q: %w", dir, err)
		}
		lock, err := os.Open(dir)
		if err == nil {
			if err = unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB); err == nil {
				if _, err = os.Lstat(dir); err == nil {
					g.dir, g.lock = dir, lock
					return nil
				}
			}
			_ = lock.Close()
		}
		if try == 10 {
			return fmt.Errorf("locking the cgroup %q: %w", dir, err)
		}
	}
}

// stepAside moves srt into a cgroup below its own, since one with processes hands no
// controllers on.
func (g *cgroup) stepAside() error {
	aside := &cgroup{fs: g.fs, place: &cgroupPlace{dir: g.place.dir}}
	if err := aside.make(); err != nil {
		return err
	}
	g.aside = aside
	if err := writeControl(filepath.Join(aside.dir, "cgroup.procs"), strconv.Itoa(g.fs.pid)); err != nil {
		return fmt.Errorf("moving srt into a cgroup of its own: %w", err)
	}
	if err := writeControl(filepath.Join(g.place.dir, "cgroup.subtree_control"), "+"+strings.Join(g.place.controllers, " +")); err != nil {
		return fmt.Errorf("enabling the controllers of the cgroup: %w", err)
	}
	return nil
}

// writeControl writes a file that the kernel made.
func writeControl(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// reached names the limits that the kernel has enforced with force.
func (g *cgroup) reached() []string {
	var names []string
	if g.place.has("memory") && g.count("memory.events", "oom_kill") > 0 {
		names = append(names, LimitMemory)
	}
	if g.place.has("pids") && g.count("pids.events", "max") > 0 {
		names = append(names, LimitProcesses)
	}
	return names
}

// count reads a number of a file of lines "key number".
func (g *cgroup) count(file, key string) int {
	words := readWords(filepath.Join(g.dir, file))
	for i := 0; i+1 < len(words); i += 2 {
		if n, err := strconv.Atoi(words[i+1]); err == nil && words[i] == key {
			return n
		}
	}
	return 0
}

// remove ends what is left in the cgroup and removes it.
func (g *cgroup) remove() {
	if g.inner != nil {
		_ = g.inner.Close()
	}
	if g.dir != "" {
		_ = writeControl(filepath.Join(g.dir, "cgroup.kill"), "1") // Linux 5.14; what lived there has ended anyway
		g.fs.removeTree(g.dir, 2*time.Second)
	}
	if g.lock != nil {
		_ = g.lock.Close()
	}
	if a := g.aside; a != nil {
		_ = writeControl(filepath.Join(g.place.dir, "cgroup.subtree_control"), "-"+strings.Join(g.place.controllers, " -"))
		_ = writeControl(filepath.Join(g.place.dir, "cgroup.procs"), strconv.Itoa(g.fs.pid))
		g.fs.removeTree(a.dir, 0)
		_ = a.lock.Close()
	}
}

// removeTree removes a cgroup and the inner one. The kernel refuses as long as a
// process is in it, which may take a moment to end.
func (c *cgroupFS) removeTree(dir string, patience time.Duration) {
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		_ = c.rmdir(filepath.Join(dir, cgroupInner))
		if err := c.rmdir(dir); !errors.Is(err, unix.EBUSY) || time.Now().After(end) {
			return
		}
	}
}

// sweep removes what killed runs left.
func (c *cgroupFS) sweep(parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), cgroupPrefix) {
			continue
		}
		dir := filepath.Join(parent, e.Name())
		f, err := os.Open(dir)
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil && populated(dir) == "0" {
			c.removeTree(dir, 0)
		}
		_ = f.Close()
	}
}

// populated is the word behind "populated" in cgroup.events.
func populated(dir string) string {
	words := readWords(filepath.Join(dir, "cgroup.events"))
	if i := slices.Index(words, "populated"); i >= 0 && i+1 < len(words) {
		return words[i+1]
	}
	return ""
}
