package server

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeclient "knative.dev/pkg/client/injection/kube/client"
	cminformer "knative.dev/pkg/configmap/informer"
	"knative.dev/pkg/controller"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/podautoscaler"
)

// gatewayDefaults follows config-inference-gateway; a broken edit keeps the last good one.
type gatewayDefaults struct {
	current atomic.Pointer[binding.Defaults]
	// loaded is true once a good config map was read; update alone uses it.
	loaded  bool
	changed func()
	log     *slog.Logger
}

// followDefaults adds the config map to a watcher of our own namespace.
func followDefaults(w *cminformer.InformedWatcher, namespace string, log *slog.Logger) (*gatewayDefaults, error) {
	builtin, err := binding.ParseDefaults(nil)
	if err != nil {
		return nil, fmt.Errorf("the built-in defaults of %s: %w", binding.ConfigName, err)
	}
	d := &gatewayDefaults{log: log, changed: func() {}}
	d.current.Store(&builtin)
	w.WatchWithDefault(corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: binding.ConfigName, Namespace: namespace}}, d.update)
	return d, nil
}

func (d *gatewayDefaults) get() binding.Defaults { return *d.current.Load() }

func (d *gatewayDefaults) update(cm *corev1.ConfigMap) {
	parsed, err := binding.ParseDefaults(cm.Data)
	switch {
	case err != nil && d.loaded:
		d.log.Error("config map refused; the last good one stays in force", "error", err)
		return
	case err != nil:
		// After a restart nothing is known to be good, and the built-in Gateway would
		// tear down what serves. Without a Gateway a Service is refused and stays as it is.
		d.log.Error("config map refused; Services that name no Gateway are left as they are until it is corrected", "error", err)
		parsed.Gateway = binding.Name{}
	case len(cm.Data) > 0:
		d.loaded = true
	}
	d.current.Store(&parsed)
	d.changed()
}

// newGateway builds the part that configures inference gateways. It runs under a
// lease of its own: one replica acts for all Services, for they share pools and Gateways.
func newGateway(b *base) (part, error) {
	c, err := inferencegateway.NewController(b.ctx, inferencegateway.Options{
		Defaults: b.defaults.get, PodSelector: podautoscaler.Selector, Log: b.log,
	})
	if err != nil {
		return part{}, err
	}
	b.defaults.changed = c.Resync
	o := b.Options
	o.Buckets = 1
	always := func() bool { return true } // ready once the caches are synced
	return part{ready: always, run: func(ctx context.Context) error {
		if err := c.Start(ctx); err != nil {
			return fmt.Errorf("watching for the inference gateway: %w", err)
		}
		return controller.StartAll(withLeaderElection(ctx, o, component+"-gateway", kubeclient.Get(ctx)), c.Impl)
	}}, nil
}
