//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// row is one attack of testdata/escape/rows.tsv.
type row struct {
	id, title string
	reason    string // why it does not apply to srt here; "" for one with a script
}

func escapeRows(t *testing.T, dir string) []row {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "rows.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(cells) != 7 {
			t.Fatalf("rows.tsv: %d cells in %q", len(cells), line)
		}
		r := row{id: cells[0], title: cells[1], reason: cells[6]}
		if r.reason == "-" {
			r.reason = ""
		}
		rows = append(rows, r)
	}
	return rows
}

// TestEscapes runs the attacks of testdata/escape: ROW.txtar or ROW_name.txtar for
// each row of the table that applies here. They find what the scripts of
// TestScripts find. A script has a phase that begins with "twin": the same attack
// where it is allowed, which shows that the probe works.
func TestEscapes(t *testing.T) {
	source, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(source, "testdata", "escape")
	known := map[string]bool{}
	for _, r := range escapeRows(t, dir) {
		files, err := filepath.Glob(filepath.Join(dir, r.id+"_*.txtar"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			known[f] = true
		}
		t.Run(r.id, func(t *testing.T) {
			switch {
			case r.reason != "" && len(files) == 0:
				t.Skip(r.reason)
			case r.reason != "":
				t.Fatalf("has a script, and a reason not to have one: %s", r.reason)
			case len(files) == 0:
				t.Fatal("has no script")
			}
			t.Parallel()
			for _, f := range files {
				checkTwin(t, f)
			}
			runScripts(t, source, files)
		})
	}
	all, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if !known[f] {
			t.Errorf("%s belongs to no row", filepath.Base(f))
		}
	}
}

// checkTwin refuses an attack without its twin: that something was refused says
// nothing unless it could have worked.
func checkTwin(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	script, _, _ := strings.Cut(string(text), "\n-- ")
	if !strings.Contains("\n"+script, "\n# twin") {
		t.Errorf("%s has no phase that begins with \"# twin\"", filepath.Base(file))
	}
}

// runScripts runs scripts in the world of TestScripts.
func runScripts(t *testing.T, source string, files []string) {
	t.Helper()
	// Not below /tmp, which a sandbox may well replace by one of its own.
	root, err := os.MkdirTemp("/var/tmp", "srt-escape-") //nolint:usetesting // not below /tmp
	if err != nil {
		t.Fatal(err)
	}
	if !testing.Verbose() || os.Getenv("SRT_TEST_KEEP") == "" {
		t.Cleanup(func() { removeAll(root) })
	}
	params := scriptParams(source, root)
	params.Files = files
	testscript.Run(t, params)
}
