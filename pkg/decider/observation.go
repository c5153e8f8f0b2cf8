package decider

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// Types of pkg/slo that the observer uses as well.
type (
	// Reading is a measured number that may be unknown. Unknown is never zero.
	Reading = slo.Reading
	// Totals are what one engine has counted since it began.
	Totals = slo.Totals
	// Histogram is a latency histogram since the engine began.
	Histogram = slo.Histogram
	// FullestRank is one data-parallel rank of a pod.
	FullestRank = slo.FullestRank
)

// Unknown returns the reading of something that could not be measured.
func Unknown() Reading { return slo.Unknown() }

// Windowed is a demand signal averaged over the stable and the panic window,
// summed over the pods of the revision. Both are unknown when nothing was measured.
type Windowed struct {
	Stable, Panic Reading
}

// Latency is what the latencies of all Ready pods that can be read were over the stable window.
type Latency struct {
	// Known is false while no such pod reports a histogram of it.
	Known bool
	// Count is the number of latencies, P95 their 95th percentile in milliseconds; P95 is
	// unknown without any.
	Count, P95 Reading
	// Previous is the percentile without the last sample of each pod.
	Previous PreviousLatency `json:",omitzero"`
}

// PreviousLatency is a percentile as it was one sample of each pod earlier. The zero value was not kept.
type PreviousLatency struct {
	Kept bool
	// P95 is in milliseconds; unknown where no latency was known then.
	P95 Reading
}

// UnknownLatency returns a latency that could not be measured.
func UnknownLatency() Latency { return Latency{Count: Unknown(), P95: Unknown()} }

// Phase is the state of a pod.
type Phase int

// The phases of a pod. Pods being deleted are not observed at all.
const (
	// Ready pods receive traffic.
	Ready Phase = iota
	// Starting pods exist but are not Ready: scheduling, pulling, loading, or broken.
	Starting
	// Draining pods get no new requests and work off those that they have: their load
	// counts, their capacity does not. They can be Ready again at once.
	Draining
)

// Pod is one pod's engine at the time of the observation. Fields that could
// not be measured, or whose last measurement is stale, are unknown.
type Pod struct {
	Name  string
	Phase Phase
	// Age is the time since the pod's creation.
	Age time.Duration
	// Running and Waiting are requests in the engine now.
	Running, Waiting Reading
	// Deferred is those of Waiting that wait for something else than capacity (a KV transfer, a
	// LoRA slot), which no replica shortens; 0 where the engine gives no reason.
	Deferred Reading `json:",omitzero"`
	// KVCache is the KV cache's use in percent, 0..100.
	KVCache Reading
	// PromptTokens and GenerationTokens are tokens per second over the last seconds.
	PromptTokens, GenerationTokens Reading
	// Previous is the sample before the one that the readings above come from.
	Previous PreviousSample `json:",omitzero"`
	// Totals are the engine's own counters; in the zero value nothing is known.
	Totals Totals
	// ReadyAfter is the time from a Ready pod's creation to its first being Ready; 0 when not known.
	ReadyAfter time.Duration
	// Unschedulable is true while the scheduler finds no node for a Starting pod.
	Unschedulable bool
	// Failing is true while a container of a Starting pod crashes or cannot be made.
	Failing bool `json:",omitempty"`
	// Ungated is true for a pod that cannot drain, because it was made without the readiness
	// gate: its open requests are cut when it is deleted.
	Ungated bool `json:",omitempty"`
}

// PreviousSample is the readings of a pod in the sample before the last one. All are
// unknown until there is a second sample.
type PreviousSample struct {
	// Kept is false if the observer keeps no previous sample: the last one then counts alone.
	Kept bool
	// The readings have the units of Pod's.
	Running, Waiting, KVCache, PromptTokens, GenerationTokens Reading
	Deferred                                                  Reading `json:",omitzero"`
}

// Last is the sample that the pod's readings come from.
func (p *Pod) Last() PreviousSample {
	return PreviousSample{true, p.Running, p.Waiting, p.KVCache, p.PromptTokens, p.GenerationTokens, p.Deferred}
}

// Observation is all that is known of one revision at one time.
type Observation struct {
	Time time.Time
	// Replicas is spec.replicas of the scale target now, without the pods that are given up
	// and drain.
	Replicas int32
	// Ready is the number of Ready pods, as Kubernetes counts them, without those that drain.
	Ready int32
	// Concurrency and RPS come from the queue-proxies.
	Concurrency, RPS Windowed
	// InFlight is the number of requests inside the engines right now (running
	// and waiting, all Ready pods and those that drain and are known, the smaller of each pod's last two samples);
	// unknown unless every Ready pod is known.
	InFlight Reading
	// Arrivals counts the requests that the queue-proxies have seen since some fixed
	// time; it decreases only when the observer restarts.
	Arrivals Reading
	// Queued is the number of requests that wait in front of the engines now: in the
	// activators and the endpoint picker. What waits in queue-proxies is not reported.
	Queued Reading
	// Open is the requests of the revision that are open anywhere: in activators and
	// pickers, queue-proxies and engines; unknown unless all of them are known now. The
	// last replica stays while it is not 0.
	Open Reading
	// TTFT and ITL are the time to the first token and the time between two tokens. The
	// zero value is unknown.
	TTFT Latency `json:",omitzero"`
	ITL  Latency `json:",omitzero"`
	// Pods holds every pod that is not being deleted, in any order.
	Pods []Pod
}
