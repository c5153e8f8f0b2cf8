package inferencegateway

import (
	"context"
	"log/slog"
	"sync"
	"time"

	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/liveness"
)

// watches holds a cache of every resource that the API server serves. That of a
// custom resource is started when its CRD is established and stopped when it goes.
type watches struct {
	client dynamic.Interface
	log    *slog.Logger
	// alive watches the handlers of events; nil does not.
	alive *liveness.Monitor
	// resources are what is watched.
	resources []resource
	// changed is called for every change of an object, served when a kind comes or goes.
	changed func(resource, *unstructured.Unstructured)
	served  func()

	mu      sync.RWMutex
	caches  map[schema.GroupVersionResource]*watched
	crds    []cache.SharedIndexInformer
	started bool
}

// watched is the cache of one resource. definition is the UID of its CRD.
type watched struct {
	cache.SharedIndexInformer
	definition  types.UID
	appProtocol bool
	stop        context.CancelFunc
	opened      time.Time
}

// patience is how long a custom resource may take to be listed. One that cannot
// be (no rights, a conversion webhook that is down) counts as not served, and
// does not hold up all others.
const patience = 30 * time.Second

func (c *watched) usable() bool { return c.HasSynced() || time.Since(c.opened) < patience }

// start begins to watch. It returns at once.
func (w *watches) start(ctx context.Context) error {
	w.mu.Lock()
	w.caches, w.started = map[schema.GroupVersionResource]*watched{}, true
	w.mu.Unlock()
	for _, r := range w.resources {
		if !r.custom {
			w.open(ctx, r, definition{})
			continue
		}
		if err := w.follow(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// follow watches the CRD of one custom resource.
func (w *watches) follow(ctx context.Context, r resource) error {
	informer := dynamicinformer.NewFilteredDynamicInformer(w.client, crds, metav1.NamespaceAll, 0, cache.Indexers{},
		func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector("metadata.name", r.crd()).String()
		}).Informer()
	if err := informer.SetTransform(slimCRD); err != nil {
		return err
	}
	seen := func(obj any) {
		if crd, ok := obj.(*unstructured.Unstructured); ok && crd.GetName() == r.crd() {
			w.defined(ctx, r, definitionOf(crd, r.Version))
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: seen, UpdateFunc: func(_, obj any) { seen(obj) },
		DeleteFunc: func(obj any) {
			if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = gone.Obj
			}
			if crd, ok := obj.(*unstructured.Unstructured); ok && crd.GetName() == r.crd() {
				w.defined(ctx, r, definition{})
			}
		},
	})
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.crds = append(w.crds, informer)
	w.mu.Unlock()
	go informer.RunWithContext(ctx)
	return nil
}

// defined starts or stops the cache of a custom resource.
func (w *watches) defined(ctx context.Context, r resource, d definition) {
	defer w.alive.Begin("an event of the CRD "+r.crd(), 0)()
	w.mu.RLock()
	running := w.caches[r.GroupVersionResource]
	w.mu.RUnlock()
	if running != nil && d.served && running.definition == d.uid && running.appProtocol == d.appProtocol {
		return
	}
	if running == nil && !d.served {
		return
	}
	w.log.Info("a kind of the gateway changed", "crd", r.crd(), "version", r.Version, "served", d.served)
	if d.served {
		w.open(ctx, r, d) // in the place of one that runs: a kind must not seem to be gone in between
	} else {
		w.mu.Lock()
		delete(w.caches, r.GroupVersionResource)
		w.mu.Unlock()
	}
	if running != nil {
		running.stop()
	}
	w.served()
}

// open starts the cache of one resource.
func (w *watches) open(ctx context.Context, r resource, d definition) {
	ctx, stop := context.WithCancel(ctx)
	informer := dynamicinformer.NewFilteredDynamicInformer(w.client, r.GroupVersionResource, metav1.NamespaceAll,
		0, indexers(),
		func(o *metav1.ListOptions) {
			if !r.all {
				o.LabelSelector = inference.ManagedByKey + "=" + inference.ManagedBy
			}
		}).Informer()
	_ = informer.SetTransform(slim)                             // fails for a started informer only
	_ = informer.SetWatchErrorHandlerWithContext(w.complain(r)) // likewise
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) { w.notify(r, obj) }, UpdateFunc: func(_, obj any) { w.notify(r, obj) },
		DeleteFunc: func(obj any) { w.notify(r, obj) },
	})
	if err != nil { // only a stopped informer refuses a handler
		stop()
		return
	}
	w.mu.Lock()
	w.caches[r.GroupVersionResource] = &watched{
		SharedIndexInformer: informer, definition: d.uid, appProtocol: d.appProtocol, stop: stop, opened: time.Now(),
	}
	w.mu.Unlock()
	go informer.RunWithContext(ctx)
	go func() {
		if cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) && r.custom {
			defer w.alive.Begin("the first list of "+r.crd(), 0)()
			w.served()
		}
	}()
}

