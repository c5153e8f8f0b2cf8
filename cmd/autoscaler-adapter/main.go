// Command autoscaler-adapter is the Inference Pod Autoscaler for Knative: it
// collects demand and engine pressure, decides the replicas of revisions of its
// class and serves the numbers as custom.metrics.k8s.io.
package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/knative-inference/autoscaler-adapter/pkg/playground"
	"github.com/knative-inference/autoscaler-adapter/pkg/server"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/command"
)

// version is set at link time.
var version = "devel"

// subcommand takes the arguments after its name and returns the exit code.
type subcommand func(ctx context.Context, args []string, stdout, stderr io.Writer) int

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	subcommands := map[string]subcommand{"simulate": command.Run, "playground": playground.Run}
	if len(os.Args) > 1 && subcommands[os.Args[1]] != nil {
		os.Exit(subcommands[os.Args[1]](ctx, os.Args[2:], os.Stdout, os.Stderr))
	}
	o := options()
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	log.Info("starting", "version", version)
	if err := server.Run(ctx, o, log); err != nil && ctx.Err() == nil {
		log.Error("stopped", "error", err)
		os.Exit(1)
	}
}
