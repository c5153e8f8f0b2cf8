package inferencegateway

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	nv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	ingressinformer "knative.dev/networking/pkg/client/injection/informers/networking/v1alpha1/ingress"
	kubeclient "knative.dev/pkg/client/injection/kube/client"
	podinformer "knative.dev/pkg/client/injection/kube/informers/core/v1/pod/filtered"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/injection/clients/dynamicclient"
	"knative.dev/pkg/kmeta"
	"knative.dev/pkg/logging"
	pkgreconciler "knative.dev/pkg/reconciler"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	revisioninformer "knative.dev/serving/pkg/client/injection/informers/serving/v1/revision"
	serviceinformer "knative.dev/serving/pkg/client/injection/informers/serving/v1/service"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/liveness"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// Options are the parts that NewController wires to the cluster; all required.
type Options struct {
	// Defaults returns the current config-inference-gateway; another pointer is another state.
	Defaults func() *binding.Defaults
	// PodSelector is the label of the filtered pod informer in the context.
	PodSelector string
	Log         *slog.Logger
	// OnPanic counts a panic that was contained.
	OnPanic func()
	// Alive watches the handlers of events and the work on each Service.
	Alive *liveness.Monitor
}

// queueName is that of the controller's queue.
const queueName = "inference-gateway"

// Controller is the gateway's controller with what others ask of it.
type Controller struct {
	*controller.Impl
	// Resync looks at every bound Service again, after a change of configuration.
	Resync func()

	reconciler *Reconciler
	alive      *liveness.Monitor
}

// NewController builds the gateway's controller on the informers in ctx.
func NewController(ctx context.Context, o Options) (*Controller, error) {
	services, ingresses, revisions := serviceinformer.Get(ctx), ingressinformer.Get(ctx), revisioninformer.Get(ctx)
	pods := podinformer.Get(ctx, o.PodSelector).Informer()
	if err := pods.AddIndexers(podIndexer()); err != nil {
		return nil, fmt.Errorf("indexing pods by Service: %w", err)
	}
	if err := services.Informer().AddIndexers(sharingIndexers()); err != nil {
		return nil, fmt.Errorf("indexing Services by what they share: %w", err)
	}
	if err := ingresses.Informer().AddIndexers(hostIndexers()); err != nil {
		return nil, fmt.Errorf("indexing KIngresses by host: %w", err)
	}
	r := &Reconciler{
		serviceIndex: services.Informer().GetIndexer(), ingressIndex: ingresses.Informer().GetIndexer(),
		services: services.Lister(), revisions: revisions.Lister(), ingresses: ingresses.Lister(), pods: pods.GetIndexer(),
		client: dynamicclient.Get(ctx), kube: kubeclient.Get(ctx), defaults: o.Defaults, build: manifest.Build,
		onPanic: o.OnPanic, queue: o.Alive.Queue(queueName),
		recorder: newRecorder(ctx, kubeclient.Get(ctx)), log: o.Log, now: time.Now, drain: drainTime,
	}
	r.LeaderAwareFuncs = pkgreconciler.LeaderAwareFuncs{
		PromoteFunc: func(b pkgreconciler.Bucket, enqueue func(pkgreconciler.Bucket, types.NamespacedName)) error {
			defer o.Alive.Begin("the start of a term as leader", 0)()
			return r.beginTerm(b, enqueue)
		},
	}
	c := &Controller{reconciler: r, alive: o.Alive}
	c.Impl = controller.NewContext(ctx, r, controller.ControllerOptions{WorkQueueName: queueName,
		Logger: logging.FromContext(ctx)})
	c.Resync = func() {
		for _, key := range r.bound() {
			c.EnqueueKey(key)
		}
	}
	r.watches = &watches{client: r.client, log: o.Log, alive: o.Alive, resources: resources(),
		served: c.Resync, changed: c.objectChanged}
	return c, c.handleEvents(map[cache.SharedIndexInformer]func(any){
		ingresses.Informer(): c.ingressChanged,
		revisions.Informer(): func(obj any) { c.enqueueNamed(obj, serving.ServiceLabelKey) },
		pods:                 func(obj any) { c.enqueueNamed(obj, serving.ServiceLabelKey) },
	}, services.Informer())
}

