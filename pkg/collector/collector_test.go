package collector

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// after lets d pass inside a bubble and waits for what it set off.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

var unknown = decider.Windowed{Stable: decider.Unknown(), Panic: decider.Unknown()}

func wantWindowed(t *testing.T, name string, got, want decider.Windowed) {
	t.Helper()
	wantReading(t, "stable "+name, got.Stable, want.Stable)
	wantReading(t, "panic "+name, got.Panic, want.Panic)
}

func wantReading(t *testing.T, name string, got, want decider.Reading) {
	t.Helper()
	if got.Known() != want.Known() || want.Known() && got != want {
		t.Errorf("%s = %v, want %v", name, got, want)
	}
}

func TestCollector_readsEveryPod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(3)...)
		for i, ip := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
			w.load(ip, float64(2*i), 10)
			w.engine(ip, float64(i), 1, 0.5)
		}
		wantWindowed(t, "concurrency before the first scrape", w.observe().Concurrency, unknown)
		after(1100 * time.Millisecond)
		o := w.observe()
		wantWindowed(t, "concurrency", o.Concurrency, decider.Windowed{Stable: 6, Panic: 6})
		wantWindowed(t, "rps", o.RPS, decider.Windowed{Stable: 30, Panic: 30})
		wantReading(t, "in flight", o.InFlight, 6)
		if o.Ready != 3 || len(o.Pods) != 3 {
			t.Errorf("ready, pods = %d, %d, want 3, 3", o.Ready, len(o.Pods))
		}
		p := w.pod("p3")
		wantReading(t, "running", p.Running, 2)
		wantReading(t, "waiting", p.Waiting, 1)
		wantReading(t, "KV cache", p.KVCache, 50)
		if w.count("10.0.0.1:8012") != 0 {
			t.Error("the serving port was asked")
		}
	})
}

// What came through the activator counts: nobody else reports it here.
func TestCollector_proxiedRequestsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...)
		w.set("10.0.0.1", func(p *fakePod) {
			p.stat.AverageConcurrentRequests, p.stat.AverageProxiedConcurrentRequests = 5, 2
			p.stat.RequestCount, p.stat.ProxiedRequestCount = 9, 9
		})
		after(1100 * time.Millisecond)
		wantWindowed(t, "concurrency", w.observe().Concurrency, decider.Windowed{Stable: 5, Panic: 5})
		wantWindowed(t, "rps", w.observe().RPS, decider.Windowed{Stable: 9, Panic: 9})
	})
}

// One pod of three does not answer: it counts as the mean of the others for
// concurrency, as in Knative, and is unknown for the engine.
func TestCollector_oneOfThreeDead(t *testing.T) {
	kinds := map[string]func(*http.Request) (*http.Response, error){
		"hanging":     hang,
		"error":       status(http.StatusInternalServerError),
		"redirect":    status(http.StatusFound),
		"garbage":     func(*http.Request) (*http.Response, error) { return ok("text/html", "<html>\x00\xff"), nil },
		"empty":       func(*http.Request) (*http.Response, error) { return ok("application/protobuf", ""), nil },
		"other model": func(*http.Request) (*http.Response, error) { return ok("text/plain", "python_info 1\n"), nil },
	}
	for name, page := range kinds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, ready(3)...)
				for _, ip := range []string{"10.0.0.1", "10.0.0.2"} {
					w.load(ip, 4, 8)
					w.engine(ip, 4, 2, 0.9)
				}
				w.set("10.0.0.3", func(p *fakePod) { p.enginePage = page; p.statPage = page })
				after(10 * time.Second) // beyond the time that a new pod is given
				o := w.observe()
				if name == "empty" { // an empty report is Knative's fresh queue-proxy: nothing yet
					wantReading(t, "panic concurrency", o.Concurrency.Panic, 8)
				} else {
					wantReading(t, "panic concurrency", o.Concurrency.Panic, 12)
				}
				wantReading(t, "in flight", o.InFlight, decider.Unknown())
				wantReading(t, "p1 waiting", w.pod("p1").Waiting, 2)
				wantReading(t, "p3 running", w.pod("p3").Running, decider.Unknown())
				if n := w.count("10.0.0.1:8000"); n < 19 {
					t.Errorf("p1 was asked %d times in 10 s, want about 20", n)
				}
			})
		})
	}
}

