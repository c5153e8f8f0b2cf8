package decider

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// picks turns bytes into choices, so that the same walk serves a random test
// and a fuzzer. Without bytes left every choice is the first.
type picks struct{ b []byte }

func (p *picks) n(k int) int {
	if len(p.b) == 0 {
		return 0
	}
	v := int(p.b[0])
	p.b = p.b[1:]
	return v % k
}

func (p *picks) in(least, most int) int32 { return int32(least + p.n(most-least+1)) }

// reading is mostly sane, sometimes what a broken engine may report.
func (p *picks) reading(most float64) Reading {
	hostile := [...]float64{
		math.NaN(), math.Inf(1), math.Inf(-1), -1, 1e300, -1e300, 1e12, 5e-324, 100_000, 100.4, 1e9, math.MaxFloat64, -0.0005,
	}
	if i := p.n(48); i < len(hostile) {
		return Reading(hostile[i])
	}
	return Reading(float64(p.n(256)) / 255 * most)
}

func (p *picks) windowed() Windowed { return Windowed{p.reading(200), p.reading(200)} }

func (p *picks) spec() Spec {
	s := Spec{
		MinReplicas: p.in(0, 2), MaxReplicas: []int32{0, 2, 5, 20}[p.n(4)], ActivationScale: p.in(0, 4),
		Reachable: p.n(4) > 0, StableWindow: time.Duration(p.in(1, 70)) * time.Second,
		PanicThreshold:   []float64{2, 1.1, 10}[p.n(3)],
		MaxScaleUpRate:   []float64{2, 1.01, 1000, 1e300}[p.n(4)],
		MaxScaleDownRate: []float64{2, 1.01, 1e300}[p.n(3)],
		ScaleDownDelay:   time.Duration(p.n(3)*p.n(40)) * time.Second,
		Tolerance:        []float64{0.1, 0, 0.99}[p.n(3)],
		StartupDeadline:  time.Duration(p.n(200)) * time.Second,
		EarlyPanic:       p.n(2) == 0,
	}
	s.SLO = p.objective()
	all := [...]Metric{Concurrency, SLO, RPS, Running, TTFTP95, Waiting, ITLP95, KVCache, PromptTokens, GenerationTokens}
	start := p.n(len(all))
	for i := range p.n(3) + 1 {
		value := []float64{5, 70, 0.5, 1e-300, 1e12}[p.n(5)]
		s.Targets = append(s.Targets, Target{all[(start+i)%len(all)], value})
	}
	return s
}

func (p *picks) objective() Objective {
	return Objective{
		TTFT: []time.Duration{2 * time.Second, time.Nanosecond, time.Hour}[p.n(3)],
		ITL:  []time.Duration{100 * time.Millisecond, time.Nanosecond, time.Hour}[p.n(3)],
		Goal: []float64{0.99, 1e-9, 0.999999}[p.n(3)], TTFTPerToken: time.Duration(p.n(2)) * time.Millisecond,
		StartupTime: time.Duration(p.n(3)) * 20 * time.Minute, MaxNumSeqs: []int{0, 1, maxRequests}[p.n(3)],
		Margin: []float64{0, 0.1, 10}[p.n(3)], DisabledFeatures: slo.Feature(p.n(64)),
		Prior: []StepTime{{}, {Base: 1e-6, Sequence: 1e-12, PromptToken: 1e-9}, {Base: 10, Sequence: 10, KVToken: 10, PromptToken: 10}}[p.n(3)],
	}
}

// totals are mostly counters that grow, each by its own steps.
func (p *picks) totals(step int) Totals {
	grow := func() Reading {
		if p.n(24) == 0 {
			return p.reading(1e9)
		}
		return Reading(step * (1 + p.n(256)) * 10)
	}
	histogram := func() Histogram {
		h := Histogram{Count: grow(), Sum: grow()}
		for i := range p.n(4) {
			h.Bounds = append(h.Bounds, float64(i+1)*float64(1+p.n(8)))
			h.Counts = append(h.Counts, float64(grow()))
		}
		if p.n(16) == 0 {
			h.Counts = h.Counts[:len(h.Counts)/2]
		}
		return h
	}
	return Totals{
		Known: p.n(8) > 0, Steps: grow(), Preemptions: grow(), Finished: grow(), PromptTokens: grow(), CachedTokens: grow(),
		GenerationTokens: grow(), KVCapacity: []Reading{420_000, 0, 1, Unknown()}[p.n(4)], TTFT: histogram(), ITL: histogram(), E2E: histogram(),
	}
}

