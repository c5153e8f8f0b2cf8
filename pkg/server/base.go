package server

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
	kubeclient "knative.dev/pkg/client/injection/kube/client"
	filteredfactory "knative.dev/pkg/client/injection/kube/informers/factory/filtered"
	"knative.dev/pkg/configmap"
	cminformer "knative.dev/pkg/configmap/informer"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/injection/clients/dynamicclient"
	"knative.dev/pkg/logging"
	"knative.dev/pkg/system"

	"github.com/knative-inference/autoscaler-adapter/pkg/liveness"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/podautoscaler"
	"github.com/knative-inference/autoscaler-adapter/pkg/recording"
)

// base is what the parts of one process share: clients, caches and configuration.
// Parts share nothing else, so that each can run in a process of its own.
type base struct {
	Options
	// ctx has the clients and informers, and leader election for the autoscaler.
	ctx context.Context
	cfg *rest.Config
	reg *prometheus.Registry
	log *slog.Logger

	informers []controller.Informer
	// own holds config-ipa and defaults config-inference-gateway.
	own      *ownConfig
	defaults *gatewayDefaults
	// ours watches the config maps of our own namespace, knative those of knative-serving.
	ours, knative configmap.DefaultingWatcher
	// reader shows InferencePools to the autoscaler, and with InferenceBindings to the
	// webhook; nil in a process that has neither.
	reader *inferencegateway.Reader
	// alive watches the loops of all parts.
	alive *liveness.Monitor
}

// part is one part of the program, built and not yet running.
type part struct {
	ready func() bool
	// alive is an error that says which loop stands still; nil is always alive.
	alive func() error
	// onOwn is called when config-ipa has changed, onDefaults when config-inference-gateway or
	// the domains have; nil where the part need not act upon it.
	onOwn, onDefaults func()
	run               func(context.Context) error
}

func newBase(ctx context.Context, o Options, log *slog.Logger) (*base, error) {
	cfg, err := restConfig(o)
	if err != nil {
		return nil, err
	}
	zlog, err := zapLogger()
	if err != nil {
		return nil, err
	}
	ctx = logging.WithLogger(ctx, zlog)
	ctx = filteredfactory.WithSelectors(ctx, podautoscaler.Selector)
	if err := os.Setenv(system.NamespaceEnvKey, o.Namespace); err != nil { // knative.dev/pkg puts its leases there
		return nil, fmt.Errorf("setting %s: %w", system.NamespaceEnvKey, err)
	}
	b := &base{Options: o, cfg: cfg, reg: newRegistry(o.Version), log: log, alive: liveness.New()}
	ctx, b.informers = inject(ctx, cfg, o.Parts)
	kube := kubeclient.Get(ctx)
	b.ctx = withLeaderElection(ctx, o, component, kube)
	b.ours = liveWatcher{watchOwnNamespace(kube, o.Namespace), b.alive}
	b.knative = liveWatcher{cminformer.NewInformedWatcher(kube, o.KnativeNamespace), b.alive}
	b.own = newOwnConfig(log)
	if b.defaults, err = newGatewayDefaults(log); err != nil {
		return nil, err
	}
	if o.has(Autoscaler) || o.has(Webhook) {
		b.reader = inferencegateway.NewReader(inferencegateway.ReaderOptions{
			Client: dynamicclient.Get(ctx), Log: log, Alive: b.alive, WithBindings: o.has(Webhook),
		})
	}
	return b, slimCaches(ctx)
}

// build makes the parts; none runs yet.
func (b *base) build(rec *recording.Writer) ([]part, error) {
	var all []part
	for _, entry := range []struct {
		name  Part
		build func() (part, error)
	}{
		{Autoscaler, func() (part, error) { return newAutoscaler(b, rec) }},
		{Gateway, func() (part, error) { return newGateway(b) }},
		{Webhook, func() (part, error) { return newWebhook(b) }},
	} {
		if !b.has(entry.name) {
			continue
		}
		p, err := entry.build()
		if err != nil {
			return nil, fmt.Errorf("building the %s: %w", entry.name, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// start follows the config maps for the parts and blocks until every cache is synced.
func (b *base) start(ctx context.Context, parts []part) error {
	var onOwn, onDefaults []func()
	for _, p := range parts {
		onOwn, onDefaults = append(onOwn, p.onOwn), append(onDefaults, p.onDefaults)
	}
	b.own.follow(b.ours, callAll(onOwn))
	b.defaults.follow(b.ours, b.knative, callAll(onDefaults))
	for _, w := range []configmap.DefaultingWatcher{b.ours, b.knative} {
		if err := w.Start(ctx.Done()); err != nil {
			return fmt.Errorf("watching config maps: %w", err)
		}
	}
	if b.reader != nil {
		if err := b.reader.Start(ctx); err != nil {
			return fmt.Errorf("watching InferencePools: %w", err)
		}
	}
	return startInformers(ctx, b.informers)
}

// callAll calls each of them; nil is none.
func callAll(functions []func()) func() {
	return func() {
		for _, f := range functions {
			if f != nil {
				f()
			}
		}
	}
}
