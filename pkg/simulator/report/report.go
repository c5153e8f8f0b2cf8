package report

import (
	"fmt"
	"math"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

// Report is everything about one comparison.
type Report struct {
	// Load, Engine and Settings describe what was simulated, for people.
	Load     string    `json:"load"`
	Engine   string    `json:"engine"`
	Settings []Setting `json:"settings"`
	// Goal is the share of requests that should meet the latencies.
	Goal float64 `json:"goal"`
	// Recorded describes the recording that the load was made from; nil for others.
	Recorded *Recorded `json:"recorded,omitempty"`
	// Runs are in the order of policies, and of seeds within one policy. In JSON those of Sweep follow.
	Runs []Run `json:"runs"`
	// Sweep holds runs at other settings of the policies' knobs, by policy.
	Sweep []Run `json:"-"`
	// The rest is for the HTML report only; Details and Oracle are of the first seed.
	SLO     simulator.SLO `json:"-"`
	Warmup  time.Duration `json:"-"`
	Details []Detail      `json:"-"`
	Oracle  Oracle        `json:"-"`
}

// Setting is a name and a value for people.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Recorded is the result of a replay: the decisions of a recording made again, and the requests
// that its samples give.
type Recorded struct {
	File string `json:"file"`
	// Identical of the Decisions came out as they were recorded; First describes the first that did not.
	Revisions int    `json:"revisions"`
	Decisions int    `json:"decisions"`
	Identical int    `json:"identical"`
	First     string `json:"first_difference,omitempty"`
	// Counted is the requests that queue-proxies counted, Finished those that engines say they finished.
	Counted  float64 `json:"counted_requests"`
	Finished float64 `json:"finished_requests"`
	// Unknown of the Span seconds have no count of arrivals.
	Unknown float64 `json:"unknown_s"`
	Span    float64 `json:"span_s"`
}

// String is a line for people.
func (r Recorded) String() string {
	text := fmt.Sprintf("%s: %d of %d decisions come out as they were recorded", r.File, r.Identical, r.Decisions)
	if r.First != "" {
		text += "; the first other one: " + r.First
	}
	text += fmt.Sprintf(". %.0f requests were counted in %s, %.0f are known to be finished", r.Counted, seconds(r.Span), r.Finished)
	if r.Unknown > 0 {
		text += fmt.Sprintf("; for %s arrivals were not known", seconds(r.Unknown))
	}
	return text + "."
}

// Oracle is the least that any policy could have done with, of one seed.
type Oracle struct {
	// GPUHours is the bound with start costs, FluidGPUHours the one without: work over capacity.
	GPUHours, FluidGPUHours float64
	// Replicas is its schedule, those that load included.
	Replicas []simulator.Change
}

// Run is one policy on one seed. Times are seconds; every number is finite.
type Run struct {
	// Policy is what the user called it, with its options.
	Policy string `json:"policy"`
	Seed   uint64 `json:"seed"`
	// Knob is the setting that a sweep changed, such as target=20, of the policy SweepOf.
	Knob    string `json:"knob,omitempty"`
	SweepOf string `json:"sweep_of,omitempty"`
	// Hindsight is true if its size was chosen with the trace known.
	Hindsight bool `json:"hindsight,omitempty"`
	// Unsearched is true if only one such size was tried, because the load is long.
	Unsearched bool `json:"unsearched,omitempty"`
	// SLO is the share of requests that met both latencies, 0..1.
	SLO             float64 `json:"slo"`
	GPUHours        float64 `json:"gpu_hours"`
	OracleGPUHours  float64 `json:"oracle_gpu_hours"`
	WastedGPUHours  float64 `json:"wasted_gpu_hours"`
	ScaleOperations int     `json:"scale_operations"`
	Reversals       int     `json:"reversals"`
	P99TTFT         float64 `json:"p99_ttft_s"`
	P99ITL          float64 `json:"p99_itl_s"`
	Recovery        float64 `json:"recovery_s"`
	Requests        int64   `json:"requests"`
	CPUSeconds      float64 `json:"cpu_seconds"`

	Met             int64   `json:"met"`
	Unfinished      int64   `json:"unfinished"`
	Refused         int64   `json:"refused"`
	Lost            int64   `json:"lost"`
	Aborted         int64   `json:"aborted,omitempty"`
	OracleRatio     float64 `json:"oracle_ratio"`
	FluidGPUHours   float64 `json:"fluid_gpu_hours"`
	LoadingGPUHours float64 `json:"loading_gpu_hours"`
	P50TTFT         float64 `json:"p50_ttft_s"`
	P95TTFT         float64 `json:"p95_ttft_s"`
	MeanITL         float64 `json:"mean_itl_s"`
	P95ITL          float64 `json:"p95_itl_s"`
	Preemptions     int64   `json:"preemptions"`
	SimulatedTime   float64 `json:"simulated_s"`
	MaxReplicas     int32   `json:"max_replicas"`
}

// Detail is the course of one run.
type Detail struct {
	Policy   string
	Series   []simulator.Point
	Replicas []simulator.Change
}

// NewRun makes the figures of a result, all but WastedGPUHours.
func NewRun(policy string, c simulator.Config, r simulator.Result, o Oracle) Run {
	return Run{
		Policy: policy, Seed: c.Seed, SLO: finite(r.SLOShare()),
		GPUHours: finite(r.GPUHours), OracleGPUHours: finite(o.GPUHours), FluidGPUHours: finite(o.FluidGPUHours),
		OracleRatio:     ratio(r.GPUHours, o.GPUHours),
		ScaleOperations: r.ScaleOperations, Reversals: r.Reversals,
		P50TTFT: r.P50TTFT.Seconds(), P95TTFT: r.P95TTFT.Seconds(), P99TTFT: r.P99TTFT.Seconds(),
		MeanITL: r.MeanITL.Seconds(), P95ITL: r.P95ITL.Seconds(), P99ITL: r.P99ITL.Seconds(),
		Recovery: r.Recovery.Seconds(), Requests: r.Requests, CPUSeconds: r.CPU.Seconds(),
		Met: r.Met, Unfinished: r.Unfinished, Refused: r.Refused, Lost: r.Lost, Aborted: r.Aborted,
		LoadingGPUHours: finite(r.LoadingGPUHours), Preemptions: r.Preemptions, SimulatedTime: r.Span.Seconds(),
		MaxReplicas: Peak(r.Replicas),
	}
}

// Peak is the most replicas of a time line.
func Peak(line []simulator.Change) (most int32) {
	for _, c := range line {
		most = max(most, c.Replicas)
	}
	return most
}

// finite is 0 for what JSON cannot hold.
func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}

// ratio is 0 where there is nothing to compare with.
func ratio(x, of float64) float64 {
	if !(of > 0) {
		return 0
	}
	return finite(x / of)
}