func (w *watches) notify(r resource, obj any) {
	defer w.alive.Begin("an event of "+r.crd(), 0)()
	if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = gone.Obj
	}
	if u, ok := obj.(*unstructured.Unstructured); ok {
		w.changed(r, u)
	}
}

// complain keeps a kind that is going away from filling the log.
func (w *watches) complain(r resource) cache.WatchErrorHandlerWithContext {
	var mu sync.Mutex
	var last time.Time
	return func(_ context.Context, _ *cache.Reflector, err error) {
		mu.Lock()
		defer mu.Unlock()
		if apierrs.IsNotFound(err) || apierrs.IsResourceExpired(err) || time.Since(last) < time.Minute {
			return
		}
		last = time.Now()
		w.log.Warn("cannot watch; trying again", "resource", r.crd(), "error", err)
	}
}

// synced is true once everything that is served is known.
func (w *watches) synced() bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, crd := range w.crds {
		if !crd.HasSynced() {
			return false
		}
	}
	for _, c := range w.caches {
		if !c.HasSynced() && c.usable() {
			return false
		}
	}
	return w.started
}

// complete is true when every kind that is defined is known too. Without one of
// them a plan lacks what is there all the same, and nothing may be removed for it.
func (w *watches) complete() bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, c := range w.caches {
		if !c.HasSynced() {
			return false
		}
	}
	return true
}

func (w *watches) cache(r schema.GroupVersionResource) *watched {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.caches[r]
}

// serves reports whether the API server has the resource, and lets us list it.
func (w *watches) serves(r schema.GroupVersionResource) bool {
	c := w.cache(r)
	return c != nil && c.usable()
}

// defines reports whether the API server has the resource, even if we cannot list
// it now. What has one form with a kind and another one without it goes by this:
// a cache that is late must not change what serves.
func (w *watches) defines(r schema.GroupVersionResource) bool { return w.cache(r) != nil }

// listed is false for a resource that is defined and not known, and true for one that is not defined.
func (w *watches) listed(r schema.GroupVersionResource) bool {
	c := w.cache(r)
	return c == nil || c.HasSynced()
}

// get returns an object of the cache, which must not be changed, or nil.
func (w *watches) get(r schema.GroupVersionResource, namespace, name string) *unstructured.Unstructured {
	c := w.cache(r)
	if c == nil {
		return nil
	}
	key := name
	if namespace != "" {
		key = namespace + "/" + name
	}
	obj, ok, err := c.GetIndexer().GetByKey(key)
	if err != nil || !ok {
		return nil
	}
	return obj.(*unstructured.Unstructured)
}

// list returns the objects of one index value; they must not be changed.
func (w *watches) list(r schema.GroupVersionResource, index, value string) []*unstructured.Unstructured {
	c := w.cache(r)
	if c == nil {
		return nil
	}
	found, err := c.GetIndexer().ByIndex(index, value)
	if err != nil {
		return nil // only for an index that indexers does not have
	}
	out := make([]*unstructured.Unstructured, 0, len(found))
	for _, obj := range found {
		out = append(out, obj.(*unstructured.Unstructured))
	}
	return out
}

// typed reads an object of the cache as the Go type of its kind, nil when there is
// none. An object that does not fit the type, which no API server with the CRD of
// that type stores, counts as missing and is logged.
func typed[T any](w *watches, r schema.GroupVersionResource, namespace, name string) *T {
	live := w.get(r, namespace, name)
	if live == nil {
		return nil
	}
	out, err := decode[T](live)
	if err != nil {
		w.log.Warn("an object does not fit the type of its kind and counts as missing", "resource", r.GroupResource().String(), "namespace", namespace, "name", name, "error", err)
		return nil
	}
	return out
}

// decode turns an object into the Go type of its kind.
func decode[T any](u *unstructured.Unstructured) (*T, error) {
	out := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, out); err != nil {
		return nil, err
	}
	return out, nil
}