// A pod that becomes Ready has no requests yet; counting it as the mean of the
// others until it was read would lift the sum, and so the replicas, for a moment.
func TestCollector_aPodThatComesLiftsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(2)...)
		w.load("10.0.0.1", 6, 6)
		w.load("10.0.0.2", 6, 6)
		w.load("10.0.0.3", 0, 0)
		after(12*time.Second + 990*time.Millisecond) // a second ends before the new pod is read
		w.SetPods(rev, ready(3))
		for range 300 {
			after(10 * time.Millisecond)
			if got := w.observe().Concurrency.Panic; got > 12 {
				t.Fatalf("concurrency = %v with 12 requests", got)
			}
		}
	})
}

func TestCollector_absurdPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...)
		w.load("10.0.0.1", 1, 1)
		w.enginePage("10.0.0.1", vllmPage(-1, 1e12, 1.004, 1e19, 5))
		after(1100 * time.Millisecond)
		p := w.pod("p1")
		wantReading(t, "running", p.Running, decider.Unknown())
		wantReading(t, "waiting", p.Waiting, decider.Unknown())
		wantReading(t, "KV cache", p.KVCache, 100)
		wantReading(t, "prompt tokens", p.PromptTokens, decider.Unknown())
		wantReading(t, "generation tokens", p.GenerationTokens, 0)
		if w.scrapes("engine", "implausible") < 2 || w.scrapes("engine", "ok") != 0 {
			t.Error("the scrapes were not counted as implausible")
		}
	})
}

func TestCollector_absurdReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(2)...)
		w.load("10.0.0.1", 3, 3)
		w.load("10.0.0.2", 3, 3)
		after(1100 * time.Millisecond)
		w.load("10.0.0.2", 1e12, 3)
		after(7 * time.Second)
		wantReading(t, "panic concurrency", w.observe().Concurrency.Panic, 6)
		w.set("10.0.0.1", func(p *fakePod) { p.stat.PodName = "another" })
		after(10 * time.Second)
		wantWindowed(t, "concurrency with no pod believed", w.observe().Concurrency, unknown)
		if w.scrapes("queue_proxy", "wrong_pod") == 0 || w.scrapes("queue_proxy", "implausible") == 0 {
			t.Error("the causes were not counted")
		}
	})
}

// After three missed scrapes a pod is unknown; the last values are not used for ever.
func TestCollector_staleness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...)
		w.load("10.0.0.1", 3, 3)
		w.engine("10.0.0.1", 1, 1, 0.5)
		after(3 * time.Second)
		wantReading(t, "in flight", w.observe().InFlight, 2)
		before := w.notifications()
		w.set("10.0.0.1", func(p *fakePod) { p.enginePage, p.statPage = status(500), status(500) })
		after(900 * time.Millisecond)
		wantReading(t, "running after one miss", w.pod("p1").Running, 1)
		after(800 * time.Millisecond)
		wantReading(t, "running after three misses", w.pod("p1").Running, decider.Unknown())
		wantReading(t, "concurrency still", w.observe().Concurrency.Panic, 3)
		after(5 * time.Second)
		wantWindowed(t, "concurrency", w.observe().Concurrency, unknown)
		if w.notifications() == before {
			t.Error("nobody was told that the pod went stale")
		}
		w.load("10.0.0.1", 4, 3)
		w.engine("10.0.0.1", 2, 1, 0.5)
		after(600 * time.Millisecond)
		wantReading(t, "running when back", w.pod("p1").Running, 2)
		wantReading(t, "in flight after one sample", w.observe().InFlight, decider.Unknown())
		wantReading(t, "running before the first sample", w.observe().Pods[0].Previous.Running, decider.Unknown())
	})
}

