package annotations

import (
	"slices"
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	for _, c := range []struct {
		v       string
		want    []string
		problem string
	}{
		{"a", []string{"a"}, ""},
		{" a,b ,\tc", []string{"a", "b", "c"}, ""},
		{"a b,A", []string{"a b", "A"}, ""},
		{"", nil, "an empty entry"},
		{"a,", nil, "an empty entry"},
		{",a", nil, "an empty entry"},
		{"a, ,b", nil, "an empty entry"},
		{"a,b, a", nil, `names "a" twice`},
	} {
		got, err := List(c.v)
		if !slices.Equal(got, c.want) || (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%q: %q, %v; want %q, %q", c.v, got, err, c.want, c.problem)
		}
	}
}
