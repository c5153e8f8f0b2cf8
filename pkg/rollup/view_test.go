package rollup

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
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

var then = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// collected answers with fixed snapshots by the name of a revision or as pool/NAME.
type collected map[string]collector.Snapshot

func (c collected) Snapshot(r collector.Key, _ time.Time) (collector.Snapshot, bool) {
	name := r.Name
	if r.Kind != collector.Revision {
		name = r.Kind.String() + "/" + name
	}
	s, ok := c[name]
	return s, ok
}

// Gauges are the values without a percentile.
func (c collected) Gauges(r collector.Key, _ time.Time) (collector.Snapshot, bool) {
	s, ok := c[r.Name]
	s.Values, s.Pods = withoutPercentiles(s.Values), slices.Clone(s.Pods)
	for i := range s.Pods {
		s.Pods[i].Values = withoutPercentiles(s.Pods[i].Values)
	}
	return s, ok
}

func withoutPercentiles(values map[decider.Metric]collector.Sample) map[decider.Metric]collector.Sample {
	values = maps.Clone(values)
	delete(values, decider.TTFTP95)
	delete(values, decider.ITLP95)
	return values
}

// A list of a latency, and one of all metrics, have the percentiles; others do without.
func TestList_percentiles(t *testing.T) {
	v := newView(t)
	latencies := values(40, 2, then)
	latencies[decider.TTFTP95] = collector.Sample{Value: 480, Time: then}
	v.collector = collected{"llm-1": {Pods: []collector.PodSnapshot{{Pod: collector.Pod{Name: "a"}, Values: latencies}}}}
	for metric, want := range map[string]int{"ttft_p95_ms": 1, "kv_cache_usage_percent": 1, "itl_p95_ms": 0, "": 4} {
		for _, o := range v.List(metricsapi.Query{Resource: metricsapi.Pods(), Namespace: "default", Metric: metric}).Objects {
			if len(o.Samples) != want {
				t.Errorf("%q: %d samples of %s, want %d", metric, len(o.Samples), o.Name, want)
			}
		}
	}
}

func values(kv, concurrency float64, at time.Time) map[decider.Metric]collector.Sample {
	return map[decider.Metric]collector.Sample{
		decider.KVCache:     {Value: decider.Reading(kv), Time: at},
		decider.Concurrency: {Value: decider.Reading(concurrency), Time: at, Window: time.Minute},
		decider.RPS:         {Value: decider.Reading(2 * concurrency), Time: at, Window: time.Minute},
		decider.Waiting:     {Value: decider.Unknown(), Time: at},
	}
}

func pods(names ...string) []collector.PodSnapshot {
	var all []collector.PodSnapshot
	for _, n := range names {
		all = append(all, collector.PodSnapshot{Pod: collector.Pod{Name: n}, Values: map[decider.Metric]collector.Sample{decider.KVCache: {Value: 40, Time: then}}})
	}
	return all
}

