package server

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubeclient "knative.dev/pkg/client/injection/kube/client"
	podinformer "knative.dev/pkg/client/injection/kube/informers/core/v1/pod/filtered"
	"knative.dev/pkg/network"
	painformer "knative.dev/serving/pkg/client/injection/informers/autoscaling/v1alpha1/podautoscaler"
	revisioninformer "knative.dev/serving/pkg/client/injection/informers/serving/v1/revision"
	servinglisters "knative.dev/serving/pkg/client/listers/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/inferencepool"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/podautoscaler"
)

// poolLister lists every InferencePool that is known now.
type poolLister interface {
	Pools() []*unstructured.Unstructured
}

// readPools lists the pools that can be read.
func readPools(r poolLister) (pools []inferencepool.Pool) {
	for _, u := range r.Pools() {
		if p, ok := inferencepool.Read(u); ok {
			pools = append(pools, p)
		}
	}
	return pools
}

// newPools collects for InferencePools what no autoscaler collects.
func newPools(b *base, col *collector.Collector, leads func(collector.Key) bool) *inferencepool.Watcher {
	ctx := b.ctx
	autoscalers, revisions := painformer.Get(ctx).Lister(), revisioninformer.Get(ctx).Lister()
	return inferencepool.New(inferencepool.Options{
		Kube: kubeclient.Get(ctx), Collector: col, Held: col,
		Waker: inferencepool.KnativeWaker{Autoscalers: autoscalers, Leading: leads, Transport: network.NewProberTransport()},
		Pools: func() []inferencepool.Pool { return readPools(b.reader) },
		Log:   b.log, OnPanic: collector.Panics(b.reg).WithLabelValues("inferencepool").Inc,
		Knative: podinformer.Get(ctx, podautoscaler.Selector).Lister(),
		Observed: func(r collector.Key) bool {
			pa, err := autoscalers.PodAutoscalers(r.Namespace).Get(r.Name)
			return err == nil && podautoscaler.Observed(pa)
		},
		Spec: func(r collector.Key) (collector.Spec, bool) { return pageOf(revisions, r) },
	})
}

// poolsIn are the pools of a namespace.
func poolsIn(r poolLister, namespace string) (pools []podautoscaler.Pool) {
	for _, u := range r.Pools() {
		if u.GetNamespace() != namespace {
			continue // every reconciliation asks: only pools that count are decoded
		}
		if p, ok := inferencepool.Read(u); ok {
			pools = append(pools, podautoscaler.Pool{Selector: p.Selector, Serves: p.Serves, NegativeWaits: p.NegativeWaits})
		}
	}
	return pools
}

// poolChanges is the time between two comparisons of the pools.
const poolChanges = 2 * time.Second

// followPoolChanges calls changed when a pool, its selector or the revisions that it serves
// have changed: whether a revision may go to zero depends on them.
func followPoolChanges(ctx context.Context, r poolLister, changed func()) error {
	known := ""
	return every(ctx, poolChanges, func(context.Context) error {
		pools := readPools(r)
		slices.SortFunc(pools, func(a, b inferencepool.Pool) int {
			return cmp.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
		})
		now := ""
		for _, p := range pools {
			now += fmt.Sprintln(p.Namespace, p.Name, p.Selector, p.Serves, p.NegativeWaits)
		}
		if now != known {
			known = now
			changed()
		}
		return nil
	})
}

// foreign returns the selector of a pool that is not ours, nil where there is none.
func foreign(r poolLister) func(namespace, name string) map[string]string {
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
func pageOf(revisions servinglisters.RevisionLister, r collector.Key) (collector.Spec, bool) {
	rev, err := revisions.Revisions(r.Namespace).Get(r.Name)
	if err != nil {
		return collector.Spec{}, false
	}
	e, _ := annotations.ReadEngine(rev.Annotations) // an invalid value that an older webhook accepted counts as not given
	return podautoscaler.MetricsEndpoint(e, rev.Spec.Containers), true
}
