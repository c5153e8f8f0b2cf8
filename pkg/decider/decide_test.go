package decider

import (
	"math"
	"testing"
	"time"
)

func TestReading_absurdIsUnknown(t *testing.T) {
	f := func(m Metric, in float64, want Reading) {
		t.Helper()
		v := Reading(in)
		p := Pod{Running: v, Waiting: v, KVCache: v, PromptTokens: v, GenerationTokens: v}
		d, _ := m.Describe()
		if got := d.reading(&p); got.Known() != want.Known() || got.Known() && got != want {
			t.Errorf("reading of %s = %v is %v, want %v", m, in, got, want)
		}
	}
	for _, m := range []Metric{Running, Waiting, KVCache, PromptTokens, GenerationTokens} {
		f(m, 0, 0)
		f(m, 7.5, 7.5)
		f(m, -1, Unknown())
		f(m, math.NaN(), Unknown())
		f(m, math.Inf(1), Unknown())
		f(m, 1e12, Unknown())
	}
	f(Running, 100_000, 100_000)
	f(Waiting, 100_001, Unknown())
	f(KVCache, 100.5, 100)
	f(KVCache, 100.6, Unknown())
	f(PromptTokens, 1e9, 1e9)
	f(GenerationTokens, 1.1e9, Unknown())
	f(Concurrency, 3, Unknown()) // not the engine's
}

func TestBelievable(t *testing.T) {
	f := func(in float64, want bool) {
		t.Helper()
		if got := believable(Reading(in), 10); got != want {
			t.Errorf("believable(%v, 10) = %v, want %v", in, got, want)
		}
	}
	f(0, true)
	f(10, true)
	f(-0.0000001, true) // what rounding leaves of an average
	f(-1, false)
	f(10.1, false)
	f(math.NaN(), false)
	f(math.Inf(1), false)
	f(math.Inf(-1), false)
}

func TestToCount(t *testing.T) {
	f := func(in float64, want int32) {
		t.Helper()
		if got := toCount(in); got != want {
			t.Errorf("toCount(%v) = %d, want %d", in, got, want)
		}
	}
	f(-3, 0)
	f(7, 7)
	f(1e300, math.MaxInt32)
	f(math.Inf(1), math.MaxInt32)
}

func TestDecide_reportsPanic(t *testing.T) {
	spec, obs := steady(1, KVCache, Concurrency)
	d, st, err := Decide(spec, State{}, obs)
	if err != nil || d.Panicking {
		t.Fatalf("steady load: %v, panicking %v, %v", d, d.Panicking, err)
	}
	obs.Concurrency.Panic = 40
	if d, _, _ = Decide(spec, st, obs); !d.Panicking || d.Metric != Concurrency {
		t.Errorf("a burst: %v, panicking %v by %q", d, d.Panicking, d.Metric)
	}
}

func TestDecide_needsATime(t *testing.T) {
	spec, obs := steady(1, KVCache)
	obs.Time = time.Time{}
	if _, _, err := Decide(spec, State{}, obs); err == nil {
		t.Error("an observation without a time was decided on")
	}
	obs.Time, obs.Replicas = time.Unix(1, 0), -1
	if _, _, err := Decide(spec, State{}, obs); err == nil {
		t.Error("-1 replicas were decided on")
	}
}

func TestString(t *testing.T) {
	f := func(d Decision, want string) {
		t.Helper()
		if got := d.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f(Decision{
		Replicas: 3, Reason: TooManyReplicas,
		Wants: []Want{
			{KVCache, 91.2345, 70, 6, 6, DesiredWithinRange, nil},
			{Concurrency, Unknown(), 8, -1, -1, NoData, nil},
			{PromptTokens, 2.5e10, 0.001, 9, 4, ScaleUpLimit, []Step{{"scale-up limit", 9, 4, ScaleUpLimit}}},
		},
		Trace: []Step{{"bounds", 6, 3, TooManyReplicas}},
	}, "3 replicas. kv_cache_usage_percent is 91.23 (target 70) and needs 6 replicas. concurrency is unknown (target 8 per replica). "+
		"prompt_tokens_per_second is 2.5e+10 (target 0.001 per replica) and needs 9 replicas, lowered from 9 to 4 (max-scale-up-rate). "+
		"The count was lowered from 6 to 3 (max-scale).")
	f(Decision{Replicas: 1, Reason: NoData, Wants: []Want{{RPS, Unknown(), 8, -1, -1, NoData, nil}}},
		"1 replica. rps is unknown (target 8 per replica). The count stays, because no metric has a value. "+
			"min-scale and max-scale did not change the count.")
}

// A state that was stored before losses were counted has no number of missing replicas: the
// whole count stays, as it did then.
func TestLostPod_ofUnknownSize(t *testing.T) {
	spec, obs := steady(9, Running)
	f := func(st State, want int32) {
		t.Helper()
		if o := lostPod(spec, st, obs, Decision{Replicas: 5}); o.replicas != want {
			t.Errorf("%+v: %d replicas, want %d", st, o.replicas, want)
		}
	}
	lostAt := obs.Time.Add(-time.Second)
	f(State{}, 5)
	f(State{LostAt: lostAt}, 9)
	f(State{LostAt: lostAt, Missing: 1, MissingAt: lostAt}, 6)
	f(State{LostAt: lostAt, Missing: math.MaxInt32, MissingAt: lostAt}, 9)
}
