package inferencepool

import (
	"context"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	corev1listers "k8s.io/client-go/listers/core/v1"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

// interval is how long a change of a pool or of its pods may go unseen.
const interval = time.Second

// The windows of concurrency and rps, as Knative has them by default.
const (
	stableWindow = time.Minute
	panicWindow  = 6 * time.Second
)

// Collector is what reads the pods.
type Collector interface {
	Watch(t collector.Target)
	SetPods(r collector.Revision, pods []collector.Pod)
	Forget(r collector.Revision)
}

// Options are the parts of a Watcher; all required.
type Options struct {
	Kube      kubernetes.Interface
	Collector Collector
	Held      Holder
	// Pools lists the pools that there are; none while their CRD is missing.
	Pools func() []Pool
	// Knative lists pods of Knative revisions.
	Knative corev1listers.PodLister
	// Observed reports whether a revision is collected already, by its autoscaler.
	Observed func(r collector.Revision) bool
	// Target says where the page of a revision is that nobody observes; false when it is not known.
	Target func(r collector.Revision) (collector.Target, bool)
}

// Watcher follows the pools. Its methods are safe for concurrent use.
type Watcher struct {
	o  Options
	mu sync.RWMutex
	// plain are the pods that are not Knative's, by their pool's key.
	plain map[collector.Revision]*plainPods
	// strays are the revisions that we have the collector read.
	strays map[collector.Revision]bool

	// The rest is Run's own: the pods of all our pickers, watched once there is a pool
	// of ours, our pickers, and the revisions that have a share of one.
	pickerPods    coreinformers.PodInformer
	pickers, held map[collector.Revision]bool
}

// New returns a Watcher that follows nothing yet.
func New(o Options) *Watcher {
	return &Watcher{o: o, plain: map[collector.Revision]*plainPods{}, strays: map[collector.Revision]bool{},
		pickers: map[collector.Revision]bool{}, held: map[collector.Revision]bool{}}
}

// Run follows the pools until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		pools := w.o.Pools()
		w.followPlain(ctx, pools)
		w.followStrays(pools)
		w.followPickers(ctx, pools)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// followPlain watches the other pods of each pool, and forgets those of pools that went.
func (w *Watcher) followPlain(ctx context.Context, pools []Pool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	gone := maps.Clone(w.plain)
	for _, p := range pools {
		if p.knativeOnly() || p.Port == 0 {
			continue
		}
		delete(gone, p.Key())
		have := w.plain[p.Key()]
		if have == nil || !maps.Equal(have.selector, p.Selector) {
			if have != nil {
				have.stop()
			}
			have = watchPods(ctx, w.o.Kube, p)
			w.plain[p.Key()] = have
		}
		if !have.informer.HasSynced() {
			continue
		}
		w.o.Collector.Watch(collector.Target{
			Revision: p.Key(), Engine: p.Engine, Port: p.Port, PortNamed: p.PortNamed, Path: p.Path,
			StableWindow: stableWindow, PanicWindow: panicWindow, EngineOnly: true,
		})
		w.o.Collector.SetPods(p.Key(), collected(have.pods()))
	}
	for key, have := range gone {
		have.stop()
		delete(w.plain, key)
		w.o.Collector.Forget(key)
	}
}

// followStrays has revisions read that a pool serves and that no autoscaler
// observes. One that an autoscaler takes over is left to it.
func (w *Watcher) followStrays(pools []Pool) {
	pods := map[collector.Revision][]*corev1.Pod{}
	for _, p := range pools {
		for _, r := range w.revisionsOf(p) {
			if pods[r] == nil && !w.o.Observed(r) {
				pods[r] = w.podsOf(r)
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for r, list := range pods {
		if t, ok := w.o.Target(r); ok {
			t.Revision, t.StableWindow, t.PanicWindow = r, stableWindow, panicWindow
			w.strays[r] = true
			w.o.Collector.Watch(t)
			w.o.Collector.SetPods(r, collected(list))
		}
	}
	for r := range w.strays {
		if _, still := pods[r]; still {
			continue
		}
		delete(w.strays, r)
		if !w.o.Observed(r) {
			w.o.Collector.Forget(r)
		}
	}
}

func (w *Watcher) revisionsOf(p Pool) (revisions []collector.Revision) {
	pods, err := w.o.Knative.Pods(p.Namespace).List(labels.SelectorFromSet(p.Selector))
	if err != nil {
		return nil // a lister of a cache does not fail
	}
	seen := map[string]bool{}
	for _, pod := range pods {
		if name := pod.Labels[serving.RevisionLabelKey]; name != "" && !seen[name] {
			seen[name] = true
			revisions = append(revisions, collector.Revision{Namespace: p.Namespace, Name: name})
		}
	}
	return revisions
}

func (w *Watcher) podsOf(r collector.Revision) []*corev1.Pod {
	pods, err := w.o.Knative.Pods(r.Namespace).List(labels.SelectorFromSet(labels.Set{serving.RevisionLabelKey: r.Name}))
	if err != nil {
		return nil
	}
	return pods
}

// Pods lists the pods of pools that are not Knative's, of one namespace or, with
// "", of all, by their pool's key. They must not be changed.
func (w *Watcher) Pods(namespace string) map[collector.Revision][]*corev1.Pod {
	w.mu.RLock()
	defer w.mu.RUnlock()
	found := map[collector.Revision][]*corev1.Pod{}
	for key, have := range w.plain {
		if namespace == "" || key.Namespace == namespace {
			found[key] = have.pods()
		}
	}
	return found
}
