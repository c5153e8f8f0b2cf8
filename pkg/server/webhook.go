package server

import (
	"context"
	"crypto/tls"
	"net/http"
	"time"

	kubeclient "knative.dev/pkg/client/injection/kube/client"
	kle "knative.dev/pkg/leaderelection"

	"github.com/knative-inference/autoscaler-adapter/pkg/webhook"
)

// newWebhook builds the part that answers the API server about new pods and Services.
func newWebhook(b *base) (part, error) {
	cluster, err := webhook.WatchCluster(b.knative, b.log)
	if err != nil {
		return part{}, err
	}
	heartbeat, err := webhook.NewHeartbeat(kubeclient.Get(b.ctx), b.Namespace, viewsLease)
	if err != nil {
		return part{}, err
	}
	admission, err := webhook.New(b.ctx, webhook.Options{
		Cluster: cluster, Own: b.own.get, Defaults: b.defaults.get,
		Foreign: foreign(b.reader), KeptOut: b.reader.KeptOut, Installed: b.reader.Installed, Heartbeat: heartbeat,
		Alive:     b.alive,
		Namespace: b.Namespace, Registerer: b.reg, Log: b.log,
		Serve: func(ctx context.Context, h http.Handler, t *tls.Config) error {
			return serveTLS(ctx, b.WebhookPort, h, t)
		},
	})
	if err != nil {
		return part{}, err
	}
	ready := admission.Ready
	if len(b.Parts) > 1 {
		ready = atFirst(ready, webhookStart) // other parts work without it
	}
	return part{ready: ready, run: func(ctx context.Context) error {
		return admission.Run(withOwnLeases(ctx, b.Options))
	}}, nil
}

// withOwnLeases gives the controller of the webhook's CA bundles a lease of its own: one
// lease has one holder, and that of the autoscaler is another's.
func withOwnLeases(ctx context.Context, o Options) context.Context {
	return kle.WithStandardLeaderElectorBuilder(ctx, kubeclient.Get(ctx), o.leases())
}

// webhookStart is how long a new replica waits for the API server to trust its webhook: two
// rounds of the controller that writes the CA bundles, and a change of its leader.
const webhookStart = time.Minute

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
