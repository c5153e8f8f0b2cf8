package policy

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/zap"

	"knative.dev/serving/pkg/autoscaler/scaling"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

func concurrency(at time.Duration, ready int32, stable, panicking float64) decider.Observation {
	obs := observe(at, "none", make([]float64, ready)...)
	obs.Concurrency = decider.Windowed{Stable: decider.Reading(stable), Panic: decider.Reading(panicking)}
	return obs
}

// TestKPA_answers has rows of Knative's formula: ceil(load / (target * 70 %)).
func TestKPA_answers(t *testing.T) {
	for _, row := range []struct {
		spec          string
		ready         int32
		stable, panic float64
		want          int32
	}{
		{"kpa", 1, 100, 100, 2},                                // 100/70
		{"kpa:target=20", 1, 27, 27, 2},                        // 27/14
		{"kpa:target=20,utilization=100", 1, 27, 55, 3},        // panic: 55/20 of 1 pod
		{"kpa:target=10,max-scale-up-rate=2", 1, 500, 500, 2},  // rate
		{"kpa:target=10,activation-scale=4", 1, 1, 1, 4},       // activation
		{"kpa:target=10", 8, 0, 0, 8},                          // begins in panic
		{"kpa:target=10,panic-threshold=1000", 2, 80, 130, 19}, // initial panic holds, panic asks 130/7
		{"kpa:target=10,panic-threshold=1000,scale-down-delay=60s", 1, 5, 5, 1},
	} {
		if got := want(t, newPolicy(t, row.spec), concurrency(0, row.ready, row.stable, row.panic)); got != row.want {
			t.Errorf("%s, %d pods, load %v and %v: %d, want %d", row.spec, row.ready, row.stable, row.panic, got, row.want)
		}
	}
}

// TestKPA_windowOfItsOwn averages over a window that is not the run's.
func TestKPA_windowOfItsOwn(t *testing.T) {
	p := newPolicy(t, "kpa:target=10,utilization=100,window=4s,panic-threshold=1000")
	for i, step := range []struct {
		panic float64
		want  int32
	}{{8, 1}, {30, 2}, {30, 3}} { // means of 4 s: 8, 19, 30
		if got := want(t, p, concurrency(time.Duration(i)*decider.Tick, 1, 1e6, step.panic)); got != step.want {
			t.Errorf("tick %d: %d, want %d", i, got, step.want)
		}
	}
}

// TestKPA_isKnatives holds the policy, which begins without a clock, against
// Knative's autoscaler as Knative makes it, on a clock that both share.
func TestKPA_isKnatives(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			s := kpaSettings{
				metric: "concurrency", target: 5 + r.Float64()*20, utilization: 70, window: time.Minute,
				panicThreshold: 110 + r.Float64()*400, upRate: 1.5 + r.Float64()*10, downRate: 2, activationScale: 1 + r.Int32N(4),
				scaleDownDelay: time.Duration(r.IntN(2)) * 30 * time.Second,
			}
			obs := concurrency(0, r.Int32N(6), 0, 0)
			demand := &kpaDemand{ready: obs.Ready}
			theirs := scaling.New(*attribute.EmptySet(), noop.NewMeterProvider(), "ns", "rev", demand, demand, s.spec())
			ours := &kpa{spec: s.spec(), demand: &kpaDemand{}, logger: zap.NewNop().Sugar()}
			for tick := range 300 {
				load := r.Float64() * 200
				obs = concurrency(0, obs.Ready, load*(0.5+r.Float64()), load)
				obs.Time = time.Now()
				demand.observe(s.metric, obs)
				theirWant := theirs.Scale(zap.NewNop().Sugar(), obs.Time).DesiredPodCount
				if got := want(t, ours, obs); got != theirWant {
					t.Fatalf("seed %d, tick %d: %d, Knative says %d", seed, tick, got, theirWant)
				}
				obs.Ready = max(0, obs.Ready+r.Int32N(5)-2)
				time.Sleep(decider.Tick)
			}
		})
	}
}
