package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every test and scenario that the table of faults names exists.
func TestFaults_testsExist(t *testing.T) {
	page, err := os.ReadFile("faults.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testNames(t)
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 40 {
		t.Fatalf("the table names %d tests, want 40 or more", len(named))
	}
	for _, n := range named {
		if !tests[n[1]] {
			t.Errorf("faults.md names %s: there is no such test", n[1])
		}
	}
	for _, scenario := range regexp.MustCompile(`[a-z-]+\.txt`).FindAllString(string(page), -1) {
		if _, err := os.Stat("../pkg/decider/testdata/scenarios/" + scenario); err != nil {
			t.Errorf("faults.md names a scenario that is not there: %v", err)
		}
	}
}

// Every test that the table of cases names exists.
func TestCases_testsExist(t *testing.T) {
	page, err := os.ReadFile("cases.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testNames(t)
	named := regexp.MustCompile("`(Test[A-Za-z0-9_]+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 15 {
		t.Fatalf("the table names %d tests, want 15 or more", len(named))
	}
	for _, n := range named {
		if !tests[n[1]] {
			t.Errorf("cases.md names %s: there is no such test", n[1])
		}
	}
}

func testNames(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
	for _, root := range []string{"../pkg", "../config", "../test"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			for _, m := range function.FindAllStringSubmatch(string(source), -1) {
				found[m[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}
