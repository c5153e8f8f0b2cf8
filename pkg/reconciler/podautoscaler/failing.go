package podautoscaler

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"knative.dev/pkg/apis"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
)

// failure is a container that does not start. It names no number that grows, so that a status is
// not written at each new attempt. The zero value is none.
type failure struct {
	pod, container, reason string
	// ended is true for a container that ran and ended, with this exit code.
	ended bool
	code  int32
}

// reportedCrashes is the number of restarts from which a container that crashes is reported: Knative takes the
// report for the end of the revision's start, so two failed starts, as of an engine whose
// GPU was not free yet, are no report. Kubernetes' third restart comes after about 40 s.
// Not measured.
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
		if f.reason == "ErrImagePull" { // the two follow each other at each attempt
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

// markStarting says which container does not start while the revision starts for the first time. Knative
// looks at a container that crashes only when something changes about the revision; this condition
// does, and the Service then fails with the container's exit code, as it does within a minute with
// Knative's own class. A revision that has served is left alone: Knative would take it for unreachable.
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
		return fmt.Sprintf("Container %s of pod %s does not start. Why says: kubectl -n %s describe pod %s. While no pod is Ready no replica is added.",
			f.container, f.pod, namespace, f.pod)
	}
	return fmt.Sprintf("Container %s of pod %s ends again and again, last with exit code %d. Why says: kubectl -n %s logs %s -c %s --previous. While no pod is Ready no replica is added.",
		f.container, f.pod, f.code, namespace, f.pod, f.container)
}
