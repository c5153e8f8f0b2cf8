package inferencegateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"knative.dev/serving/pkg/apis/serving"
	infv1 "sigs.k8s.io/gateway-api-inference-extension/api/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// podsByService is the name of the pod informer's index on namespace/service.
const podsByService = "knative-inference.dev/pods-by-service"

// podIndexer adds the index that podsOf reads.
func podIndexer() cache.Indexers {
	return cache.Indexers{podsByService: func(obj any) ([]string, error) {
		pod, ok := obj.(*corev1.Pod)
		if !ok || pod.Labels[serving.ServiceLabelKey] == "" {
			return nil, nil
		}
		return []string{pod.Namespace + "/" + pod.Labels[serving.ServiceLabelKey]}, nil
	}}
}

// podsOf lists the pods of a Service that are not being deleted, by name.
func (r *Reconciler) podsOf(o owner) (pods []*corev1.Pod) {
	pods = slices.DeleteFunc(r.allPodsOf(o), func(pod *corev1.Pod) bool { return pod.DeletionTimestamp != nil })
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return pods
}

// allPodsOf lists the pods of a Service, also those that are being deleted.
func (r *Reconciler) allPodsOf(o owner) (pods []*corev1.Pod) {
	found, err := r.pods.ByIndex(podsByService, o.namespace+"/"+o.name)
	if err != nil {
		return nil // only when the index is missing, which NewController adds
	}
	for _, obj := range found {
		pods = append(pods, obj.(*corev1.Pod))
	}
	return pods
}

// label brings the labels of live pods in line with the plan: those that join a
// pool first, so that it is never empty in between. Pods are labelled one by
// one; a Revision or Deployment is never touched, for that would start new pods.
// It returns when to look again at pods that leave.
func (r *Reconciler) label(ctx context.Context, o owner, plan manifest.Plan) (time.Duration, error) {
	pods := r.podsOf(o)
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int {
		return boolean(plan.Routed[b.Labels[serving.RevisionLabelKey]]) -
			boolean(plan.Routed[a.Labels[serving.RevisionLabelKey]])
	})
	var errs []error
	for _, pod := range pods {
		if leaves(pod, plan) {
			continue
		}
		if err := r.hide(ctx, pod, plan); err != nil { // hidden first: by its labels it may join the pool
			errs = append(errs, err)
			continue
		}
		errs = append(errs, r.labelPod(ctx, pod, plan))
	}
	next, err := r.leave(ctx, pods, plan)
	return next, errors.Join(append(errs, err)...)
}

// labelPod brings the labels of one pod in line.
func (r *Reconciler) labelPod(ctx context.Context, pod *corev1.Pod, plan manifest.Plan) error {
	name := pod.Labels[serving.RevisionLabelKey]
	keys := plan.PodLabelKeys
	if slices.Contains(keys, inference.PoolKey) {
		keys = slices.Concat(keys, r.foreignKeys(pod))
	}
	change := labelChange(pod.Labels, plan.Pods[name], r.notOfTemplate(pod.Namespace, name, keys))
	if len(change) == 0 {
		return nil
	}
	return r.patchPod(ctx, pod, map[string]any{"labels": change})
}

// foreignKeys are the labels that a pod has for somebody else's pool, which goes
// on sending it requests for as long as it has them.
func (r *Reconciler) foreignKeys(pod *corev1.Pod) (keys []string) {
	live := r.watches.get(pools, pod.Namespace, pod.Labels[inference.PoolKey])
	if live == nil || managed(live) {
		return nil
	}
	for key, value := range labelsFor(live, pod.Labels[serving.ServiceLabelKey]) {
		if has(pod.Labels, key) && pod.Labels[key] == value {
			keys = append(keys, key)
		}
	}
	return keys
}

// labelsFor are the labels that a pod of a Service needs to be in a pool of others,
// without those that are not ours to set.
func labelsFor(pool *unstructured.Unstructured, service string) map[string]string {
	joins, _ := binding.PoolLabels(selectorOfPool(pool), service, pool.GetName())
	return joins
}

func selectorOfPool(pool *unstructured.Unstructured) map[string]string {
	p, err := decode[infv1.InferencePool](pool)
	if err != nil {
		return nil // it selects nothing that is known
	}
	selector := map[string]string{}
	for key, value := range p.Spec.Selector.MatchLabels {
		selector[string(key)] = string(value)
	}
	return selector
}

// notOfTemplate leaves out what the user's own template sets: a Revision carries
// the labels of its pods, and those are not ours to remove.
func (r *Reconciler) notOfTemplate(namespace, revision string, keys []string) []string {
	rev, err := r.revisions.Revisions(namespace).Get(revision)
	if err != nil {
		return keys
	}
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return has(rev.Labels, key) })
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// labelChange is the merge patch from have to want; nil removes. Only keys and
// those of want are compared.
func labelChange(have, want map[string]string, keys []string) map[string]any {
	change := map[string]any{}
	for _, key := range keys {
		if _, wanted := want[key]; !wanted && has(have, key) {
			change[key] = nil
		}
	}
	for key, value := range want {
		if !has(have, key) || have[key] != value {
			change[key] = value
		}
	}
	return change
}

func has(m map[string]string, key string) bool {
	_, ok := m[key]
	return ok
}

// patchPod patches the metadata of one pod; the UID keeps the patch off a successor of the name.
func (r *Reconciler) patchPod(ctx context.Context, pod *corev1.Pod, metadata map[string]any) error {
	metadata["uid"] = pod.UID
	patch, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return err
	}
	_, err = r.kube.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: fieldManager})
	if apierrs.IsNotFound(err) || apierrs.IsConflict(err) {
		return nil // gone or changed; the event of its successor, or of the change, comes
	}
	if err != nil {
		return fmt.Errorf("patching pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}

// unlabel takes our own labels off the pods of a Service, and shows those that
// are hidden. While it drains, the pods of its own pool stay: open answers pass
// through the picker, which forgets a pod that leaves. Those that a pool of others
// selects leave at once, for it goes on sending requests.
func (r *Reconciler) unlabel(ctx context.Context, o owner, draining bool) error {
	_, err := r.show(ctx, o, manifest.Plan{})
	errs := []error{err}
	keys := []string{inference.RoutedKey, inference.PoolKey, inference.EngineTypeKey, inference.LLMDEngineTypeKey}
	for _, pod := range r.podsOf(o) {
		if draining && !r.serveOthers(o, pod) {
			continue
		}
		errs = append(errs, r.labelPod(ctx, pod, manifest.Plan{PodLabelKeys: keys}))
	}
	return errors.Join(errs...)
}

// serveOthers is true for a pod in a pool that is not the Service's alone.
func (r *Reconciler) serveOthers(o owner, pod *corev1.Pod) bool {
	if !has(pod.Labels, inference.PoolKey) {
		return false
	}
	live := r.watches.get(pools, pod.Namespace, pod.Labels[inference.PoolKey])
	return live == nil || !managed(live) || !o.soleOwner(live)
}
