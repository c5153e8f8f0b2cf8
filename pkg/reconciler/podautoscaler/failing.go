package podautoscaler

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"knative.dev/pkg/apis"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
)

// failure is a container that does not start. It has no number that grows with each attempt, so that
// a new attempt does not write the status. The zero value is no failure.
type failure struct {
	pod, container, reason string
	// ended is true for a container that ran and ended; code is then its last exit code.
	ended bool
	code  int32
}

// reportedCrashes is the number of restarts from which a crashing container is reported. The report makes
// Knative fail the revision, so an engine that fails its first two starts, for example because its GPU is
// not free yet, is not reported. The third restart comes after 10, 20 and 40 s of back-off:
// TestContainerExitingMsg of Knative took 77 s, and 35 s when the first back-off was reported.
const reportedCrashes = 3

// failureOf is the first container of a pod that does not start.
func failureOf(pod *corev1.Pod) failure {
	if IsReady(pod) {
		return failure{}
	}
	for _, c := range pod.Status.ContainerStatuses {
		if !cannotStart(c) {
			continue
		}
		f := failure{pod: pod.Name, container: c.Name, reason: "CrashLoopBackOff"}
		if w := c.State.Waiting; w != nil {
			f.reason = w.Reason
		}
		if f.reason == "ErrImagePull" { // alternates with ImagePullBackOff at each attempt
			f.reason = "ImagePullBackOff"
		}
		if t := c.LastTerminationState.Terminated; t != nil {
			f.ended, f.code = true, t.ExitCode
		}
		if f.reason != "CrashLoopBackOff" || c.RestartCount >= reportedCrashes {
			return f
		}
	}
	return failure{}
}

// markStarting reports the container that does not start at the first start of a revision. Knative looks at
// a crashing container only when the revision's PodAutoscaler or Deployment changes. This condition is such a
// change: the Service then fails with the container's exit code, as with Knative's own class. A
// revision that has served is not reported, because Knative would make the revision unreachable.
func (r *Reconciler) markStarting(ctx context.Context, pa *v1alpha1.PodAutoscaler, f failure) {
	c := apis.Condition{
		Type: autoscaling.ConditionPodsStart, Status: corev1.ConditionTrue, Severity: apis.ConditionSeverityInfo,
		Reason: autoscaling.ReasonPodsStart,
	}
	if f != (failure{}) && !pa.Status.IsScaleTargetInitialized() {
		c.Status, c.Reason, c.Message = corev1.ConditionFalse, f.reason, f.text(pa.Namespace)
	}
	old := pa.Status.GetCondition(c.Type)
	if old == nil && c.Status == corev1.ConditionTrue {
		return
	}
	if c.Status == corev1.ConditionFalse && (old == nil || old.Status != c.Status || old.Reason != c.Reason) {
		r.warnOwners(ctx, pa, c.Reason, c.Message)
	}
	set(pa, c)
}

func (f failure) text(namespace string) string {
	if !f.ended {
		return fmt.Sprintf("Container %s of pod %s does not start. To see why: kubectl -n %s describe pod %s. No replica is added while no pod is Ready.",
			f.container, f.pod, namespace, f.pod)
	}
	return fmt.Sprintf("Container %s of pod %s ends again and again, last with exit code %d. To see why: kubectl -n %s logs %s -c %s --previous. No replica is added while no pod is Ready.",
		f.container, f.pod, f.code, namespace, f.pod, f.container)
}
