package docs_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi"
)

// worked is an observation that a metric's worked number is made from, and what explains it.
type worked struct {
	target float64
	obs    decider.Observation
	note   string
}

// The table of metrics is that of the decider, and its worked numbers are what the
// decider says.
func TestAnnotations_metrics(t *testing.T) {
	load := func(v decider.Reading) decider.Windowed { return decider.Windowed{Stable: v, Panic: v} }
	examples := map[decider.Metric]worked{
		decider.Concurrency:      {7, decider.Observation{Concurrency: load(20)}, " (target 10 at 70 %)"},
		decider.RPS:              {140, decider.Observation{RPS: load(500)}, " (target 200 at 70 %)"},
		decider.Running:          {16, pods(func(p *decider.Pod, v decider.Reading) { p.Running = v }, 30, 30, 24), ""},
		decider.Waiting:          {5, pods(func(p *decider.Pod, v decider.Reading) { p.Waiting = v }, 9, 6), ""},
		decider.KVCache:          {70, pods(func(p *decider.Pod, v decider.Reading) { p.KVCache = v }, 95, 85), " (2 pods at 95 % and 85 %: 180 / 70)"},
		decider.PromptTokens:     {4000, pods(func(p *decider.Pod, v decider.Reading) { p.PromptTokens = v }, 5500), ""},
		decider.GenerationTokens: {1500, pods(func(p *decider.Pod, v decider.Reading) { p.GenerationTokens = v }, 3000, 2500), ""},
		decider.TTFTP95:          {2000, percentile(func(o *decider.Observation, l decider.Latency) { o.TTFT = l }, 3000), " (2 pods)"},
		decider.ITLP95:           {100, percentile(func(o *decider.Observation, l decider.Latency) { o.ITL = l }, 150), " (2 pods)"},
	}
	table := head("name", "over the pods", "the target means", "default target", "worked number")
	for _, d := range decider.Metrics() {
		example := "see [the latency objective](#the-latency-objective)"
		if e, ok := examples[d.Metric]; ok {
			example = "`" + says(t, d.Metric, e) + "`" + e.note
		}
		table += row("`"+string(d.Metric)+"`", over(d), d.TargetMeans, defaultTarget(d), example)
	}
	generated(t, "annotations.md", "metrics", table+"\n")
}

// says is the sentence of the decision that is made from an example.
func says(t *testing.T, m decider.Metric, e worked) string {
	t.Helper()
	e.obs.Time = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	e.obs.Ready = int32(max(1, len(e.obs.Pods)))
	e.obs.Replicas = max(1, e.obs.Replicas)
	spec := decider.Spec{
		Targets: []decider.Target{{Metric: m, Value: e.target}}, MinReplicas: 1, Reachable: true, StableWindow: time.Minute,
		PanicThreshold: 2, MaxScaleUpRate: 1000, MaxScaleDownRate: 2, Tolerance: 0.1, StartupDeadline: 15 * time.Minute,
	}
	d, _, err := decider.Decide(spec, decider.State{}, e.obs)
	if err != nil {
		t.Fatal(err)
	}
	return d.Wants[0].String()
}

func pods(set func(*decider.Pod, decider.Reading), values ...decider.Reading) (o decider.Observation) {
	for _, v := range values {
		p := decider.Pod{Running: decider.Unknown(), Waiting: decider.Unknown(), KVCache: decider.Unknown(), PromptTokens: decider.Unknown(), GenerationTokens: decider.Unknown()}
		set(&p, v)
		o.Pods = append(o.Pods, p)
	}
	return o
}

// percentile is two Ready pods with a latency.
func percentile(set func(*decider.Observation, decider.Latency), p95 decider.Reading) decider.Observation {
	o := pods(func(*decider.Pod, decider.Reading) {}, 0, 0)
	set(&o, decider.Latency{Known: true, Count: 100, P95: p95})
	o.Replicas = 2
	return o
}

func over(d decider.Description) string {
	switch {
	case d.Kind == decider.Demand:
		return "summed, averaged over the window"
	case d.Over == decider.Sum:
		return "summed"
	case d.Over == decider.Mean:
		return "averaged"
	case d.Over == decider.Merged:
		return "one percentile of all pods' histograms over the stable window"
	}
	return "learned from every pod's counters and the arrivals"
}

func defaultTarget(d decider.Description) string {
	switch d.Target.Default {
	case decider.FromKnative:
		return "Knative's: " + d.Target.Doc
	case decider.FromConfig:
		return fmt.Sprint(d.Target.Value)
	case decider.FromTTFT:
		return "`slo-ttft-default`"
	case decider.FromITL:
		return "`slo-itl-default`"
	case decider.NoTarget:
		return fmt.Sprintf("`%s`, `%s`, `%v`", annotations.Default[time.Duration](autoscaling.SLOTTFTKey), annotations.Default[time.Duration](autoscaling.SLOITLKey), annotations.Default[float64](autoscaling.SLOGoalKey))
	case decider.Required: // below
	}
	return "none: it depends on model and GPU"
}

// The table of the parts of slo is the decider's.
func TestMetrics_parts(t *testing.T) {
	table := head("metric", "meaning")
	for _, p := range decider.Parts() {
		if !p.LogOnly {
			table += row("`"+metricsapi.PartPrefix+p.PublishedName()+"`", p.Doc)
		}
	}
	generated(t, "metrics.md", "parts", table+"\n")
}
