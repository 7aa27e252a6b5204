package sandbox

import (
	"slices"
	"testing"
)

func TestFewer(t *testing.T) {
	for _, c := range []struct {
		paths, roots []string
		most         int
		want         []string
	}{
		{paths: []string{"/w/a/b", "/w/c"}, roots: []string{"/w"}, most: 2, want: []string{"/w/a/b", "/w/c"}},
		{paths: []string{"/w/a/1", "/w/a/2", "/w/a/3", "/w/c"}, roots: []string{"/w"}, most: 2, want: []string{"/w/a", "/w/c"}},
		{paths: []string{"/w/a/1", "/w/b/2", "/w/c/3"}, roots: []string{"/w"}, most: 2, want: []string{"/w"}},
		{paths: []string{"/w/a", "/w/a/1/2"}, roots: []string{"/w"}, most: 9, want: []string{"/w/a"}},
		// Never above a root.
		{paths: []string{"/v/a", "/w/a", "/x/a"}, roots: []string{"/v", "/w", "/x"}, most: 1, want: []string{"/v", "/w", "/x"}},
	} {
		if got := fewer(c.paths, c.roots, c.most); !slices.Equal(got, c.want) {
			t.Errorf("fewer(%v, %d) = %v, want %v", c.paths, c.most, got, c.want)
		}
	}
}
