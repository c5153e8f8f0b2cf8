package annotations

import (
	"fmt"
	"slices"
	"strings"
)

// List splits a value at its commas; spaces around an entry do not count. It refuses entries that
// are empty or written twice. Lists in config-ipa are written in the same way.
func List(v string) ([]string, error) {
	list := strings.Split(v, ",")
	for i, e := range list {
		list[i] = strings.TrimSpace(e)
		if list[i] == "" {
			return nil, fmt.Errorf("%q has an empty entry; separate entries by one comma", v)
		}
		if slices.Contains(list[:i], list[i]) {
			return nil, fmt.Errorf("%q names %q twice; remove one", v, list[i])
		}
	}
	return list, nil
}
