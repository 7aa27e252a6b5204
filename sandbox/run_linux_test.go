package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/srt-sh/srt/sandbox/launch"
)

// box runs shell lines in real sandboxes.
type box struct {
	t     *testing.T
	spec  Spec
	start Start
	input string        // the file that is standard input, the null device if empty
	serve func(Network) // gets the listeners

	observe *Observer // nil: none
}

// newBox gives a sandbox whose working folder, also its write root, is work.
func newBox(t *testing.T, work string) *box {
	t.Helper()
	bwrap, err := launch.FindHelper("bwrap")
	if err != nil {
		t.Skipf("bubblewrap is needed: %v", err)
	}
	return &box{
		t: t,
		spec: Spec{
			Program: "/bin/sh", Dir: work, Env: []string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir()},
			Rules:    []PathRule{{Op: AllowWrite, Path: work, Reason: "work"}},
			StateDir: filepath.Join(t.TempDir(), "state"),
		},
		start: Start{Bwrap: bwrap, Listen: []uint16{3128}},
	}
}

// folder is a new folder, free of symlinks.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// open starts a sandbox with a shell line and gives it with the reading end of
// its output.
func (b *box) open(line string) (*Sandbox, *os.File) {
	b.t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		b.t.Fatal(err)
	}
	null, err := os.Open(cmp.Or(b.input, os.DevNull))
	if err != nil {
		b.t.Fatal(err)
	}
	defer null.Close()
	defer write.Close()
	b.start.Stdin, b.start.Stdout, b.start.Stderr = null, write, write
	b.spec.Args = []string{"sh", "-c", line}
	s, err := New(b.start)
	if err != nil {
		if errors.Is(err, ErrNoUserns) {
			b.t.Skip(err)
		}
		b.t.Fatal(err)
	}
	b.t.Cleanup(s.Close)
	for err = ErrMoved; errors.Is(err, ErrMoved); {
		plan, planErr := NewPlan(&b.spec)
		if planErr != nil {
			b.t.Fatal(planErr)
		}
		err = s.Prepare(plan)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	if b.observe != nil {
		s.Observe(*b.observe)
	}
	if err := s.Exec(b.serve); err != nil {
		b.t.Fatal(err)
	}
	return s, read
}

// run runs a shell line to its end and gives its status and output.
func (b *box) run(line string) (int, string) {
	b.t.Helper()
	s, out := b.open(line)
	defer out.Close()
	data, err := io.ReadAll(out)
	if err != nil {
		b.t.Fatal(err)
	}
	status := s.Wait()
	s.Close()
	return status.Code, string(data)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func wantFile(t *testing.T, path, text string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != text {
		t.Errorf("%s holds %q (%v), want %q", path, got, err, text)
	}
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("%s holds %v (%v), want nothing", dir, entries, err)
	}
}

// wantNoJournals looks into the folder of journals: what is in the pool stays, and is
// empty folders.
func wantNoJournals(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != "folders" {
			t.Errorf("%s holds %v, want no journals", dir, e)
		}
	}
	if err != nil {
		t.Error(err)
	}
	slots, _ := os.ReadDir(filepath.Join(dir, "folders"))
	for _, e := range slots {
		wantEmpty(t, filepath.Join(dir, "folders", e.Name()))
	}
}

func TestWritesStayInTheRoots(t *testing.T) {
	work, outside := folder(t), folder(t)
	write(t, filepath.Join(outside, "f"), "old")
	b := newBox(t, work)
	code, out := b.run("echo in >in; echo out 2>&1 >" + outside + "/f; ln -s " + outside + " l; echo x >l/new; exit 7")
	if code != 7 || !strings.Contains(out, "Read-only file system") {
		t.Errorf("status %d, output %q", code, out)
	}
	wantFile(t, filepath.Join(work, "in"), "in\n")
	wantFile(t, filepath.Join(outside, "f"), "old")
	if _, err := os.Lstat(filepath.Join(outside, "new")); err == nil {
		t.Error("a symlink led out of the write root")
	}
}

