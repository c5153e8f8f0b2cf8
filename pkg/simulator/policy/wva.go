package policy

import (
	"flag"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

// The windows of WVA's Prometheus queries.
const (
	wvaPeak  = time.Minute     // max_over_time of KV usage and queue
	wvaMeans = 5 * time.Minute // rate of the tokens
)

type wvaSettings struct {
	version string
	// interval is GLOBAL_OPT_INTERVAL.
	interval time.Duration
	// up is scaleUpThreshold and down scaleDownBoundary of version 2.
	up, down float64
	// The thresholds of saturation-scaling-config; spare ones are of version 1.
	kv, queue, kvSpare, queueSpare float64
	// batch is max_num_batched_tokens and seqs max_num_seqs as WVA reads them off
	// the pod's arguments; 0 is the run's engine.
	batch, seqs int32
	// tolerance and behavior are of the HPA behind it; hpa is false for none.
	tolerance float64
	behavior  hpaBehavior
	hpa       bool
	// retention is scaleToZero.retentionPeriod, cooldown the cooldownPeriod of the KEDA behind it.
	retention, cooldown time.Duration
}

func defineWVA(options *flag.FlagSet) simulator.NewPolicy {
	s := wvaSettings{
		version: "2", interval: time.Minute, up: 0.85, down: 0.70,
		kv: 0.80, queue: 5, kvSpare: 0.1, queueSpare: 3,
		tolerance: hpaTolerance, behavior: hpaBehavior{upPods: 10, downPods: 10, downWindow: 240 * time.Second}, hpa: true,
		retention: 10 * time.Minute, cooldown: 300 * time.Second,
	}
	options.Var(choice{&s.version, []string{"1", "2"}}, "version", "1: percentages, a replica at a time; 2: tokens")
	options.Var(span{&s.interval, hpaSync, time.Hour}, "interval", "time between two analyses (GLOBAL_OPT_INTERVAL)")
	options.Var(number{&s.up, 0.01, 1}, "up", "scaleUpThreshold: utilization above which replicas are added")
	options.Var(number{&s.down, 0.01, 1}, "down", "scaleDownBoundary: utilization below which replicas are removed")
	options.Var(number{&s.kv, 0.01, 1}, "kv", "kvCacheThreshold: share of the KV cache that is used at most")
	options.Var(number{&s.queue, 1, 1e6}, "queue", "queueLengthThreshold: waiting requests of a saturated replica")
	options.Var(number{&s.kvSpare, 0, 1}, "kv-spare", "kvSpareTrigger of version 1")
	options.Var(number{&s.queueSpare, 0, 1e6}, "queue-spare", "queueSpareTrigger of version 1")
	options.BoolVar(&s.hpa, "hpa", s.hpa, "the HPA acts on what WVA publishes; false acts at once")
	options.Var(span{&s.behavior.upWindow, 0, time.Hour}, "hpa-up-window", "its scaleUp.stabilizationWindowSeconds; 240s in the Helm chart, 0 in the sample")
	options.Var(span{&s.behavior.downWindow, 0, time.Hour}, "hpa-down-window", "its scaleDown.stabilizationWindowSeconds; 240s in the Helm chart, 0 in the sample")
	options.Var(span{&s.retention, 0, 24 * time.Hour}, "retention", "scaleToZero.retentionPeriod, where --min is 0")
	options.Var(span{&s.cooldown, 0, 24 * time.Hour}, "cooldown", "cooldownPeriod of the KEDA behind it, where --min is 0")
	return func(c simulator.Config) (simulator.Policy, error) { return newWVA(s, c), nil }
}

// wva is llm-d's workload variant autoscaler with one variant of one model:
// version 1 is internal/saturation/analyzer.go, version 2
// internal/engines/analyzers/saturation_v2/analyzer.go with the cost-aware
// optimizer, which is the default of v0.9.0; both of
// llm-d/llm-d-workload-variant-autoscaler (now llm-d-autoscaling) as of
// February to August 2026, with the defaults of its saturation-scaling-config.
//
// As upstream runs, every minute an analysis of what Prometheus has (the peak
// of the last minute, token rates over five) publishes wva_desired_replicas, on
// which an HPA of type External with AverageValue 1 acts every 15 s. Of its two
// published behaviours each half is the one that suits it: up at once, as in
// config/samples/hpa-integration.yaml, and down after 240 s, as in the Helm
// chart, which would wait 240 s on the way up too. Both move 10 pods at most.
//
// With scale to zero (off by default) a ScaledObject of KEDA has the HPA's place: the
// analysis publishes 0 when no request has come for the retention period, and KEDA follows
// after its cooldown. Requests that wait in the picker wake it, which is asked every 100 ms.
//
// Simplified: Prometheus is read every 15 s and without delay; the queue of
// the endpoint picker is the requests queued outside the engines, its bytes
// are not known; the queueing-model and throughput analyzers, which are off
// by default, and the limiter are left out. The first analysis is when its
// queries have their whole windows, for the empty engines that a run begins
// with are not the load.
type wva struct {
	settings   wvaSettings
	pods       map[string]*wvaPod
	capacities map[string][]float64 // k2 as it was observed, by bucket of the output length
	perReplica float64              // the last median capacity
	published  int32
	// began is when it was first asked, analysed the last analysis.
	began, analysed time.Time
	stabilizer      stabilizer
	// zero is whether the run has no minimum; arrivals are those at busy, when one came last.
	zero     bool
	arrivals decider.Reading
	busy     time.Time
}

func newWVA(s wvaSettings, c simulator.Config) *wva {
	if s.batch == 0 {
		s.batch = int32(c.Engine.MaxNumBatchedTokens)
	}
	if s.seqs == 0 {
		s.seqs = int32(c.Engine.MaxNumSeqs)
	}
	return &wva{
		settings: s, pods: map[string]*wvaPod{}, capacities: map[string][]float64{},
		stabilizer: stabilizer{behavior: s.behavior}, zero: c.Min == 0,
	}
}

// Surroundings are those of llm-d: a picker that holds requests.
func (w *wva) Surroundings() simulator.Surroundings {
	return simulator.Surroundings{Wakes: seenAtActivator}
}

// Period is that of the HPA, and of Prometheus's reading.
func (w *wva) Period() time.Duration { return hpaSync }

// Want is what the HPA makes of the published count.
func (w *wva) Want(obs decider.Observation) (simulator.Want, error) {
	if w.zero && w.asleep(obs) {
		return simulator.Want{}, nil
	}
	w.scrape(obs)
	if w.began.IsZero() {
		w.began, w.published = obs.Time, obs.Replicas
	}
	if obs.Time.Sub(w.began) >= wvaMeans && obs.Time.Sub(w.analysed) >= w.settings.interval {
		w.analysed, w.published = obs.Time, w.analyse(obs)
	}
	if w.zero && obs.Replicas == 0 { // the scale-from-zero engine
		return simulator.Want{Replicas: 1}, nil
	}
	if !w.settings.hpa {
		return simulator.Want{Replicas: w.atLeast(w.published)}, nil
	}
	return simulator.Want{Replicas: w.atLeast(w.stabilizer.apply(obs, w.hpaWant(obs)))}, nil
}

// asleep reports whether there are to be no replicas: no request has come for the retention
// period and the cooldown after the analysis that sees it, and none is open.
func (w *wva) asleep(obs decider.Observation) bool {
	if w.busy.IsZero() || obs.Arrivals != w.arrivals || obs.Open != 0 {
		w.arrivals, w.busy = obs.Arrivals, obs.Time
	}
	if obs.Replicas == 0 {
		return !(obs.Queued > 0)
	}
	return obs.Time.Sub(w.busy) >= w.settings.retention+w.settings.interval+w.settings.cooldown
}

// atLeast is a count that is not asleep.
func (w *wva) atLeast(n int32) int32 {
	if w.zero {
		return max(n, 1)
	}
	return n
}

// hpaWant is GetExternalPerPodMetricReplicas with the target 1.
func (w *wva) hpaWant(obs decider.Observation) int32 {
	there := int32(len(obs.Pods))
	if math.Abs(1-float64(w.published)/float64(there)) <= w.settings.tolerance {
		return there
	}
	return w.published
}

func (w *wva) analyse(obs decider.Observation) int32 {
	replicas := w.readyPods(obs)
	if len(replicas) == 0 {
		return obs.Replicas
	}
	if w.settings.version == "1" {
		return w.settings.percentages(obs, replicas)
	}
	return w.tokens(obs, replicas)
}

// wvaReplica is what is known of one Ready replica.
type wvaReplica struct {
	// kv is the peak use of the KV cache, 0..1, queue the peak of waiting requests.
	kv, queue float64
	// capacity is the KV cache in tokens, 0 when not known.
	capacity float64
	// input and output are mean tokens per request, 0 when not known.
	input, output, hits float64
}

// wvaPod is one pod's samples.
type wvaPod struct {
	kv, queue                                 history
	prompts, cached, generations, completions history
	capacity                                  float64
}

// scrape is one reading of Prometheus; pods that are gone are forgotten.
func (w *wva) scrape(obs decider.Observation) {
	gone := w.pods
	w.pods = make(map[string]*wvaPod, len(obs.Pods))
	for _, p := range obs.Pods {
		if p.Phase != decider.Ready {
			continue
		}
		pod := gone[p.Name]
		if pod == nil {
			pod = &wvaPod{}
		}
		pod.read(obs.Time, p)
		w.pods[p.Name] = pod
	}
}

func (pod *wvaPod) read(now time.Time, p decider.Pod) {
	keep := func(h *history, r decider.Reading, window time.Duration) {
		if r.Known() && r >= 0 {
			h.add(sample{now, float64(r)}, window)
		}
	}
	keep(&pod.kv, podValue(p, string(decider.KVCache))/100, wvaPeak)
	keep(&pod.queue, podValue(p, string(decider.Waiting)), wvaPeak)
	if !p.Totals.Known {
		return
	}
	keep(&pod.prompts, p.Totals.PromptTokens, wvaMeans)
	keep(&pod.cached, p.Totals.CachedTokens, wvaMeans)
	keep(&pod.generations, p.Totals.GenerationTokens, wvaMeans)
	keep(&pod.completions, p.Totals.Finished, wvaMeans)
	if k := p.Totals.KVCapacity; k.Known() && k > 0 {
		pod.capacity = float64(k)
	}
}

// readyPods are the replicas with a known metric, in the observation's order.
func (w *wva) readyPods(obs decider.Observation) (replicas []wvaReplica) {
	for _, p := range obs.Pods {
		pod := w.pods[p.Name]
		if p.Phase != decider.Ready || pod == nil || len(pod.kv) == 0 {
			continue
		}
		r := wvaReplica{kv: pod.kv.max(), queue: pod.queue.max(), capacity: pod.capacity}
		if n := pod.completions.increase(); n > 0 {
			r.input, r.output = pod.prompts.increase()/n, pod.generations.increase()/n
		}
		if n := pod.prompts.increase(); n > 0 {
			r.hits = min(pod.cached.increase()/n, 1)
		}
		replicas = append(replicas, r)
	}
	return replicas
}

// percentages is version 1: one replica up or down, and nothing while one is on its way.
func (s wvaSettings) percentages(obs decider.Observation, replicas []wvaReplica) int32 {
	ready := int32(len(replicas))
	if ready != obs.Replicas || int32(len(obs.Pods)) != obs.Replicas {
		return obs.Replicas
	}
	n, kv, queue := 0., 0., 0. // spare capacity of those that are not saturated
	for _, r := range replicas {
		if r.kv < s.kv && r.queue < s.queue {
			n, kv, queue = n+1, kv+s.kv-r.kv, queue+s.queue-r.queue
		}
	}
	kv, queue = kv/max(n, 1), queue/max(n, 1)
	if kv < s.kvSpare || queue < s.queueSpare {
		return ready + 1
	}
	if n < 2 {
		return ready
	}
	grow := n / (n - 1) // the load of each, were one replica less
	if s.kv-(s.kv-kv)*grow >= s.kvSpare && s.queue-(s.queue-queue)*grow >= s.queueSpare {
		return ready - 1
	}
	return ready
}

// tokens is version 2: what is resident and waits, in tokens, against what the replicas hold.
func (w *wva) tokens(obs decider.Observation, replicas []wvaReplica) int32 {
	demand := queuedTokens(obs, replicas)
	var capacities []float64
	for _, r := range replicas {
		if r.capacity <= 0 {
			continue
		}
		resident := math.Floor(r.kv * r.capacity)
		demand += resident + math.Floor(r.queue)*math.Floor(r.input)
		capacities = append(capacities, min(math.Floor(r.capacity*w.settings.kv), w.computeBound(r, resident)))
	}
	if len(capacities) > 0 {
		w.perReplica = median(capacities)
	}
	if w.perReplica <= 0 {
		return obs.Replicas
	}
	ready := min(obs.Ready, obs.Replicas)
	required := demand/w.settings.up - float64(obs.Replicas)*w.perReplica
	spare := float64(ready)*w.perReplica - demand/w.settings.down
	switch {
	case required > 0:
		return ceil(float64(obs.Replicas) + math.Ceil(required/w.perReplica))
	case spare > 0:
		return max(obs.Replicas-int32(spare/w.perReplica), min(obs.Replicas, 1))
	}
	return obs.Replicas
}

// queuedTokens is the demand of the requests outside of every engine.
func queuedTokens(obs decider.Observation, replicas []wvaReplica) float64 {
	if !obs.Queued.Known() || obs.Queued <= 0 {
		return 0
	}
	n, input, output, hits := 0., 0., 0., 0.
	for _, r := range replicas {
		if r.input > 0 || r.output > 0 {
			n, input, output, hits = n+1, input+r.input, output+r.output, hits+r.hits
		}
	}
	n = max(n, 1)
	return float64(obs.Queued) * (input/n*(1-hits/n) + output/n)
}

// rollingSamples is how many observations of k2 are averaged.
const rollingSamples = 10

// computeBound is k2: what was resident when the queue was long, now or before
// or, never having seen that, what the engine's arguments let expect.
func (w *wva) computeBound(r wvaReplica, resident float64) float64 {
	bucket := outputBucket(r.output)
	if math.Floor(r.queue) >= w.settings.queue && resident > 0 {
		seen := w.capacities[bucket]
		seen = append(seen, resident)
		w.capacities[bucket] = seen[max(len(seen)-rollingSamples, 0):]
		return resident
	}
	if seen := w.capacities[bucket]; len(seen) > 0 {
		return math.Floor(mean(seen))
	}
	if w.settings.batch > 0 && r.output > 0 {
		n := min(float64(w.settings.batch)*r.output/(r.input+r.output), float64(w.settings.seqs))
		if k2 := math.Floor(n * (r.input + r.output/2)); k2 > 0 {
			return k2
		}
	}
	return r.capacity * w.settings.kv
}

// outputBucket is classifyOutputLength.
func outputBucket(output float64) string {
	for _, bound := range []int{100, 500} {
		if output < float64(bound) {
			return strconv.Itoa(bound)
		}
	}
	return "long"
}

func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n%2 == 0 {
		return math.Floor((values[n/2-1] + values[n/2]) / 2)
	}
	return values[n/2]
}