func TestCollector_tokenRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...)
		start := time.Now()
		countFrom := func(base float64) {
			w.set("10.0.0.1", func(p *fakePod) {
				p.enginePage = func(*http.Request) (*http.Response, error) {
					s := time.Since(start).Seconds()
					return ok("text/plain", vllmPage(1, 0, 0.5, base+100*s, base+20*s)), nil
				}
			})
		}
		countFrom(0)
		after(600 * time.Millisecond)
		wantReading(t, "rate after one sample", w.pod("p1").PromptTokens, decider.Unknown())
		after(10 * time.Second)
		if p := w.pod("p1"); !near(p.PromptTokens, 100) || !near(p.GenerationTokens, 20) {
			t.Errorf("rates = %v, %v, want 100, 20", p.PromptTokens, p.GenerationTokens)
		}
		s, _ := w.Snapshot(rev, time.Now())
		if got := s.Values[decider.PromptTokens].Window; got < 5*time.Second || got > 6*time.Second {
			t.Errorf("window of the rate = %v, want 5 to 6 s", got)
		}
		countFrom(-200) // the engine restarted: its counters begin again
		after(500 * time.Millisecond)
		wantReading(t, "rate after a restart", w.pod("p1").PromptTokens, decider.Unknown())
		after(500 * time.Millisecond)
		if p := w.pod("p1"); !near(p.PromptTokens, 100) {
			t.Errorf("rate = %v, want 100", p.PromptTokens)
		}
	})
}

func near(r decider.Reading, want float64) bool {
	return float64(r) > 0.98*want && float64(r) < 1.02*want
}

// A burst in the engine is read again after 50 ms, counts as in flight only
// then, and is reported then although the second sample equals the first.
func TestCollector_burstIsConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...)
		w.engine("10.0.0.1", 1, 0, 0.1)
		after(2 * time.Second)
		n := w.count("10.0.0.1:8000")
		w.engine("10.0.0.1", 8, 4, 0.1)
		for w.count("10.0.0.1:8000") == n {
			after(time.Millisecond)
		}
		wantReading(t, "in flight at the first sight", w.observe().InFlight, 1)
		wantReading(t, "waiting in the sample before", w.observe().Pods[0].Previous.Waiting, 0)
		told := w.notifications()
		after(confirmAfter)
		wantReading(t, "in flight when confirmed", w.observe().InFlight, 12)
		wantReading(t, "waiting in the sample before", w.observe().Pods[0].Previous.Waiting, 4)
		if w.notifications() == told {
			t.Error("the confirmed burst was not told")
		}
		if got := w.count("10.0.0.1:8000"); got != n+2 {
			t.Errorf("%d scrapes, want 2", got-n)
		}
	})
}

func TestCollector_podsComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pods := ready(3)
		pods[2].Ready = false
		w := newWorld(t, pods...)
		for _, ip := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
			w.load(ip, 2, 2)
			w.engine(ip, 2, 0, 0.2)
		}
		after(2 * time.Second)
		o := w.observe()
		if o.Ready != 2 || len(o.Pods) != 3 || w.count("10.0.0.3:8000")+w.count("10.0.0.3:9090") != 0 {
			t.Errorf("ready, pods = %d, %d, want 2, 3, and the third not asked", o.Ready, len(o.Pods))
		}
		if p := w.pod("p3"); p.Phase != decider.Starting || p.Age != 2*time.Second {
			t.Errorf("p3 = %+v, want starting, 2 s old", p)
		}
		// The second pod is being deleted while it hangs; the third becomes Ready.
		w.set("10.0.0.2", func(p *fakePod) { p.enginePage, p.statPage = hang, hang })
		after(700 * time.Millisecond)
		pods[2].Ready = true
		w.SetPods(rev, []Pod{pods[0], pods[2]})
		synctest.Wait()
		asked := w.count("10.0.0.2:8000") + w.count("10.0.0.2:9090")
		after(3 * time.Second)
		if got := w.count("10.0.0.2:8000") + w.count("10.0.0.2:9090"); got != asked {
			t.Errorf("a pod that left was asked %d more times", got-asked)
		}
		wantReading(t, "in flight", w.observe().InFlight, 4)
		// Not Ready again: what it said is forgotten.
		pods[2].Ready = false
		w.SetPods(rev, []Pod{pods[0], pods[2]})
		wantReading(t, "running of a pod not Ready", w.pod("p3").Running, decider.Unknown())
		w.Forget(rev)
		if _, ok := w.Observe(rev); ok {
			t.Error("a forgotten revision can be observed")
		}
	})
}