func (p *picks) observation(now time.Time, replicas int32) Observation {
	o := Observation{Time: now, Replicas: replicas, Concurrency: p.windowed(), RPS: p.windowed(), InFlight: p.reading(300)}
	step := int(now.Unix() % 100_000)
	o.Arrivals, o.Queued = Reading(step*(1+p.n(3))), p.reading(50)
	if p.n(16) == 0 {
		o.Arrivals = p.reading(1e6)
	}
	for _, l := range []*Latency{&o.TTFT, &o.ITL} {
		*l = Latency{Known: p.n(4) > 0, Count: p.reading(1e4), P95: p.reading(1e5)}
	}
	for i := range p.n(6) {
		o.Pods = append(o.Pods, Pod{
			Name: string(rune('a' + i + p.n(2))), ReadyAfter: time.Duration(p.n(256)-20) * time.Second, Totals: p.totals(step),
			Unschedulable: p.n(4) == 0, Ungated: p.n(4) == 0,
			Phase: Phase([]int{0, 0, 1, 7}[p.n(4)]), Age: time.Duration(p.n(256)-20) * time.Second,
			Running: p.reading(300), Waiting: p.reading(300), KVCache: p.reading(120),
			PromptTokens: p.reading(1e5), GenerationTokens: p.reading(1e5),
		})
	}
	for i := range o.Pods {
		if p.n(3) == 0 {
			o.Pods[i].Previous = PreviousSample{true, p.reading(300), p.reading(300), p.reading(120), p.reading(1e5), p.reading(1e5), 0}
		}
	}
	if p.n(2) == 0 { // nothing begins
		o.RPS, o.Queued = Windowed{}, 0
		for i := range o.Pods {
			o.Pods[i].Totals.TTFT.Count = 0
		}
	}
	for _, pod := range o.Pods {
		if pod.Phase == Ready {
			o.Ready++
		}
	}
	if p.n(8) == 0 {
		o.Ready = p.in(0, 9)
	}
	return o
}

// walk decides until the bytes run out and checks every decision.
func walk(t *testing.T, b []byte) {
	p := &picks{b}
	spec, state, replicas := p.spec(), State{}, int32(p.n(8))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for step := 0; len(p.b) > 0; step++ {
		if p.n(40) == 0 {
			spec = p.spec()
		}
		if p.n(8) == 0 {
			replicas = p.in(0, 12)
		}
		now = now.Add(time.Duration(p.n(40)-2) * time.Duration(1+p.n(4)) * 250 * time.Millisecond)
		obs := p.observation(now, replicas)
		d, next := decideTwice(t, spec, state, obs)
		if spec.MinReplicas <= spec.MaxReplicas || spec.MaxReplicas == 0 {
			if msg := broken(spec, next, obs, d); msg != "" {
				t.Fatalf("step %d: %s\n%v\nspec %+v\nobs %+v", step, msg, d, spec, obs)
			}
			replicas = d.Replicas
		}
		state = next
	}
}

// decideTwice also decides on a state that went through JSON: the answer must
// be the same, and neither state nor observation may change.
func decideTwice(t *testing.T, spec Spec, state State, obs Observation) (Decision, State) {
	t.Helper()
	before := encode(t, state)
	var copied State
	if err := json.Unmarshal(before, &copied); err != nil {
		t.Fatalf("state %s: %v", before, err)
	}
	d, next, err := Decide(spec, state, obs)
	if err := next.SLO.Valid(); err != nil {
		t.Fatalf("%v: %s", err, encode(t, next.SLO))
	}
	again, nextAgain, errAgain := Decide(spec, copied, obs)
	if valid := spec.MaxReplicas == 0 || spec.MinReplicas <= spec.MaxReplicas; valid != (err == nil) {
		t.Fatalf("error %v for %+v", err, spec)
	}
	if after := encode(t, state); string(after) != string(before) {
		t.Fatalf("Decide changed its state from %s to %s", before, after)
	}
	if string(encode(t, d)) != string(encode(t, again)) || string(encode(t, next)) != string(encode(t, nextAgain)) || (err == nil) != (errAgain == nil) {
		t.Fatalf("two answers, %v and %v, for the state %s", d, again, before)
	}
	return d, next
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("%+v: %v", v, err)
	}
	return b
}

