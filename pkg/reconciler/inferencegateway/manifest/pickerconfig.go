package manifest

import (
	"slices"
	"strconv"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
)

const (
	// staleAfter is well above the scrape interval: a picker takes stale for saturated.
	staleAfter = "2s"
	// queueBytes bounds the memory of waiting requests.
	queueBytes = "512Mi"
	// shedAfter is how many requests of a negative priority may wait that are shed. 0 would be without limit.
	shedAfter = "1"
)

// pickerConfig is the EndpointPickerConfig. Unknown fields are fatal to a
// picker, so each flavor gets only what its version reads.
func (b *builder) pickerConfig(r Revision) string {
	engine := engineOf(b.leader(), r)
	llmd := b.leader().Picker.Flavor == binding.FlavorLLMD
	config := fields{
		"apiVersion":         "inference.networking.x-k8s.io/v1alpha1",
		"kind":               "EndpointPickerConfig",
		"plugins":            b.plugins(engine, r),
		"schedulingProfiles": list{fields{"name": "default", "plugins": profile(engine)}},
		"dataLayer": fields{"sources": list{fields{"pluginRef": "metrics-data-source",
			"extractors": list{fields{"pluginRef": "core-metrics-extractor"}}}}},
	}
	detector := fields{"pluginRef": "utilization-detector"}
	flow := b.flowControl()
	if llmd {
		config["apiVersion"] = "llm-d.ai/v1alpha1"
		flow["saturationDetector"] = detector
	} else {
		config["saturationDetector"] = detector
	}
	if speaksKServe(engine) {
		// Triton's own protocol is not JSON of OpenAI's form.
		config["parser"] = fields{"pluginRef": "passthrough-parser"}
	}
	if b.leader().Flow.Enabled {
		config["featureGates"] = list{"flowControl"}
		config["flowControl"] = flow
	}
	text, err := yaml.Marshal(config)
	if err != nil {
		panic(err) // Only strings, numbers and lists of them.
	}
	return string(text)
}

func (b *builder) plugins(engine string, r Revision) list {
	port, path := metricsEndpoint(b.leader(), r)
	source := fields{"scheme": "http", "path": path}
	if b.leader().Picker.Flavor == binding.FlavorLLMD {
		source["port"], source["interval"] = int64(port), scrapeInterval.String()
	}
	out := list{}
	for _, name := range scorers(engine) {
		out = append(out, fields{"type": name})
	}
	out = append(out,
		fields{"type": "max-score-picker"},
		fields{"type": "metrics-data-source", "parameters": source},
		fields{"type": "core-metrics-extractor", "parameters": extractor(engine)},
		fields{"type": "utilization-detector", "parameters": fields{"queueDepthThreshold": int64(b.leader().Flow.QueueDepth), "kvCacheUtilThreshold": 0.8, "metricsStalenessThreshold": staleAfter}})
	if speaksKServe(engine) {
		out = append(out, fields{"type": "passthrough-parser"})
	}
	return out
}

// scorers are those whose input the engine has.
func scorers(engine string) []string {
	if e, known := engines.ByName(engine); known {
		return e.Picker.Scorers
	}
	return []string{engines.QueueScorer, engines.KVCacheScorer, engines.PrefixCacheScorer}
}

func profile(engine string) list {
	weights := map[string]int64{engines.QueueScorer: 2, engines.KVCacheScorer: 2, engines.PrefixCacheScorer: 3,
		engines.LoRAScorer: 1}
	out := list{}
	for _, name := range scorers(engine) {
		out = append(out, fields{"pluginRef": name, "weight": weights[name]})
	}
	return append(out, fields{"pluginRef": "max-score-picker"})
}

// extractor names to the picker the metrics of an engine that it does not know itself.
func extractor(engine string) fields {
	p := fields{"defaultEngine": engine}
	e, _ := engines.ByName(engine)
	config := fields{"name": engine}
	for key, metric := range map[string]string{"queuedRequestsSpec": e.Picker.Waiting, "runningRequestsSpec": e.Picker.Running, "kvUsageSpec": e.Picker.KVUsage} {
		if metric != "" {
			config[key] = metric
		}
	}
	if len(config) > 1 {
		p["engineConfigs"] = list{config}
	}
	return p
}

// flowControl bounds each priority on its own, so that a flood of one cannot
// fill the room of a higher one; negative ones that are shed hardly wait at all.
func (b *builder) flowControl() fields {
	flow := b.leader().Flow
	c := fields{
		"defaultRequestTTL":   b.hold().String(),
		"maxBytes":            queueBytes,
		"defaultPriorityBand": fields{"priority": int64(0), "maxRequests": strconv.Itoa(int(flow.MaxRequests))},
	}
	if b.leader().NegativePriority == binding.NegativeWait {
		return c
	}
	bands := list{}
	for _, p := range b.negative() {
		bands = append(bands, fields{"priority": int64(p), "maxRequests": shedAfter})
	}
	if len(bands) > 0 {
		c["priorityBands"] = bands
	}
	return c
}

// holdMargin is by how much a picker gives up earlier than the gateway.
const holdMargin = time.Second

// hold is how long a request may wait in the picker: as long as asked, and less than the
// gateway itself gives a request, so that the client gets the picker's own answer. The
// members of a shared pool may have other gateways, and must all come to the same.
func (b *builder) hold() time.Duration {
	d := b.leader().Flow.TTL
	for _, limit := range []time.Duration{b.can.longestHold, b.in.RequestTimeout} {
		if limit > 0 && b.in.Pool == "" {
			d = min(d, max(limit-holdMargin, holdMargin))
		}
	}
	return d
}

// negative lists the sheddable priorities of all members of the pool.
func (b *builder) negative() (out []int32) {
	for _, m := range b.members {
		if p := m.intent.Priority; p != nil && *p < 0 {
			out = append(out, *p)
		}
		for _, o := range m.intent.Objectives {
			if o.Priority < 0 {
				out = append(out, o.Priority)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// speaksKServe reports whether the engine's requests are not of OpenAI's form.
func speaksKServe(engine string) bool {
	e, _ := engines.ByName(engine)
	return e.Protocol == engines.KServeV2
}
