package server

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	kubeclient "knative.dev/pkg/client/injection/kube/client"
	podinformer "knative.dev/pkg/client/injection/kube/informers/core/v1/pod/filtered"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	painformer "knative.dev/serving/pkg/client/injection/informers/autoscaling/v1alpha1/podautoscaler"
	revisioninformer "knative.dev/serving/pkg/client/injection/informers/serving/v1/revision"
	servinglisters "knative.dev/serving/pkg/client/listers/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/inferencepool"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi/samples"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/podautoscaler"
)

// poolReader is what the view reads of InferencePools.
type poolReader struct {
	*inferencepool.Watcher
	list func() []inferencepool.Pool
}

// readPools lists the pools that can be read.
func readPools(r *inferencegateway.Reader) (pools []inferencepool.Pool) {
	for _, u := range r.Pools() {
		if p, ok := inferencepool.Read(u); ok {
			pools = append(pools, p)
		}
	}
	return pools
}

// newPools collects for InferencePools what no autoscaler collects.
func newPools(b *base, col *collector.Collector) poolReader {
	ctx := b.ctx
	autoscalers, revisions := painformer.Get(ctx).Lister(), revisioninformer.Get(ctx).Lister()
	list := func() []inferencepool.Pool { return readPools(b.reader) }
	return poolReader{list: list, Watcher: inferencepool.New(inferencepool.Options{
		Kube: kubeclient.Get(ctx), Collector: col, Held: col, Pools: list,
		Log: b.log, OnPanic: collector.Panics(b.reg).WithLabelValues("inferencepool").Inc,
		Knative: podinformer.Get(ctx, podautoscaler.Selector).Lister(),
		Observed: func(r collector.Key) bool {
			pa, err := autoscalers.PodAutoscalers(r.Namespace).Get(r.Name)
			return err == nil && podautoscaler.Observed(pa)
		},
		Target: func(r collector.Key) (collector.Target, bool) { return pageOf(revisions, r) },
	})}
}

// poolSelectors are the selectors of the pools of a namespace.
func poolSelectors(r *inferencegateway.Reader, namespace string) (selectors []map[string]string) {
	for _, u := range r.Pools() {
		if u.GetNamespace() != namespace {
			continue // every reconciliation asks: only pools that count are decoded
		}
		if p, ok := inferencepool.Read(u); ok {
			selectors = append(selectors, p.Selector)
		}
	}
	return selectors
}

// poolChanges is the time between two comparisons of the pools.
const poolChanges = 2 * time.Second

// followPoolChanges calls changed when a pool or its selector has changed: a revision of a
// pool does not go to zero, and one at zero is woken.
func followPoolChanges(ctx context.Context, r *inferencegateway.Reader, changed func()) error {
	known := ""
	return every(ctx, poolChanges, func(context.Context) error {
		pools := readPools(r)
		slices.SortFunc(pools, func(a, b inferencepool.Pool) int {
			return cmp.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
		})
		now := ""
		for _, p := range pools {
			now += fmt.Sprintln(p.Namespace, p.Name, p.Selector)
		}
		if now != known {
			known = now
			changed()
		}
		return nil
	})
}

// foreign returns the selector of a pool that is not ours, nil where there is none.
func foreign(r *inferencegateway.Reader) func(namespace, name string) map[string]string {
	return func(namespace, name string) map[string]string {
		for _, p := range readPools(r) {
			if p.Namespace == namespace && p.Name == name && !p.Ours() {
				return p.Selector
			}
		}
		return nil
	}
}

// pageOf says where a revision's engine has its page, which no autoscaler asked for.
func pageOf(revisions servinglisters.RevisionLister, r collector.Key) (collector.Target, bool) {
	rev, err := revisions.Revisions(r.Namespace).Get(r.Name)
	if err != nil {
		return collector.Target{}, false
	}
	e, _ := binding.ParseTemplate(rev.Annotations)
	t := collector.Target{Engine: e.Name, Port: int(e.MetricsPort), PortNamed: e.MetricsPort != 0, Path: e.MetricsPath}
	if t.Port == 0 {
		t.Port = servingv1.DefaultUserPort
		if ports := rev.Spec.GetContainer().Ports; len(ports) > 0 && ports[0].ContainerPort != 0 {
			t.Port = int(ports[0].ContainerPort)
		}
	}
	return t, true
}

// poolsIn folds the pods of each pool of a namespace, or of all for "".
func (v view) poolsIn(namespace string) (objects []metricsapi.Object) {
	if v.pools.list == nil {
		return nil
	}
	for _, p := range v.pools.list() {
		if namespace == "" || p.Namespace == namespace {
			objects = append(objects, v.pool(p))
		}
	}
	return objects
}

// pool adds up what is known of a pool's pods, Knative's and others.
func (v view) pool(p inferencepool.Pool) metricsapi.Object {
	f := fold{}
	for _, pod := range v.podsIn(p) {
		f.add(collector.Snapshot{Values: pod.Values, Pods: []collector.PodSnapshot{pod}})
	}
	return metricsapi.Object{Namespace: p.Namespace, Name: p.Name, UID: p.UID, Labels: p.Labels,
		Samples: samples.OfValues(f.values())}
}

func (v view) podsIn(p inferencepool.Pool) (found []collector.PodSnapshot) {
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
func (v view) otherPods(namespace string) (objects []metricsapi.Object) {
	if v.pools.Watcher == nil {
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