// broken names the promise that a decision breaks, or returns "".
func broken(spec Spec, st State, obs Observation, d Decision) string {
	if d.Replicas < spec.MinReplicas || spec.MaxReplicas > 0 && d.Replicas > spec.MaxReplicas {
		return "the count is out of bounds"
	}
	largest, unknown := int32(-1), false
	for _, w := range d.Wants {
		largest, unknown = max(largest, w.Replicas), unknown || w.Replicas < 0 && w.Reason != NeverKnown
		if msg := brokenWant(spec, obs, w); msg != "" {
			return string(w.Metric) + ": " + msg
		}
	}
	atMost := func(n int32) int32 {
		if spec.MaxReplicas > 0 {
			return min(n, spec.MaxReplicas)
		}
		return n
	}
	if spec.Reachable && unknown && d.Replicas < atMost(obs.Replicas) {
		return "lowered on partial data"
	}
	removed := slices.ContainsFunc(d.Trace, func(s Step) bool { return s.Rule == "idle" || s.Rule == "failing start" })
	if spec.Reachable && d.Replicas < atMost(largest) && !removed {
		return "lower than the largest want"
	}
	forThoseThatWait := int32(0)
	if believable(obs.Queued, maxQueued) && obs.Queued > 0 {
		forThoseThatWait = 1
	}
	if !spec.Reachable && obs.Ready == 0 && d.Replicas > max(spec.MinReplicas, forThoseThatWait) {
		return "unreachable without a Ready pod, and pods are kept"
	}
	if !spec.Reachable && obs.Ready > 0 && st.EngineSeen && !enginesIdle(obs) {
		if msg := brokenGivingUp(spec, st, obs, atMost(d.Replicas), atMost); msg != "" {
			return msg
		}
	}
	return brokenTrace(obs, d, largest)
}

// brokenGivingUp checks the count of a revision without a route whose engines have work, or may
// have: all pods stay until no request has begun for a stable window; then those stay that
// cannot drain or cannot be read, and one at least.
func brokenGivingUp(spec Spec, st State, obs Observation, count int32, atMost func(int32) int32) string {
	quiet := !st.QuietSince.IsZero() && obs.Time.Sub(st.QuietSince) >= spec.StableWindow
	if !quiet && count < atMost(obs.Replicas) {
		return "unreachable with work, and pods are given back"
	}
	if r := newest(obs.RPS); quiet && (!r.Known() || r > 0 || requestsWait(obs)) {
		return "requests begin, or may, and nobody notices"
	}
	drainable := int32(0)
	for _, p := range obs.Pods {
		if p.Phase == Ready && !p.Ungated && believableRequests(p.Running).Known() && believableRequests(p.Waiting).Known() {
			drainable++
		}
	}
	if least := min(max(obs.Ready-drainable, 1), obs.Replicas); count < atMost(least) {
		return "a pod is given up that cannot drain, or cannot be read"
	}
	return ""
}

// brokenWant checks the rate limits; a want that is kept from earlier was
// within them then.
func brokenWant(spec Spec, obs Observation, w Want) string {
	if w.Replicas < 0 {
		return ""
	}
	ready := float64(max(1, obs.Ready))
	most := max(math.Ceil(spec.MaxScaleUpRate*ready), float64(spec.ActivationScale))
	if !w.Metric.demand() {
		most = max(most, float64(obs.Replicas))
	}
	if held := w.Reason == ScaleDownStabilized || w.Reason == Panicking; !held && float64(w.Replicas) > most {
		return "outgrows the rate limit"
	}
	if spec.Reachable && float64(w.Replicas) < math.Floor(ready/spec.MaxScaleDownRate) {
		return "shrinks faster than the rate limit"
	}
	n, why := w.Asked, w.Reason
	for _, s := range w.Trace {
		if s.Before != n || s.After == n || s.Rule == "" || s.Reason == "" {
			return "the trace of the want has a hole"
		}
		n, why = s.After, s.Reason
	}
	if n != w.Replicas || why != w.Reason {
		return "the trace of the want does not end at the want"
	}
	return ""
}

