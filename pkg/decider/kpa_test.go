package decider

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/types"

	"knative.dev/serving/pkg/autoscaler/metrics"
	"knative.dev/serving/pkg/autoscaler/scaling"
)

// fakeDemand is what Knative's autoscaler reads: load and Ready pods.
type fakeDemand struct {
	load  Windowed
	ready int32
}

func (f *fakeDemand) StableAndPanicConcurrency(types.NamespacedName, time.Time) (float64, float64, error) {
	if !f.load.Stable.Known() {
		return 0, 0, metrics.ErrNoData
	}
	return float64(f.load.Stable), float64(f.load.Panic), nil
}

func (f *fakeDemand) StableAndPanicRPS(k types.NamespacedName, now time.Time) (float64, float64, error) {
	return f.StableAndPanicConcurrency(k, now)
}

func (f *fakeDemand) ReadyCount() (int, error)    { return int(f.ready), nil }
func (f *fakeDemand) NotReadyCount() (int, error) { return 0, nil }

// TestDemand_answersAsKPA walks Decide and Knative's own autoscaler through the
// same random hours, with the spec edited on the way. Reachable revisions are
// compared by their count, with Knative's applyBounds after Knative's answer;
// unreachable ones by the want, because giving the pods back is our own rule.
func TestDemand_answersAsKPA(t *testing.T) {
	walks, steps := uint64(200), 2500
	if testing.Short() {
		walks, steps = 30, 1000
	}
	for seed := range walks {
		// The bubble's clock is the one that Knative's constructor reads.
		synctest.Test(t, func(t *testing.T) { kpaWalk(t, seed, steps) })
	}
}

func kpaWalk(t *testing.T, seed uint64, steps int) {
	r := rand.New(rand.NewPCG(seed, 7))
	metric := []Metric{Concurrency, RPS}[r.IntN(2)]
	demand := &fakeDemand{ready: r.Int32N(6)}
	spec, early := randomDemandSpec(r, metric), r.IntN(2) == 0
	if r.IntN(2) == 0 {
		// Knative makes its delay window once and ignores later changes, so
		// the delay stays what it was over the walk.
		spec.ScaleDownDelay = time.Duration(1+r.IntN(120)) * time.Second
	}
	kpa := scaling.New(*attribute.EmptySet(), noop.NewMeterProvider(), "ns", "rev", demand, demand, kpaSpec(spec))
	logger := zap.NewNop().Sugar()
	var state State
	replicas, load := demand.ready, 0.
	for step := range steps {
		now := time.Now()
		if r.IntN(200) == 0 {
			delay := spec.ScaleDownDelay
			spec = randomDemandSpec(r, metric)
			spec.ScaleDownDelay = delay
			kpa.Update(kpaSpec(spec))
		}
		load = nextLoad(r, load)
		demand.load = randomWindows(r, load)
		obs := Observation{
			Time: now, Replicas: replicas, Ready: demand.ready, InFlight: Unknown(),
			Concurrency: Windowed{Unknown(), Unknown()}, RPS: Windowed{Unknown(), Unknown()},
		}
		if metric == RPS {
			obs.RPS = demand.load
		} else {
			obs.Concurrency = demand.load
		}
		// The engines' count must change nothing while early panic is off, nor
		// its absence while it is on.
		if spec.EarlyPanic = early; !early {
			obs.InFlight = Reading(r.IntN(1000))
		}

		theirs := kpa.Scale(logger, now)
		ours, next, err := Decide(spec, state, obs)
		if err != nil {
			t.Fatalf("seed %d step %d: %v", seed, step, err)
		}
		state = next
		if theirs.ScaleValid && float64(theirs.ExcessBurstCapacity) != float64(ours.ExcessBurst) {
			t.Fatalf("seed %d step %d: excess burst capacity %v, want %d as KPA", seed, step, ours.ExcessBurst, theirs.ExcessBurstCapacity)
		}
		want, got := theirs.DesiredPodCount, ours.Wants[0].Replicas
		switch {
		case !theirs.ScaleValid:
			want = -1
		case spec.Reachable:
			want, got = applyBounds(spec.MinReplicas, spec.MaxReplicas, want), ours.Replicas
		}
		if lost := slices.IndexFunc(ours.Trace, func(s Step) bool { return s.Rule == "lost pod" }); lost >= 0 {
			want, got = theirs.DesiredPodCount, ours.Trace[lost].Before // Knative lowers the count all the same
		}
		if got != want {
			t.Fatalf("seed %d step %d: got %d, want %d as KPA\nspec %+v\nobs %+v\n%v", seed, step, got, want, spec, obs, ours)
		}
		replicas = ours.Replicas
		demand.ready = nextReady(r, demand.ready, replicas)
		time.Sleep(randomTick(r))
	}
}

