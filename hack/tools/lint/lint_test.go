package main

import "testing"

func TestColumns(t *testing.T) {
	f := func(line string, test bool, want int) {
		t.Helper()
		if got := columns(line, test); got != want {
			t.Errorf("columns(%q, %v) = %d, want %d", line, test, got, want)
		}
	}
	f("\tx := 1\n", false, 7)
	f("\treturn errors.New(\"a \\\"long\\\" message\")\n", false, 22)
	f("\treturn errors.New(\"a message\")\n", true, 0) // tests are tables
	f("\t{1, 2, 3},\n", false, 0)                      // a row
	f("// a comment – \"quoted\"\n", true, 23)
	f("//\tcase  a table in a comment\n", false, 0)
	f("//go:embed chart.html\n", false, 0)
	f("\tx := `a\n", false, 0)
}
