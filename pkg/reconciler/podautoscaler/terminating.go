package podautoscaler

import (
	corev1 "k8s.io/api/core/v1"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/terminating"
)

// Terminating returns the pods of our class that Kubernetes deletes and whose containers may
// still run, of the revisions for which this process acts.
func (c *Controller) Terminating() []terminating.Pod { return c.terminating() }

func (r *Reconciler) terminating(leads func(collector.Key) bool) (pods []terminating.Pod) {
	for _, obj := range r.pods.List() {
		pod, ok := obj.(*corev1.Pod)
		if !ok || !isTerminating(pod) {
			continue
		}
		rev := collector.Key{Namespace: pod.Namespace, Name: pod.Labels[serving.RevisionLabelKey]}
		if leads(rev) && r.isOurs(rev) {
			pods = append(pods, terminating.Pod{Namespace: pod.Namespace, Name: pod.Name, IP: pod.Status.PodIP})
		}
	}
	return pods
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
