package policy

import (
	"slices"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// engineMetrics are measured pod by pod.
func engineMetrics() []string { return named(decider.Level, decider.Backlog) }

// allMetrics are engineMetrics and those of the queue-proxies; of the latter only the sum is known.
func allMetrics() []string { return append(engineMetrics(), named(decider.Demand)...) }

func named(kinds ...decider.Kind) (names []string) {
	for _, d := range decider.Metrics() {
		if slices.Contains(kinds, d.Kind) {
			names = append(names, string(d.Metric))
		}
	}
	return names
}

// podValue is a pod's value of an engine metric; unknown where it cannot be.
func podValue(p decider.Pod, metric string) decider.Reading {
	d, _ := decider.Metric(metric).Describe()
	value := d.OfPod(p.Last())
	if !value.Known() || value < 0 || value > decider.MaxTarget {
		return decider.Unknown()
	}
	return value
}

// podValues are the known values of the Ready pods.
func podValues(obs decider.Observation, metric string) []float64 {
	var known []float64
	for _, p := range obs.Pods {
		if v := podValue(p, metric); p.Phase == decider.Ready && v.Known() {
			known = append(known, float64(v))
		}
	}
	return known
}

// demandSum is concurrency or rps over the stable window, and whether metric is one of them.
func demandSum(obs decider.Observation, metric string) (sum decider.Reading, ok bool) {
	d, _ := decider.Metric(metric).Describe()
	if d.Kind != decider.Demand {
		return decider.Unknown(), false
	}
	return d.Load(obs).Stable, true
}

// mean is the average, 0 of nothing.
func mean(values []float64) float64 {
	sum := 0.
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(len(values), 1))
}