func TestHiddenAndRevealed(t *testing.T) {
	work, secret := folder(t), folder(t)
	write(t, filepath.Join(secret, "key"), "SECRET")
	write(t, filepath.Join(secret, "deep/open"), "OPEN")
	write(t, filepath.Join(secret, "w/x"), "X")
	write(t, filepath.Join(work, "file"), "SECRET")
	b := newBox(t, work)
	b.spec.Rules = append(b.spec.Rules,
		PathRule{Op: DenyRead, Path: secret},
		PathRule{Op: DenyRead, Path: filepath.Join(work, "file")},
		PathRule{Op: AllowRead, Path: filepath.Join(secret, "deep/open")},
		PathRule{Op: AllowWrite, Path: filepath.Join(secret, "w")})
	_, out := b.run("cat " + secret + "/key file; ls " + secret + "; cd " + secret + "; cat deep/open; echo y >w/y; cat w/x; echo z >deep/open")
	if strings.Contains(out, "SECRET") || !strings.Contains(out, "OPEN") || !strings.Contains(out, "X") {
		t.Errorf("output %q", out)
	}
	wantFile(t, filepath.Join(secret, "w/y"), "y\n")
	wantFile(t, filepath.Join(secret, "deep/open"), "OPEN")
}

func TestProtectedNames(t *testing.T) {
	work := folder(t)
	write(t, filepath.Join(work, "sub/repo/.git/HEAD"), "ref: refs/heads/main\n")
	write(t, filepath.Join(work, "sub/repo/.git/hooks/pre-commit"), "old")
	write(t, filepath.Join(work, "a/b/c/d/e/.BASHRC"), "old")
	b := newBox(t, work)
	b.spec.Protect = []Protected{
		{Name: ".bashrc", Absent: PlaceholderSocket},
		{Name: ".vscode", Absent: PlaceholderDir},
		{Name: ".config/fish", Absent: PlaceholderDir},
		{Name: ".git/hooks", Absent: PlaceholderDir},
		{Name: ".git/config.worktree", Absent: PlaceholderFile},
	}
	_, out := b.run(`echo evil >.bashrc; mkdir .vscode/x; echo evil >.config/fish/f; echo mine >.config/mine
		echo evil >sub/repo/.git/hooks/pre-commit; echo evil >sub/repo/.git/config.worktree
		mv sub/repo sub/r2; mv sub s2; mv sub/repo/.git g; rm -rf sub/repo; mv a a2; echo evil >a/b/c/d/e/.BASHRC
		echo ok >sub/repo/.git/index; cat sub/repo/.git/config.worktree && echo readable`)
	if !strings.Contains(out, "readable") {
		t.Errorf("git's own placeholder cannot be read: %q", out)
	}
	wantFile(t, filepath.Join(work, "sub/repo/.git/hooks/pre-commit"), "old")
	wantFile(t, filepath.Join(work, "a/b/c/d/e/.BASHRC"), "old")
	wantFile(t, filepath.Join(work, ".config/mine"), "mine\n")
	for _, gone := range []string{".bashrc", ".vscode", ".config/fish", "sub/repo/.git/config.worktree", "sub/r2", "s2"} {
		if _, err := os.Lstat(filepath.Join(work, gone)); err == nil {
			t.Errorf("%s is there afterwards", gone)
		}
	}
	wantNoJournals(t, b.spec.StateDir)
}

