package collector

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// second replica of the program that reads the same pods, as the standby.
func (w *world) standby() *Collector {
	c := New(Options{Dial: w.fakePods.dial, EngineInterval: 250 * time.Millisecond})
	c.FollowLeader(func(Key) bool { return false })
	c.Watch(Spec{Key: rev, Port: 8000, StableWindow: time.Minute, PanicWindow: 6 * time.Second})
	c.SetPods(rev, ready(1))
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	w.t.Cleanup(func() { cancel(); <-done })
	return c
}

// costly makes an engine's page take so much of the engine's time, and every tenth one
// half a second more, because it waits behind a step. It counts the engine's time.
func (w *world) costly(ip string, cost time.Duration) *atomic.Int64 {
	var spent, n atomic.Int64
	w.set(ip, func(p *fakePod) {
		p.enginePage = func(*http.Request) (*http.Response, error) {
			spent.Add(int64(cost))
			time.Sleep(cost)
			if n.Add(1)%10 != 0 {
				time.Sleep(500 * time.Millisecond)
			}
			return ok("text/plain", vllmPage(1, 0, 0.1, 1, 1)), nil
		}
	})
	return &spent
}

// Both replicas together take at most 1 % of an engine's time, whatever a page costs,
// however responses wait behind the engine's work, and however often the queue-proxy
// shows a burst. The costs are those of vLLM with 1, 4, 8 and 16 data-parallel ranks.
func TestBudget_bothReplicas(t *testing.T) {
	for _, cost := range []time.Duration{100 * time.Microsecond, 4 * time.Millisecond, 15 * time.Millisecond, 31 * time.Millisecond, 61 * time.Millisecond} {
		for _, bursts := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v bursts=%v", cost, bursts), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorldWith(t, Options{EngineInterval: 250 * time.Millisecond}, ready(1)...)
					w.load("10.0.0.1", 0, 0)
					spent := w.costly("10.0.0.1", cost)
					standby := w.standby()
					after(3 * time.Minute)
					for minute := range 5 {
						before, asked := spent.Load(), w.count("10.0.0.1:8000")
						for i := range 60 {
							if bursts {
								w.load("10.0.0.1", float64(i%2*20), 0)
							}
							after(time.Second)
							if p := w.pod("p1"); !p.Running.Known() {
								t.Fatal("the engine is unknown to the leader")
							}
							if o, _ := standby.Observe(rev); !o.Pods[0].Running.Known() {
								t.Fatal("the engine is unknown to the standby")
							}
						}
						share := float64(spent.Load()-before) / float64(time.Minute)
						if share > 0.0105 { // a page more or less in a minute
							t.Errorf("minute %d: reading takes %.2f %% of the engine's time, want at most 1", minute, 100*share)
						}
						if n := w.count("10.0.0.1:8000") - asked; n < 7 {
							t.Errorf("minute %d: %d readings, want about six of the leader and two of the standby", minute, n)
						}
					}
				})
			})
		}
	}
}

func TestAffordable(t *testing.T) {
	for _, tt := range []struct{ cost, leader, standby time.Duration }{
		{-time.Second, 0, 0},
		{0, 0, 0},
		{time.Millisecond, 150 * time.Millisecond, 600 * time.Millisecond},
		{4 * time.Millisecond, 600 * time.Millisecond, 2400 * time.Millisecond},
		{61 * time.Millisecond, 9.7 * 1e9, 30 * time.Second},
		{time.Second, 10 * time.Second, 30 * time.Second},
		{time.Hour, 10 * time.Second, 30 * time.Second},
	} {
		if got := affordable(tt.cost, true).Round(100 * time.Millisecond); got != tt.leader.Round(100*time.Millisecond) {
			t.Errorf("leader with %v: %v, want %v", tt.cost, got, tt.leader)
		}
		if got := affordable(tt.cost, false).Round(100 * time.Millisecond); got != tt.standby {
			t.Errorf("standby with %v: %v, want %v", tt.cost, got, tt.standby)
		}
	}
}

