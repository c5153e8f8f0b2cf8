package inferencepool

import (
	"context"
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

// Holder takes the pickers in which requests of a revision are queued.
type Holder interface {
	SetHeld(r collector.Key, shares []collector.Share)
}

// pickerKey names the picker of the pool.
func (p Pool) pickerKey() collector.Key {
	return collector.Key{Kind: collector.Picker, Namespace: p.Namespace, Name: p.Name}
}

// Ours is true if we made the pool, and with it its picker, whose metrics we know.
func (p Pool) Ours() bool { return p.Labels[inference.ManagedByKey] == inference.ManagedBy }

// followPickers has the pickers of our pools read, and says whose requests wait
// in them: those of the revisions that the pool serves, in proportion to their pods.
func (w *Watcher) followPickers(ctx context.Context, pools []Pool) {
	shares, whole := map[collector.Key][]collector.Share{}, true
	gone := maps.Clone(w.pickers)
	for _, p := range pools {
		if !p.Ours() {
			continue
		}
		if w.pickerPods == nil {
			w.pickerPods = watch(ctx, w.o.Kube, metav1.NamespaceAll, metav1.ListOptions{LabelSelector: inference.PickerPodKey})
		}
		key := p.pickerKey()
		delete(gone, key)
		w.pickers[key] = true
		whole = w.guard(p.Key(), func() {
			w.readPicker(p)
			for r, part := range w.parts(p) {
				shares[r] = append(shares[r], collector.Share{Picker: key, Part: part, NegativeWaits: p.NegativeWaits})
			}
		}) && whole
	}
	for key := range gone {
		delete(w.pickers, key)
		w.o.Collector.Forget(key)
	}
	if whole { // a share that is not known is not none
		w.share(shares)
	}
}

func (w *Watcher) readPicker(p Pool) {
	w.o.Collector.Watch(collector.Spec{
		Key: p.pickerKey(), Port: inference.PickerMetricsPort, PortNamed: true,
		StableWindow: window.KnativeStable, PanicWindow: window.KnativePanic, EngineOnly: true,
	})
	if !w.pickerPods.Informer().HasSynced() {
		return
	}
	pods, err := w.pickerPods.Lister().Pods(p.Namespace).List(
		labels.SelectorFromSet(labels.Set{inference.PickerPodKey: p.Name}))
	if err == nil { // a lister of a cache does not fail
		w.o.Collector.SetPods(p.pickerKey(), collected(pods))
	}
}

// share passes on each revision's shares, and none for revisions that lost theirs.
func (w *Watcher) share(shares map[collector.Key][]collector.Share) {
	for r, s := range shares {
		w.o.Held.SetHeld(r, s)
	}
	for r := range w.held {
		if shares[r] == nil {
			w.o.Held.SetHeld(r, nil)
			delete(w.held, r)
		}
	}
	for r := range shares {
		w.held[r] = true
	}
}

// parts are the revisions' shares of a pool's Ready pods, or of all while none is, or of
// its traffic while there is no pod: then its requests wait for the revisions to wake.
// Pods that are not Knative's have their part, which is nobody's. A revision that the pool
// serves and that has no pod while others do has a share of 0: what waits is theirs.
func (w *Watcher) parts(p Pool) map[collector.Key]float64 {
	pods, err := w.o.Knative.Pods(p.Namespace).List(labels.SelectorFromSet(p.Selector))
	if err != nil {
		return nil
	}
	pods = append(pods, w.plainPods(p.Key())...) // they take requests, too
	parts, sum := count(p.Namespace, pods, isReady)
	if sum == 0 {
		parts, sum = count(p.Namespace, pods, func(*corev1.Pod) bool { return true })
	}
	for r := range parts {
		parts[r] /= sum
	}
	for name, part := range p.Serves {
		r := collector.Key{Namespace: p.Namespace, Name: name}
		if _, has := parts[r]; has {
			continue
		}
		if sum > 0 {
			part = 0
		}
		parts[r] = part
	}
	return parts
}

func count(namespace string, pods []*corev1.Pod,
	counts func(*corev1.Pod) bool) (by map[collector.Key]float64, sum float64) {
	by = map[collector.Key]float64{}
	for _, pod := range pods {
		if pod.DeletionTimestamp != nil || !counts(pod) {
			continue
		}
		sum++
		if name := pod.Labels[serving.RevisionLabelKey]; name != "" {
			by[collector.Key{Namespace: namespace, Name: name}]++
		}
	}
	return by, sum
}
