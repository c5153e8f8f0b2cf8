package inferencegateway

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// usualTimeout is Knative's timeoutSeconds of a revision that names none.
const usualTimeout = 5 * time.Minute

// answersLast is how long after its route a pool, or an object of its picker, may still have
// open answers, whose every chunk passes through the picker: as long as its pods may answer,
// and drainTime once no pod is left. The pods of a revision's own pool are that revision's.
func (r *Reconciler) answersLast(o owner, name string) time.Duration {
	longest := r.drain
	ofService := labels.SelectorFromSet(labels.Set{serving.ServiceLabelKey: o.name})
	revisions, err := r.revisions.Revisions(o.namespace).List(ofService)
	if err != nil {
		return max(longest, usualTimeout)
	}
	timeouts, only := map[string]time.Duration{}, ""
	for _, rev := range revisions {
		timeouts[rev.Name] = timeoutOf(rev)
		if manifest.OfRevision(name, rev.Name) {
			only = rev.Name
		}
	}
	for _, pod := range r.allPodsOf(o) {
		rev := pod.Labels[serving.RevisionLabelKey]
		if only != "" && rev != only || ended(pod) {
			continue
		}
		timeout, known := timeouts[rev]
		if !known { // deleted; its pods end what they have
			timeout = usualTimeout
		}
		longest = max(longest, timeout)
	}
	return longest
}

func timeoutOf(rev *servingv1.Revision) time.Duration {
	if rev.Spec.TimeoutSeconds == nil {
		return usualTimeout
	}
	return time.Duration(*rev.Spec.TimeoutSeconds) * time.Second
}

// allPodsOf lists the pods of a Service, those that are being deleted, too.
func (r *Reconciler) allPodsOf(o owner) (pods []*corev1.Pod) {
	found, err := r.pods.ByIndex(podsByService, o.namespace+"/"+o.name)
	if err != nil {
		return nil // only when the index is missing, which NewController adds
	}
	for _, obj := range found {
		if pod, ok := obj.(*corev1.Pod); ok {
			pods = append(pods, pod)
		}
	}
	return pods
}

func ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
