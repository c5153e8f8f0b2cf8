package decider

import "strings"

// Metric names a signal that a revision can be scaled on, as users write it in
// the annotation autoscaling.knative.dev/metric.
type Metric string

// The metrics; Metrics describes them.
const (
	Concurrency      Metric = "concurrency"
	RPS              Metric = "rps"
	Running          Metric = "num_requests_running"
	Waiting          Metric = "num_requests_waiting"
	KVCache          Metric = "kv_cache_usage_percent"
	PromptTokens     Metric = "prompt_tokens_per_second"
	GenerationTokens Metric = "generation_tokens_per_second"
	TTFTP95          Metric = "ttft_p95_ms"
	ITLP95           Metric = "itl_p95_ms"
	SLO              Metric = "slo"
)

// Description is what all parts of the program know of one metric.
type Description struct {
	Metric Metric
	// API is the name by which the custom metrics API serves the metric; empty is none.
	API  string
	Kind Kind
	Over Aggregation
	// Unit is that of a value, in the plural.
	Unit string
	// TargetMeans is what a target is, in Markdown.
	TargetMeans string
	Target      TargetRule

	ofPod   func(PreviousSample) Reading // of Level and Backlog
	believe func(Reading) Reading        // unknown for what no pod can have
	// Load is the signal of a Demand metric; nil for others.
	Load func(Observation) Windowed

	latency func(Observation) Latency // of Percentile
}

// Kind is how a metric becomes a number of replicas.
type Kind int

// The kinds of metrics.
const (
	// Demand is measured at the queue-proxies, and scaled on as Knative does.
	Demand Kind = iota + 1
	// Level is reported by each pod's engine, and scaled on as HPA does.
	Level
	// Backlog is reported by each pod's engine, and worked off (backlog.go).
	Backlog
	// Percentile is made of all pods' histograms (latency.go).
	Percentile
	// Planned is learned from counters and arrivals (pkg/slo).
	Planned
)

// Aggregation is how the values of pods become one of a revision.
type Aggregation int

// The aggregations.
const (
	// Sum adds values up; the target is per replica.
	Sum Aggregation = iota + 1
	// Mean is over the pods that serve and are known; the target is what the mean may be.
	Mean
	// Merged adds histograms up and takes the percentile; of several revisions the worst counts.
	Merged
	// None is for a metric that has no value of its own.
	None
)

// TargetRule is what a target may be, and what holds without one.
type TargetRule struct {
	Default TargetDefault
	// Value is the default of config-ipa; 0 where config-ipa has none.
	Value float64
	// Doc says what Knative's default is.
	Doc string
	// Min and Max are the range; 0 where Knative's own limits hold.
	Min, Max float64
	// Unit is that of the range. SmallerIs says what a target below Min most likely is.
	Unit, SmallerIs string
}

// MaxTarget is the largest target per replica that users may write; no engine serves more of anything.
const MaxTarget = 1e9

// TargetDefault is where the target of a metric comes from that is given none.
type TargetDefault int

// The origins of default targets.
const (
	// Required targets depend on model and GPU: there is no default.
	Required TargetDefault = iota + 1
	// FromKnative is config-autoscaler's, times the target utilization.
	FromKnative
	// FromConfig is that of config-ipa, with the key ConfigKey.
	FromConfig
	// FromTTFT and FromITL are the latencies of slo in config-ipa.
	FromTTFT
	FromITL
	// NoTarget is for a metric that takes none.
	NoTarget
)

// The largest latency target, an hour in milliseconds as for slo-ttft, and what a small
// one most likely is.
const (
	maxLatencyTarget = 3600e3
	latencyInSeconds = "seconds; half a second is 500"
)

// Metrics describes all metrics, in the order of the documents.
func Metrics() []Description {
	names := [...]Metric{Concurrency, RPS, Running, Waiting, KVCache, PromptTokens, GenerationTokens, TTFTP95, ITLP95, SLO}
	all := make([]Description, len(names))
	for i, m := range names {
		all[i], _ = m.Describe()
	}
	return all
}

// requests is the unit of metrics that count requests in the engines.
const requests = "requests"

