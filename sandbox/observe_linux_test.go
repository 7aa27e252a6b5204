package sandbox

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/sandbox/stage"
)

// attempts runs a line and gives what it tried in vain.
func attempts(t *testing.T, b *box, line string) (seen []Attempt, dropped int, out string) {
	t.Helper()
	var mu sync.Mutex
	b.observe = &Observer{
		Attempt: func(a Attempt) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, a)
		},
		Dropped: func(n int) { dropped += n },
		Lost:    func(err error) { t.Errorf("nothing can be seen: %v", err) },
	}
	s, read := b.open(line)
	text, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	s.Wait()
	mu.Lock()
	defer mu.Unlock()
	return seen, dropped, string(text)
}

func TestAttemptSaysWho(t *testing.T) {
	work, outside := folder(t), folder(t)
	b := newBox(t, work)
	before := time.Now()
	seen, _, _ := attempts(t, b, "echo x >"+outside+"/new; echo x >inside; exec 3<"+outside)
	if len(seen) != 1 {
		t.Fatalf("attempts: %+v", seen)
	}
	a := seen[0]
	shell, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	if a.Call != "openat" && a.Call != "open" || !a.Write || a.Path != outside+"/new" || a.PID <= 1 || a.Program != filepath.Base(shell) ||
		a.Count != 1 || a.Time.Before(before) || len(a.Args) < 2 || a.Args[1] != "-c" {
		t.Errorf("attempt: %+v", a)
	}
	if _, err := os.Stat(outside + "/new"); err == nil {
		t.Error("it was made all the same")
	}
	if _, err := os.Stat(work + "/inside"); err != nil {
		t.Error(err)
	}
}

func TestAttemptsAreCounted(t *testing.T) {
	work, outside := folder(t), folder(t)
	b := newBox(t, work)
	seen, dropped, _ := attempts(t, b, "i=0; while [ $i -lt 3000 ]; do echo x >"+outside+"/same; i=$((i+1)); done 2>/dev/null")
	total := dropped
	for _, a := range seen {
		total += a.Count
	}
	if total != 3000 || len(seen) > 1000 {
		t.Errorf("%d counted in %d attempts, %d dropped", total, len(seen), dropped)
	}
}

// Different names from many processes at once: none is lost without being counted.
func TestFloodIsCounted(t *testing.T) {
	work, outside := folder(t), folder(t)
	b := newBox(t, work)
	line := "for p in 1 2 3 4 5 6 7 8; do (i=0; while [ $i -lt 500 ]; do echo x >" + outside + "/$p.$i; i=$((i+1)); done 2>/dev/null) & done; wait"
	seen, dropped, _ := attempts(t, b, line)
	total := dropped
	pids := map[int]bool{}
	for _, a := range seen {
		total += a.Count
		pids[a.PID] = true
	}
	if total != 4000 || len(pids) != 8 {
		t.Errorf("%d counted, %d dropped, %d processes", total, dropped, len(pids))
	}
}

