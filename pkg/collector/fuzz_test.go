package collector

import (
	"os"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// FuzzPages gives two pods' pages in turn to a collector, and holds that what is
// observed stays within what one pod may be believed, and that a page that is refused
// leaves the values of the other pod alone.
func FuzzPages(f *testing.F) {
	for _, name := range []string{"vllm-0.32.0-loaded", "sglang-synthetic", "tgi-synthetic"} {
		page, err := os.ReadFile("engine/testdata/" + name + ".prom.txt")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(page, []byte(vllmPage(3, 2, 0.5, 10, 20)))
	}
	f.Add([]byte(vllmPage(1e9, -1, 7, 1e300, 5)), []byte("<html>"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		pods := newFakePods()
		c := New(Options{Dial: pods.dial})
		c.Watch(Spec{Key: rev, Port: 8000, EngineOnly: true, StableWindow: time.Minute, PanicWindow: 6 * time.Second})
		c.SetPods(rev, ready(2))
		for turn := range 3 {
			for i, p := range [][]byte{first, second} {
				ip := []string{"10.0.0.1", "10.0.0.2"}[i]
				pods.enginePage(ip, string(p))
				scrapeOnce(c, c.revisions[rev].pods[[]string{"uid-1", "uid-2"}[i]].targets[enginePage])
			}
			c.tick(c.clock.now())
			checkPicture(t, c, turn)
			first, second = second, first
		}
		if panics := len(c.Problems(rev, time.Now())); panics > 0 {
			for _, p := range c.Problems(rev, time.Now()) {
				if p.Cause == causePanic {
					t.Errorf("a page caused a panic: %+v", p)
				}
			}
		}
	})
}

// checkPicture holds that every value is within its bounds or unknown.
func checkPicture(t *testing.T, c *Collector, turn int) {
	t.Helper()
	o, _ := c.Observe(rev)
	within := func(name string, v decider.Reading, most float64) {
		if v.Known() && !(v >= 0 && float64(v) <= most) {
			t.Errorf("turn %d: %s = %v, want unknown or 0 to %v", turn, name, v, most)
		}
	}
	within("in flight", o.InFlight, 4*maxEngineRequests)
	for _, p := range o.Pods {
		within("running", p.Running, maxEngineRequests)
		within("waiting", p.Waiting, maxEngineRequests)
		within("KV cache", p.KVCache, 100)
	}
	s, _ := c.Snapshot(rev, time.Now())
	for m, v := range s.Values {
		if !known(float64(v.Value)) || v.Value < 0 || v.Time.IsZero() {
			t.Errorf("turn %d: %s = %+v in the snapshot", turn, m, v)
		}
	}
}
