package rollup

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/inferencepool"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi/samples"
)

// Pools are what is known of InferencePools. Without List there is none.
type Pools struct {
	List func() []inferencepool.Pool
	// Pods are those of the pools of a namespace, or of all for "", that are not Knative's.
	Pods func(namespace string) map[collector.Key][]*corev1.Pod
}

// poolsIn folds the pods of each pool of a namespace, or of all for "".
func (v View) poolsIn(namespace string) (objects []metricsapi.Object) {
	if v.pools.List == nil {
		return nil
	}
	for _, p := range v.pools.List() {
		if namespace == "" || p.Namespace == namespace {
			objects = append(objects, v.pool(p))
		}
	}
	return objects
}

// pool adds up what is known of a pool's pods, Knative's and others.
func (v View) pool(p inferencepool.Pool) metricsapi.Object {
	f := fold{}
	for _, pod := range v.podsIn(p) {
		f.add(collector.Snapshot{Values: pod.Values, Pods: []collector.PodSnapshot{pod}})
	}
	return metricsapi.Object{Namespace: p.Namespace, Name: p.Name, UID: p.UID, Labels: p.Labels,
		Samples: samples.OfValues(f.values())}
}

func (v View) podsIn(p inferencepool.Pool) (found []collector.PodSnapshot) {
	if s, ok := v.snapshot(p.Key()); ok {
		found = append(found, s.Pods...)
	}
	selected, err := v.pods.Pods(p.Namespace).List(labels.SelectorFromSet(p.Selector))
	if err != nil {
		return found // a lister of a cache does not fail
	}
	byRevision := map[string]map[string]bool{}
	for _, pod := range selected {
		revision := pod.Labels[serving.RevisionLabelKey]
		if byRevision[revision] == nil {
			byRevision[revision] = map[string]bool{}
		}
		byRevision[revision][pod.Name] = true
	}
	for revision, names := range byRevision {
		s, _ := v.snapshot(collector.Key{Namespace: p.Namespace, Name: revision})
		for _, pod := range s.Pods {
			if names[pod.Pod.Name] {
				found = append(found, pod)
			}
		}
	}
	return found
}

// otherPods are the pods of pools that are not Knative's.
func (v View) otherPods(namespace string) (objects []metricsapi.Object) {
	if v.pools.Pods == nil {
		return nil
	}
	for key, pods := range v.pools.Pods(namespace) {
		s, _ := v.snapshot(key)
		read := map[string]collector.PodSnapshot{}
		for _, p := range s.Pods {
			read[p.Pod.Name] = p
		}
		for _, pod := range pods {
			if p, ok := read[pod.Name]; ok {
				objects = append(objects, object(pod, p.Values))
			}
		}
	}
	return objects
}
