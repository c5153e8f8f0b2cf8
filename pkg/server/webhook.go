package server

import (
	"context"
	"log/slog"

	kubeclient "knative.dev/pkg/client/injection/kube/client"
	cminformer "knative.dev/pkg/configmap/informer"
	kle "knative.dev/pkg/leaderelection"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
	"github.com/knative-inference/autoscaler-adapter/pkg/webhook"
)

type webhookOptions struct {
	// knative watches the config maps of knative-serving.
	knative *cminformer.InformedWatcher
	own     func() *config.Config
	gateway func() binding.Defaults
	pools   poolReader
	keptOut func(namespace, service string) bool
	log     *slog.Logger
}

// newWebhook builds the webhook, before the watcher is started.
func newWebhook(ctx context.Context, o webhookOptions) (*webhook.Server, error) {
	cluster, err := webhook.WatchCluster(o.knative, o.log)
	if err != nil {
		return nil, err
	}
	return webhook.New(ctx, webhook.Options{
		Cluster: cluster, Own: o.own, Engines: engine.NewTables().Names(), Defaults: o.gateway, Foreign: o.pools.foreign, KeptOut: o.keptOut,
	})
}

// withOwnLeases gives each of the webhook's controllers a lease of its own: one
// lease has one holder, and that of the autoscaler is another's.
func withOwnLeases(ctx context.Context, o Options) context.Context {
	return kle.WithStandardLeaderElectorBuilder(ctx, kubeclient.Get(ctx), o.leases())
}

func allReady(parts ...func() bool) func() bool {
	return func() bool {
		for _, ready := range parts {
			if !ready() {
				return false
			}
		}
		return true
	}
}
