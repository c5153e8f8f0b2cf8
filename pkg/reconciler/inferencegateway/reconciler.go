package inferencegateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	networkinglisters "knative.dev/networking/pkg/client/listers/networking/v1alpha1"
	"knative.dev/pkg/controller"
	pkgreconciler "knative.dev/pkg/reconciler"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	servinglisters "knative.dev/serving/pkg/client/listers/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/liveness"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// syncRetry is when a Service is reconciled again while a cache is still
// filling; absentRetry when something without an event of its own is missing.
const (
	syncRetry   = time.Second
	absentRetry = 10 * time.Second
)

// Reconciler keeps the objects of every annotated Knative Service. Its fields
// are set by NewController.
type Reconciler struct {
	pkgreconciler.LeaderAwareFuncs

	services  servinglisters.ServiceLister
	revisions servinglisters.RevisionLister
	ingresses networkinglisters.IngressLister
	pods      cache.Indexer
	// serviceIndex has sharingIndexers, ingressIndex hostIndexers.
	serviceIndex, ingressIndex cache.Indexer

	watches  *watches
	client   dynamic.Interface
	kube     kubernetes.Interface
	defaults func() *binding.Defaults
	build    func(binding.Intent, manifest.World) manifest.Plan
	recorder record.EventRecorder
	// onPanic counts a panic that was contained.
	onPanic func()
	// queue is watched for work that does not end.
	queue *liveness.Queue
	log   *slog.Logger
	now   func() time.Time
	drain time.Duration

	intents intents
	ledger  ledger
	stale   firstSeen
	ready   firstSeen
	// leaving are pods without traffic that are in a pool still, left those of them that are hidden.
	leaving, left firstSeen
	// introduced are the Services whose routes wait until the Gateway knows a pool, accepted the coming
	// routes that the Gateway accepts, by uid and generation.
	introduced, accepted firstSeen
}

var (
	_ controller.Reconciler     = (*Reconciler)(nil)
	_ pkgreconciler.LeaderAware = (*Reconciler)(nil)
)

// bound is one Service with what it asks for.
type bound struct {
	owner  owner
	svc    *servingv1.Service
	intent binding.Intent
	// problems are what is wrong or unwise with the annotations.
	problems []binding.Problem
	// members are all owners of a shared pool, this one included.
	members []owner
}

// Reconcile acts for one Service; a standby does nothing. A panic ends with this
// Service: it is counted, reported and tried again with growing delays, and all
// other Services go on.
func (r *Reconciler) Reconcile(ctx context.Context, key string) (err error) {
	defer r.queue.Begin(key, pkgreconciler.DefaultTimeout)()
	defer func() {
		if v := recover(); v != nil {
			err = r.panicked(key, v)
		}
	}()
	return r.reconcile(ctx, key)
}

func (r *Reconciler) panicked(key string, v any) error {
	r.onPanic()
	err := fmt.Errorf("panic while configuring the gateway for %s: %v", key, v)
	r.log.Error("panic contained; the Service's objects stay as they are; report it with this stack", "service", key, "panic", v, "stack", string(debug.Stack()))
	namespace, name, split := cache.SplitMetaNamespaceKey(key)
	if svc, lookup := r.services.Services(namespace).Get(name); split == nil && lookup == nil {
		r.event(ownerOf(svc), corev1.EventTypeWarning, "InferenceGatewayPanic",
			"The adapter failed on this Service by a fault of its own; what was set up before stays, and it tries again. Report the adapter's log.")
	}
	return err
}

func (r *Reconciler) reconcile(ctx context.Context, key string) error {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return controller.NewPermanentError(fmt.Errorf("key %q is no namespace/name: %w", key, err))
	}
	at := types.NamespacedName{Namespace: namespace, Name: name}
	if !r.IsLeaderFor(at) {
		return controller.NewSkipKey(key)
	}
	if !r.watches.synced() {
		return controller.NewRequeueAfter(syncRetry)
	}
	ctx, cancel := context.WithTimeout(ctx, pkgreconciler.DefaultTimeout)
	defer cancel()
	svc, err := r.services.Services(namespace).Get(name)
	switch {
	case apierrs.IsNotFound(err):
		return r.gone(ctx, owner{namespace: namespace, name: name})
	case err != nil:
		return err
	case svc.DeletionTimestamp != nil:
		return r.gone(ctx, ownerOf(svc))
	}
	in, problems := r.intent(svc)
	b := bound{owner: ownerOf(svc), svc: svc, problems: problems}
	switch {
	case refused(problems) != nil:
		return r.reportRefused(ctx, b)
	case in == nil:
		return r.tearDown(ctx, b.owner)
	}
	b.intent = *in
	return r.reconcileBound(ctx, b)
}

