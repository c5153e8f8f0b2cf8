package engine

import "bytes"

// detect returns the first engine in the order of the tables whose prefix begins the name of
// a family on the page: Triton with TensorRT-LLM has Triton's own families too. It is nil
// when there is none. One pass over the lines compares each with all engines: to search a page of
// 50 KB for every prefix takes longer than to parse the page.
func (t *Tables) detect(page []byte) *compiled {
	first := len(t.engines)
	for first > 0 && len(page) > 0 {
		name := familyName(page)
		if len(name) > 0 {
			for _, i := range t.byFirst[name[0]] {
				if i < first && bytes.HasPrefix(name, t.engines[i].prefix) {
					first = i
				}
			}
		}
		page = afterLine(page)
	}
	if first == len(t.engines) {
		return nil
	}
	return t.engines[first]
}

// hasFamily reports whether a line of the page is about a family with the prefix.
func hasFamily(page, prefix []byte) bool {
	for len(page) > 0 {
		if bytes.HasPrefix(familyName(page), prefix) {
			return true
		}
		page = afterLine(page)
	}
	return false
}

// familyName returns the rest of b from the name of the family that its first line, a TYPE line or
// a series, is about. Of any other comment it returns what begins with '#', and no name does.
func familyName(b []byte) []byte {
	if b[0] == '#' {
		name, _ := bytes.CutPrefix(b, typeLine)
		return skipBlank(name)
	}
	return skipBlank(b)
}

// afterLine returns b without its first line.
func afterLine(b []byte) []byte {
	if end := bytes.IndexByte(b, '\n'); end >= 0 {
		return b[end+1:]
	}
	return nil
}
