package collector

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

var atPicker = Revision{"default", "picker of llm"}

const restingPicker = "inference_extension_info{build_ref=\"v1.5.0\",commit=\"x\"} 1\n"

// holding is a picker's page with requests of two priorities.
func holding(n int) string {
	const series = "inference_extension_flow_control_queue_size{fairness_id=\"default-flow\",inference_pool=\"llm\",model_name=\"m\",priority=%q,target_model_name=\"m\"} %d\n"
	return restingPicker + fmt.Sprintf(series+series, "0", n-n/3, "20", n/3)
}

// withPicker adds a picker that holds requests of the world's revision.
func (w *world) withPicker(part float64) *world {
	w.Watch(Target{Revision: atPicker, Engine: engine.Picker, Port: 9091, PortNamed: true, StableWindow: time.Minute, PanicWindow: 6 * time.Second, EngineOnly: true})
	w.SetPods(atPicker, []Pod{{Name: "picker", UID: "picker", IP: "10.1.0.1", Ready: true}})
	w.SetHeld(rev, []Share{{atPicker, part}})
	return w
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

// A resting picker holds nothing, and that is known; one without flow control too.
func TestHeld_restingPickerHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...).withPicker(1)
		w.load("10.0.0.1", 3, 2)
		w.enginePage("10.1.0.1", restingPicker)
		after(3 * time.Second)
		wantReading(t, "queued", w.observe().Queued, 0)
		wantReading(t, "concurrency", w.observe().Concurrency.Panic, 3)
		w.SetHeld(rev, nil)
		wantReading(t, "queued without a picker", w.observe().Queued, decider.Unknown())
	})
}

// Held requests have arrived when they begin to wait, and only once.
func TestHeld_arrivals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...).withPicker(1)
		w.load("10.0.0.1", 1, 5)
		w.enginePage("10.1.0.1", restingPicker)
		after(10500 * time.Millisecond)
		before := w.observe().Arrivals
		for held := 3; held <= 30; held += 3 { // eight a second come, five are let go
			w.enginePage("10.1.0.1", holding(held))
			after(time.Second)
		}
		about(t, "arrivals while the queue grows", float64(w.observe().Arrivals-before), 80, 5)
		for held := 29; held >= 0; held-- { // four a second come, five are let go
			w.enginePage("10.1.0.1", holding(held))
			after(time.Second)
		}
		about(t, "arrivals until it is empty", float64(w.observe().Arrivals-before), 200, 6)
	})
}

func about(t *testing.T, name string, got, want, within float64) {
	t.Helper()
	if !(got >= want-within && got <= want+within) {
		t.Errorf("%s: %v, want %v within %v", name, got, want, within)
	}
}

// A picker that cannot be read holds what it held, for a stable window.
func TestHeld_staleness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...).withPicker(1)
		w.load("10.0.0.1", 3, 2)
		w.enginePage("10.1.0.1", holding(9))
		after(10 * time.Second)
		w.set("10.1.0.1", func(p *fakePod) { p.enginePage = hang })
		after(20 * time.Second)
		wantReading(t, "queued", w.observe().Queued, decider.Unknown())
		wantReading(t, "concurrency", w.observe().Concurrency.Panic, 12)
		after(time.Minute)
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
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, ready(1)...).withPicker(1)
			w.load("10.0.0.1", 3, 2)
			w.enginePage("10.1.0.1", restingPicker+"inference_extension_flow_control_queue_size "+v+"\n")
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
		w := newWorld(t, Pod{Name: "p1", UID: "u1"}).withPicker(1)
		w.enginePage("10.1.0.1", restingPicker)
		after(5 * time.Second)
		wantWindowed(t, "concurrency", w.observe().Concurrency, unknown)
		w.enginePage("10.1.0.1", holding(9))
		after(10 * time.Second)
		wantReading(t, "concurrency", w.observe().Concurrency.Panic, 9)
	})
}

// A change at a picker is told to the revisions whose requests wait there.
func TestHeld_changesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...).withPicker(1)
		w.load("10.0.0.1", 3, 2)
		w.enginePage("10.1.0.1", holding(3))
		after(5 * time.Second)
		var told []Revision
		w.Notify(func(r Revision) { w.mu.Lock(); told = append(told, r); w.mu.Unlock() })
		w.enginePage("10.1.0.1", holding(30))
		after(time.Second)
		w.mu.Lock()
		defer w.mu.Unlock()
		if !slices.Equal(told, []Revision{rev}) {
			t.Errorf("told of %v, want the revision once", told)
		}
	})
}
