package collector

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

var atPicker = Key{Kind: Picker, Namespace: "default", Name: "llm"}

const (
	noFlowControl = "inference_extension_info{build_ref=\"v1.5.0\",commit=\"x\"} 1\n"
	restingPicker = noFlowControl + "inference_extension_flow_control_pool_saturation{inference_pool=\"llm\"} 0\n"
)

// holding is a picker's page with requests of two priorities.
func holding(n int) string {
	const series = "inference_extension_flow_control_queue_size{fairness_id=\"default-flow\",inference_pool=\"llm\",model_name=\"m\",priority=%q,target_model_name=\"m\"} %d\n"
	return restingPicker + fmt.Sprintf(series+series, "0", n-n/3, "20", n/3)
}

// withPicker adds a picker that holds requests of the world's revision.
func (w *world) withPicker(part float64) *world {
	w.Watch(Spec{Key: atPicker, Port: 9091, PortNamed: true, StableWindow: time.Minute, PanicWindow: 6 * time.Second, EngineOnly: true})
	w.SetPods(atPicker, []Pod{{Name: "picker", UID: "picker", IP: "10.1.0.1", Ready: true}})
	w.SetHeld(rev, []Share{{Picker: atPicker, Part: part}})
	return w
}

// withHeld is a story of one pod, with that concurrency and rps, behind a
// picker that begins with a page.
func withHeld(t *testing.T, page string, concurrency, rps float64, tell func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...).withPicker(1)
		w.load("10.0.0.1", concurrency, rps)
		w.enginePage("10.1.0.1", page)
		tell(t, w)
	})
}

// hold has the picker hold one number after the other, each for a second.
func (w *world) hold(numbers ...int) {
	for _, n := range numbers {
		w.enginePage("10.1.0.1", holding(n))
		after(time.Second)
	}
}

// arrived is the arrivals since an earlier count.
func (w *world) arrived(since decider.Reading) float64 {
	w.t.Helper()
	return float64(w.observe().Arrivals - since)
}

// Requests that a picker holds are in flight, as those in Knative's activator are.
func TestHeld_isInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...).withPicker(0.5)
		w.load("10.0.0.1", 3, 2)
		w.engine("10.0.0.1", 3, 0, 0.5)
		w.enginePage("10.1.0.1", holding(12))
		after(10 * time.Second)
		wantReading(t, "queued", w.observe().Queued, 6)
		wantReading(t, "panic concurrency", w.observe().Concurrency.Panic, 9)
		wantReading(t, "panic rps", w.observe().RPS.Panic, 2)
		wantReading(t, "in flight in the engines", w.observe().InFlight, 3)
		if len(w.observe().Pods) != 1 {
			t.Errorf("the picker's pod is one of the revision's: %v", w.observe().Pods)
		}
		s, _ := w.Snapshot(rev, time.Now())
		if s.Values[decider.Waiting].Value != 0 {
			t.Errorf("waiting in the engines: %v, want 0", s.Values[decider.Waiting])
		}
	})
}

// A resting picker holds nothing, and that is known; of one without flow control it is not.
func TestHeld_restingPickerHoldsNothing(t *testing.T) {
	withHeld(t, restingPicker, 3, 2, func(t *testing.T, w *world) {
		after(3 * time.Second)
		wantReading(t, "queued", w.observe().Queued, 0)
		wantReading(t, "concurrency", w.observe().Concurrency.Panic, 3)
		w.enginePage("10.1.0.1", noFlowControl)
		after(2 * time.Minute)
		wantReading(t, "queued without flow control", w.observe().Queued, decider.Unknown())
		wantReading(t, "concurrency without flow control", w.observe().Concurrency.Panic, 3)
	})
}

// A revision that leaves its pool at once has nothing queued in front of it any more.
func TestHeld_ends(t *testing.T) {
	withHeld(t, holding(90), 3, 2, func(t *testing.T, w *world) {
		after(10 * time.Second)
		wantReading(t, "concurrency", w.observe().Concurrency.Panic, 93)
		w.SetHeld(rev, nil)
		after(8 * time.Second)
		wantReading(t, "queued without a picker", w.observe().Queued, decider.Unknown())
		wantReading(t, "concurrency without a picker", w.observe().Concurrency.Panic, 3)
	})
}

// A burst that the picker lets go at once has arrived once: when it came.
func TestHeld_releaseIsNoArrival(t *testing.T) {
	for _, lag := range []time.Duration{0, 300 * time.Millisecond, 700 * time.Millisecond, 1200 * time.Millisecond} {
		withHeld(t, restingPicker, 1, 5, func(t *testing.T, w *world) {
			after(10 * time.Second)
			before := w.observe().Arrivals
			w.enginePage("10.1.0.1", holding(500))
			after(10 * time.Second)
			about(t, "arrivals of the burst", w.arrived(before), 550, 6)
			w.enginePage("10.1.0.1", restingPicker)
			after(lag)
			w.load("10.0.0.1", 400, 505)
			after(time.Second)
			w.load("10.0.0.1", 400, 5)
			after(9 * time.Second)
			about(t, fmt.Sprintf("arrivals after the release, seen %v later", lag), w.arrived(before), 600, 12)
		})
	}
}

