package samples

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi"
)

var at = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// Every name is one that the API serves; what is unknown has none.
func TestOfParts(t *testing.T) {
	if got := OfParts(nil, at); got != nil {
		t.Errorf("without the metric slo: %v", got)
	}
	all := OfParts(&decider.SLOParts{CapacityRPS: 5, Attainment: .5, Unmet: 2}, at)
	if len(all) != 11 {
		t.Errorf("%d parts, want 11", len(all))
	}
	for _, s := range all {
		if !slices.Contains(metricsapi.Metrics(), s.Metric) || s.Time != at {
			t.Errorf("%+v is not served by the metrics API", s)
		}
	}
	for metric, want := range map[string]float64{"slo_capacity_rps": 5, "slo_attainment_ratio": .5, "slo_unschedulable_replicas": 2} {
		i := slices.IndexFunc(all, func(s metricsapi.Sample) bool { return s.Metric == metric })
		if i < 0 || all[i].Value != want {
			t.Errorf("%s: %v, want %v", metric, all, want)
		}
	}
	nan := decider.Reading(math.NaN())
	if got := OfParts(&decider.SLOParts{CapacityRPS: nan, Demand: nan, Attainment: nan}, at); len(got) != 8 {
		t.Errorf("three unknown parts leave %d, want 8", len(got))
	}
}

func TestOfValues(t *testing.T) {
	got := OfValues(map[decider.Metric]collector.Sample{
		decider.RPS: {Value: 3, Time: at, Window: time.Minute}, decider.KVCache: {Value: 70, Time: at}, decider.Waiting: {Value: decider.Unknown(), Time: at},
	})
	want := []metricsapi.Sample{{Metric: "kv_cache_usage_percent", Value: 70, Time: at}, {Metric: "requests_per_second", Value: 3, Time: at, Window: time.Minute}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestOfValue(t *testing.T) {
	values := map[decider.Metric]collector.Sample{decider.RPS: {Value: 3, Time: at, Window: time.Minute}, decider.Waiting: {Value: decider.Unknown(), Time: at}}
	want := metricsapi.Sample{Metric: "requests_per_second", Value: 3, Time: at, Window: time.Minute}
	if got, ok := OfValue(values, "requests_per_second"); !ok || got != want {
		t.Errorf("requests_per_second: %v, %t, want %v", got, ok, want)
	}
	for _, metric := range []string{"rps", "num_requests_waiting", "kv_cache_usage_percent"} { // not served by this name, unknown, absent
		if got, ok := OfValue(values, metric); ok {
			t.Errorf("%s: %v, want nothing", metric, got)
		}
	}
}
