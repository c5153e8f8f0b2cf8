package engine

import (
	"bytes"
	"slices"
	"strings"
)

const (
	// shownNames is how many names of an unknown page an error lists, and shownLength how
	// many bytes of each; searchedLines is how far they are looked for.
	shownNames, shownLength, searchedLines = 3, 40, 2000
)

// runtimePrefixes begin the names that every program of a language has: they say
// nothing of the program.
var runtimePrefixes = []string{"python_", "process_", "go_", "promhttp_", "scrape_"}

// firstNames describes an unknown page by the names of its first metrics, those of a
// language's runtime last. Names have letters, digits, '_', ':', '.' and '-' only.
func firstNames(page []byte) string {
	var own, runtime []string
	lines := 0
	for line := range bytes.Lines(page) {
		if lines++; lines > searchedLines || len(own) == shownNames {
			break
		}
		name := nameOf(line)
		if name == "" || slices.Contains(own, name) || slices.Contains(runtime, name) {
			continue
		}
		if slices.ContainsFunc(runtimePrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			if len(runtime) < shownNames {
				runtime = append(runtime, name)
			}
			continue
		}
		own = append(own, name)
	}
	names := slices.Concat(own, runtime)
	if len(names) == 0 {
		return "no metric is on it"
	}
	return "its first metrics are " + strings.Join(names[:min(len(names), shownNames)], ", ")
}

// nameOf is the name of the metric that a line is about, cut to what is shown; empty for
// a line of anything else.
func nameOf(line []byte) string {
	fields := bytes.Fields(line)
	switch {
	case len(fields) >= 3 && string(fields[0]) == "#" && (string(fields[1]) == "TYPE" || string(fields[1]) == "HELP"):
		return shown(fields[2])
	case len(fields) < 2 || !beginsNumber(fields[len(fields)-1]):
		return ""
	}
	name, _, _ := bytes.Cut(fields[0], []byte{'{'})
	return shown(name)
}

func beginsNumber(field []byte) bool {
	return bytes.IndexByte([]byte("0123456789.+-NI"), field[0]) >= 0
}

// shown is a metric's name, cut; empty for what is none. Dots and dashes are shown, although
// the text format has none in a name: they show whose page it is.
func shown(name []byte) string {
	for i, c := range name {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == ':'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '.' && c != '-') {
			return ""
		}
	}
	if len(name) > shownLength {
		return string(name[:shownLength-3]) + "..."
	}
	return string(name)
}
