//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// keep writes text beside the run's other artifacts, or into the log without IPA_E2E_ARTIFACTS.
func keep(t *testing.T, namespace, what, text string) {
	dir := os.Getenv("IPA_E2E_ARTIFACTS")
	if dir == "" {
		t.Logf("%s %s:\n%s", namespace, what, text)
		return
	}
	path := filepath.Join(dir, namespace+"-"+strings.NewReplacer(",", "-").Replace(what)+".txt")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Error(err)
		return
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Error(err)
	}
	t.Logf("kept %s", path)
}

// figure keeps a measured number for the end of the run's report.
func figure(t *testing.T, text string) {
	t.Log(text)
	dir := os.Getenv("IPA_E2E_ARTIFACTS")
	if dir == "" {
		return
	}
	f, err := os.OpenFile(filepath.Join(dir, "figures.txt"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	if _, err := f.WriteString(text + "\n"); err != nil {
		t.Error(err)
	}
}
