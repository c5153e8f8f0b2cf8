package podautoscaler

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	apierrs "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	appsv1listers "k8s.io/client-go/listers/apps/v1"
	"k8s.io/client-go/tools/cache"
	networkingclient "knative.dev/networking/pkg/client/injection/client"
	sksinformer "knative.dev/networking/pkg/client/injection/informers/networking/v1alpha1/serverlessservice"
	kubeclient "knative.dev/pkg/client/injection/kube/client"
	deploymentinformer "knative.dev/pkg/client/injection/kube/informers/apps/v1/deployment/filtered"
	podinformer "knative.dev/pkg/client/injection/kube/informers/core/v1/pod/filtered"
	budgetinformer "knative.dev/pkg/client/injection/kube/informers/policy/v1/poddisruptionbudget/filtered"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/logging"
	"knative.dev/pkg/network"
	"knative.dev/pkg/reconciler"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	"knative.dev/serving/pkg/apis/serving"
	servingclient "knative.dev/serving/pkg/client/injection/client"
	painformer "knative.dev/serving/pkg/client/injection/informers/autoscaling/v1alpha1/podautoscaler"
	revisioninformer "knative.dev/serving/pkg/client/injection/informers/serving/v1/revision"
	pareconciler "knative.dev/serving/pkg/client/injection/reconciler/autoscaling/v1alpha1/podautoscaler"
	palisters "knative.dev/serving/pkg/client/listers/autoscaling/v1alpha1"
	areconciler "knative.dev/serving/pkg/reconciler/autoscaling"
	knconfig "knative.dev/serving/pkg/reconciler/autoscaling/config"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
	"github.com/knative-inference/autoscaler-adapter/pkg/terminating"
)

// Selector is the label that the filtered informers must select on: the
// context given to NewController carries it (filtered.WithSelectors).
const Selector = serving.RevisionUID

// Options are the parts that NewController wires to the cluster; all required.
type Options struct {
	// Knative watches the config maps of knative-serving.
	Knative configmap.Watcher
	// Own returns the current config-ipa.
	Own       func() *config.Config
	Collector interface {
		Collector
		multiscaler.Observer
	}
	Metrics *multiscaler.Metrics
	Log     *slog.Logger
	// Pools are the InferencePools of a namespace; nil is none.
	Pools func(namespace string) []Pool
	// Recorder gets every decision; nil records nothing.
	Recorder multiscaler.Recorder
	// Restore returns the state that a revision's decisions begin with; nil begins with nothing.
	Restore func(collector.Key) decider.State
	// Account is our ServiceAccount as NAMESPACE:NAME, for commands that a user may copy.
	Account string
}

// Controller is the class's controller with what others read from it.
type Controller struct {
	*controller.Impl
	// Scaler holds the decision of every revision.
	Scaler *multiscaler.MultiScaler
	// Resync reconciles every PodAutoscaler of the class, after a change of configuration.
	Resync      func()
	tendStrays  func(context.Context)
	terminating func() []terminating.Pod
}

// Leads reports whether this process acts for a revision.
func (c *Controller) Leads(rev collector.Key) bool {
	l, ok := c.Reconciler.(leadership)
	return ok && l.IsLeaderFor(keyOf(rev))
}

// Elected has another elector than knative.dev/pkg's decide which revisions this process acts for: the
// caller promotes and demotes what is returned. Call it before the controller is started.
func (c *Controller) Elected() (reconciler.LeaderAware, error) {
	leader, ok := c.Reconciler.(electable)
	if !ok {
		return nil, fmt.Errorf("the reconciler %T does not follow an election", c.Reconciler)
	}
	c.Reconciler = elected{leader, leader}
	return leader, nil
}

// electable is the generated reconciler.
type electable interface {
	controller.Reconciler
	reconciler.LeaderAware
	leadership
}

type leadership interface {
	IsLeaderFor(key types.NamespacedName) bool
}

// elected is a reconciler without Promote and Demote: knative.dev/pkg runs no elector for it.
type elected struct {
	controller.Reconciler
	leadership
}

// LeadsAny reports whether this process acts for any revision.
func (c *Controller) LeadsAny() bool {
	leads := false
	c.Scaler.States(func(rev collector.Key, _ decider.State) { leads = leads || c.Leads(rev) })
	return leads
}

