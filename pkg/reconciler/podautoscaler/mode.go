package podautoscaler

import (
	"math"

	nv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
)

// minActivators is the least number of activators in the path of a revision, as Knative has it.
const minActivators = 2

// mode says whether the activator is in the path of requests, as Knative's own class does: it
// is while no replica is wanted, and while the Ready pods have less room than
// target-burst-capacity asks for. Two differences: without a decision the mode stays, and
// while some of several pods drain the activator leaves the path, because it sends
// requests to every pod that answers its probe, Ready or not.
func (r *Reconciler) mode(pa *v1alpha1.PodAutoscaler, rep report) nv1alpha1.ServerlessServiceOperationMode {
	burst := float64(rep.record.Decision.ExcessBurst)
	switch {
	case rep.want == 0:
		return nv1alpha1.SKSOperationModeProxy
	case rep.want > 0 && rep.drain.pods > 0 && rep.counts.ready > 0:
		return nv1alpha1.SKSOperationModeServe
	case rep.want > 0 && burst < 0:
		return nv1alpha1.SKSOperationModeProxy
	case rep.want > 0 && burst >= 0:
		return nv1alpha1.SKSOperationModeServe
	}
	sks, err := r.SKSLister.ServerlessServices(pa.Namespace).Get(pa.Name)
	switch {
	case err == nil && sks.Spec.Mode != "":
		return sks.Spec.Mode
	case rep.settings.Spec.TargetBurst != 0:
		return nv1alpha1.SKSOperationModeProxy
	}
	return nv1alpha1.SKSOperationModeServe
}

// numActivators is how many activators share the requests of a revision, as in Knative: so
// many that they hold what the Ready pods take and what may come at once.
func numActivators(rep report) int32 {
	spec := rep.settings.Spec
	if spec.TargetBurst == 0 || !(rep.settings.Zero.ActivatorCapacity > 0) {
		return minActivators
	}
	cover := float64(rep.counts.ready) * spec.ReplicaCapacity
	if spec.TargetBurst > 0 {
		cover += spec.TargetBurst
	}
	return int32(min(max(minActivators, math.Ceil(cover/rep.settings.Zero.ActivatorCapacity)), math.MaxInt32))
}
