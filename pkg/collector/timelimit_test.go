package collector

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// pageAfter is an engine's page that takes so long to come.
func (w *world) pageAfter(ip string, d time.Duration, running float64) {
	w.set(ip, func(p *fakePod) {
		p.enginePage = func(*http.Request) (*http.Response, error) {
			time.Sleep(d)
			return ok("text/plain", vllmPage(running, 0, 0.1, 1, 1)), nil
		}
	})
}

// A page that becomes slow under load is read all the same. With a limit of 1 s, one of
// 1.3 s was unknown for as long as the load lasted.
func TestTimeLimit_slowUnderLoad(t *testing.T) {
	for _, tt := range []struct{ takes, known time.Duration }{
		{900 * time.Millisecond, 2 * time.Second}, {1300 * time.Millisecond, 4 * time.Second}, {2500 * time.Millisecond, 6 * time.Second}, {4500 * time.Millisecond, 15 * time.Second},
	} {
		t.Run(tt.takes.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, ready(1)...)
				w.engine("10.0.0.1", 1, 0, 0.1)
				after(time.Minute)
				w.pageAfter("10.0.0.1", tt.takes, 9)
				after(tt.known)
				wantReading(t, "running under load", w.pod("p1").Running, 9)
				for range 600 {
					after(100 * time.Millisecond)
					wantReading(t, "running under load", w.pod("p1").Running, 9)
				}
				w.engine("10.0.0.1", 1, 0, 0.1)
				after(12 * time.Second)
				wantReading(t, "running after the load", w.pod("p1").Running, 1)
			})
		})
	}
}

// A page of 1.3 s is never unknown on the way.
func TestTimeLimit_noGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWith(t, Options{EngineInterval: 250 * time.Millisecond}, ready(1)...)
		w.engine("10.0.0.1", 1, 0, 0.1)
		after(time.Minute)
		w.pageAfter("10.0.0.1", 1300*time.Millisecond, 9)
		for range 200 {
			after(100 * time.Millisecond)
			if !w.pod("p1").Running.Known() {
				t.Fatal("the engine is unknown")
			}
		}
	})
}

// An engine that hangs is unknown within 5 s, is asked on, seldom for long, and is known
// again within the longest limit when it answers.
func TestTimeLimit_hanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...)
		w.engine("10.0.0.1", 1, 0, 0.1)
		after(10 * time.Second)
		w.set("10.0.0.1", func(p *fakePod) { p.enginePage = hang })
		after(5 * time.Second)
		wantReading(t, "running", w.pod("p1").Running, decider.Unknown())
		after(15 * time.Second)
		n := w.count("10.0.0.1:8000")
		after(3 * time.Minute)
		if got := w.count("10.0.0.1:8000") - n; got < 60 {
			t.Errorf("asked %d times in 3 min, want at least every 3 s in the mean", got)
		}
		w.engine("10.0.0.1", 2, 0, 0.1)
		after(6 * time.Second)
		wantReading(t, "running again", w.pod("p1").Running, 2)
	})
}

func TestTimeLimit(t *testing.T) {
	o := Options{}.withDefaults()
	at := time.Unix(1000, 0)
	var l timeLimit
	want := func(when string, next, grace time.Duration) {
		t.Helper()
		if n, g := l.next(&o), l.grace(&o); n != next || g != grace {
			t.Errorf("%s: next %v with %v of grace, want %v with %v", when, n, g, next, grace)
		}
	}
	want("new", time.Second, time.Second)
	l.cutOff(&o, at)
	want("cut off", 3*time.Second, 3*time.Second)
	l.cutOff(&o, at)
	want("cut off twice", 5*time.Second, 3*time.Second)
	l.cutOff(&o, at)
	want("hanging", time.Second, time.Second)
	l.cutOff(&o, at.Add(tiredFor-1))
	want("hanging still", time.Second, time.Second)
	l.cutOff(&o, at.Add(tiredFor))
	want("a minute later", 3*time.Second, 3*time.Second)
	l.answered(&o, 2*time.Second)
	want("answered late", 5*time.Second, 4*time.Second)
	for range 100 {
		l.answered(&o, 10*time.Millisecond)
	}
	want("fast again", time.Second, time.Second)
}
