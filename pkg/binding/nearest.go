package binding

import (
	"fmt"
	"strings"
)

// nearest suggests the known key that a misspelled one most likely means.
func nearest(key string, known []string) string {
	best, least := "", 4
	for _, k := range known {
		if d := distance(key, k); d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return fmt.Sprintf("; remove it, the known ones are %s", strings.Join(known, ", "))
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// distance is Levenshtein's, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