// The shortest response of the last minutes counts, and one that was short long ago does not.
func TestCost(t *testing.T) {
	var c cost
	at := time.Unix(1000, 0)
	add := func(took time.Duration) { at = at.Add(time.Second); c.add(at, took) }
	add(time.Second)
	add(time.Second)
	if c.estimate() != 0 {
		t.Errorf("after two responses: %v, want nothing known", c.estimate())
	}
	add(5 * time.Millisecond)
	if c.estimate() != 5*time.Millisecond {
		t.Errorf("estimate = %v, want 5ms", c.estimate())
	}
	for range 10 * 60 {
		add(50 * time.Millisecond)
	}
	if c.estimate() != 50*time.Millisecond {
		t.Errorf("estimate = %v, want 50ms, which pages have taken for 10 minutes", c.estimate())
	}
}

// What the network and a replica without CPU add to every response is no cost of the engine.
func TestCost_beyondTheWay(t *testing.T) {
	at := time.Unix(1000, 0)
	of := func(took time.Duration) cost {
		var c cost
		for range 5 {
			at = at.Add(time.Second)
			c.add(at, took)
		}
		return c
	}
	const ms = time.Millisecond
	for _, tt := range []struct{ engine, proxy, want time.Duration }{
		{4 * ms, 0, 4 * ms},
		{24 * ms, 20 * ms, 4 * ms},
		{20 * ms, 30 * ms, 2 * ms},
	} {
		c := of(tt.engine)
		if got := c.beyond(&target{cost: of(tt.proxy)}); got != tt.want {
			t.Errorf("page %v, report %v: %v, want %v", tt.engine, tt.proxy, got, tt.want)
		}
	}
	c := of(4 * ms)
	if got := c.beyond(nil); got != 4*ms {
		t.Errorf("without a queue-proxy: %v, want 4ms", got)
	}
	if got := c.beyond(&target{}); got != 4*ms {
		t.Errorf("before its report was read: %v, want 4ms", got)
	}
}

// A burst that the queue-proxy shows is seen in the engine at once, although its page
// costs so much that it is read every 10 s, and is confirmed.
func TestBudget_burstIsReadOutOfTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWith(t, Options{EngineInterval: 250 * time.Millisecond}, ready(1)...)
		w.load("10.0.0.1", 1, 0)
		var waiting atomic.Int64
		w.set("10.0.0.1", func(p *fakePod) {
			p.enginePage = func(*http.Request) (*http.Response, error) {
				time.Sleep(61 * time.Millisecond)
				return ok("text/plain", vllmPage(1, float64(waiting.Load()), 0.1, 1, 1)), nil
			}
		})
		after(time.Minute)
		n := w.count("10.0.0.1:8000")
		for w.count("10.0.0.1:8000") == n {
			after(10 * time.Millisecond)
		}
		after(time.Second)
		waiting.Store(11)
		w.load("10.0.0.1", 12, 0)
		after(time.Second)
		wantReading(t, "in flight a second after the burst", w.observe().InFlight, 12)
	})
}

// roles is a leader election that a test decides.
type roles struct{ leads atomic.Bool }

func (r *roles) of(Key) bool { return r.leads.Load() }

// newStandby is newWorldWith of a replica that does not lead rev yet.
func newStandby(t *testing.T, o Options, pods ...Pod) (*world, *roles) {
	t.Helper()
	r := &roles{}
	w := newWorldWith(t, o)
	w.Forget(rev)
	w.FollowLeader(r.of)
	w.Watch(Spec{Key: rev, Port: 8000, StableWindow: time.Minute, PanicWindow: 6 * time.Second})
	w.SetPods(rev, pods)
	return w, r
}

