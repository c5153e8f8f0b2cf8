package rollup

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	"knative.dev/serving/pkg/apis/serving"
	palisters "knative.dev/serving/pkg/client/listers/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/podautoscaler"
)

// manyPods is a View of one revision with n pods that report every metric of the API.
func manyPods(b *testing.B, n int) View {
	b.Helper()
	byNamespace := cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}
	autoscalers := cache.NewIndexer(cache.MetaNamespaceKeyFunc, byNamespace)
	pods := cache.NewIndexer(cache.MetaNamespaceKeyFunc, byNamespace)
	err := autoscalers.Add(&v1alpha1.PodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "llm-1",
		Annotations: map[string]string{knautoscaling.ClassAnnotationKey: autoscaling.Class},
		Labels:      map[string]string{serving.ServiceLabelKey: "llm"}}})
	if err != nil {
		b.Fatal(err)
	}
	reported := map[decider.Metric]collector.Sample{}
	for _, d := range decider.Metrics() {
		if d.API != "" {
			reported[d.Metric] = collector.Sample{Value: 1, Time: then, Window: time.Minute}
		}
	}
	snapshot := collector.Snapshot{Values: reported}
	for i := range n {
		name := fmt.Sprintf("llm-1-deployment-%04d", i)
		snapshot.Pods = append(snapshot.Pods, collector.PodSnapshot{Pod: collector.Pod{Name: name}, Values: reported})
		err := pods.Add(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name,
			Labels: map[string]string{serving.RevisionLabelKey: "llm-1"}}})
		if err != nil {
			b.Fatal(err)
		}
	}
	return New(Options{Collector: fixed{snapshot}, Autoscalers: palisters.NewPodAutoscalerLister(autoscalers),
		Pods: corev1listers.NewPodLister(pods), Observed: podautoscaler.Observed})
}

// fixed answers with one snapshot.
type fixed struct{ snapshot collector.Snapshot }

func (f fixed) Snapshot(collector.Key, time.Time) (collector.Snapshot, bool) { return f.snapshot, true }
func (f fixed) Gauges(collector.Key, time.Time) (collector.Snapshot, bool)   { return f.snapshot, true }

// Run with: go test -run='^$' -bench=List -count=6 -benchmem ./pkg/rollup
func BenchmarkList(b *testing.B) {
	view := manyPods(b, 100)
	for name, q := range map[string]metricsapi.Query{
		"pods=100/one":      {Resource: metricsapi.Pods(), Namespace: "default", Metric: "kv_cache_usage_percent"},
		"pods=100/all":      {Resource: metricsapi.Pods(), Namespace: "default"},
		"services=1/folded": {Resource: metricsapi.Services(), Namespace: "default", Metric: "kv_cache_usage_percent"},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if len(view.List(q).Objects) == 0 {
					b.Fatal("an empty list")
				}
			}
		})
	}
}