// applyBounds is what Knative's KPA reconciler does with the desired scale.
func applyBounds(least, most, n int32) int32 {
	if n < least {
		return least
	}
	if most != 0 && n > most {
		return most
	}
	return n
}

func randomDemandSpec(r *rand.Rand, m Metric) Spec {
	return Spec{
		Targets:          []Target{{m, math.Round(1+r.Float64()*999) / 10}},
		MinReplicas:      r.Int32N(3),
		MaxReplicas:      []int32{0, 3 + r.Int32N(50)}[r.IntN(2)],
		ActivationScale:  []int32{0, 0, 1 + r.Int32N(5)}[r.IntN(3)],
		Reachable:        r.IntN(4) > 0,
		StableWindow:     time.Duration(6+r.IntN(90)) * time.Second,
		PanicThreshold:   1.1 + r.Float64()*3,
		MaxScaleUpRate:   []float64{1.01, 1.5, 2, 10, 1000}[r.IntN(5)],
		MaxScaleDownRate: []float64{1.01, 1.5, 2, 10}[r.IntN(4)],
		TargetBurst:      []float64{-1, 0, 1 + r.Float64()*300}[r.IntN(3)],
		ReplicaCapacity:  1 + r.Float64()*100,
	}
}

func kpaSpec(s Spec) *scaling.DeciderSpec {
	return &scaling.DeciderSpec{
		ScalingMetric: string(s.Targets[0].Metric),
		TargetValue:   s.Targets[0].Value,
		TotalValue:    s.ReplicaCapacity,

		TargetBurstCapacity: s.TargetBurst,
		MaxScaleUpRate:      s.MaxScaleUpRate,
		MaxScaleDownRate:    s.MaxScaleDownRate,
		PanicThreshold:      s.PanicThreshold,
		StableWindow:        s.StableWindow,
		ScaleDownDelay:      s.ScaleDownDelay,
		Reachable:           s.Reachable,
		ActivationScale:     s.ActivationScale,
	}
}

// nextLoad drifts, bursts and falls silent.
func nextLoad(r *rand.Rand, load float64) float64 {
	switch r.IntN(60) {
	case 0:
		return 0
	case 1:
		return r.Float64() * 2000
	}
	return max(0, load+(r.Float64()-0.5)*load*0.2+r.Float64()-0.5)
}

func randomWindows(r *rand.Rand, load float64) Windowed {
	if r.IntN(40) == 0 {
		return Windowed{Unknown(), Unknown()}
	}
	w := Windowed{Reading(load * (0.5 + r.Float64())), Reading(load * (0.5 + r.Float64()*1.5))}
	if r.IntN(3) == 0 { // whole multiples sit on the edge of ceil
		w = Windowed{Reading(math.Round(float64(w.Stable))), Reading(math.Round(float64(w.Panic)))}
	}
	return w
}

// nextReady follows the replicas, some at a time, and sometimes loses pods.
func nextReady(r *rand.Rand, ready, replicas int32) int32 {
	switch {
	case r.IntN(50) == 0:
		return r.Int32N(ready + 1)
	case ready < replicas:
		return ready + r.Int32N(min(replicas-ready, 100)+1)
	case r.IntN(3) == 0:
		return replicas
	}
	return ready
}

func randomTick(r *rand.Rand) time.Duration {
	switch r.IntN(30) {
	case 0:
		return time.Duration(r.IntN(90)) * time.Second
	case 1, 2, 3:
		return time.Duration(r.IntN(1000)) * time.Millisecond
	}
	return 2 * time.Second
}
