// Package cases runs the inputs of ../shared/cases, which come from public reports,
// against what each of them should give. The inputs are not in the repository; without
// them the tests are skipped and say so. docs/cases.md has the results.
package cases

import (
	"os"
	"path/filepath"
	"testing"
)

// input is the path of a case's file.
func input(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join("../../../shared/cases", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED: %v: the cases from the field are not in the repository", err)
	}
	return path
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(input(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
