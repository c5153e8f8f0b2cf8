package server

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	sksinformer "knative.dev/networking/pkg/client/injection/informers/networking/v1alpha1/serverlessservice"
	deploymentinformer "knative.dev/pkg/client/injection/kube/informers/apps/v1/deployment/filtered"
	podinformer "knative.dev/pkg/client/injection/kube/informers/core/v1/pod/filtered"
	budgetinformer "knative.dev/pkg/client/injection/kube/informers/policy/v1/poddisruptionbudget/filtered"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	painformer "knative.dev/serving/pkg/client/injection/informers/autoscaling/v1alpha1/podautoscaler"
	revisioninformer "knative.dev/serving/pkg/client/injection/informers/serving/v1/revision"

	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/podautoscaler"
)

// slimCaches has the informers of this process drop, before an object enters a cache, what
// no part of the program reads. At 10,000 pods the objects took 60 MiB.
func slimCaches(ctx context.Context) error {
	pods := podSlimmer{shared: map[string]map[string]string{}}
	for _, in := range []struct {
		key       any
		informer  func() cache.SharedIndexInformer
		transform cache.TransformFunc
	}{
		{podinformer.Key{Selector: podautoscaler.Selector}, func() cache.SharedIndexInformer {
			return podinformer.Get(ctx, podautoscaler.Selector).Informer()
		}, pods.slim},
		{deploymentinformer.Key{Selector: podautoscaler.Selector}, func() cache.SharedIndexInformer {
			return deploymentinformer.Get(ctx, podautoscaler.Selector).Informer()
		}, slimDeployment},
		{revisioninformer.Key{}, func() cache.SharedIndexInformer {
			return revisioninformer.Get(ctx).Informer()
		}, slimRevision},
		{budgetinformer.Key{Selector: podautoscaler.Selector}, func() cache.SharedIndexInformer {
			return budgetinformer.Get(ctx, podautoscaler.Selector).Informer()
		}, slimMeta},
		{painformer.Key{}, func() cache.SharedIndexInformer { return painformer.Get(ctx).Informer() }, slimMeta},
		{sksinformer.Key{}, func() cache.SharedIndexInformer { return sksinformer.Get(ctx).Informer() }, slimMeta},
	} {
		if ctx.Value(in.key) == nil {
			continue // no part of this process reads it
		}
		if err := in.informer().SetTransform(in.transform); err != nil {
			return fmt.Errorf("slimming a cache: %w", err)
		}
	}
	return nil
}

// slimMeta drops who manages which field. The API server keeps that of an object that is
// written without it.
func slimMeta(obj any) (any, error) {
	if o, ok := obj.(metav1.Object); ok {
		o.SetManagedFields(nil)
	}
	return obj, nil
}

// slimDeployment keeps the number of replicas with its writers, the containers' ports, the
// labels of pods to come (an InferencePool may select them), and the conditions of a
// rollout. The scale is patched, so no Deployment from a cache is ever written.
func slimDeployment(obj any) (any, error) {
	d, ok := obj.(*appsv1.Deployment)
	if !ok {
		return obj, nil
	}
	d.ManagedFields, d.Annotations = slimWriters(d.ManagedFields), nil
	d.Spec = appsv1.DeploymentSpec{Replicas: d.Spec.Replicas, Template: corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: d.Spec.Template.Labels},
		Spec:       corev1.PodSpec{Containers: slimContainers(d.Spec.Template.Spec.Containers)},
	}}
	d.Status = appsv1.DeploymentStatus{Conditions: d.Status.Conditions}
	return d, nil
}

// ownsReplicas is all that is read of the fields that a writer of a Deployment owns.
var ownsReplicas = &metav1.FieldsV1{Raw: []byte(`{"f:spec":{"f:replicas":{}}}`)}

// slimWriters keeps the writers of spec.replicas.
func slimWriters(all []metav1.ManagedFieldsEntry) (kept []metav1.ManagedFieldsEntry) {
	for _, f := range all {
		var fields struct {
			Spec map[string]json.RawMessage `json:"f:spec"`
		}
		if f.FieldsV1 == nil || json.Unmarshal(f.FieldsV1.Raw, &fields) != nil {
			continue
		}
		if _, ok := fields.Spec["f:replicas"]; ok {
			f.FieldsV1 = ownsReplicas
			kept = append(kept, f)
		}
	}
	return kept
}

// slimRevision keeps annotations, labels, timeout and what shows the engine and its port.
func slimRevision(obj any) (any, error) {
	r, ok := obj.(*servingv1.Revision)
	if !ok {
		return obj, nil
	}
	r.ManagedFields = nil
	r.Spec = servingv1.RevisionSpec{
		PodSpec:              corev1.PodSpec{Containers: slimContainers(r.Spec.Containers)},
		ContainerConcurrency: r.Spec.ContainerConcurrency, TimeoutSeconds: r.Spec.TimeoutSeconds,
	}
	r.Status = servingv1.RevisionStatus{}
	return r, nil
}

func slimContainers(all []corev1.Container) []corev1.Container {
	kept := make([]corev1.Container, len(all))
	for i, c := range all {
		kept[i] = corev1.Container{Name: c.Name, Image: c.Image, Command: c.Command, Args: c.Args, Ports: c.Ports}
	}
	return kept
}

// podSlimmer shares the labels of the pods of a revision: they are the same but for those
// of the gateway. It is safe for concurrent use, as are the labels, which nobody changes.
type podSlimmer struct {
	mu sync.Mutex
	// shared are the labels of a pod seen before, by namespace and revision.
	shared map[string]map[string]string
}

// maxShared bounds the revisions whose labels are remembered; beyond, all are forgotten.
const maxShared = 10_000

func (p *podSlimmer) slim(obj any) (any, error) {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return obj, nil
	}
	if _, err := podautoscaler.Slim(pod); err != nil {
		return nil, err
	}
	pod.OwnerReferences, pod.GenerateName, pod.Finalizers = nil, "", nil
	if len(pod.Annotations) == 0 {
		pod.Annotations = nil
	}
	pod.Status.Conditions = slimConditions(pod.Status.Conditions)
	p.share(pod)
	return pod, nil
}

func (p *podSlimmer) share(pod *corev1.Pod) {
	key := pod.Namespace + "/" + pod.Labels[serving.RevisionLabelKey]
	p.mu.Lock()
	defer p.mu.Unlock()
	if labels := p.shared[key]; maps.Equal(labels, pod.Labels) {
		pod.Labels = labels
		return
	}
	if len(p.shared) >= maxShared {
		clear(p.shared)
	}
	p.shared[key] = pod.Labels
}

// slimConditions drops the conditions that nobody reads, and their words.
func slimConditions(all []corev1.PodCondition) []corev1.PodCondition {
	kept := make([]corev1.PodCondition, 0, len(all))
	for _, c := range all {
		if c.Type == corev1.PodInitialized || c.Type == corev1.PodReadyToStartContainers {
			continue
		}
		kept = append(kept, corev1.PodCondition{
			Type: c.Type, Status: c.Status, LastTransitionTime: c.LastTransitionTime, Reason: c.Reason,
		})
	}
	return kept
}