// What was given up is owed for seconds only, however the queue moves then.
func TestHeld_lostQueue(t *testing.T) {
	withHeld(t, holding(3000), 50, 50, func(t *testing.T, w *world) {
		after(10 * time.Second)
		w.enginePage("10.1.0.1", holding(10))
		after(5 * time.Second)
		before := w.observe().Arrivals
		for range 30 {
			w.hold(11, 10)
		}
		about(t, "arrivals", w.arrived(before), 3000, 30)
	})
}

// A queue that comes and goes adds nothing to the rate.
func TestHeld_movingQueue(t *testing.T) {
	withHeld(t, restingPicker, 50, 50, func(t *testing.T, w *world) {
		for range 40 {
			w.enginePage("10.1.0.1", holding(50))
			after(time.Second)
			w.enginePage("10.1.0.1", restingPicker)
			after(time.Second)
		}
		about(t, "rps", float64(w.observe().RPS.Stable), 50, 3)
	})
}

// What came while the picker could not be read has arrived all the same, and is no burst.
func TestHeld_gap(t *testing.T) {
	withHeld(t, restingPicker, 50, 50, func(t *testing.T, w *world) {
		after(10 * time.Second)
		before := w.observe().Arrivals
		w.set("10.1.0.1", func(p *fakePod) { p.enginePage = hang })
		after(15 * time.Second)
		w.enginePage("10.1.0.1", holding(750))
		after(5 * time.Second)
		about(t, "arrivals", w.arrived(before), 20*50+750, 60)
		about(t, "panic rps", float64(w.observe().RPS.Panic), 50, 1)
	})
}

// While a queue is worked off, the rate is what the pods get and not less.
func TestHeld_drainingIsNoIdling(t *testing.T) {
	withHeld(t, holding(3000), 50, 50, func(t *testing.T, w *world) {
		after(time.Minute)
		for held := 3000; held > 0; held -= 50 {
			w.hold(held)
		}
		about(t, "rps", float64(w.observe().RPS.Stable), 50, 1)
	})
}

// What another part of the queue makes a revision's has not come now.
func TestHeld_anotherPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...).withPicker(0.5)
		w.load("10.0.0.1", 1, 2)
		w.enginePage("10.1.0.1", holding(600))
		after(10 * time.Second)
		before := w.observe().Arrivals
		for range 3 {
			w.SetHeld(rev, []Share{{Picker: atPicker, Part: 1}})
			after(5 * time.Second)
			wantReading(t, "queued", w.observe().Queued, 600)
			w.SetHeld(rev, []Share{{Picker: atPicker, Part: 0.5}})
			after(5 * time.Second)
		}
		about(t, "arrivals", w.arrived(before), 60, 3)
		about(t, "rps", float64(w.observe().RPS.Stable), 2, 0.01)
	})
}

// Of two pods of a picker the one that cannot be read may hold all.
func TestHeld_oneOfTwoPickerPodsStale(t *testing.T) {
	withHeld(t, holding(90), 3, 2, func(t *testing.T, w *world) {
		after(10 * time.Second)
		w.enginePage("10.1.0.2", restingPicker)
		w.SetPods(atPicker, []Pod{{Name: "picker", UID: "picker", IP: "10.1.0.1", Ready: true}, {Name: "next", UID: "next", IP: "10.1.0.2", Ready: true}})
		after(10 * time.Second)
		wantReading(t, "concurrency with a second pod", w.observe().Concurrency.Panic, 93)
		w.set("10.1.0.1", func(p *fakePod) { p.enginePage = hang })
		after(20 * time.Second)
		wantReading(t, "concurrency when the first hangs", w.observe().Concurrency.Panic, 93)
		w.SetPods(atPicker, []Pod{{Name: "next", UID: "next", IP: "10.1.0.2", Ready: true}})
		after(10 * time.Second)
		wantReading(t, "concurrency when it is gone", w.observe().Concurrency.Panic, 3)
	})
}

// A picker that was never read does not hide what another one holds.
func TestHeld_twoPickers(t *testing.T) {
	withHeld(t, holding(90), 3, 2, func(t *testing.T, w *world) {
		w.SetHeld(rev, []Share{{Picker: atPicker, Part: 1}, {Picker: Key{Kind: Picker, Namespace: "default", Name: "nobody"}, Part: 1}})
		after(10 * time.Second)
		wantReading(t, "queued", w.observe().Queued, 90)
		wantReading(t, "concurrency", w.observe().Concurrency.Panic, 93)
	})
}

