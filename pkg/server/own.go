package server

import (
	"log/slog"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/client-go/kubernetes"
	cminformer "knative.dev/pkg/configmap/informer"

	"github.com/knative-inference/autoscaler-adapter/pkg/checkpoint"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
)

// ownConfig follows config-ipa; a broken edit keeps the last good one.
type ownConfig struct {
	current atomic.Pointer[config.Config]
	changed func()
	log     *slog.Logger
}

func watchOwn(kube kubernetes.Interface, namespace string, log *slog.Logger) (*ownConfig, *cminformer.InformedWatcher) {
	o := &ownConfig{log: log, changed: func() {}}
	o.current.Store(config.Default())
	w := cminformer.NewInformedWatcher(kube, namespace, noCheckpoints())
	w.WatchWithDefault(corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: config.Name, Namespace: namespace}}, o.update)
	return o, w
}

// noCheckpoints leaves out the stored states, which are in the same namespace: up to 256 KiB
// for each revision, and written every minute.
func noCheckpoints() labels.Requirement {
	r, err := labels.NewRequirement(checkpoint.Label, selection.DoesNotExist, nil)
	if err != nil {
		panic(err) // the label is a constant
	}
	return *r
}

func (o *ownConfig) get() *config.Config { return o.current.Load() }

func (o *ownConfig) update(cm *corev1.ConfigMap) {
	c, err := config.FromConfigMap(cm)
	if err != nil {
		o.log.Error("config map refused; the last good one stays in force", "error", err)
		return
	}
	o.current.Store(c)
	o.changed()
}
