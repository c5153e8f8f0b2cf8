package collector

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// engineMetric is where a metric that each pod's engine reports comes from. A value is NaN where it is
// not known.
type engineMetric struct {
	// onPage is what the last page had of it.
	onPage func(*engineSample) float64
	// value is the pod's, and the window that it covers; 0 is an instant.
	value func(*pod) (v float64, window time.Duration)
}

// engineMetrics are those metrics but the latencies, which are latencyMetrics. Shared, never changed.
var engineMetrics = map[decider.Metric]engineMetric{
	decider.Running: gauge(func(e *engineSample) float64 { return e.running }),
	decider.Waiting: gauge(func(e *engineSample) float64 { return e.waiting }),
	decider.KVCache: gauge(func(e *engineSample) float64 { return 100 * e.kvUsage }),
	decider.PromptTokens: {
		func(e *engineSample) float64 { return e.promptTokens },
		func(p *pod) (float64, time.Duration) {
			prompt, _, window := p.rates.perSecond()
			return prompt, window
		},
	},
	decider.GenerationTokens: {
		func(e *engineSample) float64 { return e.generationTokens },
		func(p *pod) (float64, time.Duration) {
			_, generation, window := p.rates.perSecond()
			return generation, window
		},
	},
}

// gauge is a metric that the last page has as it is.
func gauge(onPage func(*engineSample) float64) engineMetric {
	return engineMetric{onPage, func(p *pod) (float64, time.Duration) { return onPage(&p.engine), 0 }}
}
