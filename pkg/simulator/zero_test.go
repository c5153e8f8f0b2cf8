package simulator

import (
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/drain"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// maybeNone is a fleet that may have no replica, with n Ready pods and starts of a minute.
func maybeNone(t *testing.T, n int32, around Surroundings) *Fleet {
	t.Helper()
	cfg := NewConfig()
	cfg.Min, cfg.Initial, cfg.Lead, cfg.LeadCV = 0, n, time.Minute, 0
	f, err := NewFleet(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.around = around
	return f
}

func (f *Fleet) must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := f.conserved(); err != nil {
		t.Fatal(err)
	}
}

// answerOf is a request whose answer has that many tokens.
func answerOf(at time.Duration, tokens int) trace.Request {
	return trace.Request{Arrival: at, Input: 100, Output: tokens}
}

// TestZero_waits: a request that comes to no replica waits for the first pod, and its time to
// the first token has all of it.
func TestZero_waits(t *testing.T) {
	f := maybeNone(t, 1, Surroundings{})
	f.must(t, f.Scale(0), f.Advance(time.Minute))
	if f.live() != 0 || f.billed.value != 0 {
		t.Fatalf("%d pods, %d with a GPU; want none", f.live(), f.billed.value)
	}
	f.must(t, f.Submit(answerOf(time.Minute, 10)))
	o, err := f.Observe(61 * time.Second)
	if f.must(t, err); o.Open != 1 || o.Queued != 1 || o.Ready != 0 || o.Replicas != 0 {
		t.Errorf("open %v, queued %v, %d Ready of %d; want a request that waits", o.Open, o.Queued, o.Ready, o.Replicas)
	}
	f.must(t, f.Scale(1), f.Advance(3*time.Minute))
	if ttft := f.score.ttft.percentile(.5); ttft < 61*time.Second || ttft > 63*time.Second {
		t.Errorf("TTFT %v, want the second until it was seen and the minute of the start", ttft)
	}
	if o, err = f.Observe(3 * time.Minute); o.Open != 0 || o.Ready != 1 {
		t.Errorf("open %v, %d Ready; want nothing open (%v)", o.Open, o.Ready, err)
	}
}

// TestZero_lost: what waits for longer than the timeout is lost.
func TestZero_lost(t *testing.T) {
	cfg := NewConfig()
	cfg.Min, cfg.Initial, cfg.Warmup, cfg.QueueTimeout = 0, 1, 0, time.Minute
	r, err := Run(cfg, steady(10*time.Second, 30), staticPolicy(0))
	if err != nil {
		t.Fatal(err)
	}
	if r.Refused+r.Unfinished != r.Requests-r.Met || r.Refused < 20 {
		t.Errorf("%d of %d refused, %d met; want nobody served after the first pod went", r.Refused, r.Requests, r.Met)
	}
}

// TestZero_drains: a replica that drains costs until its last request ends and is quiet, is
// seen, and comes back before a new one is made.
func TestZero_drains(t *testing.T) {
	f := maybeNone(t, 2, Surroundings{Drains: true})
	f.must(t, f.Submit(answerOf(0, 3000)), f.Submit(answerOf(0, 1000)), f.Submit(answerOf(0, 3000)))
	busy, idler := f.pods[0], f.pods[1]
	f.must(t, f.Advance(time.Second), f.Scale(1))
	if idler.phase != Draining || busy.phase != Ready {
		t.Fatalf("%s of %d requests and %s of %d; want the one with fewer to drain", busy.name, busy.inFlight, idler.name, idler.inFlight)
	}
	o, err := f.Observe(7 * time.Second)
	if f.must(t, err); len(o.Pods) != 2 || o.Ready != 1 || o.Open != 3 {
		t.Errorf("%d pods seen, %d Ready, open %v; want the draining one among them", len(o.Pods), o.Ready, o.Open)
	}
	if o.Pods[1].Phase != decider.Draining || o.InFlight != 3 {
		t.Errorf("phase %v, in flight %v; want Draining, and its request counted", o.Pods[1].Phase, o.InFlight)
	}
	f.must(t, f.Scale(2))
	if f.created != 2 || f.router.ready != 2 {
		t.Errorf("%d pods were made, %d Ready; want the draining one back", f.created, f.router.ready)
	}
	f.must(t, f.Scale(0), f.Advance(4*time.Minute))
	if f.billed.value != 0 {
		t.Errorf("%d pods cost after all has ended", f.billed.value)
	}
	gone := f.changes[len(f.changes)-1].At
	if quiet := gone - max(busy.ended, idler.ended); quiet < drain.QuietTime || quiet > drain.QuietTime+time.Millisecond {
		t.Errorf("the last pod went %v after its last request, want %v", quiet, drain.QuietTime)
	}
}

// TestZero_kubernetesDeletes: without a controller that chooses, the pod goes that was Ready
// last, with what it has, and does not come back.
func TestZero_kubernetesDeletes(t *testing.T) {
	f := maybeNone(t, 1, Surroundings{})
	f.must(t, f.Scale(2), f.Advance(2*time.Minute))
	older, younger := f.pods[0], f.pods[1]
	f.must(t, f.Submit(answerOf(f.now, 100)), f.Submit(answerOf(f.now, 3000)))
	f.must(t, f.Advance(f.now+10*time.Second), f.Scale(1))
	if older.inFlight >= younger.inFlight && older.inFlight > 0 || younger.phase != Draining {
		t.Fatalf("older %d requests, younger %d in phase %d; want the younger to go", older.inFlight, younger.inFlight, younger.phase)
	}
	o, err := f.Observe(f.now)
	if f.must(t, err); len(o.Pods) != 1 {
		t.Errorf("%d pods seen, want the draining one left out", len(o.Pods))
	}
	if f.must(t, f.Scale(2)); f.created != 3 {
		t.Errorf("%d pods were made, want a third", f.created)
	}
	f.must(t, f.Advance(f.now+2*time.Minute))
	if younger.phase != Gone || younger.inFlight != 0 {
		t.Errorf("phase %d with %d requests; want it gone with its last request", younger.phase, younger.inFlight)
	}
}

// TestRun_length: an idle fleet costs until the end of the run, and no longer.
func TestRun_length(t *testing.T) {
	for _, row := range []struct {
		length time.Duration
		want   float64
	}{{0, 0.25}, {10 * time.Minute, 0.25}, {time.Hour, 1}} {
		cfg := NewConfig()
		cfg.Warmup, cfg.Initial, cfg.Length = 0, 1, row.length
		r, err := Run(cfg, steady(15*time.Minute, 2), staticPolicy(1))
		if err != nil {
			t.Fatal(err)
		}
		if r.GPUHours != row.want || r.Span.Hours() != row.want || r.Met != 2 {
			t.Errorf("length %v: %v GPU-hours in %v, want %v", row.length, r.GPUHours, r.Span, row.want)
		}
	}
}

// sleepy wants no replica until it is asked at a time that is none of its periods.
type sleepy struct {
	t     *testing.T
	asked []time.Duration
}

func (s *sleepy) Period() time.Duration { return 10 * time.Second }

func (s *sleepy) Surroundings() Surroundings { return Surroundings{Wakes: 100 * time.Millisecond} }

func (s *sleepy) Want(o decider.Observation) (Want, error) {
	at := o.Time.Sub(epoch())
	if at%s.Period() != 0 {
		s.asked = append(s.asked, at)
	}
	if o.Queued > 0 || o.Ready == 0 && o.Replicas > 0 {
		return Want{Replicas: 1}, nil
	}
	return Want{}, nil
}

// TestRun_wakes: a policy is asked soon after a request comes to no replica, once, and in no
// fleet that has a minimum.
func TestRun_wakes(t *testing.T) {
	for minimum, want := range map[int32]int{0: 1, 1: 0} {
		cfg := NewConfig()
		cfg.Min, cfg.Initial, cfg.Warmup, cfg.Lead = minimum, 1, 0, time.Minute
		p := &sleepy{t: t}
		load := func(yield func(trace.Request, error) bool) {
			_ = yield(answerOf(0, 10), nil) && yield(answerOf(65*time.Second, 10), nil) && yield(answerOf(66*time.Second, 10), nil)
		}
		if _, err := Run(cfg, load, p); err != nil {
			t.Fatal(err)
		}
		if len(p.asked) != want || want > 0 && p.asked[0] != 65100*time.Millisecond {
			t.Errorf("min %d: asked besides at %v, want %d times", minimum, p.asked, want)
		}
	}
}
