package server

import (
	"log/slog"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/client-go/kubernetes"
	"knative.dev/pkg/configmap"
	cminformer "knative.dev/pkg/configmap/informer"

	"github.com/knative-inference/autoscaler-adapter/pkg/checkpoint"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
)

// ownConfig follows config-ipa; a broken edit, and a deleted config map, keep the last good one.
type ownConfig struct {
	current atomic.Pointer[config.Config]
	// seen is true once config-ipa was there. The watcher calls update from one goroutine.
	seen bool
	// inForce says what holds while a config map is refused.
	inForce string
	log     *slog.Logger
}

func newOwnConfig(log *slog.Logger) *ownConfig {
	o := &ownConfig{log: log, inForce: "there was no good one since the start, so the defaults are in force"}
	o.current.Store(config.Default())
	return o
}

// follow has w, a watcher of our own namespace, report config-ipa; it is called before w is
// started. Each good edit is followed by changed.
func (o *ownConfig) follow(w configmap.DefaultingWatcher, changed func()) {
	w.WatchWithDefault(corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: config.Name}}, func(cm *corev1.ConfigMap) {
		if o.update(cm) {
			changed()
		}
	})
}

// watchOwnNamespace watches the config maps of our own namespace.
func watchOwnNamespace(kube kubernetes.Interface, namespace string) *cminformer.InformedWatcher {
	return cminformer.NewInformedWatcher(kube, namespace, noCheckpoints())
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

// update reports whether the config map was taken.
func (o *ownConfig) update(cm *corev1.ConfigMap) bool {
	if cm.ResourceVersion == "" && cm.UID == "" && o.seen { // the watcher's default stands for one that was deleted
		o.log.Warn("config map deleted; the last good one stays in force. Create it again, empty for the defaults", "configmap", config.Name)
		return false
	}
	o.seen = o.seen || cm.UID != "" || cm.ResourceVersion != ""
	c, err := config.FromConfigMap(cm)
	if err != nil {
		o.log.Error("config map refused; "+o.inForce, "configmap", config.Name, "error", err)
		return false
	}
	o.current.Store(c)
	o.inForce = "the last good one stays in force"
	return true
}
