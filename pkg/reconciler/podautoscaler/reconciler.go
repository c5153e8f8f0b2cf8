package podautoscaler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	appsv1listers "k8s.io/client-go/listers/apps/v1"
	policyv1listers "k8s.io/client-go/listers/policy/v1"
	"knative.dev/pkg/controller"
	pkgreconciler "knative.dev/pkg/reconciler"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	pareconciler "knative.dev/serving/pkg/client/injection/reconciler/autoscaling/v1alpha1/podautoscaler"
	palisters "knative.dev/serving/pkg/client/listers/autoscaling/v1alpha1"
	servinglisters "knative.dev/serving/pkg/client/listers/serving/v1"
	areconciler "knative.dev/serving/pkg/reconciler/autoscaling"
	knconfig "knative.dev/serving/pkg/reconciler/autoscaling/config"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
)

// Collector is what the reconciler asks of the collector.
type Collector interface {
	Watch(t collector.Spec)
	SetPods(r collector.Key, pods []collector.Pod)
	Forget(r collector.Key)
	Problems(r collector.Key, wall time.Time) []collector.Problem
	Endpoint(r collector.Key) collector.Endpoint
	Loads(r collector.Key) map[string]collector.Load
	ActivatorProblem() error
	PickerProblem(r collector.Key) error
}

// Scaler is what the reconciler asks of the decision loops.
type Scaler interface {
	Ensure(r collector.Key, spec decider.Spec, replicas int32) multiscaler.Record
	Forget(r collector.Key)
}

// Reconciler implements the class. Its fields are set by NewController.
type Reconciler struct {
	*areconciler.Base

	kube        kubernetes.Interface
	deployments appsv1listers.DeploymentLister
	autoscalers palisters.PodAutoscalerLister
	revisions   servinglisters.RevisionLister
	budgets     policyv1listers.PodDisruptionBudgetLister
	pods        podIndex
	collector   Collector
	scaler      Scaler
	own         func() *config.Config
	pools       func(namespace string) []Pool
	account     string
	metrics     *multiscaler.Metrics
	requeue     func(types.NamespacedName, time.Duration)
	deadlines   deadlines
	starts      starts
	patched     patched
	activations activations
	drains      drains
	// probe reports whether the activator answers at a revision's Service.
	probe func(context.Context, *v1alpha1.PodAutoscaler) (bool, error)
	// clock is systemClock where it is nil.
	clock   clock
	writers reminders
	// strangers remembers whose budget somebody else made: it is tried again when that is reported again.
	strangers reminders
	log       *slog.Logger
}

var (
	_ pareconciler.Interface            = (*Reconciler)(nil)
	_ pareconciler.ReadOnlyInterface    = (*Reconciler)(nil)
	_ pkgreconciler.OnDeletionInterface = (*Reconciler)(nil)
)

// ReconcileKind acts for one PodAutoscaler; only the leader of its bucket gets here.
func (r *Reconciler) ReconcileKind(ctx context.Context, pa *v1alpha1.PodAutoscaler) (err pkgreconciler.Event) {
	defer r.contain(pa, &err)
	defer r.forgetGone(pa)
	return r.reconcile(ctx, pa)
}

func (r *Reconciler) reconcile(ctx context.Context, pa *v1alpha1.PodAutoscaler) error {
	ctx, cancel := context.WithTimeout(ctx, pkgreconciler.DefaultTimeout)
	defer cancel()

	opened := r.openNew(ctx, revisionOf(pa)) // a pod that cannot be written stops nothing else
	target, err := r.scaleTarget(pa)
	if err != nil {
		return err
	}
	pa.Spec.Reachability = r.reachability(pa) // a copy of ours; only its status is written back
	settings, refused := r.resolveSettings(ctx, pa)
	if refused != nil && settings == nil {
		return r.refuse(ctx, pa, target, refused)
	}
	if err := r.remember(ctx, pa, refused); err != nil {
		return err
	}
	budgeted := r.reconcileBudget(ctx, pa, settings.MaxUnavailable) // nor does a budget
	rep := report{settings: *settings, refused: refused, target: target, counts: r.pods.counts(revisionOf(pa))}
	r.decide(pa, &rep)
	rep.want = wanted(rep.record)
	rep.late = r.late(ctx, pa)
	if rep.failed() {
		rep.want = 0
	}
	if err := r.act(ctx, pa, &rep); err != nil {
		return err
	}
	sks, err := r.ReconcileSKS(ctx, pa, r.mode(pa, rep), numActivators(rep))
	if err != nil {
		return fmt.Errorf("reconciling the ServerlessService: %w", err)
	}
	rep.sks = sks
	r.report(ctx, pa, rep)
	return errors.Join(opened, budgeted, rep.unwritten)
}

