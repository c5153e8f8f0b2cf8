package inferencepool

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/wait"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	corev1listers "k8s.io/client-go/listers/core/v1"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

// interval is how long a change of a pool or of its pods may go unseen.
const interval = time.Second

// Collector is what reads the pods.
type Collector interface {
	Watch(t collector.Spec)
	SetPods(r collector.Key, pods []collector.Pod)
	Forget(r collector.Key)
	// WaitingIn is the requests that wait in a picker, with waking only those without a
	// negative priority; NaN when that is not known.
	WaitingIn(picker collector.Key, waking bool) float64
}

// Options are the parts of a Watcher; all required.
type Options struct {
	Kube      kubernetes.Interface
	Collector Collector
	Held      Holder
	Waker     Waker
	Log       *slog.Logger
	// OnPanic is called once for every panic that was contained.
	OnPanic func()
	// Pools lists the pools that there are; none while their CRD is missing.
	Pools func() []Pool
	// Knative lists pods of Knative revisions.
	Knative corev1listers.PodLister
	// Observed reports whether a revision is collected already, by its autoscaler.
	Observed func(r collector.Key) bool
	// Spec says where to read a revision that no autoscaler observes; false when that is not known.
	Spec func(r collector.Key) (collector.Spec, bool)
}

// Watcher follows the pools. Its methods are safe for concurrent use.
type Watcher struct {
	o  Options
	mu sync.RWMutex
	// plain are the selectors of the pools whose pods that are not Knative's are read,
	// by the pool's key, and watched those pods, by namespace.
	plain   map[collector.Key]labels.Selector
	watched map[string]*podWatch
	// strays are the revisions that we have the collector read.
	strays map[collector.Key]bool
	// waking are the revisions of others at whose Services a request of ours is open.
	waking map[collector.Key]bool
	wakes  sync.WaitGroup

	// The rest is Run's own: the pods of all our pickers, watched once there is a pool
	// of ours, our pickers, and the revisions that have a share of one.
	pickerPods    coreinformers.PodInformer
	pickers, held map[collector.Key]bool
	// leftOut is how many pools of a namespace are over the limit; complained is the
	// time of the last log line about a panic.
	leftOut    map[string]int
	complained time.Time
}

// New returns a Watcher that follows nothing yet.
func New(o Options) *Watcher {
	return &Watcher{
		o: o, plain: map[collector.Key]labels.Selector{}, watched: map[string]*podWatch{},
		strays: map[collector.Key]bool{}, waking: map[collector.Key]bool{},
		pickers: map[collector.Key]bool{}, held: map[collector.Key]bool{}, leftOut: map[string]int{},
	}
}

// Run follows the pools until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	wait.NonSlidingUntilWithContext(ctx, func(ctx context.Context) {
		w.guard(collector.Key{}, func() {
			pools := w.o.Pools()
			w.followPlain(ctx, pools)
			w.followStrays(pools)
			w.followPickers(ctx, pools)
			w.wakeOthers(ctx, pools)
		})
	}, interval)
	w.wakes.Wait()
}

// followPlain has the other pods of each pool read, and forgets those of pools that went.
func (w *Watcher) followPlain(ctx context.Context, pools []Pool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	gone, idle := maps.Clone(w.plain), maps.Clone(w.watched)
	for _, p := range w.bounded(pools) {
		delete(gone, p.Key())
		delete(idle, p.Namespace)
		w.guard(p.Key(), func() { w.readPlain(ctx, p) })
	}
	for key := range gone {
		delete(w.plain, key)
		w.o.Collector.Forget(key)
	}
	for namespace, have := range idle {
		have.stop()
		delete(w.watched, namespace)
	}
}

func (w *Watcher) readPlain(ctx context.Context, p Pool) {
	have := w.watched[p.Namespace]
	if have == nil {
		have = watchPods(ctx, w.o.Kube, p.Namespace)
		w.watched[p.Namespace] = have
	}
	w.plain[p.Key()] = labels.SelectorFromSet(p.Selector)
	if !have.Informer().HasSynced() {
		return
	}
	w.o.Collector.Watch(collector.Spec{
		Key: p.Key(), Engine: p.Engine, Port: p.Port, PortNamed: p.PortNamed, Path: p.Path,
		StableWindow: window.KnativeStable, PanicWindow: window.KnativePanic, EngineOnly: true,
	})
	w.o.Collector.SetPods(p.Key(), collected(w.plainPods(p.Key())))
}

// followStrays has revisions read that a pool serves and that no autoscaler
// observes. One that an autoscaler takes over is left to it.
func (w *Watcher) followStrays(pools []Pool) {
	pods, whole := map[collector.Key][]*corev1.Pod{}, true
	for _, p := range pools {
		whole = w.guard(p.Key(), func() {
			for _, r := range w.revisionsOf(p) {
				if pods[r] == nil && !w.o.Observed(r) {
					pods[r] = w.podsOf(r)
				}
			}
		}) && whole
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for r, list := range pods {
		w.guard(r, func() { w.readStray(r, list) })
	}
	for r := range w.strays {
		if _, still := pods[r]; still || !whole { // a pool that could not be read may serve it
			continue
		}
		delete(w.strays, r)
		if !w.o.Observed(r) {
			w.o.Collector.Forget(r)
		}
	}
}

func (w *Watcher) readStray(r collector.Key, pods []*corev1.Pod) {
	t, ok := w.o.Spec(r)
	if !ok {
		return
	}
	t.Key, t.StableWindow, t.PanicWindow = r, window.KnativeStable, window.KnativePanic
	w.strays[r] = true
	w.o.Collector.Watch(t)
	w.o.Collector.SetPods(r, collected(pods))
}

func (w *Watcher) revisionsOf(p Pool) (revisions []collector.Key) {
	pods, err := w.o.Knative.Pods(p.Namespace).List(labels.SelectorFromSet(p.Selector))
	if err != nil {
		return nil // a lister of a cache does not fail
	}
	seen := map[string]bool{}
	for _, pod := range pods {
		if name := pod.Labels[serving.RevisionLabelKey]; name != "" && !seen[name] {
			seen[name] = true
			revisions = append(revisions, collector.Key{Namespace: p.Namespace, Name: name})
		}
	}
	return revisions
}

func (w *Watcher) podsOf(r collector.Key) []*corev1.Pod {
	pods, err := w.o.Knative.Pods(r.Namespace).List(labels.SelectorFromSet(labels.Set{serving.RevisionLabelKey: r.Name}))
	if err != nil {
		return nil
	}
	return pods
}

// Pods lists the pods of pools that are not Knative's, of one namespace or, with
// "", of all, by their pool's key. They must not be changed.
func (w *Watcher) Pods(namespace string) map[collector.Key][]*corev1.Pod {
	w.mu.RLock()
	defer w.mu.RUnlock()
	found := map[collector.Key][]*corev1.Pod{}
	for key := range w.plain {
		if namespace == "" || key.Namespace == namespace {
			found[key] = w.plainPods(key)
		}
	}
	return found
}