// newView holds two revisions of one Service (three pods and one), one of
// Knative's hpa class and one of its kpa class, which is not ours to serve.
func newView(t *testing.T) View {
	t.Helper()
	pas := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for name, annotations := range map[string]map[string]string{
		"llm-1": {knautoscaling.ClassAnnotationKey: autoscaling.Class},
		"llm-2": {knautoscaling.ClassAnnotationKey: autoscaling.Class},
		"hpa-1": {knautoscaling.ClassAnnotationKey: knautoscaling.HPA, knautoscaling.MetricAnnotationKey: "kv_cache_usage_percent"},
		"cpu-1": {knautoscaling.ClassAnnotationKey: knautoscaling.HPA, knautoscaling.MetricAnnotationKey: "cpu"},
		"kpa-1": {knautoscaling.ClassAnnotationKey: knautoscaling.KPA},
	} {
		if err := pas.Add(&v1alpha1.PodAutoscaler{ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: name, Annotations: annotations, Labels: map[string]string{serving.ServiceLabelKey: name[:3]},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	podIndexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for _, n := range []string{"a", "b", "c", "d"} {
		if err := podIndexer.Add(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: n, Labels: map[string]string{serving.RevisionLabelKey: "llm-1"}}}); err != nil {
			t.Fatal(err)
		}
	}
	return View{
		collector: collected{
			"llm-1": {Values: values(40, 6, then), Pods: pods("a", "b", "c")},
			"llm-2": {Values: values(80, 2, then.Add(-time.Second)), Pods: pods("d")},
			"hpa-1": {Values: values(10, 1, then)},
			"kpa-1": {Values: values(99, 9, then)},
		},
		autoscalers: palisters.NewPodAutoscalerLister(pas), pods: corev1listers.NewPodLister(podIndexer),
		isObserved: podautoscaler.Observed,
	}
}

func TestView_servicesFoldTheirRevisions(t *testing.T) {
	o, ok := newView(t).Get(metricsapi.Services(), "default", "llm")
	if !ok {
		t.Fatal("service llm is unknown")
	}
	old := then.Add(-time.Second) // a sum is as old as its oldest part
	want := []metricsapi.Sample{
		{Metric: "concurrency", Value: 8, Time: old, Window: time.Minute},
		{Metric: "kv_cache_usage_percent", Value: 50, Time: old}, // (3*40 + 1*80) / 4 pods
		{Metric: "requests_per_second", Value: 16, Time: old, Window: time.Minute},
	}
	if diff := cmp.Diff(want, o.Samples); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}

func TestView_servesWhatIsObservedAndNothingElse(t *testing.T) {
	v := newView(t)
	var names []string
	for _, o := range v.List(metricsapi.Query{Resource: metricsapi.Revisions(), Namespace: ""}).Objects {
		names = append(names, o.Name)
	}
	if len(names) != 3 {
		t.Errorf("revisions %v, want llm-1, llm-2 and hpa-1", names)
	}
	if _, ok := v.Get(metricsapi.Revisions(), "default", "kpa-1"); ok {
		t.Error("a revision of Knative's kpa class is served")
	}
	if n := len(v.List(metricsapi.Query{Resource: metricsapi.Pods(), Namespace: "default"}).Objects); n != 4 {
		t.Errorf("%d pods, want 4", n)
	}
	if o, ok := v.Get(metricsapi.Pods(), "default", "a"); !ok || len(o.Samples) != 1 {
		t.Errorf("pod a = %v, %v; want its one value", o, ok)
	}
	if _, ok := v.Get(metricsapi.Pods(), "default", "d"); ok {
		t.Error("pod d is not in the snapshot of its revision")
	}
	if _, ok := v.Get(metricsapi.Services(), "other", "llm"); ok {
		t.Error("service of another namespace")
	}
}

// A list of one metric has that value only, and a selector of one revision reads no other.
func TestView_listsOnlyWhatIsAskedFor(t *testing.T) {
	v := newView(t)
	asked := &recordedSnapshots{Snapshots: v.collector}
	v.collector = asked
	selector := labels.SelectorFromSet(labels.Set{serving.RevisionLabelKey: "llm-1"})
	got := v.List(metricsapi.Query{Resource: metricsapi.Pods(), Namespace: "default", Metric: "kv_cache_usage_percent", Selector: selector}).Objects
	if len(got) != 3 {
		t.Errorf("%d pods, want the 3 of llm-1", len(got))
	}
	for _, o := range got {
		if len(o.Samples) != 1 || o.Samples[0].Metric != "kv_cache_usage_percent" || o.Samples[0].Value != 40 {
			t.Errorf("%s has %v, want kv_cache_usage_percent 40", o.Name, o.Samples)
		}
	}
	if !slices.Equal(asked.names, []string{"gauges of llm-1"}) {
		t.Errorf("snapshots of %v were taken, want the gauges of llm-1 only", asked.names)
	}
}

// A list of pods is good until the oldest of its snapshots is taken anew; one with pods of
// pools, or of another kind of object, is not reused.
func TestList_until(t *testing.T) {
	v := newView(t)
	snapshots := v.collector.(collected)
	for name, age := range map[string]time.Duration{"llm-1": 300 * time.Millisecond, "llm-2": 100 * time.Millisecond} {
		s := snapshots[name]
		s.At = then.Add(-age)
		snapshots[name] = s
	}
	delete(snapshots, "hpa-1")
	list := func(r schema.GroupResource) time.Time {
		return v.List(metricsapi.Query{Resource: r, Namespace: "default", Metric: "kv_cache_usage_percent"}).Until
	}
	if got, want := list(metricsapi.Pods()), then.Add(snapshotTTL-300*time.Millisecond); !got.Equal(want) {
		t.Errorf("pods are good until %v, want %v", got, want)
	}
	if got := list(metricsapi.Revisions()); !got.IsZero() {
		t.Errorf("revisions are good until %v, want not at all: their decisions are newer", got)
	}
	clear(snapshots)
	if got := list(metricsapi.Pods()); !got.IsZero() {
		t.Errorf("an empty list is good until %v, want not at all", got)
	}
}

// recordedSnapshots notes which revisions were read.
type recordedSnapshots struct {
	Snapshots
	names []string
}

func (r *recordedSnapshots) Snapshot(rev collector.Key, now time.Time) (collector.Snapshot, bool) {
	r.names = append(r.names, rev.Name)
	return r.Snapshots.Snapshot(rev, now)
}

func (r *recordedSnapshots) Gauges(rev collector.Key, now time.Time) (collector.Snapshot, bool) {
	r.names = append(r.names, "gauges of "+rev.Name)
	return r.Snapshots.Gauges(rev, now)
}
