package webhook

import (
	"cmp"
	"fmt"
	"log/slog"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"knative.dev/pkg/configmap"
	knconfig "knative.dev/serving/pkg/apis/config"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	asconfig "knative.dev/serving/pkg/autoscaler/config"
	"knative.dev/serving/pkg/autoscaler/config/autoscalerconfig"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
)

// Cluster is Knative's own configuration; a broken edit keeps the last good one.
type Cluster struct {
	features   atomic.Pointer[knconfig.Features]
	defaults   atomic.Pointer[knconfig.Defaults]
	autoscaler atomic.Pointer[autoscalerconfig.Config]
	log        *slog.Logger
}

// WatchCluster follows the config maps of knative-serving through w, before w is started.
func WatchCluster(w configmap.Watcher, log *slog.Logger) (*Cluster, error) {
	c := &Cluster{log: log}
	if err := c.builtin(); err != nil {
		return nil, fmt.Errorf("webhook: Knative's own defaults: %w", err)
	}
	w.Watch(knconfig.FeaturesConfigName,
		func(m *corev1.ConfigMap) { follow(c, &c.features, m, knconfig.NewFeaturesConfigFromConfigMap) })
	w.Watch(knconfig.DefaultsConfigName,
		func(m *corev1.ConfigMap) { follow(c, &c.defaults, m, knconfig.NewDefaultsConfigFromConfigMap) })
	w.Watch(asconfig.ConfigName,
		func(m *corev1.ConfigMap) { follow(c, &c.autoscaler, m, asconfig.NewConfigFromConfigMap) })
	return c, nil
}

func (c *Cluster) builtin() error {
	features, err := knconfig.NewFeaturesConfigFromMap(nil)
	if err != nil {
		return err
	}
	defaults, err := knconfig.NewDefaultsConfigFromMap(nil)
	if err != nil {
		return err
	}
	scaling, err := asconfig.NewConfigFromMap(nil)
	if err != nil {
		return err
	}
	c.features.Store(features)
	c.defaults.Store(defaults)
	c.autoscaler.Store(scaling)
	return nil
}

// defaultClass is the autoscaler class of revisions that name none.
func (c *Cluster) defaultClass() string { return c.autoscaler.Load().PodAutoscalerClass }

// isOurs reports whether our class scales a Service, by its own word or by the cluster's default.
func (c *Cluster) isOurs(s *servingv1.Service) bool {
	return cmp.Or(class(s), c.defaultClass()) == autoscaling.Class
}

func follow[T any](c *Cluster, to *atomic.Pointer[T], m *corev1.ConfigMap, read func(*corev1.ConfigMap) (*T, error)) {
	v, err := read(m)
	if err != nil {
		c.log.Error("config map refused; the last good one stays in force", "configmap", m.Name, "error", err)
		return
	}
	to.Store(v)
}
