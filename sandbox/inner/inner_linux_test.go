package inner

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A wall holds for the rest of a process's life, so each is tried by a process of its
// own: this program again.
func TestMain(m *testing.M) {
	if version := os.Getenv("INNER_VERSION"); version != "" {
		if err := try(version); err != nil {
			panic(err)
		}
		return
	}
	m.Run()
}

// try goes behind the wall of a version and prints what becomes of each attempt.
func try(version string) error {
	n, err := strconv.Atoi(version)
	if err != nil {
		return err
	}
	dir := os.Getenv("INNER_DIR")
	port, err := strconv.Atoi(os.Getenv("INNER_PORT"))
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	// As in a sandbox: with CAP_PERFMON the memory of others can be read past everything.
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return err
	}
	rules := Rules{Write: []string{dir + "/own", dir + "/absent"}, Closed: dir + "/closed", Ports: []uint16{uint16(port)}}
	if err := rules.enter(n); err != nil {
		return err
	}
	say := func(what string, err error) {
		word := "ok"
		if err != nil {
			word = "refused"
		}
		fmt.Println(what + " " + word)
	}
	read := func(name string) error { _, err := os.ReadFile(dir + name); return err }
	say("write-own", os.WriteFile(dir+"/own/new", []byte("x"), 0o600))
	say("rename-own", errors.Join(os.Mkdir(dir+"/own/sub", 0o700), os.Rename(dir+"/own/new", dir+"/own/sub/new")))
	say("truncate-fd", truncateOwn(dir+"/own/sub/new"))
	say("read-beside", read("/other/file"))
	say("read-linked", read("/own/link"))
	say("null", os.WriteFile("/dev/null", []byte("x"), 0))
	say("write-other", os.WriteFile(dir+"/other/file", []byte("x"), 0o600))
	say("make-other", os.WriteFile(dir+"/other/new", nil, 0o600))
	say("remove-other", os.Remove(dir+"/other/file"))
	say("link-other", os.Link(dir+"/other/file", dir+"/own/hard"))
	say("truncate-other", os.Truncate(dir+"/other/file", 0))
	fd, err := unix.Open(dir+"/other/file", unix.O_RDONLY|unix.O_TRUNC, 0)
	if err == nil {
		_ = unix.Close(fd)
	}
	say("open-trunc-other", err)
	say("read-closed", read("/closed/secret"))
	say("read-closed-root", func() error { _, err := os.ReadFile("/proc/self/root" + dir + "/closed/secret"); return err }())
	say("link-closed", os.Link(dir+"/closed/secret", dir+"/own/hard"))
	say("parent-environ", func() error { _, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", os.Getppid())); return err }())
	say("parent-debugger", unix.Kill(os.Getppid(), unix.SIGUSR1))
	say("connect-listed", connect(port))
	say("connect-other", connect(port+1))
	return nil
}

func truncateOwn(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Truncate(0)
}

// connect counts a refusal by the other side as success: it got there.
func connect(port int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	if errors.Is(err, unix.ECONNREFUSED) {
		return nil
	}
	return err
}

// Where a version of Landlock lacks something, the filter stands in for it, so that
// every version refuses the same.
func TestEnter(t *testing.T) {
	have, err := Version()
	if err != nil {
		t.Fatal(err)
	}
	if have < least {
		t.Skipf("the kernel has version %d of Landlock", have)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for version := least; version <= have; version++ {
		t.Run(strconv.Itoa(version), func(t *testing.T) {
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{"other/file": "OTHER", "closed/secret": "SECRET", "own/old": ""} {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink("../other/file", filepath.Join(dir, "own/link")); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), self)
			cmd.Env = append(os.Environ(), "INNER_VERSION="+strconv.Itoa(version), "INNER_DIR="+dir, "INNER_PORT="+port)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			said := strings.Fields(string(out))
			got := map[string]string{}
			for i := 0; i+1 < len(said); i += 2 {
				got[said[i]] = said[i+1]
			}
			for _, what := range []string{"write-own", "rename-own", "truncate-fd", "read-beside", "read-linked", "null", "connect-listed"} {
				if want := "ok"; got[what] != want && (what != "connect-listed" || version >= 4) {
					t.Errorf("%s: %q", what, got[what])
				}
			}
			for _, what := range []string{
				"write-other", "make-other", "remove-other", "link-other", "truncate-other", "open-trunc-other",
				"read-closed", "read-closed-root", "link-closed", "parent-environ", "parent-debugger", "connect-other",
			} {
				if got[what] != "refused" {
					t.Errorf("%s: %q", what, got[what])
				}
			}
			if text, err := os.ReadFile(filepath.Join(dir, "other/file")); string(text) != "OTHER" {
				t.Errorf("the other file is %q, %v", text, err)
			}
			if _, err := os.Stat(filepath.Join(dir, "own/hard")); err == nil {
				t.Error("there is a hard link")
			}
		})
	}
	if err := (&Rules{}).enter(1); !errors.Is(err, ErrNoLandlock) {
		t.Errorf("version 1: %v", err)
	}
}

// What is said to be lost is what the filter makes up for.
func TestWeaker(t *testing.T) {
	for version, want := range map[int]int{2: 3, 3: 2, 4: 1, 5: 1, 6: 0, 7: 0} {
		if got := Weaker(version); len(got) != want {
			t.Errorf("version %d: %q", version, got)
		}
	}
}
