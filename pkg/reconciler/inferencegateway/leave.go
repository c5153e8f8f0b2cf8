package inferencegateway

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// leave takes the pods of revisions that have lost their traffic out of the one
// pool of their Service, in the order in which nothing fails: once a pod of those
// that have it now is there to be picked, they are hidden from the picker, and a
// hold later they leave the gateway too. A gateway that forgot them first would
// not find the pod that the picker named. It returns when to look again.
func (r *Reconciler) leave(ctx context.Context, pods []*corev1.Pod,
	plan manifest.Plan) (next time.Duration, err error) {
	var errs []error
	done := replaced(pods, plan)
	for _, pod := range pods {
		wait, err := r.leavePod(ctx, pod, plan, done)
		errs = append(errs, err)
		if wait > 0 && (next == 0 || wait < next) {
			next = wait
		}
	}
	return next, errors.Join(errs...)
}

// leaves reports a pod that is still in the pool and should not be.
func leaves(pod *corev1.Pod, plan manifest.Plan) bool {
	return plan.Hold > 0 && plan.Pools[""] != "" && len(plan.PodLabelKeys) > 0 &&
		has(pod.Labels, inference.RoutedKey) && !plan.Routed[pod.Labels[serving.RevisionLabelKey]]
}

// replaced reports whether the picker can pick a pod that has traffic now.
func replaced(pods []*corev1.Pod, plan manifest.Plan) bool {
	for _, pod := range pods {
		if _, ready := readySince(pod); ready && !hidden(pod) && has(pod.Labels, inference.RoutedKey) &&
			plan.Routed[pod.Labels[serving.RevisionLabelKey]] {
			return true
		}
	}
	return false
}

func (r *Reconciler) leavePod(ctx context.Context, pod *corev1.Pod, plan manifest.Plan,
	replaced bool) (time.Duration, error) {
	if !leaves(pod, plan) {
		r.leaving.forget(pod.UID)
		r.left.forget(pod.UID)
		return 0, nil
	}
	patient := r.drain - r.leaving.age(pod.UID, r.now())
	switch {
	case !replaced && patient > 0:
		return min(patient, syncRetry), nil
	case !hidden(pod):
		r.left.age(pod.UID, r.now())
		return plan.Hold, r.patchPod(ctx, pod, map[string]any{"annotations": noPorts()})
	}
	if wait := plan.Hold - r.left.age(pod.UID, r.now()); wait > 0 {
		return wait, nil
	}
	return 0, r.labelPod(ctx, pod, plan)
}
