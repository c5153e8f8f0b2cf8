package webhook

import "strings"

// operation is one of RFC 6902.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// patch collects operations on one object, and keeps the part that they change.
type patch struct {
	object     map[string]any
	operations []operation
}

// set puts a string where path leads, with the parents that are missing.
func (p *patch) set(value string, path ...string) {
	at := p.object
	for i, step := range path[:len(path)-1] {
		next, ok := at[step].(map[string]any)
		if !ok {
			at[step] = nest(value, path[i+1:])
			p.add(nest(value, path[i+1:]), path[:i+1]) // its own copy: the object's grows
			return
		}
		at = next
	}
	last := path[len(path)-1]
	if at[last] == value {
		return
	}
	at[last] = value
	p.add(value, path)
}

func nest(value string, path []string) any {
	if len(path) == 0 {
		return value
	}
	return map[string]any{path[0]: nest(value, path[1:])}
}

func (p *patch) add(value any, path []string) {
	p.operations = append(p.operations, operation{Op: "add", Path: pointer(path), Value: value})
}

// pointer escapes a path as RFC 6901 does.
func pointer(path []string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var b strings.Builder
	for _, step := range path {
		b.WriteString("/" + escape.Replace(step))
	}
	return b.String()
}
