// Command ipa is what people type: it simulates autoscaling policies and shows
// a simulated fleet in the browser. As kubectl-ipa in the PATH it is `kubectl ipa`.
// What runs in a cluster is cmd/autoscaler-adapter.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set at link time.
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
