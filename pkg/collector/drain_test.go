package collector

import (
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// drainingPods are two Ready pods. The second was given up; with notReady the kubelet has
// made it not Ready. The first cannot drain.
func drainingPods(created time.Time, notReady bool) []Pod {
	pods := ready(2)
	for i := range pods {
		pods[i].Created = created
	}
	pods[0].Ungated, pods[1].Draining, pods[1].Ready = true, true, !notReady
	return pods
}

// A pod that drains is read on when it is not Ready any more: its requests count, its
// capacity does not, and its silence is measured from its leaving routing.
func TestDrain_isReadOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		created := time.Now()
		w := newWorld(t, ready(2)...)
		w.load("10.0.0.1", 3, 1)
		w.load("10.0.0.2", 2, 0)
		w.engine("10.0.0.1", 3, 0, 0.4)
		w.engine("10.0.0.2", 1, 1, 0.8)
		after(5 * time.Second)
		w.SetPods(rev, drainingPods(created, false))
		w.SetPods(rev, drainingPods(created, true))
		after(10 * time.Second)

		o := w.observe()
		if o.Ready != 1 || w.pod("p2").Phase != decider.Draining {
			t.Errorf("%d Ready, phase %v; want 1 and a draining pod", o.Ready, w.pod("p2").Phase)
		}
		if !w.pod("p1").Ungated || w.pod("p2").Ungated {
			t.Errorf("without the readiness gate: %v and %v, want the first pod only", w.pod("p1").Ungated, w.pod("p2").Ungated)
		}
		wantReading(t, "concurrency", o.Concurrency.Panic, 5)
		wantReading(t, "in flight", o.InFlight, 5)
		wantReading(t, "running of the draining pod", w.pod("p2").Running, 1)
		wantLoad(t, w, "uid-1", Load{Open: 3, Quiet: -1})
		wantLoad(t, w, "uid-2", Load{Open: 2, Quiet: -1})
		s, _ := w.Snapshot(rev, time.Now())
		if kv := s.Values[decider.KVCache].Value; kv != 40 {
			t.Errorf("KV-cache usage %v, want that of the pod that serves", kv)
		}

		w.load("10.0.0.2", 0, 0)
		after(4 * time.Second) // the engine still runs one
		wantLoad(t, w, "uid-2", Load{Open: 2, Quiet: -1})
		w.engine("10.0.0.2", 0, 0, 0)
		after(4 * time.Second)
		if l := w.Loads(rev)["uid-2"]; l.Open != 0 || l.Quiet < 3*time.Second || l.Quiet > 4*time.Second {
			t.Errorf("load %+v, want nothing open for 3 to 4 s", l)
		}
		w.set("10.0.0.2", func(p *fakePod) { p.statPage = hang })
		after(10 * time.Second)
		wantLoad(t, w, "uid-2", Load{Open: math.NaN(), Quiet: -1})
	})
}

func wantLoad(t *testing.T, w *world, uid string, want Load) {
	t.Helper()
	got := w.Loads(rev)[uid]
	if !same(got.Open, want.Open) || got.Quiet != want.Quiet || got.Unborn != want.Unborn {
		t.Errorf("load of %s %+v, want %+v", uid, got, want)
	}
}

// What was silent before the pod left routing proves nothing.
func TestDrain_silenceBeginsAfterRouting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		created := time.Now()
		w := newWorld(t, ready(2)...)
		w.engine("10.0.0.1", 0, 0, 0)
		w.engine("10.0.0.2", 0, 0, 0)
		after(time.Minute)
		w.SetPods(rev, drainingPods(created, false))
		after(time.Minute)
		wantLoad(t, w, "uid-2", Load{Quiet: -1}) // still Ready
		w.SetPods(rev, drainingPods(created, true))
		after(3 * time.Second)
		if l := w.Loads(rev)["uid-2"]; l.Quiet < 2*time.Second || l.Quiet > 3*time.Second {
			t.Errorf("quiet for %v, want 2 to 3 s", l.Quiet)
		}
		w.SetPods(rev, ready(2)) // it is back
		after(time.Second)
		wantLoad(t, w, "uid-2", Load{Quiet: -1})
	})
}

// Without any engine the queue-proxy alone counts; where one was seen, one that does not
// answer may still run something.
func TestDrain_engineThatDoesNotAnswer(t *testing.T) {
	for name, seen := range map[string]bool{"no engine anywhere": false, "an engine that was read before": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				created := time.Now()
				w := newWorld(t, ready(2)...)
				w.load("10.0.0.1", 0, 0)
				w.load("10.0.0.2", 0, 0)
				if seen {
					w.engine("10.0.0.2", 0, 0, 0)
				}
				after(5 * time.Second)
				w.set("10.0.0.2", func(p *fakePod) { p.enginePage = status(http.StatusNotFound) })
				w.SetPods(rev, drainingPods(created, true))
				after(20 * time.Second)
				if l := w.Loads(rev)["uid-2"]; (l.Quiet > 15*time.Second) == seen {
					t.Errorf("load %+v", l)
				}
			})
		})
	}
}

// A pod that never was Ready is not asked, and is known to be unborn.
func TestDrain_unborn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pods := drainingPods(time.Now(), true)
		w := newWorld(t, pods...)
		after(5 * time.Second)
		if l := w.Loads(rev)["uid-2"]; !l.Unborn || w.count("10.0.0.2:9090") != 0 {
			t.Errorf("load %+v after %d scrapes, want an unborn pod that is not asked", l, w.count("10.0.0.2:9090"))
		}
	})
}
