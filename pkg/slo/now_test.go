package slo

import "testing"

// Requests that wait for something else than capacity are in flight for queue-proxies, and need no place.
func TestInFlightReplicas_deferred(t *testing.T) {
	plan := Parts{ConcurrencyTarget: 4, TargetLoad: 0.8}
	for _, tt := range []struct {
		name string
		pod  Pod
		want float64
	}{
		{"24 in flight, 4 of them run and 20 are deferred", Pod{Running: 4, Deferred: 20}, 1},
		{"20 of them wait for capacity", Pod{Running: 4, Waiting: 20}, 4 / (4 * 0.8)},
		{"nobody knows where 20 of them are", Pod{Running: 4}, 6},
		{"more deferred than in flight", Pod{Running: 0, Deferred: 30}, 0},
		{"no reasons", Pod{Running: 4, Deferred: Unknown()}, 6},
	} {
		if got := inFlightReplicas(plan, Input{Ready: 1, InFlight: 24, Pods: []Pod{tt.pod}}); got != tt.want {
			t.Errorf("%s: %v replicas, want %v", tt.name, got, tt.want)
		}
	}
}