// asks is true when a Service says anything about the gateway, right or wrong: a
// slip of the pen must not take it down.
func asks(svc *servingv1.Service) bool {
	if svc == nil {
		return false
	}
	given := binding.Annotations(svc)
	return has(given, inference.AIGatewayKey) || has(given, inference.ACKGatewayKey)
}

// intent is what a Service asks for; nil when it asks for nothing. Most Services
// of a cluster do not, and every look at one Service passes over all others.
func (r *Reconciler) intent(svc *servingv1.Service) (*binding.Intent, []binding.Problem) {
	if !asks(svc) {
		return nil, nil
	}
	return r.intents.of(svc, r.defaults())
}

// refused returns the problems that are no mere warnings as an error, or nil.
func refused(problems []binding.Problem) error {
	var lines []string
	for _, p := range problems {
		if !p.Warning {
			lines = append(lines, p.Path+": "+p.Message)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New(strings.Join(lines, "; "))
}

// reconcileBound makes what should exist, removes what should not, and reports.
func (r *Reconciler) reconcileBound(ctx context.Context, b bound) error {
	w := r.world(b.svc, b.intent)
	w.PickerService, w.KnownPools = r.pickerService(ctx, b.intent), r.knownPools(b)
	b.members = r.members(b)
	plan := r.build(b.intent, w)
	if len(plan.Coming) == 0 {
		r.introduced.forget(b.owner.uid)
	}
	r.ledger.planned(b.key(), plan)

	if !r.watches.complete() && len(plan.Routed) == 0 {
		// While caches are incomplete a revision may still receive traffic, so every pod stays in its pool.
		plan.PodLabelKeys = nil
	}
	leaving, labelled := r.label(ctx, b.owner, plan)
	done := r.applyAll(ctx, b, plan)
	hidden, shown := r.show(ctx, b.owner, plan)
	var drain time.Duration
	var pruned error
	if done.complete && r.watches.complete() && known(b.intent, w.Gateway) {
		drain, pruned = r.pruneAll(ctx, b.owner, plan)
	}
	done.findings = slices.Concat(done.findings, plan.Findings, r.conflicts(b, plan))
	reported := r.report(ctx, b, w, result{plan: plan, findings: done.findings, labelled: labelled})
	if err := errors.Join(done.err, labelled, shown, pruned, reported); err != nil {
		return err
	}
	var soon time.Duration
	if done.wait || len(plan.Coming) > 0 {
		soon = syncRetry
	}
	if b.intent.Picker.Mode == binding.PickerExternal && !w.PickerService || inTheWay(done.findings) {
		soon = absentRetry
	}
	return again(drain, hidden, leaving, soon, r.unsettled(b))
}

// known is false without the Gateway or its class: what it can do is not known
// then, and all that led to it is there when it comes back.
func known(in binding.Intent, g manifest.Gateway) bool {
	return g.Exists && (g.Controller != "" || in.Provider != "")
}

// inTheWay is true when somebody else's object has a name that we need. Not all
// of those are watched, so only another reconciliation shows that it has gone.
func inTheWay(findings []manifest.Finding) bool {
	return slices.ContainsFunc(findings, func(f manifest.Finding) bool { return f.Reason == inference.ReasonNotOwned })
}

// again asks for another look after the shortest of the times, where no event
// will come; 0 asks for none.
func again(times ...time.Duration) error {
	times = slices.DeleteFunc(times, func(d time.Duration) bool { return d <= 0 })
	if len(times) == 0 {
		return nil
	}
	return controller.NewRequeueAfter(slices.Min(times))
}

// applied is what became of a Plan. It is complete when nothing was left out, so
// that what the Plan does not have may go.
type applied struct {
	findings       []manifest.Finding
	err            error
	wait, complete bool
}

// add takes over what became of one more object, and returns whether that one is complete.
func (a *applied) add(one applied) bool {
	a.findings, a.err = append(a.findings, one.findings...), errors.Join(a.err, one.err)
	a.wait, a.complete = a.wait || one.wait, a.complete && one.complete
	return one.complete
}

// applyAll brings the objects about in order: what serves the Gateway first. What
// fails there is reported and does not keep the Service's own objects, only a new
// route, which would serve without it. Of the Service's own objects it ends at the
// first that cannot be, for later ones lead to it: no route to a pool that is
// somebody else's. A coming route that cannot be does not end it.
func (r *Reconciler) applyAll(ctx context.Context, b bound, plan manifest.Plan) applied {
	done := applied{complete: true}
	for _, obj := range plan.Gateway {
		if !done.add(r.applyOne(ctx, b, plan, obj)) {
			break
		}
	}
	shared := done.complete
	for _, obj := range plan.Objects {
		if !shared && obj.Stage == manifest.StageRoute &&
			r.watches.get(httpRoutes, obj.GetNamespace(), obj.GetName()) == nil {
			break
		}
		if obj.Stage == manifest.StageComing {
			done.add(r.applyComing(ctx, b, plan, obj))
		} else if !done.add(r.applyOne(ctx, b, plan, obj)) {
			break
		}
	}
	return done
}

// applyComing brings a coming route about. One that cannot be is tried again soon, and is no error:
// the wait between errors grows, and introducing must end its own wait in time.
func (r *Reconciler) applyComing(ctx context.Context, b bound, plan manifest.Plan, obj manifest.Object) applied {
	one := r.applyOne(ctx, b, plan, obj)
	if one.complete {
		return one
	}
	if one.err != nil {
		r.log.Warn("cannot introduce a pool", "namespace", obj.GetNamespace(), "route", obj.GetName(), "error", one.err)
	}
	return applied{findings: one.findings, wait: true}
}

// applyOne brings one object about; it is complete when the object is as it should be.
func (r *Reconciler) applyOne(ctx context.Context, b bound, plan manifest.Plan, obj manifest.Object) applied {
	if f := r.notYet(b, plan, obj); f != nil {
		return applied{findings: []manifest.Finding{*f}}
	}
	o := r.ensure(ctx, b, obj)
	one := applied{err: o.err, wait: o.wait, complete: o.done()}
	if o.finding != nil {
		one.findings = []manifest.Finding{*o.finding}
	}
	return one
}

// notYet holds a route back until every picker that it needs answers and the Gateway
// knows its pools, and the filter of a body-based router until that does: requests must not
// reach a pool whose picker is still starting, nor a filter without its server.
func (r *Reconciler) notYet(b bound, plan manifest.Plan, obj manifest.Object) *manifest.Finding {
	if obj.Stage < manifest.StageFilter || r.current(b, obj) {
		return nil
	}
	for _, o := range slices.Concat(plan.Gateway, plan.Objects) {
		needed := obj.Stage == manifest.StageRoute || obj.Ownership == manifest.GatewayWide && o.GetName() == obj.GetName()
		if o.GetKind() != "Deployment" || !needed || r.available(o.GetNamespace(), o.GetName()) {
			continue
		}
		return &manifest.Finding{
			Type: inference.ConditionRouteAccepted, Status: string(metav1.ConditionUnknown), Reason: "WaitingForEndpointPicker",
			Message: fmt.Sprintf("%s %s waits until Deployment %s is available.", obj.GetKind(), obj.GetName(), o.GetName()),
		}
	}
	return r.introducing(b, plan, obj)
}

// current is true for an object that is as it should be.
func (r *Reconciler) current(b bound, obj manifest.Object) bool {
	live := r.cached(obj)
	want, err := b.decorate(obj)
	return err == nil && live != nil && upToDate(want, live)
}

// cached is an object of a plan as the cluster has it, by the watches; nil where it is not there.
func (r *Reconciler) cached(obj manifest.Object) *unstructured.Unstructured {
	res, ok := resourceOf(obj.GroupVersionKind())
	if !ok {
		return nil
	}
	return r.watches.get(res.GroupVersionResource, obj.GetNamespace(), obj.GetName())
}

// pickerService reports whether the Service of an external picker exists.
func (r *Reconciler) pickerService(ctx context.Context, in binding.Intent) bool {
	if in.Picker.Mode != binding.PickerExternal {
		return false
	}
	_, err := r.client.Resource(services).Namespace(in.Namespace).Get(ctx, in.Picker.Service, metav1.GetOptions{})
	return err == nil
}

// members lists the owners of a shared pool, always in the same order. One whose
// annotations are refused stays: what was set up before stays as it is.
func (r *Reconciler) members(b bound) []owner {
	members := []owner{b.owner}
	if b.intent.Pool == "" {
		return members
	}
	r.indexed(byPool, b.owner.namespace+"/"+b.intent.Pool, func(svc *servingv1.Service) {
		in, _ := r.intent(svc)
		if in != nil && in.Pool == b.intent.Pool && svc.UID != b.owner.uid && svc.DeletionTimestamp == nil {
			members = append(members, ownerOf(svc))
		}
	})
	sortOwners(members)
	return members
}

// asking lists the Services that ask for the gateway, rightly or wrongly.
func (r *Reconciler) asking() (keys []types.NamespacedName) {
	all, err := r.services.List(labels.Everything())
	if err != nil {
		return nil // a lister's List does not fail
	}
	for _, svc := range all {
		in, problems := r.intent(svc)
		if svc.DeletionTimestamp == nil && (in != nil || refused(problems) != nil) {
			keys = append(keys, types.NamespacedName{Namespace: svc.Namespace, Name: svc.Name})
		}
	}
	return keys
}

func (o owner) key() types.NamespacedName {
	return types.NamespacedName{Namespace: o.namespace, Name: o.name}
}

func (b bound) key() types.NamespacedName { return b.owner.key() }
