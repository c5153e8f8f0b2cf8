package inferencegateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// hide hides a pod from the picker if the pod was created while the webhook was away: the picker would name
// the pod before the gateway knows its address. A Ready pod may serve already and is not hidden. The patch has
// the pod's resourceVersion, so that a stale cache does not hide a pod that has become Ready.
func (r *Reconciler) hide(ctx context.Context, pod *corev1.Pod, plan manifest.Plan) error {
	_, ready := readySince(pod)
	named := slices.ContainsFunc(portKeys(), func(key string) bool { return has(pod.Annotations, key) })
	if plan.Hold == 0 || ready || named {
		return nil
	}
	return r.patchPod(ctx, pod, map[string]any{"resourceVersion": pod.ResourceVersion, "annotations": noPorts()})
}

// noPorts are the annotations of a pod that is hidden from the picker.
func noPorts() map[string]any {
	none := map[string]any{}
	for _, key := range portKeys() {
		none[key] = ""
	}
	return none
}

// portKeys are the annotations from which pickers read the ports of a pod.
func portKeys() []string { return []string{inference.ActivePortsKey, inference.LLMDActivePortsKey} }

func hidden(pod *corev1.Pod) bool {
	for _, key := range portKeys() {
		if v, ok := pod.Annotations[key]; ok && v == "" {
			return true
		}
	}
	return false
}

// heldFor is how much of the hold is left; false while the pod is not Ready. The hold begins when this
// replica sees that the pod is Ready: when the API server is slow, the gateway learns of the pod no
// earlier. For a pod that was Ready before this replica led, the hold begins at the time of the condition.
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
	for _, key := range portKeys() {
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
