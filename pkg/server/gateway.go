package server

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeclient "knative.dev/pkg/client/injection/kube/client"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/controller"
	routeconfig "knative.dev/serving/pkg/reconciler/route/config"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/podautoscaler"
)

// gatewayDefaults follows config-inference-gateway and the domains of Knative's
// config-domain; a broken edit and a deleted config map leave the last good one.
type gatewayDefaults struct {
	current atomic.Pointer[binding.Defaults]
	log     *slog.Logger

	mu sync.Mutex
	// settings is the last good config map, domains are those of config-domain, empty
	// until read.
	settings binding.Defaults
	domains  []string
	// loaded is true once a good config map was read.
	loaded bool
}

func newGatewayDefaults(log *slog.Logger) (*gatewayDefaults, error) {
	builtin, err := binding.ParseDefaults(nil)
	if err != nil {
		return nil, fmt.Errorf("the built-in defaults of %s: %w", binding.ConfigName, err)
	}
	d := &gatewayDefaults{log: log, settings: unread(builtin)}
	d.publish()
	return d, nil
}

// follow has watchers of our own namespace and of Knative's report the config maps; it is
// called before they are started. Each good edit is followed by changed.
func (d *gatewayDefaults) follow(own, knative configmap.DefaultingWatcher, changed func()) {
	watch := func(w configmap.DefaultingWatcher, name string, update func(*corev1.ConfigMap) bool) {
		// The watcher reports a config map that is missing or deleted as this one, without a UID.
		w.WatchWithDefault(corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, func(cm *corev1.ConfigMap) {
			if update(cm) {
				changed()
			}
		})
	}
	watch(own, binding.ConfigName, d.update)
	watch(knative, routeconfig.DomainConfigName, d.updateDomains)
}

// unread are settings that permit nothing: no Gateway, so that Services are
// refused and stay as they are, and no hosts. The built-in Gateway would move
// Services whose config map could not be read.
func unread(d binding.Defaults) binding.Defaults {
	d.Gateway, d.AllowedHosts = binding.Name{}, nil
	return d
}

func (d *gatewayDefaults) get() binding.Defaults { return *d.current.Load() }

// update reports whether what the config map says, or that it is broken, was taken.
func (d *gatewayDefaults) update(cm *corev1.ConfigMap) bool {
	parsed, err := binding.ParseDefaults(cm.Data)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case cm.UID == "" && d.loaded:
		d.log.Error("config map is gone; the last good one stays in force until the adapter restarts; restore it (an empty one means the defaults)", "configmap", binding.ConfigName)
		return false
	case cm.UID == "":
		d.log.Info("config map is missing; Services are left as they are until it is there (an empty one means the defaults)", "configmap", binding.ConfigName)
		return false
	case err != nil && d.loaded:
		d.log.Error("config map refused; the last good one stays in force", "error", err)
		return false
	case err != nil:
		d.log.Error("config map refused; Services are left as they are until it is corrected", "error", err)
		parsed = unread(parsed)
	default:
		d.loaded = true
	}
	d.settings = parsed
	d.publish()
	return true
}

// updateDomains follows the domains that Knative serves Services on. It reports whether the
// config map was taken.
func (d *gatewayDefaults) updateDomains(cm *corev1.ConfigMap) bool {
	if cm.UID == "" {
		return false // missing: none; deleted: the last ones
	}
	parsed, err := routeconfig.NewDomainFromConfigMap(cm)
	if err != nil {
		d.log.Error("config map refused; the last good one stays in force", "configmap", cm.Name, "error", err)
		return false
	}
	domains := slices.Sorted(maps.Keys(parsed.Domains))
	if !slices.Contains(domains, routeconfig.DefaultDomain) {
		domains = append(domains, routeconfig.DefaultDomain) // cluster-local hosts are served, too
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.domains = domains
	d.publish()
	return true
}

// publish joins the two config maps; d.mu is held, or nobody else has d yet.
func (d *gatewayDefaults) publish() {
	joined := d.settings
	joined.Domains = d.domains
	d.current.Store(&joined)
}

// newGateway builds the part that configures inference gateways. It runs under a
// lease of its own: one replica acts for all Services, for they share pools and Gateways.
func newGateway(b *base) (part, error) {
	c, err := inferencegateway.NewController(b.ctx, inferencegateway.Options{
		Defaults: b.defaults.current.Load, PodSelector: podautoscaler.Selector, Log: b.log,
		OnPanic: collector.Panics(b.reg).WithLabelValues("gateway").Inc, Alive: b.alive,
	})
	if err != nil {
		return part{}, err
	}
	o := b.Options
	o.Buckets = 1
	always := func() bool { return true } // ready once the caches are synced
	return part{ready: always, onDefaults: c.Resync, run: func(ctx context.Context) error {
		if err := c.Start(ctx); err != nil {
			return fmt.Errorf("watching for the inference gateway: %w", err)
		}
		return controller.StartAll(withLeaderElection(ctx, o, component+"-gateway", kubeclient.Get(ctx)), c.Impl)
	}}, nil
}
