package decider

import (
	"math"
	"math/rand/v2"
	"testing"
)

// hpaReplicas is HPA's replica calculator written out pod by pod, for a
// revision whose replicas are exactly its pods: known values, and missing pods
// filled with the target on the way down and with nothing on the way up.
// Source: calcPlainMetricReplicas of k8s.io/kubernetes/pkg/controller/podautoscaler.
func hpaReplicas(known []float64, missing int, target, tolerance float64) int32 {
	current := int32(len(known) + missing)
	ratio := mean(known) / target
	if missing == 0 {
		if math.Abs(1-ratio) <= tolerance {
			return current
		}
		return int32(math.Ceil(ratio * float64(len(known))))
	}
	values := known
	for range missing {
		switch {
		case ratio < 1:
			values = append(values, target)
		case ratio > 1:
			values = append(values, 0)
		}
	}
	filled := mean(values) / target
	if math.Abs(1-filled) <= tolerance || ratio < 1 && filled > 1 || ratio > 1 && filled < 1 {
		return current
	}
	n := int32(math.Ceil(filled * float64(len(values))))
	if filled < 1 && n > current || filled > 1 && n < current {
		return current
	}
	return n
}

func mean(values []float64) float64 {
	sum := 0.
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// TestCount_answersAsHPA leaves out the edges that epsilon decides: values are
// eighths and targets multiples of the root of 2, so no quotient is whole.
func TestCount_answersAsHPA(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 13))
	for range 200_000 {
		target := float64(1+r.IntN(30)) * math.Sqrt2 / 2
		missing := r.IntN(4)
		var known []float64
		var obs Observation
		for range 1 + r.IntN(6) {
			v := float64(1+2*r.IntN(1+int(8*target))) / 8
			known = append(known, v)
			obs.Pods = append(obs.Pods, Pod{GenerationTokens: Reading(v)})
		}
		for range missing {
			obs.Pods = append(obs.Pods, Pod{GenerationTokens: Unknown()})
		}
		obs.Replicas, obs.Ready = int32(len(obs.Pods)), int32(len(obs.Pods))
		spec := Spec{Tolerance: 0.1}
		d, _ := GenerationTokens.Describe()
		got := survey(spec, &d, obs, lastSample).count(spec, Target{GenerationTokens, target}, obs)
		if want := hpaReplicas(known, missing, target, 0.1); got != want {
			t.Fatalf("%v and %d missing of %v: %d, want %d as HPA", known, missing, target, got, want)
		}
	}
}
