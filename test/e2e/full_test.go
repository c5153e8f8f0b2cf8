//go:build e2e

package e2e

import (
	"os"
	"testing"
)

// inFull is true in make e2e-full and where tests are chosen by name, and not in make e2e, which
// CI runs: on two busy cores each Service takes its time.
func inFull() bool { return os.Getenv("FULL") == "1" }

// onlyInFull skips a test in make e2e.
func onlyInFull(t *testing.T) {
	t.Helper()
	if !inFull() {
		t.Skip("part of make e2e-full (FULL=1)")
	}
}