func TestPlaceholdersAreShared(t *testing.T) {
	work := folder(t)
	b := newBox(t, work)
	b.spec.Protect = []Protected{{Name: ".bashrc", Absent: PlaceholderSocket}, {Name: ".idea", Absent: PlaceholderDir}}
	wait := "read line <go; echo evil >.bashrc; mkdir .idea/x; exit 0"
	if err := unix.Mkfifo(filepath.Join(work, "go"), 0o600); err != nil {
		t.Fatal(err)
	}
	long, out := b.open(wait)
	defer out.Close()
	if code, _ := b.run("true"); code != 0 { // its end must not uncover the first one
		t.Fatal(code)
	}
	if _, err := os.Lstat(filepath.Join(work, ".bashrc")); err != nil {
		t.Errorf("the placeholder of a running sandbox is gone: %v", err)
	}
	if err := os.WriteFile(filepath.Join(work, "go"), []byte("go\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	long.Wait()
	long.Close()
	for _, gone := range []string{".bashrc", ".idea"} {
		if _, err := os.Lstat(filepath.Join(work, gone)); err == nil {
			t.Errorf("%s is there after the last run", gone)
		}
	}
}

func TestPlaceholdersOfAKilledRun(t *testing.T) {
	work, state := folder(t), folder(t)
	wanted := []Make{{filepath.Join(work, ".idea"), PlaceholderDir}, {filepath.Join(work, ".bashrc"), PlaceholderSocket}, {filepath.Join(work, "full"), PlaceholderDir}}
	killed, err := makePlaceholders(state, wanted, rests{})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(work, "full/of"), "work")
	killed.unlock()
	killed.journal.Close()
	write(t, filepath.Join(state, ".ABORTED"), "1 \"/half")
	next, err := makePlaceholders(state, nil, rests{})
	if err != nil {
		t.Fatal(err)
	}
	next.release()
	wantFile(t, filepath.Join(work, "full/of"), "work")
	if err := os.RemoveAll(filepath.Join(work, "full")); err != nil {
		t.Fatal(err)
	}
	wantEmpty(t, work)
	wantNoJournals(t, state)
}

// A run that was killed found the folder that an earlier one had left, and made
// its own in it: both go, whichever journal is read first.
func TestPlaceholdersOfTwoKilledRuns(t *testing.T) {
	for _, order := range [][2]string{{"1", "2"}, {"2", "1"}} {
		work, state := folder(t), folder(t)
		for i, path := range []string{".claude", ".claude/commands"} {
			killed, err := makePlaceholders(state, []Make{{filepath.Join(work, path), PlaceholderDir}}, rests{})
			if err != nil {
				t.Fatal(err)
			}
			killed.unlock()
			name := filepath.Join(state, filepath.Base(killed.journal.Name())[1:]+journalSuffix)
			if err := os.Rename(name, filepath.Join(state, order[i]+journalSuffix)); err != nil {
				t.Fatal(err)
			}
			killed.journal.Close()
		}
		sweep(state, nil)
		wantEmpty(t, work)
		wantNoJournals(t, state)
	}
}

// The folder that a killed run left stays as long as a living one has something in
// it, and goes with that one's end.
func TestPlaceholderAroundThoseOfALivingRun(t *testing.T) {
	work, state := folder(t), folder(t)
	killed, err := makePlaceholders(state, []Make{{filepath.Join(work, ".claude"), PlaceholderDir}}, rests{})
	if err != nil {
		t.Fatal(err)
	}
	killed.unlock()
	killed.journal.Close()
	living, err := makePlaceholders(state, []Make{{filepath.Join(work, ".claude/commands"), PlaceholderDir}}, rests{})
	if err != nil {
		t.Fatal(err)
	}
	sweep(state, nil)
	if _, err := os.Stat(filepath.Join(work, ".claude/commands")); err != nil {
		t.Error(err)
	}
	living.release()
	wantEmpty(t, work)
	wantNoJournals(t, state)
}

// What is in the folder that a killed run left is of a run whose journal cannot be read
// for a moment, as when something has it locked: the folder goes with that one's.
func TestPlaceholderAroundThoseOfALockedJournal(t *testing.T) {
	work, state := folder(t), folder(t)
	var journals []*os.File
	for _, path := range []string{".claude", ".claude/commands"} {
		killed, err := makePlaceholders(state, []Make{{filepath.Join(work, path), PlaceholderDir}}, rests{})
		if err != nil {
			t.Fatal(err)
		}
		killed.unlock()
		journals = append(journals, killed.journal)
	}
	journals[0].Close()
	sweep(state, nil)
	journals[1].Close()
	sweep(state, nil)
	wantEmpty(t, work)
	wantNoJournals(t, state)
}

// Two runs that find nothing both make a folder and something in it: the end of the one
// takes neither from the other.
func TestPlaceholdersOfTwoFirstRuns(t *testing.T) {
	work, state := folder(t), folder(t)
	wanted := []Make{{filepath.Join(work, ".claude"), PlaceholderDir}, {filepath.Join(work, ".claude/commands"), PlaceholderDir}}
	var runs []*placeholders
	for range 2 {
		run, err := makePlaceholders(state, wanted, rests{})
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, run)
	}
	runs[0].release()
	if _, err := os.Stat(wanted[1].Path); err != nil {
		t.Error(err)
	}
	runs[1].release()
	wantEmpty(t, work)
	wantNoJournals(t, state)
}

