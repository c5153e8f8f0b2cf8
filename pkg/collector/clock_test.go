package collector

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// The wall clock is set while a load begins and ends: the collector sees both at
// once, and what it cannot measure becomes unknown in the usual time.
func TestCollector_wallClockIsSet(t *testing.T) {
	for _, jump := range []time.Duration{-time.Hour, -5 * time.Minute, -3 * time.Second, 3 * time.Second, 5 * time.Minute, time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var set time.Duration
				wall := func() time.Time { return time.Now().Round(0).Add(set) }
				w := newWorldWith(t, Options{Clock: wall}, ready(1)...)
				observe := func() decider.Observation { o, _ := w.Observe(rev); return o }
				w.load("10.0.0.1", 100, 100)
				w.engine("10.0.0.1", 9, 1, 0.5)
				after(70 * time.Second)
				before := observe()
				wantReading(t, "concurrency before", before.Concurrency.Stable, 100)

				set = jump
				w.load("10.0.0.1", 0, 0)
				w.engine("10.0.0.1", 0, 0, 0)
				after(10 * time.Second)
				o := observe()
				wantReading(t, "panic concurrency 10 s after the load ended", o.Concurrency.Panic, 0)
				wantReading(t, "running", o.Pods[0].Running, 0)
				if got := o.Time.Sub(before.Time); got != 10*time.Second {
					t.Errorf("the observations are %v apart, want 10s", got)
				}
				if s, _ := w.Snapshot(rev, wall()); wall().Sub(s.Values[decider.Running].Time) > time.Second {
					t.Errorf("the sample's time is %v before the wall clock's", wall().Sub(s.Values[decider.Running].Time))
				}

				set = -jump
				w.set("10.0.0.1", func(p *fakePod) { p.enginePage, p.statPage = hang, hang })
				after(10 * time.Second)
				o = observe()
				wantReading(t, "concurrency that is not measured", o.Concurrency.Stable, decider.Unknown())
				wantReading(t, "running that is not measured", o.Pods[0].Running, decider.Unknown())
			})
		})
	}
}

// Ages of pods rest on the API server's clock for the pods of the first list only. A pod
// that comes later is not older than the last list without it, and no age is negative.
func TestCollector_agesOfPods(t *testing.T) {
	for _, skew := range []time.Duration{-time.Hour, -10 * time.Second, 0, 10 * time.Second, time.Hour} {
		t.Run(skew.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				created := func() time.Time { return time.Now().Add(skew) } // by the API server's clock
				first := Pod{Name: "p1", UID: "p1", Created: created().Add(-2 * time.Hour)}
				w := newWorld(t, first)
				after(time.Minute)
				second := Pod{Name: "p2", UID: "p2", Created: created()}
				w.SetPods(rev, []Pod{first})
				after(time.Second)
				w.SetPods(rev, []Pod{first, second})
				after(30 * time.Second)
				if age := w.pod("p2").Age; age < 30*time.Second || age > 31*time.Second {
					t.Errorf("age of the pod that came = %v, want 30s to 31s", age)
				}
				if age, want := w.pod("p1").Age, 2*time.Hour-skew+91*time.Second; age != want {
					t.Errorf("age of the first pod = %v, want %v", age, want)
				}
				if !w.revisions[rev].pods["p2"].unborn {
					t.Error("the pod that came is taken for one that was Ready before")
				}
			})
		})
	}
}

// A pod's address was given to another pod: neither its queue-proxy nor its engine
// page counts, for the page does not name a pod.
func TestCollector_addressOfAnotherPod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...)
		w.set("10.0.0.1", func(p *fakePod) { p.stat.PodName = "p1" })
		w.engine("10.0.0.1", 2, 0, 0.1)
		after(3 * time.Second)
		wantReading(t, "running", w.pod("p1").Running, 2)
		w.set("10.0.0.1", func(p *fakePod) { p.stat.PodName = "another" })
		after(600 * time.Millisecond)
		for range 50 {
			wantReading(t, "running of another pod", w.pod("p1").Running, decider.Unknown())
			after(100 * time.Millisecond)
		}
		w.set("10.0.0.1", func(p *fakePod) { p.stat.PodName = "p1" })
		after(1500 * time.Millisecond)
		wantReading(t, "running of the pod again", w.pod("p1").Running, 2)
	})
}

// A panic on what the collector holds of one revision leaves the others their second.
func TestTick_panicIsContained(t *testing.T) {
	c := New(Options{Log: slog.New(slog.DiscardHandler)})
	other := Key{Namespace: rev.Namespace, Name: "other"}
	for _, key := range []Key{rev, other} {
		c.Watch(Spec{Key: key, Port: 8000, StableWindow: time.Minute, PanicWindow: 6 * time.Second})
		c.SetPods(key, ready(1))
	}
	c.revisions[rev].pods["poison"] = nil
	for range 8 { // revisions come in any order
		c.tick(time.Now())
	}
	if targets, _ := c.Readable(); targets < 2 || testutil.ToFloat64(c.metrics.panics) != 8 {
		t.Errorf("%d targets and %v panics, want 2 or more and 8", targets, testutil.ToFloat64(c.metrics.panics))
	}
}

// A panic on what one pod sends is counted and leaves the other pods as they are.
func TestPoll_panicIsContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(2)...)
		for _, ip := range []string{"10.0.0.1", "10.0.0.2"} {
			w.load(ip, 1, 1)
			w.engine(ip, 1, 0, 0.1)
		}
		after(3 * time.Second)
		w.set("10.0.0.2", func(p *fakePod) { p.poisoned = true })
		n := w.count("10.0.0.2:8000")
		after(30 * time.Second)
		wantReading(t, "running of the other pod", w.pod("p1").Running, 1)
		wantReading(t, "running of the pod", w.pod("p2").Running, decider.Unknown())
		if got := w.count("10.0.0.2:8000") - n; got < 2 || got > 8 {
			t.Errorf("asked %d times in 30 s, want 2 to 8", got)
		}
		if v := testutil.ToFloat64(w.Collector.metrics.panics); v < 2 || v != w.scrapes("engine", "panic") {
			t.Errorf("%v panics counted and %v scrapes, want as many and at least 2", v, w.scrapes("engine", "panic"))
		}
		if p := w.Problems(rev, time.Now()); len(p) != 1 || p[0].Cause != "panic" {
			t.Errorf("Problems = %+v, want one panic", p)
		}
	})
}
