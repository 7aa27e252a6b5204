package fence

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What is shown is what patch(1) and diff -u show, and cutting undoes appending.
func FuzzDiff(f *testing.F) {
	f.Add("", "a\n")
	f.Add("a\nb\nc\nd\ne\n", "a\nb\nX\nc\nd\ne\n")
	f.Add("a\nb", "a\nb\nc\n")
	f.Add("a\n", "")
	f.Fuzz(func(t *testing.T, from, to string) {
		c := Change{File: "f", Old: from, New: to}
		var kept []string
		shown := false // the line before is one of the new text
		for _, line := range lines(c.Diff())[3:] {
			if line[0] == '\\' {
				if shown {
					kept[len(kept)-1] = strings.TrimSuffix(kept[len(kept)-1], "\n")
				}
				continue
			}
			if shown = line[0] != '-'; shown {
				kept = append(kept, line[1:])
			}
		}
		if from != to && !strings.Contains(to, strings.Join(kept, "")) {
			t.Errorf("the diff of %q and %q has %q", from, to, kept)
		}
		block := Block("fuzz", "x")
		c = Change{New: from}
		ended := c.Append(block)
		if !strings.Contains(from, block) {
			if !c.Cut(block) {
				t.Fatalf("%q has no block", c.New)
			}
			if ended {
				c.New = strings.TrimSuffix(c.New, "\n")
			}
			if c.New != from {
				t.Errorf("%q came out as %q", from, c.New)
			}
		}
	})
}

// diff -u says the same.
func TestDiff(t *testing.T) {
	if _, err := exec.LookPath("diff"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	for _, text := range [][2]string{
		{"a\nb\nc\nd\ne\nf\n", "a\nb\nc\nd\nX\ne\nf\n"}, {"a\n", "a\nb\n"}, {"a", "a\nb\n"}, {"", "a\n"}, {"a\nb\n", "b\n"}, {"x\n", ""},
	} {
		from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
		for name, text := range map[string]string{from: text[0], to: text[1]} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out, _ := exec.CommandContext(t.Context(), "diff", "-u", from, to).Output() // ends with 1 where they differ
		_, want, _ := strings.Cut(string(out), "@@\n")
		c := Change{File: "f", Old: text[0], New: text[1]}
		if _, got, _ := strings.Cut(c.Diff(), "@@\n"); got != want {
			t.Errorf("%q is\n%swant\n%s", text, got, want)
		}
	}
}