// NewController builds the class's controller on the informers in ctx.
func NewController(ctx context.Context, o Options) (*Controller, error) {
	paInformer, sksInformer := painformer.Get(ctx), sksinformer.Get(ctx)
	pods := podIndex{podinformer.Get(ctx, Selector).Informer().GetIndexer(), &written{}}
	podInformer, deployments := podinformer.Get(ctx, Selector).Informer(), deploymentinformer.Get(ctx, Selector)
	budgets := budgetinformer.Get(ctx, Selector)
	if err := podInformer.AddIndexers(revisionIndexer()); err != nil {
		return nil, fmt.Errorf("indexing pods by revision: %w", err)
	}
	c := &Controller{} // its queue, which scaler and reconciler put keys into, is made last
	c.Scaler = multiscaler.New(ctx, multiscaler.Options{
		Observer: o.Collector, Scales: scales{deployments.Lister(), paInformer.Lister(), pods}, Log: o.Log,
		Metrics: o.Metrics, Recorder: o.Recorder, Restore: o.Restore,
	}, func(rev collector.Key) { c.EnqueueKey(keyOf(rev)) })
	r := &Reconciler{
		Base: &areconciler.Base{
			Client: servingclient.Get(ctx), NetworkingClient: networkingclient.Get(ctx), SKSLister: sksInformer.Lister(),
		},
		kube:        kubeclient.Get(ctx),
		deployments: deployments.Lister(),
		autoscalers: paInformer.Lister(),
		revisions:   revisioninformer.Get(ctx).Lister(),
		budgets:     budgets.Lister(),
		pods:        pods,
		collector:   o.Collector,
		own:         o.Own,
		pools:       o.Pools,
		account:     o.Account,
		metrics:     o.Metrics,
		log:         o.Log,
		probe:       probeActivator(network.NewProberTransport()),
		scaler:      c.Scaler,
		requeue:     func(key types.NamespacedName, after time.Duration) { c.EnqueueKeyAfter(key, after) },
	}
	ours := reconciler.AnnotationFilterFunc(knautoscaling.ClassAnnotationKey, autoscaling.Class, false)
	c.Impl = pareconciler.NewImpl(ctx, r, autoscaling.Class, func(impl *controller.Impl) controller.Options {
		c.Resync = func() { impl.FilteredGlobalResync(ours, paInformer.Informer()) }
		store := knconfig.NewStore(logging.FromContext(ctx).Named("config-store"), func(string, any) { c.Resync() })
		store.WatchConfigs(o.Knative)
		return controller.Options{ConfigStore: store}
	})
	c.tendStrays = func(ctx context.Context) {
		r.openStrays(ctx, c.Leads)
		r.deleteStrayBudgets(ctx, c.Leads)
	}
	c.terminating = func() []terminating.Pod { return r.terminating(c.Leads) }
	return c, r.handleEvents(c.Impl, handlers{ours: ours, pas: paInformer.Informer(), sks: sksInformer.Informer(),
		pods: podInformer, deployments: deployments.Informer(), budgets: budgets.Informer()})
}

type handlers struct {
	ours                                 func(any) bool
	pas, sks, pods, deployments, budgets cache.SharedIndexInformer
}

// handleEvents notifies the controller, and for pods the collector at once, what changed.
func (r *Reconciler) handleEvents(impl *controller.Impl, h handlers) error {
	controlled := controller.FilterController(&v1alpha1.PodAutoscaler{})
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		h.pas: r.autoscalerEvents(impl),
		h.sks: cache.FilteringResourceEventHandler{FilterFunc: reconciler.ChainFilterFuncs(h.ours, controlled),
			Handler: controller.HandleAll(impl.EnqueueControllerOf)},
		h.budgets: cache.FilteringResourceEventHandler{FilterFunc: controlled,
			Handler: controller.HandleAll(impl.EnqueueControllerOf)},
		h.deployments: controller.HandleAll(func(obj any) { r.revisionChanged(impl, obj) }),
		h.pods:        controller.HandleAll(func(obj any) { r.podChanged(impl, obj) }),
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return fmt.Errorf("watching: %w", err)
		}
	}
	return nil
}

