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
	revisions, err := r.revisions.Revisions(o.namespace).List(labels.SelectorFromSet(labels.Set{serving.ServiceLabelKey: o.name}))
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
	pods, _ := r.pods.ByIndex(podsByService, o.namespace+"/"+o.name) // fails only when the index is missing, which NewController adds
	for _, obj := range pods {
		pod, ok := obj.(*corev1.Pod)
		rev := ""
		if ok {
			rev = pod.Labels[serving.RevisionLabelKey]
		}
		if !ok || only != "" && rev != only || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
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
