package server

import (
	"context"

	kubeclient "knative.dev/pkg/client/injection/kube/client"
	kle "knative.dev/pkg/leaderelection"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/webhook"
)

// newWebhook builds the part that answers the API server about new pods and Services.
func newWebhook(b *base) (part, error) {
	cluster, err := webhook.WatchCluster(b.knative, b.log)
	if err != nil {
		return part{}, err
	}
	admission, err := webhook.New(b.ctx, webhook.Options{
		Cluster: cluster, Own: b.own.get, Engines: engine.NewTables().Names(), Defaults: b.defaults.get,
		Foreign: foreign(b.reader), KeptOut: b.reader.KeptOut,
	})
	if err != nil {
		return part{}, err
	}
	return part{ready: admission.Ready, run: func(ctx context.Context) error {
		return admission.Run(withOwnLeases(ctx, b.Options))
	}}, nil
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
