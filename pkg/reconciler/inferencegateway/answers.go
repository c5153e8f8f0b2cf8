package inferencegateway

import (
	"cmp"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// usualTimeout is Knative's timeoutSeconds of a revision that names none, or 0.
const usualTimeout = 5 * time.Minute

// answersLast is how long answers through a pool may stay open after its route is gone; name is
// that of the pool or of an object of its picker, which every chunk of an answer passes. It is the
// longest timeoutSeconds of the pool's pods, and drainTime without pods. The pool of one
// revision has the pods of that revision, any other pool those of the Service.
func (r *Reconciler) answersLast(o owner, name string) time.Duration {
	longest := r.drain
	ofService := labels.SelectorFromSet(labels.Set{serving.ServiceLabelKey: o.name})
	revisions, err := r.revisions.Revisions(o.namespace).List(ofService)
	if err != nil {
		return max(longest, usualTimeout)
	}
	timeouts, only := map[string]time.Duration{}, ""
	for _, rev := range revisions {
		timeouts[rev.Name] = revisionOf(rev).Timeout
		if manifest.OfRevision(name, rev.Name) {
			only = rev.Name
		}
	}
	for _, pod := range r.allPodsOf(o) {
		rev := pod.Labels[serving.RevisionLabelKey]
		if only != "" && rev != only || ended(pod) {
			continue
		}
		// A revision that is deleted is not in timeouts; its pods end what they have.
		longest = max(longest, cmp.Or(timeouts[rev], usualTimeout))
	}
	return longest
}

func ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
