package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A number becomes a variable of the type that its package wants, unless a constant is needed.
func TestVariables(t *testing.T) {
	dir := t.TempDir()
	const source = "package p\n\nimport \"time\"\n\nconst (\n\twait = 2 * time.Second // of something\n\tsize, few = 8, 3\n\tshare = 0.5\n\tExported = 7\n)\n"
	for name, text := range map[string]string{
		"tuning.go":  source,
		"p.go":       "package p\n\nvar a [size]int\n\nfunc f(x float64, n int) (float64, bool) { return x * share * few, n < len(a) && wait.Seconds() > 1 }\n",
		"p_test.go":  "package p\n\nvar broken int = \"x\"\n",
		"missing.md": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	names, err := variables(dir, "tuning.go", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"wait": "time.Duration", "size": "", "few": "float64", "share": "float64", "Exported": ""} {
		if names[name] != want {
			t.Errorf("%s is a variable of type %q, want %q", name, names[name], want)
		}
	}
	got, err := withVariables("tuning.go", []byte(source), names)
	for _, want := range []string{"_ = 2 * time.Second // of", "size, _ = 8, 3", `var wait = tuned("wait", time.Duration(2 * time.Second))`, `var few = tuned("few", float64(3))`} {
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("no %q in (%v)\n%s", want, err, got)
		}
	}
}
