package podautoscaler

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
	"github.com/knative-inference/autoscaler-adapter/pkg/drain"
	"github.com/knative-inference/autoscaler-adapter/pkg/terminating"
)

// Terminating returns the pods that Kubernetes deletes and whose containers may still run, of
// the revisions for which this process acts: those of our class, and those with our gate
// whose revision was deleted or changed to another class.
func (c *Controller) Terminating() []terminating.Pod { return c.terminating() }

func (r *Reconciler) terminating(leads func(collector.Key) bool) (pods []terminating.Pod) {
	for _, obj := range r.pods.List() {
		pod, ok := obj.(*corev1.Pod)
		if !ok || !isTerminating(pod) {
			continue
		}
		rev := collector.Key{Namespace: pod.Namespace, Name: pod.Labels[serving.RevisionLabelKey]}
		gate, closedAt := gateOf(pod)
		ours := r.isOurs(rev)
		if leads(rev) && (gate != drain.None || ours) && !r.timedOut(rev, pod, closedAt) {
			pods = append(pods, terminating.Pod{Namespace: pod.Namespace, Name: pod.Name, IP: pod.Status.PodIP, Orphan: !ours})
		}
	}
	return pods
}

// timedOut reports whether a pod was released because its drain took too long: to keep it
// would make that time longer by all of timeoutSeconds.
func (r *Reconciler) timedOut(rev collector.Key, pod *corev1.Pod, closedAt time.Time) bool {
	if closedAt.IsZero() || deletionCost(pod) != drain.ReleaseCost {
		return false
	}
	pa, err := r.autoscalers.PodAutoscalers(rev.Namespace).Get(rev.Name)
	return err == nil && time.Since(closedAt) >= r.drainTimeout(pa, config.DrainTimeout(pa))
}

// isOurs reports whether the PodAutoscaler of a revision is of our class.
func (r *Reconciler) isOurs(rev collector.Key) bool {
	pa, err := r.autoscalers.PodAutoscalers(rev.Namespace).Get(rev.Name)
	return err == nil && pa.Class() == autoscaling.Class
}

// isTerminating reports whether a pod is being deleted and has not ended.
func isTerminating(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil && !hasEnded(pod) && pod.Status.PodIP != ""
}
