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

	"github.com/spf13/pflag"

	"github.com/knative-inference/autoscaler-adapter/pkg/server"
)

// version is set at link time.
var version = "devel"

func main() {
	o := server.NewOptions()
	o.Version = version
	if ns := os.Getenv("SYSTEM_NAMESPACE"); ns != "" {
		o.Namespace = ns
	}
	flags(&o)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	log.Info("starting", "version", version)
	if err := server.Run(ctx, o, log); err != nil && ctx.Err() == nil {
		log.Error("stopped", "error", err)
		os.Exit(1)
	}
}

func flags(o *server.Options) {
	showVersion := pflag.Bool("version", false, "print the version and exit")
	pflag.StringVar(&o.Kubeconfig, "kubeconfig", o.Kubeconfig, "kubeconfig file; empty inside a cluster")
	pflag.StringVar(&o.KnativeNamespace, "knative-namespace", o.KnativeNamespace, "namespace of knative-serving")
	pflag.DurationVar(&o.QueueProxyInterval, "queue-proxy-interval", o.QueueProxyInterval, "time between two scrapes of a pod's queue-proxy, which reports once a second")
	pflag.DurationVar(&o.EngineInterval, "engine-interval", o.EngineInterval, "time between two scrapes of a pod's engine")
	pflag.DurationVar(&o.LeaseDuration, "lease-duration", o.LeaseDuration, "how long a dead leader is waited for")
	pflag.Uint32Var(&o.Buckets, "buckets", o.Buckets, "leases that revisions are spread over, the same on every replica")
	pflag.Parse()
	if *showVersion {
		fmt.Println(version)
		os.Exit(0)
	}
}