// Start begins to watch what belongs to the gateway world; call it once the
// informers of the context run, and right before the workers start.
func (c *Controller) Start(ctx context.Context) error {
	c.reconciler.queue.Follow(c.WorkQueue().Len)
	return c.reconciler.watches.start(ctx)
}

func newRecorder(ctx context.Context, kube kubernetes.Interface) record.EventRecorder {
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: kube.CoreV1().Events("")})
	return broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "inference-gateway"})
}

func (c *Controller) handleEvents(handlers map[cache.SharedIndexInformer]func(any),
	services cache.SharedIndexInformer) error {
	for informer, f := range handlers {
		if _, err := informer.AddEventHandler(controller.HandleAll(c.watched(f))); err != nil {
			return fmt.Errorf("watching: %w", err)
		}
	}
	_, err := services.AddEventHandler(cache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(obj any, initial bool) {
			if !initial { // becoming the leader enqueues those
				c.watched(func(obj any) { c.serviceChanged(nil, obj) })(obj)
			}
		},
		UpdateFunc: func(old, obj any) { c.watched(func(obj any) { c.serviceChanged(old, obj) })(obj) },
		DeleteFunc: c.watched(func(obj any) { c.serviceChanged(obj, nil) }),
	})
	if err != nil {
		return fmt.Errorf("watching: %w", err)
	}
	return nil
}

// watched has the Monitor see a handler that does not return: its events would end.
func (c *Controller) watched(handle func(any)) func(any) {
	return func(obj any) {
		defer c.alive.Begin("an event of Services, KIngresses, Revisions or pods", 0)()
		handle(obj)
	}
}

// enqueueNamed passes an event on to the Service that a label names, or that has
// the object's own name, when there is anything to do for it.
func (c *Controller) enqueueNamed(obj any, label string) {
	object, err := kmeta.DeletionHandlingAccessor(obj)
	if err != nil {
		return
	}
	name := object.GetName()
	if label != "" {
		name = object.GetLabels()[label]
	}
	svc, err := c.reconciler.services.Services(object.GetNamespace()).Get(name)
	if err == nil && asks(svc) {
		c.Enqueue(svc)
	}
}

// ingressChanged also looks at the Services that name a host of a KIngress: whose
// it is decides whether they may have it.
func (c *Controller) ingressChanged(obj any) {
	c.enqueueNamed(obj, "")
	if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = gone.Obj
	}
	ing, ok := obj.(*nv1alpha1.Ingress)
	if !ok {
		return
	}
	for _, key := range c.reconciler.claiming(ing) {
		c.EnqueueKey(key)
	}
}

// serviceChanged also looks at the neighbours when what a Service asks for may
// have changed: those that share a pool, a host or a body router's filter with it.
func (c *Controller) serviceChanged(old, obj any) {
	if gone, ok := old.(cache.DeletedFinalStateUnknown); ok {
		old = gone.Obj
	}
	before, _ := old.(*servingv1.Service)
	after, _ := obj.(*servingv1.Service)
	for _, svc := range []*servingv1.Service{before, after} {
		if svc != nil {
			c.Enqueue(svc)
		}
	}
	if before != nil && after != nil && sameWish(before, after) {
		return
	}
	for _, key := range c.reconciler.affected(before, after) {
		c.EnqueueKey(key)
	}
	if after == nil && before != nil {
		c.reconciler.intents.forget(before.UID)
	}
}

// objectChanged finds out whom a change in the gateway world concerns.
func (c *Controller) objectChanged(res resource, u *unstructured.Unstructured) {
	for _, ref := range u.GetOwnerReferences() {
		if isKnativeService(ref) {
			c.EnqueueKey(types.NamespacedName{Namespace: u.GetNamespace(), Name: ref.Name})
		}
	}
	for _, key := range c.reconciler.concerned(res, u) {
		c.EnqueueKey(key)
	}
}

func cacheKeys(store cache.Store) (keys []types.NamespacedName) {
	for _, key := range store.ListKeys() {
		if namespace, name, err := cache.SplitMetaNamespaceKey(key); err == nil {
			keys = append(keys, types.NamespacedName{Namespace: namespace, Name: name})
		}
	}
	return keys
}
