package collector

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// neighbours watches a victim's pod beside n pods of another namespace, all with an
// engine page only.
func neighbours(t *testing.T, n int, answer func(*http.Request) (*http.Response, error)) *world {
	t.Helper()
	w := newWorld(t)
	w.Watch(Spec{Key: rev, Port: 8000, EngineOnly: true, StableWindow: time.Minute, PanicWindow: 6 * time.Second})
	w.SetPods(rev, ready(1))
	w.engine("10.0.0.1", 1, 0, 0.1)
	other := Key{Namespace: "other", Name: "slow-00001"}
	w.Watch(Spec{Key: other, Port: 8000, EngineOnly: true, StableWindow: time.Minute, PanicWindow: 6 * time.Second})
	pods := make([]Pod, n)
	for i := range pods {
		ip := fmt.Sprintf("10.1.%d.%d", i/250, i%250)
		pods[i] = Pod{Name: ip, UID: ip, IP: ip, Ready: true, Created: time.Now()}
		w.set(ip, func(p *fakePod) { p.enginePage = answer })
	}
	w.SetPods(other, pods)
	return w
}

func slowly(*http.Request) (*http.Response, error) {
	time.Sleep(900 * time.Millisecond)
	return ok("text/plain", vllmPage(1, 0, 0.1, 1, 1)), nil
}

// However many pods of one namespace answer in 0.9 s, or not at all, another
// namespace's pod is read as often as alone and is never unknown. With one lane of
// 96 for both it was read 0.46 times of 4 a second and unknown 22.6 % of the time.
func TestPoll_slowPodsOfOneNamespaceDelayNoOther(t *testing.T) {
	for name, answer := range map[string]func(*http.Request) (*http.Response, error){"slow": slowly, "hanging": hang} {
		for _, n := range []int{100, 150, 200, 300, 1000} {
			t.Run(fmt.Sprintf("%s=%d", name, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := neighbours(t, n, answer)
					after(5 * time.Second)
					asked, unknowns := w.count("10.0.0.1:8000"), 0
					for range 100 {
						after(100 * time.Millisecond)
						if !w.pod("p1").Running.Known() {
							unknowns++
						}
					}
					if got := w.count("10.0.0.1:8000") - asked; got < 19 || unknowns > 0 {
						t.Errorf("read %d times in 10 s and unknown %d times of 100, want 20 and 0", got, unknowns)
					}
				})
			})
		}
	}
}

// A pod that failed is read again at its next turn, although 300 pods of another
// namespace hang; in one lane of 32 that took 6.3 s.
func TestPoll_recoveryIsSeenBesideHangingPods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := neighbours(t, 300, hang)
		after(5 * time.Second)
		w.set("10.0.0.1", func(p *fakePod) { p.enginePage = status(500) })
		after(5 * time.Second)
		w.engine("10.0.0.1", 3, 0, 0.1)
		after(510 * time.Millisecond)
		wantReading(t, "running", w.pod("p1").Running, 3)
	})
}

// Slow but good pods are read all the same: each within what it takes to stay known.
func TestPoll_slowPodsStayKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(100)...)
		for i := range 100 {
			ip := fmt.Sprintf("10.0.0.%d", i+1)
			w.load(ip, 1, 1)
			w.set(ip, func(p *fakePod) { p.enginePage = slowly })
		}
		after(10 * time.Second)
		for range 50 {
			after(100 * time.Millisecond)
			for _, p := range w.observe().Pods {
				if !p.Running.Known() {
					t.Fatalf("%s is unknown", p.Name)
				}
			}
		}
	})
}

// Half of the pods do not answer: the others are read, the demand is that of all as
// in Knative, and what runs in all engines is unknown.
func TestCollector_halfOfThePodsPartitioned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(10)...)
		for i := range 10 {
			ip := fmt.Sprintf("10.0.0.%d", i+1)
			w.load(ip, 4, 8)
			w.engine(ip, 4, 2, 0.9)
		}
		after(10 * time.Second)
		for i := range 5 {
			w.set(fmt.Sprintf("10.0.0.%d", i+1), func(p *fakePod) { p.enginePage, p.statPage = hang, hang })
		}
		after(10 * time.Second)
		o := w.observe()
		wantReading(t, "panic concurrency", o.Concurrency.Panic, 40)
		wantReading(t, "in flight", o.InFlight, unknown.Stable)
		for _, p := range o.Pods {
			if want := p.Name >= "p6" || p.Name == "p10"; p.Running.Known() != want {
				t.Errorf("%s: running known = %v, want %v", p.Name, p.Running.Known(), want)
			}
		}
		if got := w.Problems(rev, time.Now()); len(got) != 2 || got[0].Cause != "timeout" || got[0].Pods != 5 {
			t.Errorf("Problems = %+v, want a timeout of five pods for both sources", got)
		}
	})
}

// The intervals grow with the number of pods and not beyond their bounds.
func TestInterval_followsTheSize(t *testing.T) {
	c := New(Options{EngineInterval: 250 * time.Millisecond})
	for _, tt := range []struct {
		pods             int
		engine, requests time.Duration
	}{
		{0, 250 * time.Millisecond, 500 * time.Millisecond},
		{600, 250 * time.Millisecond, 500 * time.Millisecond},
		{1000, 375 * time.Millisecond, 750 * time.Millisecond},
		{2000, 750 * time.Millisecond, time.Second},
		{10_000, 2 * time.Second, time.Second},
	} {
		c.setTargets([sources]int{queueProxy: tt.pods, enginePage: tt.pods})
		if e, q := c.interval(enginePage), c.interval(queueProxy); e != tt.engine || q != tt.requests {
			t.Errorf("%d pods: engines every %v and queue-proxies every %v, want %v and %v", tt.pods, e, q, tt.engine, tt.requests)
		}
	}
}

func TestOptions_withoutSense(t *testing.T) {
	o := Options{EngineInterval: -time.Second, QueueProxyInterval: time.Nanosecond, Timeout: -1, Parallelism: -5, StaleAfter: -1, MaxBody: -1, MaxLine: -1, BodyBudget: -1, ReadingsPerSecond: -1}.withDefaults()
	if o.EngineInterval != DefaultEngineInterval || o.QueueProxyInterval != minDuration || o.Timeout != time.Second || o.Parallelism != 512 ||
		o.StaleAfter != 3 || o.MaxBody != 2<<20 || o.MaxLine != 64<<10 || o.BodyBudget != 32<<20 || o.ReadingsPerSecond != 4000 {
		t.Errorf("negative options became %+v", o)
	}
}
