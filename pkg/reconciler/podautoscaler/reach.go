package podautoscaler

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
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

// superseded tells whether a later revision of the same Configuration has come.
func (r *Reconciler) superseded(pa *v1alpha1.PodAutoscaler) bool {
	return slices.ContainsFunc(r.peers(pa), func(peer *v1alpha1.PodAutoscaler) bool { return generationOf(peer) > generationOf(pa) })
}

const (
	timedOut = "TimedOut"
	// activationBuffer is Knative's: the Deployment's own status comes first.
	activationBuffer = 30 * time.Second
)

// late reports whether a revision that never reached its start scale has been
// starting for longer than its progress deadline, and comes back when it will be.
func (r *Reconciler) late(ctx context.Context, pa *v1alpha1.PodAutoscaler) bool {
	if pa.Status.IsScaleTargetInitialized() {
		return false
	}
	if c := pa.Status.GetCondition(v1alpha1.PodAutoscalerConditionActive); c != nil && c.IsFalse() && c.Reason == timedOut {
		return true
	}
	limit := progressDeadline(ctx, pa) + activationBuffer
	now := time.Now()
	if pa.Status.CanFailActivation(now, limit) {
		return true
	}
	r.requeue(types.NamespacedName{Namespace: pa.Namespace, Name: pa.Name}, limit-activatingFor(pa, now))
	return false
}

// activatingFor is how long a revision has been starting, so that another leader
// does not begin to count anew.
func activatingFor(pa *v1alpha1.PodAutoscaler, now time.Time) time.Duration {
	c := pa.Status.GetCondition(v1alpha1.PodAutoscalerConditionActive)
	if c == nil || !c.IsUnknown() {
		return 0
	}
	return max(now.Sub(c.LastTransitionTime.Inner.Time)-time.Second, 0) // which is in whole seconds
}

// progressDeadline is the revision's own, or the cluster's.
func progressDeadline(ctx context.Context, pa *v1alpha1.PodAutoscaler) time.Duration {
	if own, ok := pa.ProgressDeadline(); ok {
		return own
	}
	return knative(ctx).Deployment.ProgressDeadline
}
