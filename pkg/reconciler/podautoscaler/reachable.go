package podautoscaler

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"knative.dev/pkg/apis"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// markReachable says whether some number of replicas reaches the objective of the metric
// slo, with the latencies that were learned, and warns when none does. A revision that
// does not scale on slo has no such condition.
func (r *Reconciler) markReachable(ctx context.Context, pa *v1alpha1.PodAutoscaler, d decider.Decision) {
	if d.SLO == nil {
		// fails for Ready's own conditions only
		_ = pa.GetConditionSet().Manage(&pa.Status).ClearCondition(autoscaling.ConditionObjectiveReachable)
		return
	}
	old := pa.Status.GetCondition(autoscaling.ConditionObjectiveReachable)
	c := apis.Condition{Type: autoscaling.ConditionObjectiveReachable, Severity: apis.ConditionSeverityInfo}
	switch text, unloaded := d.OutOfReach(old.IsFalse()), d.Unloaded(); {
	case text != "":
		c.Status, c.Severity, c.Reason = corev1.ConditionFalse, apis.ConditionSeverityWarning, autoscaling.ReasonOutOfReach
		c.Message = text + " Relax " + autoscaling.SLOTTFTKey + ", " + autoscaling.SLOITLKey + " or " +
			autoscaling.SLOGoalKey + ", allow for long prompts by " + autoscaling.SLOTTFTPerTokenKey + ", or use a faster engine."
	case unloaded == "":
		c.Status, c.Reason, c.Message = corev1.ConditionUnknown, "NotLearnedYet", "What the engine takes without load is not learned yet."
	default:
		c.Status, c.Reason, c.Message = corev1.ConditionTrue, autoscaling.ReasonReachable, unloaded
	}
	if c.IsFalse() && !old.IsFalse() {
		r.warnOwners(ctx, pa, c.Reason, c.Message)
	}
	if !isRecent(old, c) {
		set(pa, c)
	}
}
