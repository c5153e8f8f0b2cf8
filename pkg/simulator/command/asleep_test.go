package command

import (
	"slices"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

func TestWithGap(t *testing.T) {
	const m = time.Minute
	schedule := []simulator.Change{{At: 0, Replicas: 2}, {At: 10 * m, Replicas: 1}, {At: 20 * m, Replicas: 3}}
	for _, row := range []struct {
		name string
		g    gap
		want []simulator.Change
	}{
		{"within a step", gap{12 * m, 15 * m}, []simulator.Change{{At: 0, Replicas: 2}, {At: 10 * m, Replicas: 1}, {At: 12 * m}, {At: 15 * m, Replicas: 1}, {At: 20 * m, Replicas: 3}}},
		{"over a change", gap{5 * m, 15 * m}, []simulator.Change{{At: 0, Replicas: 2}, {At: 5 * m}, {At: 15 * m, Replicas: 1}, {At: 20 * m, Replicas: 3}}},
		{"to a change", gap{15 * m, 20 * m}, []simulator.Change{{At: 0, Replicas: 2}, {At: 10 * m, Replicas: 1}, {At: 15 * m}, {At: 20 * m, Replicas: 3}}},
		{"from the beginning", gap{0, 5 * m}, []simulator.Change{{At: 0}, {At: 5 * m, Replicas: 2}, {At: 10 * m, Replicas: 1}, {At: 20 * m, Replicas: 3}}},
		{"for ever", gap{5 * m, never}, []simulator.Change{{At: 0, Replicas: 2}, {At: 5 * m}}},
	} {
		if got := withGap(schedule, row.g); !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

// TestAsleep: with perfect foresight a fleet is at zero in idle times and serves all the same.
func TestAsleep(t *testing.T) {
	runs := figures(t, "--synthetic", "model12", "--min", "0", "--length", "24h", "--policy", "oracle,static,ipa,hpa:metric=concurrency")
	of := func(run int, key string) float64 { return runs[run][key].(float64) }
	const oracle, static, ipa, hpa, hours = 0, 1, 2, 3, "gpu_hours"
	if of(oracle, "slo") < 0.99 || of(oracle, hours) > of(static, hours)/4 || of(oracle, hours) < of(oracle, "oracle_gpu_hours") {
		t.Errorf("oracle %v; static costs %v", runs[oracle], of(static, hours))
	}
	if of(ipa, hours) > of(static, hours)/2 || of(ipa, hours) < of(oracle, hours) || of(ipa, "refused")+of(ipa, "lost")+of(ipa, "unfinished") > 0 {
		t.Errorf("ipa %v; want it between foresight and one replica, with nothing lost", runs[ipa])
	}
	if of(hpa, hours) != of(static, hours) {
		t.Errorf("hpa costs %v, want the one replica that it cannot go below: %v", of(hpa, hours), of(static, hours))
	}
}
