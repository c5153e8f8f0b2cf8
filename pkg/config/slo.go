package config

import (
	"fmt"
	"strconv"
	"time"

	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// A latency objective lies in [shortestSLO, longestSLO]: below a millisecond no
// engine answers, above an hour nobody waits.
const (
	shortestSLO = time.Millisecond
	longestSLO  = time.Hour
)

// objective reads what the metric slo is to hold. Its annotations are refused
// where the metric is not among the revision's: there they would do nothing.
func (r Resolver) objective(pa *v1alpha1.PodAutoscaler, targets []target) (decider.Objective, error) {
	if !names(targets, decider.SLO) {
		for _, key := range sloKeys() {
			if v, ok := pa.Annotations[key]; ok {
				return decider.Objective{}, fmt.Errorf("%s: %q is for the metric %s; add it to %s, or remove this annotation", key, v, decider.SLO, knautoscaling.MetricAnnotationKey)
			}
		}
		return decider.Objective{}, nil
	}
	o := decider.Objective{TTFT: r.Own.SLOTTFT, ITL: r.Own.SLOITL, Goal: r.Own.SLOGoal, LeadTime: r.Own.LeadTime}
	o.Pageless = r.knativeTarget(pa, target{Metric: decider.Concurrency})
	o.LetIn(int(pa.Spec.ContainerConcurrency))
	if err := readLatency(pa, autoscaling.SLOTTFTKey, &o.TTFT); err != nil {
		return o, err
	}
	if err := readLatency(pa, autoscaling.SLOITLKey, &o.ITL); err != nil {
		return o, err
	}
	v, ok := pa.Annotations[autoscaling.SLOGoalKey]
	if !ok {
		return o, nil
	}
	goal, err := strconv.ParseFloat(v, 64)
	if err != nil || !(goal >= lowestGoal && goal <= highestGoal) {
		return o, fmt.Errorf("%s: %q must be a share of the requests in [%v, %v], such as \"0.99\"", autoscaling.SLOGoalKey, v, lowestGoal, highestGoal)
	}
	o.Goal = goal
	return o, nil
}

// A goal lies in [lowestGoal, highestGoal]; all requests cannot be promised.
const (
	lowestGoal  = 0.5
	highestGoal = 0.9999
)

func sloKeys() []string {
	return []string{autoscaling.SLOTTFTKey, autoscaling.SLOITLKey, autoscaling.SLOGoalKey}
}

func readLatency(pa *v1alpha1.PodAutoscaler, key string, to *time.Duration) error {
	v, ok := pa.Annotations[key]
	if !ok {
		return nil
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < shortestSLO || d > longestSLO {
		return fmt.Errorf("%s: %q must be a duration in [%v, %v], such as \"2s\" or \"100ms\"", key, v, shortestSLO, longestSLO)
	}
	*to = d
	return nil
}

// defaultMetric is what a revision scales on that names no metric: the
// latencies of slo. One that sets a target, or shapes a window that only
// Knative's own metrics have, means concurrency, as with Knative's own class.
func defaultMetric(pa *v1alpha1.PodAutoscaler) decider.Metric {
	for _, keys := range append(demandOnly(), knautoscaling.TargetAnnotation) {
		if _, _, ok := keys.Get(pa.Annotations); ok {
			return decider.Concurrency
		}
	}
	return decider.SLO
}
