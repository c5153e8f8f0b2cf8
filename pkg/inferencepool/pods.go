package inferencepool

import (
	"context"
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/client-go/informers"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

// plainPods caches the pods of one pool that are not Knative's.
type plainPods struct {
	selector map[string]string
	informer cache.SharedIndexInformer
	stop     context.CancelFunc
}

// watchPods starts to watch; the API server selects, so other pods cost nothing.
func watchPods(ctx context.Context, kube kubernetes.Interface, p Pool) *plainPods {
	ctx, stop := context.WithCancel(ctx)
	selector := labels.SelectorFromSet(p.Selector)
	if no, err := labels.NewRequirement(serving.RevisionUID, selection.DoesNotExist, nil); err == nil { // it is a valid one
		selector = selector.Add(*no)
	}
	informer := watch(ctx, kube, p.Namespace, selector.String()).Informer()
	return &plainPods{selector: maps.Clone(p.Selector), informer: informer, stop: stop}
}

// watch caches what is read of the selected pods until ctx ends.
func watch(ctx context.Context, kube kubernetes.Interface, namespace, selector string) coreinformers.PodInformer {
	factory := informers.NewSharedInformerFactoryWithOptions(kube, 0, informers.WithNamespace(namespace), informers.WithTransform(slim),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = selector }))
	pods := factory.Core().V1().Pods()
	pods.Informer() // so that Start starts it
	factory.Start(ctx.Done())
	return pods
}

func (w *plainPods) pods() (pods []*corev1.Pod) {
	for _, obj := range w.informer.GetStore().List() {
		if pod, ok := obj.(*corev1.Pod); ok {
			pods = append(pods, pod)
		}
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
