package decider

import (
	"math"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// The largest number of pods whose histograms are followed, of slices of the
// stable window, and of buckets.
const (
	latencyPods    = 32
	latencySlices  = 6
	latencyBuckets = 40
)

// latencyState is the memory of one latency target: the last histogram of each
// pod, and what all of them together gained in each slice of the window.
type latencyState struct {
	Bounds []float64 `json:"bounds,omitempty"`
	// Pods are hashes of names, Last the cumulative counts of each pod.
	Pods []float64   `json:"pods,omitempty"`
	Last [][]float64 `json:"last,omitempty"`
	// Slices are gains, not cumulative, the last of them open; Index numbers that one.
	Slices [][]float64 `json:"slices,omitempty"`
	Index  int64       `json:"index,omitempty"`
}

// latencyWant scales Ready pods by how far the 95th percentile is from its
// target, as HPA would, and remembers the largest want of the stable window.
// Without completions nothing is known while requests wait; a revision at rest
// wants nothing.
func latencyWant(spec Spec, t Target, ts TargetState, obs Observation) (Want, TargetState) {
	next := ts.Latency.follow(spec, t.Metric, obs)
	ts.Latency = &next
	p95, count := next.percentile(0.95)
	w := newWant(t, Unknown(), 0)
	switch {
	case count > 0:
		w = newWant(t, Reading(p95*1000), latencyCount(spec, p95*1000/t.Value, obs))
	case mostlyUnknown(obs), minOneIfBusy(obs) > 0, len(next.Pods) == 0 && obs.Ready > 0:
		return unknownWant(t), ts
	}
	picked := latencyRules
	if !spec.Reachable {
		picked &^= stabilization
	}
	ts = w.shape(picked, wantInput{spec: spec, obs: obs, metric: t.Metric, replicas: w.Asked, holdDown: spec.StableWindow}, ts)
	return w, ts
}

// latencyGrowth is the most that one percentile grows a revision by: near
// saturation a latency is many times its target for the want of a few pods.
const latencyGrowth = 2

// latencyStep is the part of the replicas that one stable window gives back.
const latencyStep = 10

// latencyCount is the count for a ratio of latency to target. It does not grow
// while pods come, nor until the window tells of them.
func latencyCount(spec Spec, ratio float64, obs Observation) int32 {
	ordered := max(1, obs.Replicas)
	if math.Abs(ratio-1) <= spec.Tolerance+epsilon || ratio > 1 && growing(spec, obs) {
		return ordered
	}
	n := max(1, toCount(math.Ceil(readyPods(obs)*min(ratio, latencyGrowth)*(1-epsilon))))
	if ratio > 1 {
		return max(n, ordered)
	}
	// A low latency does not tell how near saturation is: one step at a time.
	return min(max(n, ordered-max(1, ordered/latencyStep)), ordered)
}

// growing reports whether a pod is coming or came within the stable window.
func growing(spec Spec, obs Observation) bool {
	for _, p := range obs.Pods {
		if coming(spec, p) || p.Phase == Ready && p.ReadyAfter > 0 && p.Age-p.ReadyAfter < spec.StableWindow {
			return true
		}
	}
	return false
}

// follow adds what the pods' histograms gained since the last call.
func (l *latencyState) follow(spec Spec, m Metric, obs Observation) latencyState {
	var next latencyState
	if l != nil && l.valid() {
		next = *l
	}
	next = next.turn(spec, obs.Time)
	open := slices.Clone(next.Slices[len(next.Slices)-1])
	pods, last := make([]float64, 0, len(obs.Pods)), make([][]float64, 0, len(obs.Pods))
	for _, p := range obs.Pods {
		h := p.histogram(m)
		if p.Phase != Ready || !sound(h) || len(pods) == latencyPods {
			continue
		}
		if !slices.Equal(next.Bounds, h.Bounds) {
			next.Bounds, next.Pods, next.Last = slices.Clone(h.Bounds), nil, nil
			next.Slices, open = [][]float64{nil}, nil
		}
		hash := slo.PodHash(p.Name)
		if i := slices.Index(next.Pods, hash); i >= 0 {
			open = gain(h, next.Last[i], open)
		}
		pods, last = append(pods, hash), append(last, counts(h))
	}
	next.Pods, next.Last = pods, last
	next.Slices = append(slices.Clone(next.Slices[:len(next.Slices)-1]), open)
	return next
}

// turn moves the window to now.
func (l latencyState) turn(spec Spec, now time.Time) latencyState {
	width := max(spec.StableWindow/latencySlices, time.Second)
	index := now.UnixNano() / int64(width)
	passed := index - l.Index
	if len(l.Slices) == 0 || passed > latencySlices || passed < 0 {
		l.Index, l.Slices = index, [][]float64{nil}
		return l
	}
	l.Slices = slices.Clone(l.Slices)
	for range passed {
		l.Slices = append(l.Slices, nil)
	}
	l.Slices = l.Slices[max(0, len(l.Slices)-latencySlices-1):]
	l.Index = index
	return l
}

func (p Pod) histogram(m Metric) Histogram {
	if !p.Totals.Known {
		return Histogram{}
	}
	if m == ITLP95 {
		return p.Totals.ITL
	}
	return p.Totals.TTFT
}

// sound reports whether a histogram is cumulative and complete.
func sound(h Histogram) bool {
	if len(h.Bounds) == 0 || len(h.Bounds) != len(h.Counts) || len(h.Bounds) > latencyBuckets {
		return false
	}
	for i, c := range h.Counts {
		if !(c >= 0 && c <= slo.MaxTotal) || !(h.Bounds[i] >= 0) || math.IsInf(h.Bounds[i], 0) || i > 0 && (c < h.Counts[i-1] || h.Bounds[i] <= h.Bounds[i-1]) {
			return false
		}
	}
	return total(h) >= h.Counts[len(h.Counts)-1]
}

// total is the number of observations, -1 when it is unknown or absurd.
func total(h Histogram) float64 {
	if n := h.Count.Within(slo.MaxTotal); n.Known() {
		return float64(n)
	}
	return -1
}

// counts is the cumulative counts with the one above all bounds.
func counts(h Histogram) []float64 {
	return append(slices.Clone(h.Counts), total(h))
}

// gain adds to sum what each bucket gained since last; nothing after a restart.
func gain(h Histogram, last, sum []float64) []float64 {
	n := len(h.Counts) + 1
	if len(last) != n {
		return sum
	}
	now := counts(h)
	for i := range now {
		if now[i] < last[i] {
			return sum
		}
	}
	if len(sum) != n {
		sum = make([]float64, n)
	}
	below := 0.0
	for i := range now {
		gained := now[i] - last[i]
		sum[i] += max(gained-below, 0)
		below = gained
	}
	return sum
}

// percentile is in seconds, of all pods and the whole window; count is the
// observations that it is made of.
func (l latencyState) percentile(q float64) (seconds, count float64) {
	var sum [latencyBuckets + 1]float64
	for _, s := range l.Slices {
		for i, v := range s[:min(len(s), len(sum))] {
			sum[i] += v
		}
	}
	return Percentile(l.Bounds, sum[:], q)
}

// Percentile is the value below which the share q of observations lies, drawn
// evenly through its bucket, and their number: 0, 0 without any. Bounds are the
// upper ends of the buckets, in order; counts is how many fell into each, and
// above the last, which is told as the last. Counts beyond that are not read.
func Percentile(bounds, counts []float64, q float64) (value, count float64) {
	counts = counts[:min(len(counts), len(bounds)+1)]
	for _, c := range counts {
		count += c
	}
	if !(count > 0) || len(bounds) == 0 {
		return 0, 0
	}
	rank := q * count
	for i, to := range bounds[:min(len(bounds), len(counts))] {
		if rank <= counts[i] {
			return value + (to-value)*rank/counts[i], count
		}
		rank, value = rank-counts[i], to
	}
	return value, count
}

// valid reports whether a stored memory can be used.
func (l *latencyState) valid() bool {
	if l == nil {
		return true
	}
	ok := len(l.Pods) == len(l.Last) && len(l.Pods) <= latencyPods && len(l.Bounds) <= latencyBuckets && len(l.Slices) <= latencySlices+1
	for _, s := range [...][][]float64{l.Last, l.Slices, {l.Bounds}} {
		for _, v := range s {
			for _, f := range v {
				ok = ok && f >= 0 && f <= slo.MaxTotal
			}
		}
	}
	return ok
}
