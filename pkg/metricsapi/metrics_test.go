package metricsapi

import (
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Callers choose paths, so a path of theirs must never become a series.
func TestLatency_cardinality_is_bounded(t *testing.T) {
	registry := prometheus.NewRegistry()
	l, err := newLatency(registry)
	if err != nil {
		t.Fatal(err)
	}
	api, err := newAPIServer(twoModels(), allowAll(), l.observe, withRecording(nil))
	if err != nil {
		t.Fatal(err)
	}
	api.PrepareRun()
	server := httptest.NewServer(api.Handler)
	t.Cleanup(server.Close)

	for _, path := range []string{
		"/namespaces/default/pods/llama-a/concurrency",
		"/namespaces/default/pods/*/concurrency",
		"/namespaces/a/pods/b/c", "/namespaces/d/pods/e/f",
		"/namespaces/default/services.serving.knative.dev/llama/generation_tokens_per_second",
		"/namespaces/default/invented1/llama/x", "/namespaces/default/invented2/llama/x", "",
	} {
		get(t, server.URL+v1beta2Root+path)
	}
	for labels, want := range map[[2]string]int{
		{"pods", "200"}: 2, {"pods", "404"}: 2, {"services.serving.knative.dev", "200"}: 1,
		{"other", "404"}: 2, {"other", "200"}: 1,
	} {
		if got := observations(t, registry, labels[0], labels[1]); got != want {
			t.Errorf("%v: %d observations, want %d", labels, got, want)
		}
	}
	if got, err := testutil.GatherAndCount(registry); err != nil || got != 5 {
		t.Errorf("%d series, %v; want 5", got, err)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) != 0 {
		t.Errorf("names: %v %v", problems, err)
	}
}

func TestLatency_refuses_a_second_registration(t *testing.T) {
	registry := prometheus.NewRegistry()
	if _, err := newLatency(registry); err != nil {
		t.Fatal(err)
	}
	if _, err := newLatency(registry); err == nil {
		t.Error("registered twice, want an error")
	}
}

// observations counts those of one pair of labels.
func observations(t *testing.T, g prometheus.Gatherer, resource, code string) int {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, pair := range m.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
			}
			if labels["resource"] == resource && labels["code"] == code {
				return int(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return 0
}
