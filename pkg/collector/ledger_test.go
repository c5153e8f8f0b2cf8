package collector

import (
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// heldRequests is a picker that holds this number of requests.
type heldRequests float64

func (h *heldRequests) waiting(time.Time) float64 { return float64(*h) }

// The example of ADR 7: a pod whose KV cache is full at 60 requests shows a concurrency of
// 60 for ever, and with a target of 100 nothing asks for a second pod. It ends 20 requests
// a second, 25 come, and its picker holds the others: with those a second pod is asked for
// in the ninth second. From the tenth on two pods get 40 a second, 15 of them from the
// picker, until it holds none. Every request arrives once: 25 a second throughout.
func TestLedger_exampleOfADR7(t *testing.T) {
	start := time.Unix(1000, 0)
	var picker heldRequests
	l := ledger{counted: start, reached: 20}
	l.follow([]queueShare{{source: &picker, part: 1, at: start}})
	for _, tt := range []struct {
		held, atPods, reached float64 // what the picker and the pods hold, and what the pods get in a second
		concurrency, rps      float64
		replicas              int32
	}{
		{5, 60, 20, 65, 25, 1}, {10, 60, 20, 70, 25, 1}, {15, 60, 20, 75, 25, 1}, {20, 60, 20, 80, 25, 1},
		{25, 60, 20, 85, 25, 1}, {30, 60, 20, 90, 25, 1}, {35, 60, 20, 95, 25, 1}, {40, 60, 20, 100, 25, 1},
		{45, 60, 20, 105, 25, 2},
		{30, 120, 40, 150, 40, 2}, {15, 120, 40, 135, 40, 2}, // while some wait the rate is what the pods get
		{0, 120, 40, 120, 25, 2}, {0, 120, 25, 120, 25, 2},
	} {
		start = start.Add(time.Second)
		picker = heldRequests(tt.held)
		l.tick(start, longestStandIn)
		l.count(start, tt.reached)
		second := start.Unix() - 1000
		if got := l.inFlight(start) + tt.atPods; got != tt.concurrency {
			t.Errorf("second %d: concurrency %v, want %v", second, got, tt.concurrency)
		}
		if got := l.rps(tt.reached); got != tt.rps {
			t.Errorf("second %d: %v requests/s, want %v", second, got, tt.rps)
		}
		// The 20 of the second before the first one are no arrivals of these.
		if got := l.arrived + l.reached - 20; got != 25*float64(second) {
			t.Errorf("second %d: %v requests have arrived, want %v", second, got, 25*second)
		}
		if got := wanted(t, start, tt.concurrency); got != tt.replicas {
			t.Errorf("second %d: %d replicas, want %d", second, got, tt.replicas)
		}
		if got := wanted(t, start, min(tt.atPods, 60)); got != 1 {
			t.Errorf("second %d: %d replicas by the concurrency of the first pod alone, want 1", second, got)
		}
	}
}

// wanted is how many replicas a concurrency needs with a target of 100.
func wanted(t *testing.T, at time.Time, concurrency float64) int32 {
	t.Helper()
	of := decider.Windowed{Stable: decider.Reading(concurrency), Panic: decider.Reading(concurrency)}
	d, _, err := decider.Decide(decider.Spec{
		Targets:     []decider.Target{{Metric: decider.Concurrency, Value: 100}},
		MinReplicas: 1, MaxReplicas: 8, Reachable: true, StableWindow: time.Minute,
		PanicThreshold: 2, MaxScaleUpRate: 1000, MaxScaleDownRate: 2, StartupDeadline: 10 * time.Minute,
	}, decider.State{}, decider.Observation{Time: at, Concurrency: of, Replicas: 1, Ready: 1, Pods: []decider.Pod{{Name: "a"}}})
	if err != nil {
		t.Fatal(err)
	}
	return d.Replicas
}

// What clients gave up while it waited is owed for three seconds, and not subtracted from
// the requests that come after.
func TestLedger_givenUp(t *testing.T) {
	at := time.Unix(1000, 0)
	picker := heldRequests(100)
	l := ledger{counted: at, reached: 10}
	l.follow([]queueShare{{source: &picker, part: 1, last: 100, at: at}})
	picker = 0
	var rates []float64
	for range 5 {
		at = at.Add(time.Second)
		l.tick(at, longestStandIn)
		l.count(at, 10)
		rates = append(rates, l.rps(10))
	}
	for i, want := range []float64{0, 0, 0, 10, 10} {
		if rates[i] != want {
			t.Errorf("requests/s by second %v, want 0 for three seconds, then 10", rates)
			break
		}
	}
}

// Of a pool that two revisions share each counts its part, and a part that grows has not arrived.
func TestLedger_part(t *testing.T) {
	at := time.Unix(1000, 0)
	picker := heldRequests(100)
	l := ledger{counted: at}
	l.follow([]queueShare{{source: &picker, part: .25, last: 100, at: at}})
	picker = 140
	l.tick(at.Add(time.Second), longestStandIn)
	l.follow([]queueShare{{source: &picker, part: .5}})
	l.tick(at.Add(2*time.Second), longestStandIn)
	if l.arrived != 10 || l.queued() != 70 {
		t.Errorf("%v have arrived and %v wait, want a quarter of 40 and half of 140", l.arrived, l.queued())
	}
}