func TestCollector_watchChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...)
		w.load("10.0.0.1", 2, 2)
		w.engine("10.0.0.1", 2, 0, 0.2)
		after(65 * time.Second) // a whole window: as in Knative, a resized window counts as a full one
		w.Watch(Spec{Key: rev, Port: 8001, Path: "/m", Engine: "vllm", StableWindow: 30 * time.Second, PanicWindow: 3 * time.Second})
		wantReading(t, "running from the old port", w.pod("p1").Running, decider.Unknown())
		after(time.Second)
		wantWindowed(t, "concurrency", w.observe().Concurrency, decider.Windowed{Stable: 2, Panic: 2})
		wantReading(t, "running from the new port", w.pod("p1").Running, 2)
		if w.count("10.0.0.1:8001") == 0 {
			t.Error("the new port was not asked")
		}
		w.Watch(Spec{Key: rev, StableWindow: 30 * time.Second, PanicWindow: 3 * time.Second})
		n := w.count("10.0.0.1:8001")
		after(2 * time.Second)
		if w.count("10.0.0.1:8001") != n || w.pod("p1").Running.Known() {
			t.Error("port 0 still scrapes the engine")
		}
	})
}

func TestCollector_notifiesOnlyChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...)
		w.load("10.0.0.1", 2, 2)
		w.engine("10.0.0.1", 2, 0, 0.2)
		after(3 * time.Second)
		n := w.notifications()
		after(5 * time.Second)
		if got := w.notifications(); got != n {
			t.Errorf("%d notifications of a steady pod", got-n)
		}
		w.load("10.0.0.1", 3, 2)
		after(600 * time.Millisecond)
		if got := w.notifications(); got != n+1 {
			t.Errorf("%d notifications of one change", got-n)
		}
	})
}

func TestCollector_snapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(2)...)
		w.load("10.0.0.1", 2, 4)
		w.load("10.0.0.2", 4, 4)
		w.engine("10.0.0.1", 3, 1, 0.25)
		w.engine("10.0.0.2", 5, 0, 0.75)
		after(5100 * time.Millisecond)
		now := time.Now()
		s, _ := w.Snapshot(rev, now)
		for m, want := range map[decider.Metric]decider.Reading{
			decider.Concurrency: 6, decider.RPS: 8, decider.Running: 8, decider.Waiting: 1, decider.KVCache: 50, decider.PromptTokens: 0,
		} {
			v, ok := s.Values[m]
			if !ok || v.Value != want || now.Sub(v.Time) > 600*time.Millisecond {
				t.Errorf("%s = %+v, %v, want %v", m, v, ok, want)
			}
		}
		if got := s.Values[decider.Concurrency].Window; got < 5*time.Second || got > 6*time.Second {
			t.Errorf("covered window = %v, want 5 to 6 s", got)
		}
		g, ok := w.Gauges(rev, now)
		for _, of := range []Snapshot{g, s} { // pods have no order
			slices.SortFunc(of.Pods, func(a, b PodSnapshot) int { return strings.Compare(a.Pod.Name, b.Pod.Name) })
		}
		if !ok || !reflect.DeepEqual(g, s) { // these pages have no latencies
			t.Errorf("gauges = %v, want %v", g, s)
		}
		w.set("10.0.0.2", func(p *fakePod) { p.enginePage = hang })
		after(5 * time.Second)
		s, _ = w.Snapshot(rev, time.Now())
		if v := s.Values[decider.Running]; v.Value != 3 {
			t.Errorf("running with one pod unknown = %v, want 3", v.Value)
		}
		for _, p := range s.Pods {
			if _, ok := p.Values[decider.Running]; ok != (p.Pod.Name == "p1") {
				t.Errorf("%s: running known = %v", p.Pod.Name, ok)
			}
			if v := p.Values[decider.Concurrency]; v.Window != time.Second {
				t.Errorf("%s: window of concurrency = %v, want 1s", p.Pod.Name, v.Window)
			}
		}
	})
}
