package hooks

import (
	"fmt"
	"slices"
	"strings"
)

// diffAround is how many lines stand around what has changed.
const diffAround = 3

// Diff shows how a text changes, in the unified form. Only what lies between the first
// and the last line that differ is compared line by line, and nothing if that is long.
func Diff(name, from, to string) string {
	if from == to {
		return ""
	}
	a, b := diffLines(from), diffLines(to)
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < len(a)-start && end < len(b)-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	var out strings.Builder
	first := max(0, start-diffAround)
	fmt.Fprintf(&out, "--- %s\n+++ %s\n@@ line %d @@\n", name, name, first+1)
	for _, line := range a[first:start] {
		out.WriteString(" " + line + "\n")
	}
	for _, line := range edits(a[start:len(a)-end], b[start:len(b)-end]) {
		out.WriteString(line + "\n")
	}
	for _, line := range a[len(a)-end : min(len(a), len(a)-end+diffAround)] {
		out.WriteString(" " + line + "\n")
	}
	return out.String()
}

func diffLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// edits are the lines of two texts with a sign each, by their longest common
// subsequence.
func edits(a, b []string) []string {
	const most = 1000 // of one text against another, a few megabytes
	var out []string
	if len(a) > most || len(b) > most {
		for _, line := range a {
			out = append(out, "-"+line)
		}
		for _, line := range b {
			out = append(out, "+"+line)
		}
		return out
	}
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i, from := range slices.Backward(a) {
		for j, to := range slices.Backward(b) {
			if from == to {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, " "+a[i])
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[i+1][j] >= common[i][j+1]):
			out = append(out, "-"+a[i])
			i++
		default:
			out = append(out, "+"+b[j])
			j++
		}
	}
	return out
}
