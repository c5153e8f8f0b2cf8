package playground

import (
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

func podNamed(name string, ready bool) collector.Pod { return collector.Pod{Name: name, Ready: ready} }

// Only Ready pods have pages. A queue-proxy's report is renewed once a second of real time, whatever the speed.
func TestWorld_follow(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		speed  float64
		since  time.Duration // simulated time since the last report
		report bool
	}{
		{1, 900 * time.Millisecond, false}, {1, time.Second, true}, {10, 9 * time.Second, false}, {10, 10 * time.Second, true},
	} {
		w := lockedWorld(t)
		w.control.Speed, w.reported = c.speed, -c.since // and it is 0 now
		w.last.Pods = []decider.Pod{{Name: "a", Phase: decider.Starting}, {Name: "b", Phase: decider.Ready, Running: 2, Age: time.Minute}}
		if !w.follow(now) || w.follow(now) {
			t.Errorf("speed %v: want a change at the first call and none at the second", c.speed)
		}
		p, ok := w.pages.byName["b"]
		if len(w.pages.byName) != 1 || len(w.pages.byIP) != 1 || !ok || p.pod.Running != 2 || w.pages.byIP[w.addresses["b"]].pod.Name != "b" {
			t.Errorf("speed %v: pages %+v, want that of b", c.speed, w.pages)
		}
		if inside := p.stat.AverageConcurrentRequests; (inside == 2) != c.report || (w.reported == 0) != c.report {
			t.Errorf("speed %v, %v after the last report: a report of %v at %v", c.speed, c.since, inside, w.reported)
		}
		if len(w.pods) != 2 || w.pods[0].Ready || !w.pods[1].Ready || now.Sub(w.pods[1].Created) != time.Duration(float64(time.Minute)/c.speed) {
			t.Errorf("speed %v: the collector gets %+v", c.speed, w.pods)
		}
	}
}
