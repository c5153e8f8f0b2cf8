package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	kubeclient "knative.dev/pkg/client/injection/kube/client"
	podinformer "knative.dev/pkg/client/injection/kube/informers/core/v1/pod/filtered"
	filteredfactory "knative.dev/pkg/client/injection/kube/informers/factory/filtered"
	cminformer "knative.dev/pkg/configmap/informer"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/injection"
	kle "knative.dev/pkg/leaderelection"
	"knative.dev/pkg/logging"
	painformer "knative.dev/serving/pkg/client/injection/informers/autoscaling/v1alpha1/podautoscaler"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi"
	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/podautoscaler"
	"github.com/knative-inference/autoscaler-adapter/pkg/webhook"
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
		QueueProxyInterval: 500 * time.Millisecond,
		EngineInterval:     250 * time.Millisecond,
		MetricsAPIPort:     8443,
		MetricsPort:        9090,
		HealthPort:         8080,
		WebhookPort:        8444,
		LeaseDuration:      10 * time.Second,
		Buckets:            1,
		RecordLimit:        128,
	}
}

// Run builds the program and runs it until ctx ends or a part of it fails.
func Run(ctx context.Context, o Options, log *slog.Logger) error {
	cfg, err := restConfig(o)
	if err != nil {
		return err
	}
	zlog, err := zapLogger()
	if err != nil {
		return err
	}
	ctx = logging.WithLogger(ctx, zlog)
	ctx = filteredfactory.WithSelectors(ctx, podautoscaler.Selector)
	if ctx, err = webhook.Prepare(ctx, o.Namespace, o.WebhookPort); err != nil {
		return err
	}
	ctx, startInformers := injection.EnableInjectionOrDie(ctx, cfg)
	ctx = withLeaderElection(ctx, o, component, kubeclient.Get(ctx))

	reg := newRegistry(o.Version)
	col := newCollector(o, reg, log)
	states := newCheckpoints(kubeclient.Get(ctx), o.Namespace, painformer.Get(ctx).Lister(), log)
	rec, err := startRecording(o)
	if err != nil {
		return err
	}
	own, ownWatcher := watchOwn(kubeclient.Get(ctx), o.Namespace, log)
	knativeWatcher := cminformer.NewInformedWatcher(kubeclient.Get(ctx), o.KnativeNamespace)
	ctrl, err := podautoscaler.NewController(ctx, podautoscaler.Options{
		Knative: knativeWatcher, Own: own.get, Engines: engine.NewTables().Names(),
		Collector: col, Metrics: multiscaler.NewMetrics(reg), Log: log, Recorder: recorder(rec), Restore: states.restore,
	})
	if err != nil {
		return err
	}
	own.changed = ctrl.Resync
	defaults, err := followDefaults(ownWatcher, o.Namespace, log)
	if err != nil {
		return err
	}
	gateway, err := newGateway(ctx, defaults, log)
	if err != nil {
		return err
	}
	pools := newPools(ctx, gateway, col)
	admission, err := newWebhook(ctx, webhookOptions{knative: knativeWatcher, own: own.get, gateway: defaults.get, pools: pools, keptOut: gateway.KeptOut, log: log})
	if err != nil {
		return err
	}
	col.Notify(ctrl.Scaler.Poke)

	for _, w := range []*cminformer.InformedWatcher{ownWatcher, knativeWatcher} {
		if err := w.Start(ctx.Done()); err != nil {
			return fmt.Errorf("watching config maps: %w", err)
		}
	}
	klog.SetSlogLogger(log)
	api, err := metricsapi.New(metricsapi.Options{
		RESTConfig: cfg, Registerer: reg, Namespace: o.Namespace, Name: component, Port: o.MetricsAPIPort, Log: log,
		View: view{collector: col, autoscalers: painformer.Get(ctx).Lister(), pods: podinformer.Get(ctx, podautoscaler.Selector).Lister(), decisions: ctrl.Scaler, pools: pools},
	})
	if err != nil {
		return fmt.Errorf("building the metrics API: %w", err)
	}
	return runAll(ctx,
		func(ctx context.Context) error {
			return serveHealth(ctx, o.HealthPort, allReady(api.Ready, admission.Ready))
		},
		func(ctx context.Context) error {
			return serveMetrics(ctx, o.MetricsPort, reg, serveRecording(o.Record, rec))
		},
		func(ctx context.Context) error { return watchRecording(ctx, rec, log) },
		func(ctx context.Context) error {
			startInformers() // blocks until the caches are synced
			states.load(ctx)
			return runAll(ctx,
				func(ctx context.Context) error { col.Run(ctx); return nil },
				func(ctx context.Context) error { return states.run(ctx, ctrl) },
				func(ctx context.Context) error { return controller.StartAll(ctx, ctrl.Impl) },
				func(ctx context.Context) error { return runGateway(ctx, o, gateway) },
				func(ctx context.Context) error { pools.Run(ctx); return nil },
				api.Run,
				func(ctx context.Context) error { return admission.Run(withOwnLeases(ctx, o)) },
			)
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

func newCollector(o Options, reg prometheus.Registerer, log *slog.Logger) *collector.Collector {
	return collector.New(collector.Options{
		QueueProxyInterval: o.QueueProxyInterval, EngineInterval: o.EngineInterval, Registerer: reg, Log: log,
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
	c.LeaseName = func(i uint32) string { return fmt.Sprintf("%s-%02d-of-%02d", prefix, i, o.Buckets) }
	return kle.WithStandardLeaderElectorBuilder(ctx, kube, c)
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