// brokenTrace follows the trace from the largest want to the count.
func brokenTrace(obs Observation, d Decision, largest int32) string {
	n, why := largest, Reason("")
	if largest < 0 {
		n, why = obs.Replicas, NoData
	}
	for _, w := range d.Wants {
		if w.Replicas == largest && why == "" {
			why = w.Reason
		}
	}
	for _, s := range d.Trace {
		saysWhy := s.Rule == "unreachable" || s.Rule == "requests wait" && obs.Replicas == 0
		stays := s.After == n && !saysWhy
		if s.Before != n || stays || s.Rule == "" || s.Reason == "" {
			return "the trace has a hole"
		}
		n, why = s.After, s.Reason
	}
	if n != d.Replicas || why != d.Reason {
		return "the trace does not end at the decision"
	}
	return ""
}

func TestDecide_keepsItsPromisesOnHostileWalks(t *testing.T) {
	walks := uint64(100)
	if testing.Short() {
		walks = 20
	}
	for seed := range walks {
		r := rand.New(rand.NewPCG(seed, 11))
		b := make([]byte, 40_000)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		walk(t, b)
	}
}

func FuzzDecide(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("a revision of three pods, one of them absurd, none of them idle, and a route that goes away"))
	f.Fuzz(walk)
}

// FuzzState feeds states that somebody else wrote.
func FuzzState(f *testing.F) {
	spec := Spec{
		Targets:     []Target{{Concurrency, 5}, {Waiting, 5}, {KVCache, 70}, {SLO, 0}, {TTFTP95, 1000}},
		SLO:         Objective{TTFT: 2 * time.Second, ITL: 100 * time.Millisecond, Goal: 0.99},
		MaxReplicas: 9, Reachable: true, StableWindow: time.Minute, PanicThreshold: 2,
		MaxScaleUpRate: 10, MaxScaleDownRate: 2, ScaleDownDelay: time.Minute, Tolerance: 0.1, StartupDeadline: time.Hour,
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	obs := Observation{
		Time: now, Replicas: 3, Ready: 2, Concurrency: Windowed{9, 30}, RPS: Windowed{3, 3}, InFlight: 9,
		Arrivals: 70, Queued: 2,
		Pods: []Pod{{Name: "a", Running: 3, Waiting: 9, KVCache: 80, Totals: (&picks{[]byte("some totals")}).totals(7)}, {Running: 0, Waiting: 0, KVCache: 3}, {Phase: Starting, Age: 2 * time.Minute}},
	}
	_, st, err := Decide(spec, State{}, obs)
	if err != nil {
		f.Fatal(err)
	}
	seed, err := json.Marshal(st)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		var st State
		if json.Unmarshal(b, &st) != nil {
			return
		}
		for range 3 {
			d, next, err := Decide(spec, st, obs)
			if err != nil || d.Replicas < 0 || d.Replicas > 9 {
				t.Fatalf("%v, %v from %s", d, err, b)
			}
			st, obs.Time, obs.Arrivals = next, obs.Time.Add(8*time.Second), obs.Arrivals+9
		}
	})
}

func TestState_survivesJSON(t *testing.T) {
	p := &picks{[]byte("some walk with several metrics and pods that start, to have a state which is not empty at all")}
	spec, state := p.spec(), State{}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	spec.MinReplicas, spec.Targets = 0, []Target{{Concurrency, 0.5}, {Waiting, 5}, {KVCache, 70}}
	for i := range 30 {
		var err error
		if _, state, err = Decide(spec, state, p.observation(now.Add(time.Duration(i)*time.Second), 9)); err != nil {
			t.Fatal(err)
		}
	}
	text := encode(t, state)
	if len(text) > 1024 {
		t.Errorf("%d bytes of state: %s", len(text), text)
	}
	var got State
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if again := encode(t, got); string(again) != string(text) {
		t.Errorf("state %s came back as %s", text, again)
	}
}
