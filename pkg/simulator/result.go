package simulator

import "time"

// Result is what one run cost and gave. Times are of the simulated clock;
// nothing before Config.Warmup counts, except in Series.
type Result struct {
	// Requests is how many arrived; Met of them had both latencies of the SLO.
	// One that was refused, lost with its pod, or unfinished is a miss.
	Requests, Met, Unfinished, Refused, Lost int64
	// Aborted is the requests whose clients hung up in the middle of the answer, among the others by what they had of it.
	Aborted int64
	// GPUHours is from each pod's creation (or its GPU, if it had to wait for one) to its deletion, loading and draining
	// included, times the GPUs of a replica. LoadingGPUHours is the part before Ready.
	GPUHours, LoadingGPUHours float64
	// ScaleOperations is changes of the wanted replicas, Reversals those that turn the direction.
	ScaleOperations, Reversals int
	// The latencies are of the requests that ended, within 1 %; one that was refused has none.
	P50TTFT, P95TTFT, P99TTFT time.Duration
	MeanITL, P95ITL, P99ITL   time.Duration
	// Recovery is the longest time from the first minute below the goal to the
	// first minute that is at it again.
	Recovery    time.Duration
	Preemptions int64
	// PromptTokens are of the requests that had their first token, CachedTokens
	// those of them that came from the prefix cache, GenerationTokens what was made.
	PromptTokens, CachedTokens, GenerationTokens int64
	// From is when counting began: Config.Warmup, or 0 for a trace that ends
	// before. Span is the simulated time that counted, up to the last arrival;
	// what was in flight then has a few minutes more to end, which cost nothing.
	// CPU is the processor time of the run's own thread since From, the trace's included.
	From, Span, CPU time.Duration
	Series          []Point
	// Replicas is the time line of pods that cost money: each entry holds until
	// the next, from From to From + Span. It is what WastedGPUHours is computed from.
	Replicas []Change
}

// Change is a new number of replicas from a moment on.
type Change struct {
	At       time.Duration
	Replicas int32
}

// Point is the fleet at one moment of a run, or over the time since the point before.
type Point struct {
	At                       time.Duration
	Wanted, Ready, Pods      int32
	ArrivalsPerSecond        float64
	Running, Waiting         int           // in all engines
	Queued                   int           // outside of every engine
	KV                       float64       // 0..1, mean of the Ready pods
	TTFTP50, TTFTP95, ITLP95 time.Duration // of requests that ended since the point before; 0 without any
	Met, Requests            int64         // of those requests
	Why                      string
}

// SLOShare is the share of requests that met the SLO, 0..1; 1 without requests.
func (r Result) SLOShare() float64 {
	if r.Requests == 0 {
		return 1
	}
	return float64(r.Met) / float64(r.Requests)
}
