package inferencegateway

import (
	"context"
	"log/slog"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference/v1alpha1"
	"github.com/knative-inference/autoscaler-adapter/pkg/liveness"
)

// Reader shows what other parts of the program need of the gateway's world. It
// runs in processes without the gateway's controller, needs no lease, and only
// lists and watches.
type Reader struct{ watches *watches }

// ReaderOptions are what a Reader needs; all required.
type ReaderOptions struct {
	Client dynamic.Interface
	Log    *slog.Logger
	// Alive watches the handlers of events.
	Alive *liveness.Monitor
	// WithBindings reads InferenceBindings, too.
	WithBindings bool
}

// NewReader reads InferencePools and, where o asks for them, InferenceBindings.
func NewReader(o ReaderOptions) *Reader {
	kinds := []resource{{GroupVersionResource: pools, kind: "InferencePool", custom: true, all: true}}
	if o.WithBindings {
		kinds = append(kinds, resource{GroupVersionResource: bindings, kind: "InferenceBinding", custom: true, all: true})
	}
	return &Reader{&watches{
		client: o.Client, log: o.Log, alive: o.Alive, resources: kinds,
		changed: func(resource, *unstructured.Unstructured) {}, served: func() {},
	}}
}

// Start begins to watch until ctx ends. It returns at once.
func (r *Reader) Start(ctx context.Context) error { return r.watches.start(ctx) }

// Pools lists every InferencePool that is known now, ours and others'; none while
// their CRD is missing. They must not be changed.
func (r *Reader) Pools() []*unstructured.Unstructured {
	w := r.watches.cache(pools)
	if w == nil {
		return nil
	}
	var all []*unstructured.Unstructured
	for _, obj := range w.GetStore().List() {
		if u, ok := obj.(*unstructured.Unstructured); ok {
			all = append(all, u)
		}
	}
	return all
}

// Installed reports whether the cluster defines InferenceBindings, which come with
// the gateway's controller. It is true while the answer is not known.
func (r *Reader) Installed() bool {
	return !r.watches.synced() || r.watches.defines(bindings)
}

// KeptOut reports whether a Service disagrees with the pool that it names. Every replica can
// answer: the gateway's leader writes it into the Service's InferenceBinding.
func (r *Reader) KeptOut(namespace, service string) bool {
	return r.watches.keptOut(namespace, service)
}

func (w *watches) keptOut(namespace, service string) bool {
	live := typed[v1alpha1.InferenceBinding](w, bindings, namespace, service)
	if live == nil {
		return false
	}
	said := find(live.Status.Conditions, inference.ConditionPoolAccepted)
	return said != nil && said.Status == metav1.ConditionFalse && said.Reason == inference.ReasonPoolMismatch
}
