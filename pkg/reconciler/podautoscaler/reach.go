package podautoscaler

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/zero"
)

// reachability says whether a route points to the revision. Knative also calls
// a revision unreachable while none of its pods is Ready and one of them failed
// or cannot be scheduled; scaling that to 0 would make it reachable again, and
// so on. Only the Revision's own routing state says that no route is left. The
// newest one finishes its start even so, as with Knative's own class: a revision
// that is deployed before it gets traffic has to become Ready.
func (r *Reconciler) reachability(pa *v1alpha1.PodAutoscaler) v1alpha1.ReachabilityType {
	if pa.Spec.Reachability != v1alpha1.ReachabilityUnreachable {
		return pa.Spec.Reachability
	}
	rev, err := r.revisions.Revisions(pa.Namespace).Get(pa.Name)
	if err != nil {
		return v1alpha1.ReachabilityReachable // unknown is not unreachable
	}
	switch rev.GetRoutingState() {
	case servingv1.RoutingStateReserve:
		if !pa.Status.IsScaleTargetInitialized() && !pa.Status.IsInactive() && !r.superseded(pa) {
			return v1alpha1.ReachabilityUnknown
		}
		return v1alpha1.ReachabilityUnreachable
	case servingv1.RoutingStatePending, servingv1.RoutingStateUnset:
		return v1alpha1.ReachabilityUnknown
	case servingv1.RoutingStateActive:
		return v1alpha1.ReachabilityReachable
	}
	return v1alpha1.ReachabilityReachable
}

// superseded reports whether a later revision of the same Configuration has come.
func (r *Reconciler) superseded(pa *v1alpha1.PodAutoscaler) bool {
	return slices.ContainsFunc(r.peers(pa),
		func(peer *v1alpha1.PodAutoscaler) bool { return generationOf(peer) > generationOf(pa) })
}

const timedOut = "TimedOut"

// late reports whether a revision that never reached its start scale has been
// starting for longer than its progress deadline, and comes back when it will be.
func (r *Reconciler) late(ctx context.Context, pa *v1alpha1.PodAutoscaler) bool {
	if pa.Status.IsScaleTargetInitialized() {
		return false
	}
	if c := pa.Status.GetCondition(v1alpha1.PodAutoscalerConditionActive); c != nil && c.IsFalse() &&
		c.Reason == timedOut {
		return true
	}
	limit := r.startDeadline(ctx, pa, 0)
	lasting := r.activatingFor(pa)
	if lasting > limit {
		return true
	}
	// LastTransitionTime is in whole seconds.
	r.requeue(types.NamespacedName{Namespace: pa.Namespace, Name: pa.Name}, limit-max(lasting-time.Second, 0))
	return false
}

// clock returns the wall clock and how long the process has been running. The second one
// does not step when the first is set.
type clock func() (wall time.Time, running time.Duration)

var processStart = time.Now()

func systemClock() (wall time.Time, running time.Duration) {
	now := time.Now()
	return now.Round(0), now.Sub(processStart)
}

// now is what the clock shows.
func (r *Reconciler) now() (wall time.Time, running time.Duration) {
	if r.clock == nil {
		return systemClock()
	}
	return r.clock()
}

// activations remembers since when each revision has been starting. What went before this
// process saw it is read from the condition, so that another leader does not begin to count
// anew; from then on the wall clock does not matter.
type activations struct {
	mu   sync.Mutex
	seen map[types.UID]activation
}

type activation struct {
	// since is the condition's; another one is another start.
	since time.Time
	// before is how long it had lasted at the time at.
	before, at time.Duration
}

// lasting is how long a start has lasted.
func (a *activations) lasting(uid types.UID, since, wall time.Time, running time.Duration) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	got, ok := a.seen[uid]
	if !ok || !got.since.Equal(since) {
		got = activation{since: since, before: max(wall.Sub(since), 0), at: running}
		if a.seen == nil {
			a.seen = map[types.UID]activation{}
		}
		a.seen[uid] = got
	}
	return got.before + running - got.at
}

func (a *activations) forget(uid types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.seen, uid)
}

// activatingFor is how long a revision has been starting; 0 while it is not.
func (r *Reconciler) activatingFor(pa *v1alpha1.PodAutoscaler) time.Duration {
	c := pa.Status.GetCondition(v1alpha1.PodAutoscalerConditionActive)
	if c == nil || !c.IsUnknown() {
		r.activations.forget(pa.UID)
		return 0
	}
	wall, running := r.now()
	return r.activations.lasting(pa.UID, c.LastTransitionTime.Inner.Time, wall, running)
}

// startDeadline is how long a start may take: the progress deadline, or two of the startup
// times that were learned.
func (r *Reconciler) startDeadline(ctx context.Context, pa *v1alpha1.PodAutoscaler,
	startup time.Duration) time.Duration {
	return zero.StartDeadline(progressDeadline(ctx, pa), startup)
}

// progressDeadline is the revision's own, or the cluster's.
func progressDeadline(ctx context.Context, pa *v1alpha1.PodAutoscaler) time.Duration {
	if own, ok := pa.ProgressDeadline(); ok {
		return own
	}
	return knative(ctx).Deployment.ProgressDeadline
}
