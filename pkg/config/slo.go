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
		return decider.Objective{FallbackConcurrency: r.fallbackConcurrency(pa)}, nil
	}
	o := decider.Objective{TTFT: r.Own.SLOTTFT, ITL: r.Own.SLOITL, Goal: r.Own.SLOGoal, StartupTime: r.Own.LeadTime}
	o.FallbackConcurrency = r.fallbackConcurrency(pa)
	o.LimitConcurrency(int(pa.Spec.ContainerConcurrency))
	for _, l := range []struct {
		key string
		to  *time.Duration
		in  latency
	}{
		{autoscaling.SLOTTFTKey, &o.TTFT, latency{shortestSLO, longestSLO}},
		{autoscaling.SLOTTFTPerTokenKey, &o.TTFTPerToken, latency{0, time.Second}},
		{autoscaling.SLOITLKey, &o.ITL, latency{shortestSLO, longestSLO}},
	} {
		if err := l.in.read(pa, l.key, l.to); err != nil {
			return o, err
		}
	}
	if err := readNumber(pa, autoscaling.SLOGoalKey, &o.Goal, bounds{lowestGoal, highestGoal, "a share of the requests", "0.99"}); err != nil {
		return o, err
	}
	return o, readNumber(pa, autoscaling.SLOMarginKey, &o.Margin, bounds{decider.MinMargin, decider.MaxMargin, "a multiple of the demand", "1.5"})
}

// fallbackConcurrency is the requests in flight for each replica while no engine was ever
// read: Knative's own target without the annotation target, which is of another metric.
func (r Resolver) fallbackConcurrency(pa *v1alpha1.PodAutoscaler) float64 {
	plain := pa.DeepCopy()
	for _, key := range knautoscaling.TargetAnnotation {
		delete(plain.Annotations, key)
	}
	return r.knativeTarget(plain, target{Metric: decider.Concurrency})
}

// A goal lies in [lowestGoal, highestGoal]; all requests cannot be promised.
const (
	lowestGoal  = 0.5
	highestGoal = 0.9999
)

func sloKeys() []string {
	return []string{autoscaling.SLOTTFTKey, autoscaling.SLOTTFTPerTokenKey, autoscaling.SLOITLKey, autoscaling.SLOGoalKey, autoscaling.SLOMarginKey}
}

// bounds are those of a number, with what it is and an example.
type bounds struct {
	least, most   float64
	what, example string
}

func readNumber(pa *v1alpha1.PodAutoscaler, key string, to *float64, b bounds) error {
	v, ok := pa.Annotations[key]
	if !ok {
		return nil
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || !(n >= b.least && n <= b.most) {
		return fmt.Errorf("%s: %q must be %s in [%v, %v], such as %q", key, v, b.what, b.least, b.most, b.example)
	}
	*to = n
	return nil
}

// latency is the range of a duration.
type latency struct{ shortest, longest time.Duration }

func (l latency) read(pa *v1alpha1.PodAutoscaler, key string, to *time.Duration) error {
	v, ok := pa.Annotations[key]
	if !ok {
		return nil
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < l.shortest || d > l.longest {
		return fmt.Errorf("%s: %q must be a duration in [%v, %v], such as \"2s\" or \"100ms\"", key, v, l.shortest, l.longest)
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