// A standby reads a fifth as often, knows every value all the same, and reads at the
// leader's rate within a second and an interval of its becoming leader. No value is
// unknown or zero on the way, with few pods and at the longest intervals.
func TestRole_takeover(t *testing.T) {
	for name, tt := range map[string]struct {
		o                          Options
		engine, requests           time.Duration
		standbyEngine, standbyStat time.Duration
	}{
		"few pods":  {Options{EngineInterval: 250 * time.Millisecond}, 250 * time.Millisecond, 500 * time.Millisecond, 1250 * time.Millisecond, 2500 * time.Millisecond},
		"many pods": {Options{EngineInterval: 250 * time.Millisecond, ReadingsPerSecond: .1}, 2 * time.Second, time.Second, 10 * time.Second, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, r := newStandby(t, tt.o, ready(3)...)
				start := time.Now()
				for i := range 3 {
					ip := fmt.Sprintf("10.0.0.%d", i+1)
					w.load(ip, 4, 8)
					w.set(ip, func(p *fakePod) {
						p.enginePage = func(*http.Request) (*http.Response, error) {
							s := time.Since(start).Seconds()
							return ok("text/plain", vllmPage(3, 1, 0.5, 100*s, 20*s)), nil
						}
					})
				}
				after(90 * time.Second)
				check := func(when string) {
					t.Helper()
					o := w.observe()
					wantWindowed(t, when+": concurrency", o.Concurrency, decider.Windowed{Stable: 12, Panic: 12})
					wantReading(t, when+": in flight", o.InFlight, 12)
					for _, p := range o.Pods {
						if !near(p.PromptTokens, 100) || !near(p.GenerationTokens, 20) || p.KVCache != 50 {
							t.Fatalf("%s: %+v", when, p)
						}
					}
					if s, _ := w.Snapshot(rev, time.Now()); len(s.Values) != 7 || s.Values[decider.Running].Value != 9 {
						t.Fatalf("%s: the metrics API has %v", when, s.Values)
					}
				}
				asked := func(port string, d time.Duration) time.Duration {
					n := w.count("10.0.0.1:" + port)
					for end := time.Now().Add(d); time.Now().Before(end); {
						check(fmt.Sprintf("leads=%v", r.leads.Load()))
						after(100 * time.Millisecond)
					}
					return d / time.Duration(w.count("10.0.0.1:"+port)-n)
				}
				if got := asked("8000", time.Minute); got != tt.standbyEngine {
					t.Errorf("the standby reads an engine every %v, want %v", got, tt.standbyEngine)
				}
				if got := asked("9090", time.Minute); got != tt.standbyStat {
					t.Errorf("the standby reads a queue-proxy every %v, want %v", got, tt.standbyStat)
				}
				if got := w.notifications(); got != 0 {
					t.Errorf("%d notifications of a revision that this replica does not lead", got)
				}
				r.leads.Store(true)
				n := w.count("10.0.0.3:8000")
				asked("8000", time.Second+tt.engine)
				if w.count("10.0.0.3:8000") == n {
					t.Errorf("an engine was not read in %v after this replica became leader", time.Second+tt.engine)
				}
				if got := asked("8000", time.Minute); got != tt.engine {
					t.Errorf("the leader reads an engine every %v, want %v", got, tt.engine)
				}
				if got := asked("9090", time.Minute); got != tt.requests {
					t.Errorf("the leader reads a queue-proxy every %v, want %v", got, tt.requests)
				}
				r.leads.Store(false)
				if got := asked("8000", time.Minute); got < tt.standbyEngine*8/10 {
					t.Errorf("when it leads no more, an engine every %v, want %v", got, tt.standbyEngine)
				}
			})
		})
	}
}

// What a standby cannot read any more becomes unknown, not zero.
func TestRole_standbyLosesAPod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := newStandby(t, Options{}, ready(1)...)
		w.load("10.0.0.1", 4, 8)
		w.engine("10.0.0.1", 3, 1, 0.5)
		after(30 * time.Second)
		wantReading(t, "running", w.pod("p1").Running, 3)
		w.set("10.0.0.1", func(p *fakePod) { p.enginePage, p.statPage = status(500), status(500) })
		after(20 * time.Second)
		o := w.observe()
		wantReading(t, "running", o.Pods[0].Running, decider.Unknown())
		wantReading(t, "in flight", o.InFlight, decider.Unknown())
		wantWindowed(t, "concurrency", o.Concurrency, unknown)
		if s, _ := w.Snapshot(rev, time.Now()); len(s.Values) != 0 {
			t.Errorf("the metrics API has %v, want nothing", s.Values)
		}
	})
}

// A picker is led by whoever leads a revision whose requests it holds.
func TestRole_ofPickers(t *testing.T) {
	led, other, picker := Key{Namespace: "n", Name: "led"}, Key{Namespace: "n", Name: "other"}, Key{Kind: Picker, Namespace: "n", Name: "p"}
	leads := func(r Key) bool { return r == led }
	for _, tt := range []struct {
		key  Key
		held []Key
		want bool
	}{
		{led, nil, true}, {other, nil, false}, {picker, nil, false},
		{picker, []Key{other}, false}, {picker, []Key{other, led}, true},
	} {
		if got := leadsAny(leads, tt.key, tt.held); got != tt.want {
			t.Errorf("%v that holds for %v: %v, want %v", tt.key, tt.held, got, tt.want)
		}
	}
}
