package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"github.com/knative-inference/autoscaler-adapter/pkg/server"
)

// options reads the server's flags; it ends the program after --help and --version.
func options() server.Options {
	o := server.NewOptions()
	o.Version = version
	if ns := os.Getenv("SYSTEM_NAMESPACE"); ns != "" {
		o.Namespace = ns
	}
	parts := pflag.String("parts", "autoscaler,webhook,gateway", "what this process does; each part has a Deployment of its own in config/")
	showVersion := pflag.Bool("version", false, "print the version and exit")
	pflag.StringVar(&o.Kubeconfig, "kubeconfig", o.Kubeconfig, "kubeconfig file; empty inside a cluster")
	pflag.StringVar(&o.KnativeNamespace, "knative-namespace", o.KnativeNamespace, "namespace of knative-serving")
	pflag.DurationVar(&o.QueueProxyInterval, "queue-proxy-interval", o.QueueProxyInterval, "time between two scrapes of a pod's queue-proxy, which reports once a second")
	pflag.DurationVar(&o.EngineInterval, "engine-interval", o.EngineInterval, "time between two scrapes of a pod's engine")
	pflag.DurationVar(&o.LeaseDuration, "lease-duration", o.LeaseDuration, "how long a dead leader is waited for")
	pflag.Uint32Var(&o.Buckets, "buckets", o.Buckets, "leases that revisions are spread over, the same on every replica; with more than one the replicas balance them among themselves")
	pflag.StringVar(&o.Record, "record", o.Record, "write every decision to this file, for ipa simulate --recorded; kubectl get --raw /apis/custom.metrics.k8s.io/v1beta2/recording fetches it")
	pflag.IntVar(&o.RecordLimit, "record-limit", o.RecordLimit, "size in MiB from which the recording becomes FILE.1 and a new one begins")
	pflag.Usage = usage
	pflag.Parse()
	if *showVersion {
		fmt.Println(version)
		os.Exit(0)
	}
	var err error
	if o.Parts, err = server.ParseParts(*parts); err != nil {
		fmt.Fprintf(os.Stderr, "autoscaler-adapter: %v\n", err)
		os.Exit(2)
	}
	if err := o.Validate(); err != nil {
		fmt.Fprintf(os.Stderr, "autoscaler-adapter: %v\n", err)
		os.Exit(2)
	}
	if pflag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "autoscaler-adapter: no command %q; see --help\n", pflag.Arg(0))
		os.Exit(2)
	}
	return o
}

func usage() {
	fmt.Fprint(os.Stderr, `Usage:
  autoscaler-adapter [flags]   the autoscaler, beside Knative Serving

For what needs no cluster there is the program ipa (ipa --help).

Flags:
`)
	pflag.PrintDefaults()
}
