package cmd

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// at makes a descriptor of a file appear under a number.
func at(t *testing.T, f *os.File, fd int) {
	t.Helper()
	if err := unix.Dup2(int(f.Fd()), fd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
}

func TestInherited(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close(); _ = w.Close() }()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	at(t, r, 63)
	at(t, w, 62)
	at(t, r, 61)
	at(t, null, 60)
	for _, c := range []struct {
		words   []string
		flags   string
		control int
		want    []int
	}{
		{words: []string{"cat", "/dev/fd/63"}, want: []int{63}},
		{words: []string{"x", "--in=/dev/fd/63", "/proc/self/fd/62", "/dev/fd/63"}, want: []int{63, 62}},
		{words: []string{"cat </dev/fd/63 >/dev/fd/62"}, want: []int{63, 62}},
		{words: []string{"cat", "/dev/fd/60"}},                // no pipe
		{words: []string{"cat", "/dev/fd/59"}},                // not open
		{words: []string{"cat", "/dev/fd/", "/dev/fd/x"}},     // no number
		{words: []string{"cat", "/dev/fd/0", "/dev/fd/1"}},    // the command's anyway
		{words: []string{"cat", "63"}},                        // not named as a path
		{words: []string{"cat", "/dev/fd/63"}, control: 63},   // ours
		{words: []string{"cat", "/dev/fd/99999999999999999"}}, // no descriptor
		{words: []string{"make"}, flags: " -j2 --jobserver-auth=61,62 -- X=1", want: []int{61, 62}},
		{words: []string{"make"}, flags: "--jobserver-auth=fifo:/tmp/x"},
	} {
		if kept := inherited(c.words, c.flags, c.control); !slices.Equal(kept, c.want) {
			t.Errorf("inherited(%q, %q) = %v; want %v", c.words, c.flags, kept, c.want)
		}
	}
}

func TestOpenControl(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close(); _ = w.Close() }()
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	at(t, w, 62)
	at(t, dir, 61)
	for _, c := range []struct {
		fd  int
		why string
	}{{999, "bad file descriptor"}, {62, "it is open for writing only"}, {61, "it is a folder"}} {
		_, err := openControl(c.fd)
		want := fmt.Sprintf("Error: --control-fd %d is not usable: %s. Refusing to run the command without the control channel it asks for.", c.fd, c.why)
		if err == nil || err.Error() != want {
			t.Errorf("openControl(%d) = %v, want %s", c.fd, err, want)
		}
	}
	if err := unix.Dup2(int(r.Fd()), 63); err != nil {
		t.Fatal(err)
	}
	f, err := openControl(63)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := w.WriteString("line\n"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 9)
	if n, err := f.Read(buf); err != nil || string(buf[:n]) != "line\n" {
		t.Errorf("read %q, %v", buf[:n], err)
	}
}

func TestShellWords(t *testing.T) {
	for want, words := range map[string][]string{
		"npm install":     {"npm", "install"},
		"echo 'a b' ''":   {"echo", "a b", ""},
		`x 'it'\''s' '$'`: {"x", "it's", "$"},
		"'~' 'é' a=b":     {"~", "é", "a=b"},
	} {
		if got := shellWords(words); got != want {
			t.Errorf("shellWords(%q) = %s, want %s", words, got, want)
		}
	}
}

// Each verb and each option that can be seen is completed in each shell.
func TestCompletionKnowsAll(t *testing.T) {
	parser, err := newParser(&tree{}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, flag := range parser.Model.Flags {
		names = append(names, flag.Name)
	}
	for _, node := range parser.Model.Leaves(true) {
		names = append(names, strings.Fields(node.Path())...)
		for _, flag := range node.Flags {
			if !flag.Hidden {
				names = append(names, flag.Name)
			}
		}
	}
	for shell, script := range map[string]string{"bash": completionBash, "zsh": completionZsh, "fish": completionFish} {
		for _, name := range names {
			if !strings.Contains(script, name) {
				t.Errorf("%s does not know %s", shell, name)
			}
		}
	}
}
