package command

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocs_commandsWork: the commands of docs/simulate.md work.
func TestDocs_commandsWork(t *testing.T) {
	text, err := os.ReadFile("../../../docs/simulate.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, commands := t.TempDir(), 0
	for _, line := range strings.Split(string(text), "\n") {
		arguments, ok := strings.CutPrefix(line, "    ipa simulate ")
		if !ok {
			continue
		}
		commands++
		args := strings.Fields(arguments)
		for i := range args {
			args[i] = strings.Replace(args[i], "examples/", "../../../examples/", 1)
			if args[i] == "report.html" || args[i] == "figures.json" {
				args[i] = filepath.Join(dir, args[i])
			}
		}
		if code, _, stderr := call(t, args...); code != exitOK {
			t.Errorf("%s: exit %d, %s", line, code, stderr)
		}
	}
	if commands < 4 {
		t.Errorf("%d commands found", commands)
	}
}

// TestDocs_flagsExist: no flag is documented that is not there.
func TestDocs_flagsExist(t *testing.T) {
	text, err := os.ReadFile("../../../docs/simulate.md")
	if err != nil {
		t.Fatal(err)
	}
	flags := New().Flags()
	for _, m := range regexp.MustCompile("--([a-z][a-z-]*)").FindAllStringSubmatch(string(text), -1) {
		if flags.Lookup(m[1]) == nil && !slices.Contains([]string{"help", "record", "load", "raw"}, m[1]) { // the adapter's, the playground's and kubectl's
			t.Errorf("docs/simulate.md: there is no --%s", m[1])
		}
	}
}
