// Command autoscaler-adapter is the Inference Pod Autoscaler for Knative: it
// collects demand and engine pressure, decides the replicas of revisions of its
// class and serves the numbers as custom.metrics.k8s.io.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/knative-inference/autoscaler-adapter/pkg/server"
)

// version is set at link time.
var version = "devel"

func main() {
	if where := moved(os.Args); where != "" {
		fmt.Fprintln(os.Stderr, where)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	o := options()
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	server.LogLibraries(log)
	log.Info("starting", "version", version)
	err := server.Run(ctx, o, log)
	asked := ctx.Err() != nil
	stop()
	if err != nil && !asked {
		log.Error("stopped", "error", err)
		os.Exit(1)
	}
}