// What a place is called does not matter, but where it is: links, the working folder, dots.
func TestAttemptNamesThePlace(t *testing.T) {
	work, outside := folder(t), folder(t)
	if err := os.Symlink(outside, work+"/link"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(outside+"/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"echo x >link/f", "cd link && echo x >f", "cd " + outside + "/sub && echo x >../f", "echo x >./link/./sub/../f",
		"echo x >" + work + "//link///f",
	} {
		seen, _, _ := attempts(t, newBox(t, work), line)
		if len(seen) != 1 || seen[0].Path != outside+"/f" {
			t.Errorf("%s: %+v", line, seen)
		}
	}
}

func TestWhatFailsAnywayIsNoAttempt(t *testing.T) {
	work, outside := folder(t), folder(t)
	if err := os.WriteFile(outside+"/there", nil, 0o444); err != nil {
		t.Fatal(err)
	}
	lines := []string{
		"echo x >" + outside + "/absent/f", "cat " + outside + "/absent", "rm -f " + outside + "/absent", "mkdir -p " + outside,
		"cat " + outside + "/there", "set -C; echo x >" + outside + "/there", "[ -w " + outside + "/there ]", "ls " + outside,
		"echo x >/dev/null; echo x >/dev/stderr; echo x >/proc/self/fd/1", "echo 0 >/proc/self/oom_score_adj; touch a; mv a b; rm b; mkdir c; rmdir c; ln -s x y; chmod 700 .",
	}
	if os.Getuid() != 0 {
		lines = append(lines, "echo x >/etc/passwd", "mkdir /usr/x", "chmod 777 /etc", "rm -f /etc/passwd", "echo x >"+outside+"/there", "cat /etc/shadow")
	}
	for _, line := range lines {
		b := newBox(t, work)
		b.spec.Rules = append(b.spec.Rules, PathRule{Op: DenyRead, Path: "/etc/shadow"})
		if seen, _, _ := attempts(t, b, line); len(seen) != 0 {
			t.Errorf("%s: %+v", line, seen)
		}
	}
}

func TestHiddenIsAnAttempt(t *testing.T) {
	work, secret := folder(t), folder(t)
	for _, name := range []string{"/dir/a", "/open/a", "/open/b"} {
		if err := os.MkdirAll(secret+filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(secret+name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(secret+"/file", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret+"/dir", work+"/link"); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"cat " + secret + "/file":       secret + "/file",
		"cat " + secret + "/dir/a":      secret + "/dir/a",
		"cat link/a":                    secret + "/dir/a",
		"ls " + secret + "/dir":         secret + "/dir",
		"cat " + secret + "/open/a":     secret + "/open/a",
		"cat " + secret + "/open/b":     "", // is shown
		"cat " + secret + "/dir/absent": "",
		"ls " + secret:                  "",
	} {
		b := newBox(t, work)
		b.spec.Rules = append(b.spec.Rules, PathRule{Op: DenyRead, Path: secret + "/file"}, PathRule{Op: DenyRead, Path: secret + "/dir"},
			PathRule{Op: DenyRead, Path: secret + "/open"}, PathRule{Op: AllowRead, Path: secret + "/open/b"})
		seen, _, out := attempts(t, b, line)
		switch {
		case want == "" && len(seen) != 0, want != "" && (len(seen) != 1 || seen[0].Path != want || seen[0].Write):
			t.Errorf("%s: %+v, want %q (%s)", line, seen, want, out)
		}
	}
}

// A call of a static program, from a thread, relative to a descriptor.
func TestEachCallIsAnAttempt(t *testing.T) {
	probe := filepath.Join(os.Getenv("SRT_TEST_BIN"), "probe")
	if !filepath.IsAbs(probe) {
		probe = buildProbe(t)
	}
	work, outside := folder(t), folder(t)
	if err := errorsOf(
		os.WriteFile(outside+"/f", nil, 0o600), os.Mkdir(outside+"/d", 0o755),
		os.WriteFile(work+"/f", nil, 0o600), os.Mkdir(work+"/d", 0o755),
	); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ call, args, name string }{
		{"openat", "-100 s:%s/n 0101 0600", "n"},
		{"openat", "-100 s:%s/f 2 0", "f"},
		{"openat", "-100 s:%s/f 01000 0", "f"},
		{"mkdirat", "-100 s:%s/n 0755", "n"},
		{"mknodat", "-100 s:%s/n 010600 0", "n"},
		{"symlinkat", "s:x -100 s:%s/n", "n"},
		{"linkat", "-100 s:%s/f -100 s:%s/n 0", "n"},
		{"unlinkat", "-100 s:%s/f 0", "f"},
		{"unlinkat", "-100 s:%s/d 0x200", "d"},
		{"renameat2", "-100 s:%s/f -100 s:%s/n 0", "f"},
		{"fchmodat", "-100 s:%s/f 0600", "f"},
		{"fchownat", "-100 s:%s/f -1 -1 0", "f"},
		{"utimensat", "-100 s:%s/f 0 0", "f"},
		{"truncate", "s:%s/f 0", "f"},
		{"setxattr", "s:%s/f s:user.x s:x 1 0", "f"},
		{"removexattr", "s:%s/f s:user.x", "f"},
	} {
		at := func(dir string) string { return strings.ReplaceAll(c.args, "%s", dir) }
		number := sysNumber(c.call)
		for _, dir := range []string{outside, work} {
			seen, _, out := attempts(t, newBox(t, work), probe+" sys "+fmt.Sprint(number)+" "+at(dir))
			switch {
			case dir == work && len(seen) != 0:
				t.Errorf("%s %s where it is allowed: %+v", c.call, c.args, seen)
			case dir == outside && (len(seen) != 1 || seen[0].Call != c.call || seen[0].Path != outside+"/"+c.name || seen[0].Program != "probe"):
				t.Errorf("%s %s: %+v (%s)", c.call, c.args, seen, out)
			}
		}
		// What the first one changed is put back.
		_ = os.Remove(work + "/n")
		if err := errorsOf(os.WriteFile(work+"/f", nil, 0o600), os.MkdirAll(work+"/d", 0o755)); err != nil {
			t.Fatal(err)
		}
	}
}

func buildProbe(t *testing.T) string {
	t.Helper()
	probe := filepath.Join(folder(t), "probe")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", probe, "../testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if err := errorsOf(os.Chmod(filepath.Dir(probe), 0o755), os.Chmod(probe, 0o755)); err != nil {
		t.Fatal(err)
	}
	return probe
}

func errorsOf(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

func sysNumber(call string) int {
	return map[string]int{
		"openat": unix.SYS_OPENAT, "mkdirat": unix.SYS_MKDIRAT, "mknodat": unix.SYS_MKNODAT, "symlinkat": unix.SYS_SYMLINKAT,
		"linkat": unix.SYS_LINKAT, "unlinkat": unix.SYS_UNLINKAT, "renameat2": unix.SYS_RENAMEAT2, "fchmodat": unix.SYS_FCHMODAT,
		"fchownat": unix.SYS_FCHOWNAT, "utimensat": unix.SYS_UTIMENSAT, "truncate": unix.SYS_TRUNCATE, "setxattr": unix.SYS_SETXATTR,
		"removexattr": unix.SYS_REMOVEXATTR,
	}[call]
}

// FuzzReadString reads strings where another process may put them: across pages, up to
// the end of what is mapped, and beyond.
func FuzzReadString(f *testing.F) {
	f.Add([]byte("/etc/passwd\x00"), uint16(4090))
	f.Add([]byte(strings.Repeat("a/", 3000)), uint16(0))
	f.Add([]byte(""), uint16(8191))
	f.Add([]byte("x"), uint16(8191))
	const pages = 4 * 4096
	memory, err := unix.Mmap(-1, 0, pages+4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		f.Fatal(err)
	}
	if err := unix.Mprotect(memory[pages:], unix.PROT_NONE); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte, at uint16) {
		start := int(at) % pages
		for i := range memory[:pages] {
			memory[i] = 'z'
		}
		n := copy(memory[start:pages], text)
		l := &looker{n: notification{pid: uint32(os.Getpid())}}
		got, err := l.readString(uint64(uintptr(unsafe.Pointer(&memory[start]))))
		runtime.KeepAlive(memory)
		want, _, found := strings.Cut(string(text[:n]), "\x00")
		switch {
		case err == nil && (!found || got != want):
			t.Errorf("%q at %d: %q", text, start, got)
		case err != nil && found && len(want) < unix.PathMax:
			t.Errorf("%q at %d: %v", text, start, err)
		}
	})
}

// FuzzHandle judges calls with any arguments, as a hostile process may make them: of
// this process, so that pointers lead somewhere.
func FuzzHandle(f *testing.F) {
	arch, err := stage.ArchOf(runtime.GOARCH)
	if err != nil {
		f.Skip(err)
	}
	calls := stage.WatchedCalls(arch)
	f.Add(uint16(257), []byte("/etc/x\x00"), uint64(0), uint64(1), int64(-100))
	f.Add(uint16(316), []byte("../../../..\x00"), uint64(1<<63), uint64(0), int64(-1))
	f.Fuzz(func(t *testing.T, nr uint16, text []byte, other, flags uint64, dir int64) {
		call, ok := calls[int(nr)%512]
		if !ok || call.Names[0].Act >= stage.Connect {
			return
		}
		text = append(text, 0)
		ob := &observer{terrain: newTerrain(&Plan{}), calls: nil, known: map[candidateKey]*candidate{}}
		l := &looker{observer: ob, call: &call, n: notification{pid: uint32(os.Getpid())}}
		for i := range l.n.arguments {
			l.n.arguments[i] = flags
		}
		for _, name := range call.Names {
			if name.Act == 0 {
				break
			}
			l.n.arguments[name.Path] = uint64(uintptr(unsafe.Pointer(&text[0])))
			if name.Dir != stage.NoArg {
				l.n.arguments[name.Dir] = uint64(dir)
			}
		}
		if len(text)%3 == 0 {
			l.n.arguments[call.Names[0].Path] = other
		}
		names, err := l.readNames()
		if err != nil {
			return
		}
		for _, n := range names {
			if !strings.HasPrefix(n.path, "/") && n.path != "" && !strings.Contains(n.path, ":") {
				t.Errorf("a path that begins nowhere: %q", n.path)
			}
		}
		if c := l.judge(names, l.suspect(names[0].clean, names[0].act, l.reads()), false); c != nil && !filepath.IsAbs(c.Path) {
			t.Errorf("a place that is none: %+v", c)
		}
		runtime.KeepAlive(text)
	})
}
