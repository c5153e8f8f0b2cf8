package decider

import (
	"strings"
	"testing"
	"time"
)

// unreadable is two Ready pods whose engines report nothing, under some requests in flight.
func unreadable(inFlight float64, metrics ...Metric) (Spec, Observation) {
	spec, obs := steady(2, metrics...)
	obs.Concurrency, obs.InFlight = Windowed{Reading(inFlight), Reading(inFlight)}, Unknown()
	for i := range obs.Pods {
		p := &obs.Pods[i]
		p.Running, p.Waiting, p.KVCache, p.PromptTokens, p.GenerationTokens = Unknown(), Unknown(), Unknown(), Unknown(), Unknown()
	}
	return spec, obs
}

// over decides every two seconds for so long, with the replicas that are wanted.
func over(t *testing.T, long time.Duration, spec Spec, st State, obs *Observation) (d Decision, _ State) {
	t.Helper()
	for end := obs.Time.Add(long); obs.Time.Before(end); {
		obs.Time = obs.Time.Add(2 * time.Second)
		var err error
		if d, st, err = Decide(spec, st, *obs); err != nil {
			t.Fatal(err)
		}
		obs.Replicas, obs.Ready = d.Replicas, d.Replicas
	}
	return d, st
}

// An engine that is not known: the count is kept for a stable window, then requests in flight decide,
// in words.
func TestDecide_onlyEngineMetricsThatWereNeverKnown(t *testing.T) {
	spec, obs := unreadable(350, Waiting, KVCache)
	d, st := over(t, 50*time.Second, spec, State{}, &obs)
	if d.Replicas != 2 || d.Reason != NoData {
		t.Errorf("within the stable window: %v", d)
	}
	if d, st = over(t, 30*time.Second, spec, st, &obs); d.Replicas != 5 || d.Wants[0].Reason != NoEngineMetrics || d.Wants[1].Reason != NeverKnown {
		t.Errorf("350 in flight at 70 each: %v", d)
	}
	for _, want := range []string{"num_requests_waiting was never known", "requests in flight", "kv_cache_usage_percent was never known"} {
		if !strings.Contains(d.String(), want) {
			t.Errorf("%q lacks %q", d, want)
		}
	}
	// The metric comes: it decides from then on.
	for i := range obs.Pods {
		obs.Pods[i].Waiting = 40
	}
	obs.Concurrency = Windowed{40, 40}
	if d, st = over(t, 2*time.Second, spec, st, &obs); !st.Targets[0].Known || d.Metric != Waiting || d.Wants[0].Reason == NoEngineMetrics {
		t.Errorf("a metric that came: %v", d)
	}
	// And once known, unknown is never "not there".
	for i := range obs.Pods {
		obs.Pods[i].Waiting = Unknown()
	}
	if d, _ = over(t, 10*time.Minute, spec, st, &obs); d.Wants[0].Reason != NoData || d.Wants[0].Replicas >= 0 {
		t.Errorf("a metric that went: %v", d)
	}
}

// In a list a metric that was never known does not keep the count from falling for ever.
func TestDecide_aListWithAMetricThatWasNeverKnown(t *testing.T) {
	spec, obs := unreadable(10, Concurrency, Waiting)
	obs.Replicas, obs.Ready = 8, 8
	d, st := over(t, 50*time.Second, spec, State{}, &obs)
	if d.Replicas != 8 {
		t.Errorf("within the stable window: %v", d)
	}
	if d, _ = over(t, 5*time.Minute, spec, st, &obs); d.Replicas != 1 || d.Wants[1].Reason != NeverKnown {
		t.Errorf("after it: %v", d)
	}
}

// Without a report of the queue-proxies either, the count stays.
func TestDecide_nothingAtAllIsKnown(t *testing.T) {
	spec, obs := unreadable(0, Running)
	obs.Concurrency = Windowed{Unknown(), Unknown()}
	obs.Replicas = 6
	if d, _ := over(t, 10*time.Minute, spec, State{}, &obs); d.Replicas != 6 || d.Reason != NoData {
		t.Errorf("%v, want 6 kept", d)
	}
}
