package simulator

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// TestRouter_leastRequest: over random additions, removals and changes the
// chosen pod is one of the least.
func TestRouter_leastRequest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var router router
	var pods []*pod
	for step := range 20_000 {
		switch k := r.IntN(10); {
		case k == 0 || len(pods) == 0:
			p := &pod{number: int64(step), inFlight: r.IntN(5)}
			pods = append(pods, p)
			router.add(p)
		case k == 1:
			i := r.IntN(len(pods))
			router.remove(pods[i])
			pods = slices.Delete(pods, i, i+1)
		case k < 6:
			p := router.idlest()
			router.change(p, p.inFlight+1)
		default:
			p := pods[r.IntN(len(pods))]
			router.change(p, max(p.inFlight-1, 0))
		}
		least := slices.MinFunc(append(pods, &pod{inFlight: 1 << 30}), func(a, b *pod) int { return a.inFlight - b.inFlight })
		if p := router.idlest(); p == nil != (len(pods) == 0) || p != nil && p.inFlight != least.inFlight {
			t.Fatalf("step %d: chose %+v, the least is %+v of %d", step, p, least, len(pods))
		}
	}
}

func TestRouter_takesTurns(t *testing.T) {
	var router router
	var got []int64
	for i := range 3 {
		router.add(&pod{number: int64(i)})
	}
	for range 6 {
		p := router.idlest()
		got = append(got, p.number)
		router.change(p, 1)
		router.change(p, 0)
	}
	if !slices.Equal(got, []int64{0, 1, 2, 0, 1, 2}) {
		t.Errorf("pods %v", got)
	}
}

func TestDue_order(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var d due
	var pods []*pod
	for step := range 20_000 {
		switch k := r.IntN(4); {
		case k == 0 || len(pods) == 0:
			p := &pod{number: int64(step), due: time.Duration(r.IntN(100))}
			pods = append(pods, p)
			d.add(p)
		case k == 1 && len(pods) > 1:
			i := r.IntN(len(pods))
			d.remove(pods[i])
			pods = slices.Delete(pods, i, i+1)
		default:
			p := pods[r.IntN(len(pods))]
			p.due = time.Duration(r.IntN(100))
			d.fix(p)
		}
		first := slices.MinFunc(pods, func(a, b *pod) int {
			if a.before(b) {
				return -1
			}
			return 1
		})
		if d[0] != first || len(d) != len(pods) || d[first.place] != first {
			t.Fatalf("step %d: %+v is first, want %+v", step, d[0], first)
		}
	}
}

// TestSketch: any percentile is within 1 % of the sorted one.
func TestSketch(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	s := newSketch()
	var all []time.Duration
	for range 50_000 {
		d := time.Duration(r.ExpFloat64() * r.ExpFloat64() * 1e9)
		all = append(all, d)
		s.add(d)
	}
	slices.Sort(all)
	for _, share := range []float64{0.001, .01, .5, .95, .99, .999, 1} {
		want := all[int(share*float64(len(all)))-1]
		got := s.percentile(share)
		if diff := (got - want).Abs(); diff > want/100+time.Microsecond {
			t.Errorf("p%v is %v, want %v", 100*share, got, want)
		}
	}
	for _, d := range []time.Duration{-1, 0, 1, time.Microsecond, 127 * time.Microsecond, 128 * time.Microsecond, time.Hour, 1000 * time.Hour} {
		s.reset()
		if s.add(d); (s.percentile(.5)-d).Abs() > max(d, 0)/100+time.Microsecond && d < 25*24*time.Hour {
			t.Errorf("%v came back as %v", d, s.percentile(.5))
		}
	}
	if s.reset(); s.percentile(.5) != 0 {
		t.Error("an empty sketch has a percentile")
	}
}

func TestScore_recovery(t *testing.T) {
	for _, c := range []struct {
		minutes []minute
		want    time.Duration
	}{
		{nil, 0},
		{[]minute{{100, 100}, {100, 99}, {100, 98}, {100, 100}}, time.Minute},
		{[]minute{{100, 0}, {0, 0}, {100, 0}, {100, 99}, {100, 0}, {100, 99}}, 3 * time.Minute},
		{[]minute{{100, 99}, {100, 0}, {100, 50}}, 2 * time.Minute}, // and never again
	} {
		s := score{slo: SLO{Goal: 0.99}, minutes: c.minutes}
		if got := s.recovery(); got != c.want {
			t.Errorf("%v: %v, want %v", c.minutes, got, c.want)
		}
	}
}

// TestScore_slo: both latencies count, a prompt token adds to the first, and
// a single token has no second.
func TestScore_slo(t *testing.T) {
	ms := time.Millisecond
	for _, c := range []struct {
		ttft, rest     time.Duration
		prompt, output int
		met            int64
	}{
		{2000 * ms, 0, 1, 1, 1}, {2001 * ms, 0, 1, 1, 0}, {2200 * ms, 0, 1000, 1, 1}, {2201 * ms, 0, 1000, 1, 0},
		{100 * ms, 1000 * ms, 1, 11, 1}, {100 * ms, 1001 * ms, 1, 11, 0},
	} {
		s := newScore(Config{SLO: SLO{TTFT: 2 * time.Second, TTFTPerToken: 200 * time.Microsecond, ITL: 100 * ms}})
		at := time.Minute
		s.arrive(at)
		s.complete(engine.Completion{Request: engine.Request{Arrival: at, Prompt: c.prompt, Output: c.output}, FirstToken: at + c.ttft, LastToken: at + c.ttft + c.rest})
		if s.all.met != c.met || s.all.ended != 1 {
			t.Errorf("%+v: %+v", c, s.all)
		}
	}
}

func TestCounted_reversals(t *testing.T) {
	var c counted
	for _, by := range []int32{1, 0, 2, -1, -1, 0, 1} {
		c.change(by)
	}
	if c.operations != 5 || c.reversals != 2 {
		t.Errorf("%+v, want 5 operations and 2 reversals", c)
	}
}

// TestAffinity: the longest beginning wins, among equals the idlest pod, and
// none that is much busier than the idlest of all.
func TestAffinity(t *testing.T) {
	var a affinity
	prefix := func(hashes ...int64) *engine.Prefix { return &engine.Prefix{Hashes: hashes, Tokens: 16} }
	one, two, idle := &pod{routed: true}, &pod{routed: true}, &pod{routed: true}
	send := func(to *pod, hashes ...int64) {
		a.choose(prefix(hashes...), idle)
		a.remember(to, 1000)
	}
	send(one, 1, 2, 3)
	send(two, 1, 2, 4)
	for _, c := range []struct {
		hashes   []int64
		one, two int
		want     *pod
	}{
		{[]int64{1, 2, 3, 9}, 3, 0, one}, {[]int64{1, 2, 4}, 0, 3, two}, {[]int64{1, 2, 5}, 2, 1, two}, {[]int64{1, 2, 5}, 1, 2, one},
		{[]int64{2, 1}, 0, 0, nil}, {[]int64{1, 2, 3}, 5, 0, nil},
	} {
		one.inFlight, two.inFlight = c.one, c.two
		if got := a.choose(prefix(c.hashes...), idle); got != c.want {
			t.Errorf("%v with %d and %d in flight: %v, want %v", c.hashes, c.one, c.two, got, c.want)
		}
	}
	one.inFlight, one.routed = 0, false
	if a.choose(prefix(1, 2, 3), idle) == one || a.choose(nil, idle) != nil {
		t.Error("a pod that takes no requests was chosen, or one for no prefix")
	}
}
