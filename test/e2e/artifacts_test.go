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