// What a run found may be the placeholder of another one, whose end does not take it away:
// neither what it protects nor what it hides, nor the store that it writes to, whatever
// there was in that meanwhile.
func TestPlaceholdersThatAreFound(t *testing.T) {
	work, state := folder(t), folder(t)
	in := func(name string) string { return filepath.Join(work, name) }
	first, err := makePlaceholders(state, []Make{
		{in(".idea"), PlaceholderDir},
		{in(".bashrc"), PlaceholderSocket},
		{in(".git"), PlaceholderFile},
		{in("dot"), PlaceholderDot},
		{in("cache"), PlaceholderDir},
		{in("cache/tool"), PlaceholderDir},
	}, rests{})
	if err != nil {
		t.Fatal(err)
	}
	write(t, in("cache/tool/file/text"), "")
	for _, on := range []rests{{paths: []string{in(".idea")}}, {paths: []string{in("dot"), in(".git")}}, {caches: []string{in("cache/tool")}}} {
		next, err := makePlaceholders(state, nil, on)
		if err != nil {
			t.Fatal(err)
		}
		defer next.release()
	}
	if err := os.RemoveAll(in("cache/tool/file")); err != nil {
		t.Fatal(err)
	}
	first.release()
	for _, name := range []string{".idea", ".bashrc", ".git", "dot", "cache/tool"} {
		if _, err := os.Lstat(in(name)); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(func() { // after the releases
		wantEmpty(t, work)
		wantNoJournals(t, state)
	})
}

// What went since the plan was made asks for another one, and so does what is of another
// kind now.
func TestPlanThatIsOld(t *testing.T) {
	work, state := folder(t), folder(t)
	in := func(name string) string { return filepath.Join(work, name) }
	write(t, in("file"), "")
	if err := os.Symlink("file", in("link")); err != nil {
		t.Fatal(err)
	}
	for name, on := range map[string]rests{
		"a protected path": {paths: []string{in("none")}}, "one deeper": {paths: []string{in("no/ne")}},
		"in a file": {paths: []string{in("file/none")}}, "a store": {caches: []string{in("none")}},
	} {
		if _, err := makePlaceholders(state, nil, on); !errors.Is(err, ErrMoved) {
			t.Errorf("%s: %v, want %v", name, err, ErrMoved)
		}
	}
	for name, wanted := range map[string]Make{
		"in no folder": {in("no/ne"), PlaceholderDir}, "in a file": {in("file/none"), PlaceholderSocket},
		"a folder at a file": {in("file"), PlaceholderDir}, "a file at a link": {in("link"), PlaceholderFile},
		"a socket at a folder": {work, PlaceholderSocket},
	} {
		if _, err := makePlaceholders(state, []Make{wanted}, rests{}); !errors.Is(err, ErrMoved) {
			t.Errorf("%s: %v, want %v", name, err, ErrMoved)
		}
	}
	if made, err := makePlaceholders(state, []Make{{in("file"), PlaceholderSocket}}, rests{}); err != nil {
		t.Errorf("a socket at a file: %v", err)
	} else {
		made.unlock() // the file would be taken for one of ours, and go
		made.journal.Close()
	}
	if _, err := os.Lstat(in("file")); err != nil {
		t.Error(err)
	}
}

// A folder that was made anew is not the one that is open.
func TestLockOfAFolderThatIsMadeAnew(t *testing.T) {
	dir := filepath.Join(folder(t), "dir")
	for range 2 {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		open, err := openFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(open)
		if !leadsTo(dir, open) {
			t.Error("it does not lead to itself")
		}
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		if leadsTo(dir, open) {
			t.Error("it leads to what is gone")
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if leadsTo(dir, open) {
			t.Error("it leads to what is gone, though there is another")
		}
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// Runs that start and end at once, in folders that are placeholders themselves and with
// a folder of journals that is not there yet: nobody fails, and the last ones leave
// nothing.
func TestPlaceholdersOfManyAtOnce(t *testing.T) {
	for range 20 {
		work, state := folder(t), filepath.Join(folder(t), "deep/state")
		var runs sync.WaitGroup
		for i := range 12 {
			runs.Go(func() {
				wanted := []Make{{filepath.Join(work, "a"), PlaceholderDir}, {filepath.Join(work, "a/b"), PlaceholderDir}, {filepath.Join(work, "a/b", string(rune('a'+i))), PlaceholderSocket}}
				for range 5 {
					var run *placeholders
					err := ErrMoved
					for try := 0; errors.Is(err, ErrMoved) && try < 20; try++ {
						run, err = makePlaceholders(state, wanted, rests{})
					}
					if err != nil {
						t.Error(err)
						return
					}
					for _, e := range wanted {
						if _, err := os.Lstat(e.Path); err != nil {
							t.Error(err)
						}
					}
					run.release()
				}
			})
		}
		runs.Wait()
		wantEmpty(t, work)
		wantNoJournals(t, state)
	}
}

func TestManyRunsInOneFolder(t *testing.T) {
	work, state := folder(t), folder(t)
	var runs sync.WaitGroup
	for range 4 {
		runs.Go(func() {
			for range 10 {
				b := newBox(t, work)
				b.spec.StateDir = state
				b.spec.Protect = []Protected{{Name: ".claude/commands", Absent: PlaceholderDir, Cover: PlaceholderDir}, {Name: ".idea", Absent: PlaceholderDir}}
				if code, out := b.run("mkdir -p .claude/commands/x || mkdir .idea/x || exit 3"); code != 3 {
					t.Errorf("status %d, %s", code, out)
				}
			}
		})
	}
	runs.Wait()
	wantEmpty(t, work)
	wantNoJournals(t, state)
}

// A closed folder of one's own could be opened by the command; nothing can be made
// in it to stand for what is protected.
func TestClosedFolder(t *testing.T) {
	work := folder(t)
	b := newBox(t, work)
	b.spec.Protect = []Protected{{Name: ".bashrc", Absent: PlaceholderSocket}}
	if os.Getuid() == 0 {
		t.Skip("nothing is closed to root")
	}
	for _, mode := range []os.FileMode{0o555, 0o333} {
		if err := os.Chmod(work, mode); err != nil {
			t.Fatal(err)
		}
		b.run("chmod 755 .; echo evil >.bashrc")
		if err := os.Chmod(work, 0o755); err != nil {
			t.Fatal(err)
		}
		wantEmpty(t, work)
	}
	if code, _ := b.run("chmod 700 .; echo fine >file"); code != 0 {
		t.Errorf("status %d in an open one", code)
	}
}

func TestJournalThatCannotBeWritten(t *testing.T) {
	work, state := folder(t), folder(t)
	write(t, filepath.Join(state, "file"), "")
	_, err := makePlaceholders(filepath.Join(state, "file", "sub"), []Make{{filepath.Join(work, ".idea"), PlaceholderDir}}, rests{})
	if err == nil || !strings.Contains(err.Error(), "journal") {
		t.Errorf("error %v, want one that names the journal", err)
	}
	wantEmpty(t, work)
}

func TestExecErrorsAreExact(t *testing.T) {
	work := folder(t)
	write(t, filepath.Join(work, "script"), "#!/no/such/interpreter\n")
	write(t, filepath.Join(work, "plain"), "echo run by sh\n")
	for name, want := range map[string]syscall.Errno{"script": syscall.ENOENT, "absent": syscall.ENOENT, "dir": syscall.EACCES, "plain": 0} {
		b := newBox(t, work)
		if err := os.MkdirAll(filepath.Join(work, "dir"), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, f := range []string{"script", "plain"} {
			if err := os.Chmod(filepath.Join(work, f), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		b.start.Stdin, b.start.Stdout, b.start.Stderr = os.Stdin, os.Stdout, os.Stderr
		b.spec.Program, b.spec.Args = filepath.Join(work, name), []string{name}
		s, err := New(b.start)
		if errors.Is(err, ErrNoUserns) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		plan, err := NewPlan(&b.spec)
		if err != nil {
			t.Fatal(err)
		}
		if err = s.Prepare(plan); err != nil {
			t.Fatal(err)
		}
		err = s.Exec(nil)
		var number ExecError
		switch {
		case want == 0 && err != nil:
			t.Errorf("%s: %v, want it run by the shell", name, err)
		case want != 0 && (!errors.As(err, &number) || syscall.Errno(number) != want):
			t.Errorf("%s: error %v, want %v", name, err, want)
		}
		s.Wait()
		s.Close()
	}
}

func TestOnlyKeptDescriptorsAreInherited(t *testing.T) {
	work := folder(t)
	b := newBox(t, work)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	kept, err := unix.FcntlInt(read.Fd(), unix.F_DUPFD, 40)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(kept)
	secret, err := unix.Open("/etc", unix.O_RDONLY, 0) // not closed on exec
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(secret)
	if _, err := write.WriteString("through\n"); err != nil {
		t.Fatal(err)
	}
	write.Close()
	b.start.Keep = []int{kept}
	_, out := b.run("ls /proc/self/fd | tr '\\n' ' '; cat /dev/fd/40")
	if !strings.Contains(out, "0 1 2 3 40 ") || !strings.Contains(out, "through") {
		t.Errorf("descriptors and text %q, want those of the shell and 40", out)
	}
}

func TestListenersAcceptFromInside(t *testing.T) {
	work := folder(t)
	b := newBox(t, work)
	b.spec.Program = "/bin/bash"
	if _, err := os.Stat(b.spec.Program); err != nil {
		t.Skip("bash is needed to open a connection")
	}
	var listeners []net.Listener
	b.serve = func(n Network) { listeners = n.Listeners }
	s, out := b.open(`exec 5<>/dev/tcp/127.0.0.1/3128 && echo hello >&5 && read -r answer <&5 && echo "got $answer"`)
	defer out.Close()
	if len(listeners) == 0 {
		t.Fatal("no listeners")
	}
	conn, err := listeners[0].Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := conn.(*net.TCPConn); !ok {
		t.Errorf("the connection is a %T", conn)
	}
	buf := make([]byte, 6)
	if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "hello\n" {
		t.Errorf("read %q, %v", buf, err)
	}
	if _, err := conn.Write([]byte("back\n")); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	data, _ := io.ReadAll(out)
	if s.Wait().Code != 0 || string(data) != "got back\n" {
		t.Errorf("output %q", data)
	}
}

func TestKillEndsEverything(t *testing.T) {
	work := folder(t)
	b := newBox(t, work)
	s, out := b.open("sleep 1000 & setsid sleep 1000 & echo up; wait")
	defer out.Close()
	if _, err := io.ReadFull(out, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	// Everybody who holds the output is gone when it ends.
	if _, err := io.ReadAll(out); err != nil {
		t.Fatal(err)
	}
	if code := s.Wait().Code; code != 128+9 {
		t.Errorf("status %d", code)
	}
}

func TestSignalReachesTheCommand(t *testing.T) {
	work := folder(t)
	b := newBox(t, work)
	s, out := b.open("trap 'echo trapped; exit 5' TERM; echo up; while :; do sleep 0.05; done")
	defer out.Close()
	if _, err := io.ReadFull(out, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	if err := s.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	data, _ := io.ReadAll(out)
	if code := s.Wait().Code; code != 5 || string(data) != "trapped\n" {
		t.Errorf("status %d, output %q", code, data)
	}
}

func TestSwapDuringStartIsRefused(t *testing.T) {
	work, outside := folder(t), folder(t)
	root := filepath.Join(work, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	b := newBox(t, work)
	b.spec.Rules = []PathRule{{Op: AllowWrite, Path: root}}
	b.start.Stdin, b.start.Stdout, b.start.Stderr = os.Stdin, os.Stdout, os.Stderr
	b.spec.Args = []string{"sh", "-c", "echo x >root/x"}
	s, err := New(b.start)
	if errors.Is(err, ErrNoUserns) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	plan, err := NewPlan(&b.spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Prepare(plan), os.Rename(root, root+"2"), os.Symlink(outside, root)); err != nil {
		t.Fatal(err)
	}
	if err := s.Exec(nil); err == nil || !strings.Contains(err.Error(), "symlink") {
		t.Errorf("error %v, want a refusal", err)
	}
	wantEmpty(t, outside)
}

// A file that is given to be read leads to the mount that it was opened by, outside.
func TestInputCannotBeOpenedToWrite(t *testing.T) {
	work, out := folder(t), folder(t)
	write(t, out+"/input", "one\ntwo\n")
	b := newBox(t, work)
	for _, line := range []string{
		"echo evil >>/proc/self/fd/0",
		": >/dev/stdin",
		"exec 5<&0 && echo evil >/proc/self/fd/5",
	} {
		b.input = out + "/input"
		if status, _ := b.run(line); status == 0 {
			t.Errorf("%s: status 0", line)
		}
		wantFile(t, out+"/input", "one\ntwo\n")
	}
	// It is read as before, also where it is no file of the tree.
	if _, text := b.run("read a; read b; echo $b"); text != "two\n" {
		t.Errorf("it reads %q", text)
	}
	b.input = "/proc/self/status"
	if _, text := b.run("head -c 5"); text != "Name:" {
		t.Errorf("it reads %q of a file in /proc", text)
	}
}

// Where the write root is above the project that the command works in, nothing is made
// at the project's top either.
func TestWorkingFolderBelowTheRoot(t *testing.T) {
	root := folder(t)
	if err := os.MkdirAll(root+"/one/src", 0o750); err != nil {
		t.Fatal(err)
	}
	b := newBox(t, root)
	b.spec.Dir = root + "/one/src"
	b.spec.Protect = []Protected{{Name: ".envrc", Absent: PlaceholderSocket, Reason: "test"}}
	b.run("echo evil >.envrc; echo evil >../.envrc; echo evil >../../.envrc; mkdir ../two; echo fine >../two/.envrc")
	for _, dir := range []string{"", "/one", "/one/src"} {
		if _, err := os.Lstat(root + dir + "/.envrc"); err == nil {
			t.Errorf("%s/.envrc was made", dir)
		}
	}
	wantFile(t, root+"/one/two/.envrc", "fine\n")
}

func TestDialReachesInside(t *testing.T) {
	work := folder(t)
	write(t, filepath.Join(work, "serve.py"), `import socket
s = socket.create_server(("127.0.0.1", 4000))
print("up", flush=True)
for i in range(4):
    c, _ = s.accept()
    c.sendall(c.recv(100) + b" %d" % i)
    c.close()
`)
	b := newBox(t, work)
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is needed to listen")
	}
	b.spec.Sockets = 1
	var inside Network
	b.serve = func(n Network) { inside = n }
	s, out := b.open("exec python3 serve.py")
	defer out.Close()
	if _, err := io.ReadFull(out, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	if _, err := inside.Dial(t.Context(), 4001); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a port where nobody listens: %v", err)
	}
	// More than there are sockets, one after the other.
	for i := range 4 {
		conn, err := inside.Dial(t.Context(), 4000)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			// While it is open there is no other.
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			if other, err := inside.Dial(ctx, 4000); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a second connection: %v, %v", other, err)
			}
			cancel()
		}
		if _, err := conn.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(conn)
		if want := fmt.Sprintf("hello %d", i); err != nil || string(data) != want {
			t.Errorf("read %q, %v, want %q", data, err, want)
		}
		_ = conn.Close()
	}
	if code := s.Wait().Code; code != 0 {
		t.Errorf("status %d", code)
	}
}
