package server

import (
	"context"
	"log/slog"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeclient "knative.dev/pkg/client/injection/kube/client"
	cminformer "knative.dev/pkg/configmap/informer"
	kle "knative.dev/pkg/leaderelection"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
	"github.com/knative-inference/autoscaler-adapter/pkg/webhook"
)

type webhookOptions struct {
	// knative and own watch the config maps of knative-serving and of our namespace.
	knative, own *cminformer.InformedWatcher
	config       func() *config.Config
	namespace    string
	log          *slog.Logger
}

// newWebhook builds the webhook before the watchers are started.
func newWebhook(ctx context.Context, o webhookOptions) (*webhook.Server, error) {
	cluster, err := webhook.WatchCluster(o.knative, o.log)
	if err != nil {
		return nil, err
	}
	return webhook.New(ctx, webhook.Options{
		Cluster: cluster, Own: o.config, Engines: engine.NewTables().Names(), Log: o.log,
		Defaults: watchGatewayDefaults(o.own, o.namespace, o.log),
	})
}

// watchGatewayDefaults follows config-inference-gateway; a broken edit keeps the last good one.
func watchGatewayDefaults(w *cminformer.InformedWatcher, namespace string, log *slog.Logger) func() binding.Defaults {
	var current atomic.Pointer[binding.Defaults]
	builtin, _ := binding.ParseDefaults(nil)
	current.Store(&builtin)
	w.WatchWithDefault(corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: binding.ConfigName, Namespace: namespace}}, func(m *corev1.ConfigMap) {
		d, err := binding.ParseDefaults(m.Data)
		if err != nil {
			log.Error("config map refused; the last good one stays in force", "error", err)
			return
		}
		current.Store(&d)
	})
	return func() binding.Defaults { return *current.Load() }
}

// withOwnLeases gives each of the webhook's controllers a lease of its own: one
// lease has one holder, and that of the autoscaler is another's.
func withOwnLeases(ctx context.Context, o Options) context.Context {
	return kle.WithStandardLeaderElectorBuilder(ctx, kubeclient.Get(ctx), kle.ComponentConfig{
		Component: component, Buckets: 1,
		LeaseDuration: o.LeaseDuration, RenewDeadline: o.LeaseDuration * 2 / 3, RetryPeriod: o.LeaseDuration / 5,
	})
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
