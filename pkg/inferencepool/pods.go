package inferencepool

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

// plainSelector selects the pods that are not Knative's and have not ended; the API
// server selects, so other pods cost nothing.
const (
	plainSelector = "!" + serving.RevisionUID
	notEnded      = "status.phase!=" + string(corev1.PodSucceeded) + ",status.phase!=" + string(corev1.PodFailed)
)

// podWatch caches the pods of one namespace that are not Knative's, for all of its pools.
type podWatch struct {
	coreinformers.PodInformer
	stop context.CancelFunc
}

func watchPods(ctx context.Context, kube kubernetes.Interface, namespace string) *podWatch {
	ctx, stop := context.WithCancel(ctx)
	plain := metav1.ListOptions{LabelSelector: plainSelector, FieldSelector: notEnded}
	return &podWatch{watch(ctx, kube, namespace, plain), stop}
}

// watch caches what is read of the pods that the options select until ctx ends.
func watch(ctx context.Context, kube kubernetes.Interface, namespace string,
	selected metav1.ListOptions) coreinformers.PodInformer {
	factory := informers.NewSharedInformerFactoryWithOptions(kube, 0, informers.WithNamespace(namespace),
		informers.WithTransform(slim),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.LabelSelector, o.FieldSelector = selected.LabelSelector, selected.FieldSelector
		}))
	pods := factory.Core().V1().Pods()
	pods.Informer() // so that Start starts it
	factory.Start(ctx.Done())
	return pods
}

// plainPods are the pods of a pool that are not Knative's; nil while they are not known.
func (w *Watcher) plainPods(key collector.Key) []*corev1.Pod {
	selector, watched := w.plain[key], w.watched[key.Namespace]
	if selector == nil || watched == nil {
		return nil
	}
	pods, err := watched.Lister().List(selector)
	if err != nil {
		return nil // a lister of a cache does not fail
	}
	return pods
}

// collected are the pods as the collector wants them, without those that end.
func collected(pods []*corev1.Pod) (out []collector.Pod) {
	for _, pod := range pods {
		if pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
			continue
		}
		out = append(out, collector.Pod{
			Name: pod.Name, UID: string(pod.UID), IP: pod.Status.PodIP,
			Ready: isReady(pod) && pod.Status.PodIP != "", Created: pod.CreationTimestamp.Time,
		})
	}
	return out
}

func isReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// slim drops what nobody here reads.
func slim(obj any) (any, error) {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return obj, nil
	}
	pod.ManagedFields, pod.Annotations, pod.Spec = nil, nil, corev1.PodSpec{}
	pod.Status = corev1.PodStatus{Phase: pod.Status.Phase, PodIP: pod.Status.PodIP, Conditions: pod.Status.Conditions}
	return pod, nil
}
