package annotations

import (
	"fmt"
	"strings"
)

// Nearest ends a message about an unknown word: it suggests the known one that
// the word most likely means, or lists all known ones.
func Nearest(word string, known []string) string {
	if best := closest(word, known); best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	return fmt.Sprintf("; one of %s", strings.Join(known, ", "))
}

// Elsewhere is the annotation of spec.template that has the name of an unknown key and
// another domain, as of knative-inference.dev/max-scale; "" if there is none.
func Elsewhere(key string) string {
	name := folded(key[strings.LastIndexByte(key, '/')+1:])
	for _, k := range Keys(Where(func(a Annotation) bool { return a.Place == Template })) {
		if _, known, _ := strings.Cut(k, "/"); k != key && folded(known) == name {
			return k
		}
	}
	return ""
}

// maxTypos is the number of typing errors up to which a word is a misspelled
// known one; of a short word at most a third of the letters. Not measured.
const maxTypos = 3

// closest returns the known word that differs from the given one by the fewest
// typing errors, or "" when every known word differs by too many.
func closest(word string, known []string) string {
	best, fewest := "", min(maxTypos, max(len(word)/3, 1))+1
	for _, k := range known {
		if d := distance(folded(word), folded(k)); d < fewest {
			best, fewest = k, d
		}
	}
	return best
}

// folded is a word without what is a spelling and no typing error: vLLM, maxScale, kv-cache.
func folded(word string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(word))
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
