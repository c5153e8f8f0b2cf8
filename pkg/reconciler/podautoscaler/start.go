package podautoscaler

import (
	"context"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/config"
)

// startScale returns the replicas below which a revision that is being started
// is not taken: Knative's initial scale and, for a new revision, the replicas
// of the one it replaces, at most max-scale. It holds until the revision was
// initialized for a stable window, because traffic comes only then; afterwards,
// and for unreachable revisions, it is 0.
func (r *Reconciler) startScale(_ context.Context, pa *v1alpha1.PodAutoscaler, s config.Settings, d *appsv1.Deployment) int32 {
	if pa.Spec.Reachability == v1alpha1.ReachabilityUnreachable {
		return 0
	}
	start := s.InitialScale
	switch left, fresh := r.startingFor(pa, s.Spec.StableWindow); {
	case fresh && left > 0: // started; the predecessor loses its traffic now
		r.requeue(types.NamespacedName{Namespace: pa.Namespace, Name: pa.Name}, left)
		start = max(start, replicasOf(d))
	case fresh:
		if s.StartAtPredecessor {
			start = max(start, r.predecessorReplicas(pa))
		}
	case replicasOf(d) == 0: // routed to again after it was given back
		if s.StartAtPredecessor {
			start = max(start, r.predecessorReplicas(pa))
		}
	default:
		return 0
	}
	if limit := s.Spec.MaxReplicas; limit > 0 {
		start = min(start, limit)
	}
	return start
}

// startingFor reports whether the revision is still being started, and how
// long the hold lasts once it has reached its start scale (0 until then).
func (r *Reconciler) startingFor(pa *v1alpha1.PodAutoscaler, hold time.Duration) (left time.Duration, fresh bool) {
	if !pa.Status.IsScaleTargetInitialized() {
		return 0, true
	}
	c := pa.Status.GetCondition(v1alpha1.PodAutoscalerConditionScaleTargetInitialized)
	left = hold - time.Since(c.LastTransitionTime.Inner.Time)
	return left, left > 0
}

// predecessorReplicas returns what the newest other routed revision of the
// same Configuration asks for now, 0 when there is none.
func (r *Reconciler) predecessorReplicas(pa *v1alpha1.PodAutoscaler) int32 {
	name, ok := pa.Labels[serving.ConfigurationLabelKey]
	if !ok {
		return 0
	}
	peers, err := r.autoscalers.PodAutoscalers(pa.Namespace).List(labels.SelectorFromSet(labels.Set{serving.ConfigurationLabelKey: name}))
	if err != nil {
		return 0
	}
	var newest *v1alpha1.PodAutoscaler
	for _, peer := range peers {
		if peer.Name == pa.Name || peer.Spec.Reachability != v1alpha1.ReachabilityReachable {
			continue
		}
		if newest == nil || generationOf(peer) > generationOf(newest) {
			newest = peer
		}
	}
	if newest == nil {
		return 0
	}
	d, err := r.deployments.Deployments(newest.Namespace).Get(newest.Spec.ScaleTargetRef.Name)
	if err != nil {
		return newest.Status.GetDesiredScale()
	}
	return replicasOf(d)
}

// generationOf returns the Configuration's generation that made the revision.
func generationOf(pa *v1alpha1.PodAutoscaler) int64 {
	n, err := strconv.ParseInt(pa.Labels[serving.ConfigurationGenerationLabelKey], 10, 64)
	if err != nil {
		return -1
	}
	return n
}