// ObserveKind keeps a standby's windows warm: it collects and decides, and writes nothing.
func (r *Reconciler) ObserveKind(ctx context.Context, pa *v1alpha1.PodAutoscaler) (err pkgreconciler.Event) {
	defer r.contain(pa, &err)
	defer r.forgetGone(pa)
	target, err := r.scaleTarget(pa)
	if err != nil {
		return err
	}
	pa.Spec.Reachability = r.reachability(pa)
	settings, _ := r.resolveSettings(ctx, pa)
	if settings == nil {
		r.forget(revisionOf(pa))
		return nil
	}
	r.decide(pa, &report{settings: *settings, target: target})
	return nil
}

// contain is deferred around the work on one PodAutoscaler: a panic becomes an error, so that
// the workqueue tries again later and the other revisions go on.
func (r *Reconciler) contain(pa *v1alpha1.PodAutoscaler, err *pkgreconciler.Event) {
	cause := recover()
	if cause == nil {
		return
	}
	r.metrics.Panicked("reconcile")
	r.log.Error("internal error contained; please report it with this line", "namespace", pa.Namespace, "revision", pa.Name,
		"where", "reconcile", "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
	*err = fmt.Errorf("internal error (please report it): %v", cause)
}

// ObserveDeletion ends collecting and deciding for a PodAutoscaler that is gone.
func (r *Reconciler) ObserveDeletion(_ context.Context, key types.NamespacedName) error {
	r.forget(collector.Key{Namespace: key.Namespace, Name: key.Name})
	return nil
}

func (r *Reconciler) forget(rev collector.Key) {
	r.scaler.Forget(rev)
	r.collector.Forget(rev)
}

// targetRetry is when a scale target that is missing is read again. Its
// own event comes earlier; a revision being deleted loses it for good.
const targetRetry = 5 * time.Second

// scaleTarget returns the Deployment that the PodAutoscaler scales. A missing
// one is no error: it is not there yet, or no more.
func (r *Reconciler) scaleTarget(pa *v1alpha1.PodAutoscaler) (*appsv1.Deployment, error) {
	ref := pa.Spec.ScaleTargetRef
	if ref.Kind != "Deployment" {
		return nil, fmt.Errorf("spec.scaleTargetRef: kind %q cannot be scaled by this class; only Deployment can", ref.Kind)
	}
	d, err := r.deployments.Deployments(pa.Namespace).Get(ref.Name)
	if apierrs.IsNotFound(err) {
		return nil, controller.NewRequeueAfter(targetRetry)
	}
	return d, err
}

// decide keeps the collector and the decision loop in step with the settings, and adds to the
// report the decision that holds now; its time is zero when there is none yet.
func (r *Reconciler) decide(pa *v1alpha1.PodAutoscaler, rep *report) {
	rev, pools := revisionOf(pa), r.poolsIn(pa.Namespace)
	rep.pooled, rep.negativeWaits = r.requireOneIfPooled(pa, pools, rep), negativeWaits(pools, pa.Name)
	rep.start = r.startScale(pa, rep.settings, rep.target)
	t := collectionSpec(rev, rep.settings, rep.target)
	if pa.Spec.ContainerConcurrency == 1 && !mayBeEngine(pa, rep.settings, rep.target.Spec.Template.Spec.Containers) {
		t.Port = 0 // a reading bypasses queue-proxy, so it would be a second request at the same time
	}
	t.Pooled = heldByPicker(pools, pa.Name)
	r.collector.Watch(t)
	r.collector.SetPods(rev, r.pods.of(rev))
	spec := rep.settings.Spec
	spec.MinReplicas = max(spec.MinReplicas, rep.start)
	if pa.Spec.Reachability == v1alpha1.ReachabilityUnknown && rep.start == 0 {
		spec.Reachable = false // started, and no route ever pointed to it
	}
	rep.record = r.scaler.Ensure(rev, spec, r.pods.serving(rev, rep.target))
}

// wanted is the count of a decision, -1 when there is none.
func wanted(record multiscaler.Record) int32 {
	if record.Time.IsZero() {
		return -1
	}
	return record.Decision.Replicas
}

func revisionOf(pa *v1alpha1.PodAutoscaler) collector.Key {
	return collector.Key{Namespace: pa.Namespace, Name: pa.Name}
}

func knative(ctx context.Context) *knconfig.Config { return knconfig.FromContext(ctx) }
