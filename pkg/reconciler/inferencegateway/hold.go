package inferencegateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"knative.dev/serving/pkg/apis/serving"
	infv1 "sigs.k8s.io/gateway-api-inference-extension/api/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// conditionGrain is the resolution of the times of conditions.
const conditionGrain = time.Second

// show ends the hiding of pods that the webhook has born hidden from the picker:
// once such a pod has been Ready for the plan's hold, the gateway knows its
// address too. It returns when the next is due, 0 for none.
func (r *Reconciler) show(ctx context.Context, o owner, plan manifest.Plan) (next time.Duration, err error) {
	var errs []error
	for _, pod := range r.podsOf(o) {
		if !hidden(pod) || leaves(pod, plan) {
			r.ready.forget(pod.UID)
			continue
		}
		left, ready := r.heldFor(pod, plan.Hold)
		switch {
		case !ready && plan.Hold > 0:
			r.ready.forget(pod.UID)
		case left > 0:
			if next == 0 || left < next {
				next = left
			}
		default:
			change := shown(pod, portOf(plan, pod.Labels[serving.RevisionLabelKey]))
			errs = append(errs, r.patchPod(ctx, pod, map[string]any{"annotations": change}))
		}
	}
	return next, errors.Join(errs...)
}

// hide hides from the picker a pod that was born while the webhook was away: the picker would name
// it before the gateway knows its address. One that is Ready may serve already and stays as it is. A
// cache that is late must not hide such a pod, so the patch holds for the pod as it was read.
func (r *Reconciler) hide(ctx context.Context, pod *corev1.Pod, plan manifest.Plan) error {
	_, ready := readySince(pod)
	told := has(pod.Annotations, inference.ActivePortsKey) || has(pod.Annotations, inference.LLMDActivePortsKey)
	if plan.Hold == 0 || ready || told {
		return nil
	}
	return r.patchPod(ctx, pod, map[string]any{"resourceVersion": pod.ResourceVersion, "annotations": noPorts()})
}

// noPorts are the annotations of a pod that is hidden from the picker.
func noPorts() map[string]any {
	return map[string]any{inference.ActivePortsKey: "", inference.LLMDActivePortsKey: ""}
}

func hidden(pod *corev1.Pod) bool {
	for _, key := range []string{inference.ActivePortsKey, inference.LLMDActivePortsKey} {
		if v, ok := pod.Annotations[key]; ok && v == "" {
			return true
		}
	}
	return false
}

// heldFor is how much of the hold is left; false while the pod is not Ready. It counts from when we
// saw the pod Ready, because the gateway hears no earlier of it when the API server was slow to
// say so; for one that was Ready before our term, from the condition.
func (r *Reconciler) heldFor(pod *corev1.Pod, hold time.Duration) (time.Duration, bool) {
	since, ready := readySince(pod)
	if !ready {
		return 0, false
	}
	now := r.now()
	age := r.ready.age(pod.UID, now)
	if !r.ledger.leads(since) {
		age = max(age, now.Sub(since)-conditionGrain)
	}
	return hold - age, true
}

// readySince is when a pod became Ready; false while it is not.
func readySince(pod *corev1.Pod) (time.Time, bool) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time, true
		}
	}
	return time.Time{}, false
}

// shown is the change of annotations: the pool's port, or none without a pool.
func shown(pod *corev1.Pod, port int64) map[string]any {
	change := map[string]any{}
	for _, key := range []string{inference.ActivePortsKey, inference.LLMDActivePortsKey} {
		if v, ok := pod.Annotations[key]; !ok || v != "" {
			continue
		}
		change[key] = nil
		if port != 0 {
			change[key] = fmt.Sprint(port)
		}
	}
	return change
}

// portOf is the target port of the pool of a revision.
func portOf(plan manifest.Plan, revision string) int64 {
	pool := plan.Pools[revision]
	if pool == "" {
		pool = plan.Pools[""]
	}
	for _, obj := range plan.Objects {
		if obj.GetKind() != "InferencePool" || obj.GetName() != pool {
			continue
		}
		if p, err := decode[infv1.InferencePool](obj.Unstructured); err == nil && len(p.Spec.TargetPorts) > 0 {
			return int64(p.Spec.TargetPorts[0].Number)
		}
	}
	return int64(plan.TargetPort)
}
