package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"knative.dev/pkg/injection"
	kle "knative.dev/pkg/leaderelection"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

// component names the program in leases, events and labels.
const component = "autoscaler-adapter"

// Options are what the command line sets; NewOptions has the defaults.
type Options struct {
	// Kubeconfig is empty inside a cluster.
	Kubeconfig string
	// Namespace is our own, KnativeNamespace that of knative-serving.
	Namespace, KnativeNamespace string
	// QueueProxyInterval and EngineInterval are the times between two scrapes of one pod.
	QueueProxyInterval, EngineInterval time.Duration
	// MetricsAPIPort serves custom.metrics.k8s.io over TLS, MetricsPort our own
	// metrics, HealthPort /healthz and /readyz.
	// WebhookPort is asked by the API server.
	MetricsAPIPort, MetricsPort, HealthPort, WebhookPort int
	// LeaseDuration is how long a dead leader is waited for.
	LeaseDuration time.Duration
	// Buckets is the number of leases that the revisions are spread over.
	Buckets uint32
	// Parts are what this process does.
	Parts []Part
	// Record is a file that every decision is written to; empty is none.
	// RecordLimit is its size in MiB from which it becomes FILE.1.
	Record      string
	RecordLimit int
	Version     string
}

// NewOptions returns the defaults.
func NewOptions() Options {
	return Options{
		Namespace:          "knative-inference",
		KnativeNamespace:   "knative-serving",
		QueueProxyInterval: collector.DefaultQueueProxyInterval,
		EngineInterval:     collector.DefaultEngineInterval,
		MetricsAPIPort:     8443,
		MetricsPort:        9090,
		HealthPort:         8080,
		WebhookPort:        8444,
		LeaseDuration:      10 * time.Second,
		Buckets:            1,
		RecordLimit:        128,
		Parts:              AllParts(),
	}
}

// LogLibraries has the Kubernetes libraries log by log. Their logger is one for the process: call
// it once, before Run.
func LogLibraries(log *slog.Logger) { klog.SetSlogLogger(log) }

// Run builds the parts that o names and runs them until ctx ends or one of them fails.
func Run(ctx context.Context, o Options, log *slog.Logger) error {
	b, err := newBase(ctx, o, log)
	if err != nil {
		return err
	}
	rec := startRecording(o, b.reg, log)
	running, err := b.build(rec)
	if err != nil {
		return err
	}
	var up atomic.Bool
	ready := []func() bool{up.Load}
	for _, p := range running {
		ready = append(ready, p.ready)
	}
	return runAll(b.ctx,
		func(ctx context.Context) error {
			return serveHealth(ctx, o.HealthPort, allReady(ready...), allAlive(b.alive, running))
		},
		func(ctx context.Context) error {
			return serveMetrics(ctx, o.MetricsPort, b.reg)
		},
		func(ctx context.Context) error { return watchRecording(ctx, rec, log) },
		func(ctx context.Context) error {
			if err := b.start(ctx, running); err != nil {
				return err
			}
			up.Store(true)
			var loops []func(context.Context) error
			for _, p := range running {
				loops = append(loops, p.run)
			}
			return runAll(ctx, loops...)
		},
	)
}

// runAll runs parts side by side; the first to fail ends the others.
func runAll(ctx context.Context, parts ...func(context.Context) error) error {
	eg, ctx := errgroup.WithContext(ctx)
	for _, part := range parts {
		eg.Go(func() error { return part(ctx) })
	}
	return eg.Wait()
}

// every calls f after each period until ctx ends, which is no error, or f returns one.
func every(ctx context.Context, period time.Duration, f func(context.Context) error) error {
	step := func(ctx context.Context) (done bool, err error) { return false, f(ctx) }
	err := wait.PollUntilContextCancel(ctx, period, false, step)
	if errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

func newCollector(b *base, tokens collector.Tokens) *collector.Collector {
	return collector.New(collector.Options{
		QueueProxyInterval: b.QueueProxyInterval, EngineInterval: b.EngineInterval,
		Registerer: b.reg, Log: b.log, Tokens: tokens,
	})
}

// restConfig reads the cluster's address with limits that fit a controller of many revisions.
func restConfig(o Options) (*rest.Config, error) {
	cfg, err := injection.GetRESTConfig("", o.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("no cluster to talk to (set --kubeconfig outside a cluster): %w", err)
	}
	cfg.QPS, cfg.Burst = 100, 200
	cfg.UserAgent = component + "/" + o.Version
	return cfg, nil
}

// withLeaderElection makes the leases, named after prefix.
func withLeaderElection(ctx context.Context, o Options, prefix string, kube kubernetes.Interface) context.Context {
	c := o.leases()
	c.Buckets = o.Buckets
	c.LeaseName = func(i uint32) string { return o.leaseName(prefix, i) }
	return kle.WithStandardLeaderElectorBuilder(ctx, kube, c)
}

// leaseName is that of the lease of a bucket.
func (o Options) leaseName(prefix string, bucket uint32) string {
	return fmt.Sprintf("%s-%02d-of-%02d", prefix, bucket, o.Buckets)
}

// leases are the times that every lease of ours keeps: the leader renews every retry period and
// gives up before the lease ends, so that there is never more than one.
func (o Options) leases() kle.ComponentConfig {
	return kle.ComponentConfig{
		Component: component, Buckets: 1,
		LeaseDuration: o.LeaseDuration, RenewDeadline: o.LeaseDuration * 2 / 3, RetryPeriod: o.LeaseDuration / 5,
	}
}

// zapLogger is what knative.dev/pkg's controller writes to: warnings and errors, as JSON.
func zapLogger() (*zap.SugaredLogger, error) {
	cfg := zap.NewProductionConfig()
	cfg.Level = zap.NewAtomicLevelAt(zap.WarnLevel)
	l, err := cfg.Build()
	if err != nil {
		return nil, fmt.Errorf("building the logger: %w", err)
	}
	return l.Sugar().Named(component), nil
}
