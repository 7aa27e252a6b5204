package policy

// Nearest returns the name that is fewest edits away from word, or "" when
// none is near enough to be what was meant.
func Nearest(word string, names []string) string {
	best, dist := "", max(2, len(word)/3)+1
	for _, n := range names {
		if d := distance(word, n, dist); d < dist {
			best, dist = n, d
		}
	}
	return best
}

// distance is the Levenshtein distance, or limit when it is not below it.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			sub := diag
			if a[i] != b[j] {
				sub++
			}
			diag = row[j+1]
			row[j+1] = min(sub, diag+1, row[j]+1)
		}
	}
	return min(row[len(b)], limit)
}