// What is held is no measure of pods that hold requests and cannot be read.
func TestHeld_isNotAllWherePodsCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).withPicker(1)
		w.enginePage("10.1.0.1", holding(5))
		for _, ip := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
			w.set(ip, func(p *fakePod) { p.statPage = hang })
		}
		after(time.Second)
		w.SetPods(rev, ready(3))
		for range 8 {
			after(500 * time.Millisecond)
			wantWindowed(t, "concurrency of pods not read yet", w.observe().Concurrency, unknown)
		}
		for _, ip := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
			w.load(ip, 100, 10)
		}
		after(10 * time.Second)
		pods := ready(3)
		for i := range pods {
			pods[i].ReadyAfter = time.Minute
		}
		w.SetPods(rev, pods)
		after(10 * time.Second)
		wantReading(t, "concurrency", w.observe().Concurrency.Panic, 305)
		for i := range pods {
			pods[i].Ready, pods[i].ReadyAfter = false, 0
		}
		w.SetPods(rev, pods)
		after(2 * time.Minute)
		wantWindowed(t, "concurrency of pods that are not Ready any more", w.observe().Concurrency, unknown)
		for i := range pods {
			pods[i].UID += "of another node"
			pods[i].Created = time.Now().Add(-time.Hour)
		}
		w.SetPods(rev, pods)
		after(2 * time.Minute)
		wantWindowed(t, "concurrency of pods that may have been Ready before", w.observe().Concurrency, unknown)
	})
}

// Held requests have arrived when they begin to wait, and only once.
func TestHeld_arrivals(t *testing.T) {
	withHeld(t, restingPicker, 1, 5, func(t *testing.T, w *world) {
		after(10500 * time.Millisecond)
		before := w.observe().Arrivals
		for held := 3; held <= 30; held += 3 { // eight a second come, five are let go
			w.hold(held)
		}
		about(t, "arrivals while the queue grows", w.arrived(before), 80, 5)
		for held := 29; held >= 0; held-- { // four a second come, five are let go
			w.hold(held)
		}
		about(t, "arrivals until it is empty", w.arrived(before), 200, 6)
	})
}

func about(t *testing.T, name string, got, want, within float64) {
	t.Helper()
	if !(got >= want-within && got <= want+within) {
		t.Errorf("%s: %v, want %v within %v", name, got, want, within)
	}
}

// A picker that cannot be read holds what it held, for a stable window; then it is not known.
func TestHeld_staleness(t *testing.T) {
	withHeld(t, holding(9), 3, 2, func(t *testing.T, w *world) {
		after(10 * time.Second)
		w.set("10.1.0.1", func(p *fakePod) { p.enginePage = hang })
		after(20 * time.Second)
		wantReading(t, "queued", w.observe().Queued, 9)
		wantReading(t, "concurrency", w.observe().Concurrency.Panic, 12)
		after(time.Minute)
		wantReading(t, "queued a minute later", w.observe().Queued, decider.Unknown())
		wantReading(t, "concurrency a minute later", w.observe().Concurrency.Panic, 3)
		w.enginePage("10.1.0.1", holding(9))
		after(10 * time.Second)
		wantReading(t, "concurrency when it is readable again", w.observe().Concurrency.Panic, 12)
		about(t, "rps: they have not come now", float64(w.observe().RPS.Panic), 2, 0.01)
	})
}

// Absurd pages are unknown and move nothing.
func TestHeld_absurd(t *testing.T) {
	for _, v := range []string{"NaN", "-3", "1e30", "+Inf"} {
		withHeld(t, restingPicker+"inference_extension_flow_control_queue_size "+v+"\n", 3, 2, func(t *testing.T, w *world) {
			after(10 * time.Second)
			wantReading(t, "queued at "+v, w.observe().Queued, decider.Unknown())
			wantReading(t, "concurrency at "+v, w.observe().Concurrency.Panic, 3)
		})
	}
}

// Before there is a Ready pod what is held is all that is known; that nothing is
// held says nothing of pods that are not Ready.
func TestHeld_withoutReadyPods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Pod{Name: "p1", UID: "u1", Created: time.Now()}).withPicker(1)
		w.enginePage("10.1.0.1", restingPicker)
		after(5 * time.Second)
		wantWindowed(t, "concurrency", w.observe().Concurrency, unknown)
		w.enginePage("10.1.0.1", holding(9))
		after(10 * time.Second)
		wantReading(t, "concurrency", w.observe().Concurrency.Panic, 9)
	})
}

// A change at a picker is reported to the revisions whose requests wait there.
func TestHeld_changesAreTold(t *testing.T) {
	withHeld(t, holding(3), 3, 2, func(t *testing.T, w *world) {
		after(5 * time.Second)
		var told []Key
		w.Notify(func(r Key, _ bool) { w.mu.Lock(); told = append(told, r); w.mu.Unlock() })
		w.enginePage("10.1.0.1", holding(30))
		after(time.Second)
		w.mu.Lock()
		defer w.mu.Unlock()
		if told = slices.Compact(told); !slices.Equal(told, []Key{rev}) {
			t.Errorf("told of %v, want the revision alone", told)
		}
	})
}
