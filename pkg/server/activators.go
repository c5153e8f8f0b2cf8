package server

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/podautoscaler"
)

// activatorSelector is the label of the activator's pods in knative-serving.
const activatorSelector = "app=activator"

// activatorPods follows the pods of Knative's activator.
type activatorPods struct {
	pods   coreinformers.PodInformer
	notify func([]collector.ActivatorPod)
}

func newActivatorPods(kube kubernetes.Interface, namespace string,
	notify func([]collector.ActivatorPod)) *activatorPods {
	factory := informers.NewSharedInformerFactoryWithOptions(kube, 0, informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = activatorSelector }))
	return &activatorPods{pods: factory.Core().V1().Pods(), notify: notify}
}

// run passes the pods on whenever one changes, until ctx ends.
func (a *activatorPods) run(ctx context.Context) error {
	changes := make(chan struct{}, 1)
	changed := func() {
		select {
		case changes <- struct{}{}:
		default:
		}
	}
	informer := a.pods.Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { changed() }, UpdateFunc: func(any, any) { changed() }, DeleteFunc: func(any) { changed() },
	})
	if err != nil {
		return err
	}
	go informer.RunWithContext(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changes:
		case <-time.After(time.Second): // until the cache is synced
		}
		if informer.HasSynced() {
			a.notify(a.list())
		}
	}
}

func (a *activatorPods) list() []collector.ActivatorPod {
	pods, err := a.pods.Lister().List(labels.Everything())
	if err != nil {
		return nil // a lister of a cache does not fail
	}
	var all []collector.ActivatorPod
	for _, p := range pods {
		if p.Status.Phase == corev1.PodRunning && p.Status.PodIP != "" {
			all = append(all, collector.ActivatorPod{Name: p.Name, UID: string(p.UID), IP: p.Status.PodIP,
				Ready: p.DeletionTimestamp == nil && podautoscaler.IsReady(p)})
		}
	}
	return all
}
