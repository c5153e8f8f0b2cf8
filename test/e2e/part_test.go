//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// needPart installs a part of hack/cluster for as long as the test. hack/e2e.sh sets the
// variable to where the part is built.
func needPart(t *testing.T, part, variable string) {
	t.Helper()
	build := os.Getenv(variable)
	if build == "" {
		t.Skipf("SKIPPED: %s is not set; hack/e2e.sh %s builds it and sets it", variable, part)
	}
	run := func(ctx context.Context, name string, args ...string) {
		out, err := exec.CommandContext(ctx, "../../hack/cluster/"+part+"/"+name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		run(ctx, "uninstall.sh")
	})
	start := time.Now()
	run(t.Context(), "install.sh", build)
	figure(t, fmt.Sprintf("%s: installed after %v", part, time.Since(start).Round(time.Second/10)))
}