func (r *Reconciler) autoscalerEvents(impl *controller.Impl) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) { r.paAdded(impl, obj.(*v1alpha1.PodAutoscaler)) },
		UpdateFunc: func(old, obj any) {
			was, pa := old.(*v1alpha1.PodAutoscaler), obj.(*v1alpha1.PodAutoscaler)
			if Observed(was) && (was.Class() != pa.Class() || !Observed(pa)) {
				r.forget(revisionOf(pa))
				r.forgetUID(was.UID)
			}
			if was.UID != pa.UID { // deleted and made anew between two looks
				r.forgetUID(was.UID)
			}
			r.paChanged(impl, pa)
		},
		DeleteFunc: r.paDeleted(impl),
	}
}

// paAdded also looks at the revisions that are still being started: a new one
// may have superseded them.
func (r *Reconciler) paAdded(impl *controller.Impl, pa *v1alpha1.PodAutoscaler) {
	r.paChanged(impl, pa)
	for _, peer := range r.peers(pa) {
		if !peer.Status.IsScaleTargetInitialized() {
			r.paChanged(impl, peer)
		}
	}
}

// paChanged enqueues what is of our class and collects what is only observed.
func (r *Reconciler) paChanged(impl *controller.Impl, pa *v1alpha1.PodAutoscaler) {
	switch {
	case pa.Class() == autoscaling.Class:
		impl.Enqueue(pa)
	case servedToHPA(pa):
		r.observe(pa)
	}
}

func (r *Reconciler) paDeleted(impl *controller.Impl) func(any) {
	return func(obj any) {
		if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = gone.Obj
		}
		if pa, ok := obj.(*v1alpha1.PodAutoscaler); ok && Observed(pa) {
			r.forget(revisionOf(pa))
			r.forgetUID(pa.UID)
			impl.Enqueue(pa)
		}
	}
}

// forgetUID drops what is remembered about one PodAutoscaler that is gone.
func (r *Reconciler) forgetUID(uid types.UID) {
	r.starts.forget(uid)
	r.deadlines.forget(uid)
	r.activations.forget(uid)
	r.writers.forget(uid)
	r.strangers.forget(uid)
}

// forgetGone ends each reconciliation: one that ran while its PodAutoscaler was deleted
// may have remembered it after the event had it forgotten.
func (r *Reconciler) forgetGone(pa *v1alpha1.PodAutoscaler) {
	live, err := r.autoscalers.PodAutoscalers(pa.Namespace).Get(pa.Name)
	if apierrs.IsNotFound(err) || err == nil && live.UID != pa.UID {
		r.forgetUID(pa.UID)
	}
}

// podChanged notifies the collector at once which pods a revision has now.
func (r *Reconciler) podChanged(impl *controller.Impl, obj any) {
	if rev, ok := r.revisionChanged(impl, obj); ok {
		r.collector.SetPods(rev, r.pods.of(rev))
	}
}

// revisionChanged passes a change of an object that carries a revision label on
// to its PodAutoscaler; false when that is not observed.
func (r *Reconciler) revisionChanged(impl *controller.Impl, obj any) (collector.Key, bool) {
	if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = gone.Obj
	}
	object, ok := obj.(interface {
		GetNamespace() string
		GetLabels() map[string]string
	})
	if !ok {
		return collector.Key{}, false
	}
	rev := collector.Key{Namespace: object.GetNamespace(), Name: object.GetLabels()[serving.RevisionLabelKey]}
	pa, err := r.autoscalers.PodAutoscalers(rev.Namespace).Get(rev.Name)
	if err != nil || !Observed(pa) {
		return rev, false
	}
	r.paChanged(impl, pa)
	return rev, true
}

func keyOf(rev collector.Key) types.NamespacedName {
	return types.NamespacedName{Namespace: rev.Namespace, Name: rev.Name}
}

// scales reads from the caches how many replicas a revision has that are not given up.
type scales struct {
	deployments appsv1listers.DeploymentLister
	autoscalers palisters.PodAutoscalerLister
	pods        podIndex
}

// Replicas implements multiscaler.Scales.
func (s scales) Replicas(rev collector.Key) (int32, bool) {
	pa, err := s.autoscalers.PodAutoscalers(rev.Namespace).Get(rev.Name)
	if err != nil {
		return 0, false
	}
	d, err := s.deployments.Deployments(rev.Namespace).Get(pa.Spec.ScaleTargetRef.Name)
	if err != nil {
		return 0, false
	}
	return s.pods.serving(rev, d), true
}