// Describe is the description of a metric; known is false for any other word. It is cheap
// enough to be called for each value of each pod.
func (m Metric) Describe() (d Description, known bool) {
	switch m {
	case Concurrency:
		d = Description{API: "concurrency", Kind: Demand, Over: Sum, Unit: "requests in flight", Target: TargetRule{Default: FromKnative, Doc: "containerConcurrency or 100, at 70 %"},
			TargetMeans: "requests in flight per replica, times the target utilization",
			Load:        func(o Observation) Windowed { return o.Concurrency }}
	case RPS:
		d = Description{API: "requests_per_second", Kind: Demand, Over: Sum, Unit: "requests per second", Target: TargetRule{Default: FromKnative, Doc: "200, at 70 %"},
			TargetMeans: "requests per second per replica, times the target utilization",
			Load:        func(o Observation) Windowed { return o.RPS }}
	case Running:
		d = Description{API: string(Running), Kind: Level, Over: Sum, Unit: requests, Target: TargetRule{Default: Required},
			TargetMeans: "requests in the engine's batch per replica",
			ofPod:       func(s PreviousSample) Reading { return s.Running }, believe: believableRequests}
	case Waiting:
		d = Description{API: string(Waiting), Kind: Backlog, Over: Sum, Unit: requests,
			Target:      TargetRule{Default: FromConfig, Value: 5},
			TargetMeans: "requests in the engine's own queue per replica",
			ofPod:       PreviousSample.queue, believe: believableRequests}
	case KVCache:
		d = Description{API: string(KVCache), Kind: Level, Over: Mean, Unit: "percent, 0 to 100",
			Target:      TargetRule{Default: FromConfig, Value: 70, Min: 2, Max: 100, Unit: "percent", SmallerIs: "a share of 1, as vLLM's own gauge reports; 70 % is 70"},
			TargetMeans: "percent of the KV cache in use, 0 to 100; of a pod with several data-parallel ranks what its requests meet (ranks at 95 and 5 % are 90.5 %)",
			ofPod:       func(s PreviousSample) Reading { return s.KVCache }, believe: believablePercent}
	case PromptTokens:
		d = Description{API: string(PromptTokens), Kind: Level, Over: Sum, Unit: "tokens per second", Target: TargetRule{Default: Required},
			TargetMeans: "prompt tokens per second per replica",
			ofPod:       func(s PreviousSample) Reading { return s.PromptTokens }, believe: believableRate}
	case GenerationTokens:
		d = Description{API: string(GenerationTokens), Kind: Level, Over: Sum, Unit: "tokens per second",
			Target:      TargetRule{Default: Required},
			TargetMeans: "generated tokens per second per replica",
			ofPod:       func(s PreviousSample) Reading { return s.GenerationTokens }, believe: believableRate}
	case TTFTP95:
		d = Description{API: string(TTFTP95), Kind: Percentile, Over: Merged, Unit: "milliseconds",
			Target:      TargetRule{Default: FromTTFT, Min: 1, Max: maxLatencyTarget, Unit: "milliseconds", SmallerIs: latencyInSeconds},
			TargetMeans: "milliseconds to the first token that 95 % of the requests stay below",
			latency:     func(o Observation) Latency { return o.TTFT }}
	case ITLP95:
		d = Description{API: string(ITLP95), Kind: Percentile, Over: Merged, Unit: "milliseconds",
			Target:      TargetRule{Default: FromITL, Min: 1, Max: maxLatencyTarget, Unit: "milliseconds", SmallerIs: latencyInSeconds},
			TargetMeans: "milliseconds between two tokens that 95 % of the gaps stay below",
			latency:     func(o Observation) Latency { return o.ITL }}
	case SLO:
		d = Description{Kind: Planned, Over: None, Target: TargetRule{Default: NoTarget},
			TargetMeans: "takes no target: `slo-ttft`, `slo-itl` and `slo-goal` below"}
	default:
		return Description{}, false
	}
	d.Metric = m
	return d, true
}

// OfPod is the value of an engine metric in one sample of a pod; unknown for a metric
// that is none of the engine's.
func (d *Description) OfPod(s PreviousSample) Reading {
	if d.ofPod == nil {
		return Unknown()
	}
	return d.ofPod(s)
}

// plausible is OfPod, unknown if the value is not believable.
func (d *Description) plausible(s PreviousSample) Reading {
	if d.believe == nil {
		return Unknown()
	}
	return d.believe(d.OfPod(s))
}

// ConfigKey is the key of config-ipa with the metric's default target.
func (d Description) ConfigKey() string {
	return strings.ReplaceAll(string(d.Metric), "_", "-") + "-target-default"
}

// kind is the kind of a metric, 0 for an unknown one.
func (m Metric) kind() Kind {
	d, _ := m.Describe()
	return d.Kind
}

// demand reports whether the metric is Knative's, measured at the queue-proxy.
func (m Metric) demand() bool { return m.kind() == Demand }

// ofEngine reports whether the metric is only known where an engine reports it.
func (m Metric) ofEngine() bool {
	switch m.kind() {
	case Level, Backlog, Percentile:
		return true
	default:
		return false
	}
}
