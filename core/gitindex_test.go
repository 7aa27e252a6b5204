package core

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What is found is what git lists, in every form of an index.
func TestGitlinks(t *testing.T) {
	w := newGitWorld(t)
	for _, form := range [][]string{{"2"}, {"4"}, {"2", "split"}, {"3"}} {
		name := strings.Join(form, "-")
		w.must(w.home, "init", "-q", name)
		repo := filepath.Join(w.home, name)
		for _, file := range []string{"a", "a long name of a file/with/folders", "a long name of a file/with/others", "z"} {
			w.write(name+"/"+file, "x")
		}
		w.must(repo, "config", "index.version", form[0])
		w.must(repo, "add", ".")
		for _, link := range []string{"a long name of a file/link", "b", "link"} {
			w.must(w.home, "init", "-q", name+"/"+link)
			w.must(filepath.Join(repo, link), "commit", "-q", "--allow-empty", "-m", "x")
			w.must(repo, "add", link)
		}
		if form[0] == "3" {
			w.write(name+"/later", "x")
			w.must(repo, "add", "-N", "later") // which makes it version 3
		}
		if len(form) > 1 {
			w.must(repo, "update-index", "--split-index")
			w.write(name+"/more", "x")
			w.must(repo, "add", "more")
		}
		want, err := w.git(repo, "-c", "core.quotePath=false", "ls-files", "-s")
		if err != nil {
			t.Fatal(err)
		}
		var links []string
		for line := range strings.Lines(want) {
			if strings.HasPrefix(line, "160000 ") {
				_, path, _ := strings.Cut(strings.TrimSpace(line), "\t")
				links = append(links, path)
			}
		}
		got, err := gitlinks(filepath.Join(repo, ".git"), 20)
		slices.Sort(got)
		slices.Sort(links)
		if err != nil || !slices.Equal(got, links) || len(got) != 3 {
			t.Errorf("%s: %q, %v, git has %q", name, got, err, links)
		}
	}
}

func FuzzParseIndex(f *testing.F) {
	f.Add([]byte("DIRC\x00\x00\x00\x02\x00\x00\x00\x00"))
	f.Add([]byte("DIRC\x00\x00\x00\x04\x00\x00\x00\x01" + strings.Repeat("\x00", 24) + "\x00\x00\xe0\x00" + strings.Repeat("\x00", 34) + "\x00link\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		links, shared, err := parseIndex(text, 20)
		if err != nil && (links != nil || shared != "") {
			t.Errorf("%q: %q, %q and %v", text, links, shared, err)
		}
	})
}
