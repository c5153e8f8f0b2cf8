package rollup

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/inferencepool"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi"
)

func read(name string, kv, running float64, at time.Time) collector.PodSnapshot {
	return collector.PodSnapshot{Pod: collector.Pod{Name: name}, Values: map[decider.Metric]collector.Sample{
		decider.KVCache: {Value: decider.Reading(kv), Time: at}, decider.Running: {Value: decider.Reading(running), Time: at},
		decider.Waiting: {Value: decider.Unknown(), Time: at},
	}}
}

// A pool is the sum, for usage the mean, of the pods that it selects and that
// are known, Knative's and others; a pod of the revision that it does not
// select is none of them.
func TestView_pools(t *testing.T) {
	v := newView(t)
	earlier := then.Add(-time.Second)
	v.collector = collected{
		"llm-1":    {Pods: []collector.PodSnapshot{read("a", 30, 2, then), read("b", 60, 4, earlier), read("unselected", 90, 50, then)}},
		"pool/llm": {Pods: []collector.PodSnapshot{read("plain", 90, 3, then)}},
	}
	pools := []inferencepool.Pool{
		{Namespace: "default", Name: "llm", UID: "u", Labels: map[string]string{"team": "x"}, Selector: map[string]string{"serving.knative.dev/revision": "llm-1"}},
		{Namespace: "elsewhere", Name: "empty", Selector: map[string]string{"app": "none"}},
	}
	v.pools.List = func() []inferencepool.Pool { return pools }
	want := metricsapi.Object{Namespace: "default", Name: "llm", UID: "u", Labels: map[string]string{"team": "x"}, Samples: []metricsapi.Sample{
		{Metric: "kv_cache_usage_percent", Value: 60, Time: earlier},
		{Metric: "num_requests_running", Value: 9, Time: earlier},
	}}
	got, ok := v.Get(metricsapi.Pools(), "default", "llm")
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("found %t (-want +got):\n%s", ok, diff)
	}
	if _, ok := v.Get(metricsapi.Pools(), "default", "other"); ok {
		t.Error("a pool that is not there was found")
	}
	if got := v.List(metricsapi.Query{Resource: metricsapi.Pools(), Namespace: ""}).Objects; len(got) != 2 || len(got[1].Samples) != 0 {
		t.Errorf("got %+v, want both pools, the empty one without a value", got)
	}
	if got := v.List(metricsapi.Query{Resource: metricsapi.Pools(), Namespace: "elsewhere"}).Objects; len(got) != 1 {
		t.Errorf("%d pools in the namespace, want 1", len(got))
	}
}

// Without the CRD, and before its cache is there, no pool is known.
func TestView_poolsBeforeTheCRD(t *testing.T) {
	v := newView(t)
	if got := v.List(metricsapi.Query{Resource: metricsapi.Pools(), Namespace: ""}).Objects; got != nil {
		t.Errorf("got %v", got)
	}
	v.pools.List = func() []inferencepool.Pool { return nil }
	if _, ok := v.Get(metricsapi.Pools(), "default", "llm"); ok {
		t.Error("found a pool")
	}
}
