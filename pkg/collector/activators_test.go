package collector

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

const activatorIP = "10.2.0.1"

// activatorPageOf is the metrics page of an activator as Knative 0.50 serves it, with
// requests of the world's revision and of another.
func activatorPageOf(queued, active int) string {
	const labels = `k8s_namespace_name="%s",kn_revision_name="%s",otel_scope_name="knative.dev/serving/pkg/activator",otel_scope_schema_url="",otel_scope_version=""`
	ours, other := fmt.Sprintf(labels, rev.Namespace, rev.Name), fmt.Sprintf(labels, "default", "llm-000010")
	return "# HELP kn_activator_stats_conn_reachable Connection\n# TYPE kn_activator_stats_conn_reachable gauge\nkn_activator_stats_conn_reachable{peer=\"autoscaler\"} 1\n" +
		"# TYPE kn_revision_request_queued gauge\n" +
		fmt.Sprintf("kn_revision_request_queued{%s} %d\nkn_revision_request_queued{%s} 7\n", ours, queued, other) +
		"# TYPE kn_revision_request_active gauge\n" +
		fmt.Sprintf("kn_revision_request_active{%s} %d\n", ours, active) +
		"target_info{service_name=\"activator\"} 1\n"
}

// withActivator is a story with one activator.
func withActivator(t *testing.T, pods []Pod, tell func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pods...)
		w.enginePage(activatorIP, "")
		w.atActivator(0, 0)
		w.SetActivators([]ActivatorPod{{Name: "activator-1", UID: "a1", IP: activatorIP, Ready: true}})
		tell(t, w)
	})
}

// atActivator has the activator report these requests.
func (w *world) atActivator(queued, active int) {
	w.set(activatorIP, func(p *fakePod) {
		p.statPage = answerText(activatorPageOf(queued, active))
	})
}

// A request that waits for a revision at zero is seen within a tenth of a second, and counts
// as concurrency and as an arrival.
func TestActivators_wake(t *testing.T) {
	withActivator(t, nil, func(t *testing.T, w *world) {
		after(70 * time.Second)
		if err := w.ActivatorProblem(); err != nil {
			t.Fatal(err)
		}
		wantReading(t, "queued", w.observe().Queued, 0)
		wantReading(t, "open", w.observe().Open, 0)
		wantReading(t, "concurrency of no pod and no request", w.observe().Concurrency.Panic, decider.Unknown())
		w.atActivator(12, 0)
		after(150 * time.Millisecond)
		wantReading(t, "open", w.observe().Open, 12)
		after(time.Second)
		wantReading(t, "queued", w.observe().Queued, 12)
		wantReading(t, "panic concurrency", w.observe().Concurrency.Panic, 12)
	})
}

// A request that waits in a picker for a revision at zero is seen within two tenths of a
// second, as one in the activator. Whoever is behind a picker that is not known, or cannot
// be read, is not known to be idle.
func TestHeld_wake(t *testing.T) {
	withActivator(t, nil, func(t *testing.T, w *world) {
		w.Watch(Spec{Key: rev, Port: 8000, StableWindow: time.Minute, PanicWindow: 6 * time.Second, Pooled: true})
		after(10 * time.Second)
		wantReading(t, "open without a picker", w.observe().Open, decider.Unknown())
		if err := w.PickerProblem(rev); err == nil {
			t.Error("no problem without a picker")
		}
		w.enginePage("10.1.0.1", restingPicker)
		w.withPicker(1)
		after(10*time.Second + 70*time.Millisecond)
		wantReading(t, "open", w.observe().Open, 0)
		if err := w.PickerProblem(rev); err != nil {
			t.Error(err)
		}
		for range 5 {
			w.enginePage("10.1.0.1", holding(3))
			after(150 * time.Millisecond)
			wantReading(t, "open with three in the picker", w.observe().Open, 3)
			w.enginePage("10.1.0.1", restingPicker)
			after(1130 * time.Millisecond)
			wantReading(t, "open when they have gone", w.observe().Open, 0)
		}
		w.enginePage("10.1.0.1", noFlowControl)
		after(10 * time.Second)
		wantReading(t, "open without flow control", w.observe().Open, decider.Unknown())
		if err := w.PickerProblem(rev); err == nil {
			t.Error("no problem without flow control")
		}
	})
}

// Where requests of a negative priority do not wake a revision, they are not open for it
// while it has no pod, and count as all others once it has one, even one that starts.
func TestHeld_negativePriorities(t *testing.T) {
	const series = "inference_extension_flow_control_queue_size{inference_pool=\"llm\"%s} %d\n"
	batch, vip := fmt.Sprintf(series, ",priority=\"-10\"", 3), fmt.Sprintf(series, ",priority=\"20\"", 2)
	for _, tt := range []struct {
		name, page    string
		waits         bool
		asleep, woken decider.Reading
	}{
		{"batch alone", restingPicker + batch, true, 0, 3},
		{"batch and vip", restingPicker + batch + vip, true, 2, 5},
		{"batch alone, which wakes", restingPicker + batch, false, 3, 3},
		{"a picker that does not say the priority", restingPicker + fmt.Sprintf(series, "", 4), true, 4, 4},
		{"an absurd number of batch", restingPicker + fmt.Sprintf(series, ",priority=\"-1\"", int64(1e15)), true, decider.Unknown(), decider.Unknown()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withActivator(t, nil, func(t *testing.T, w *world) {
				w.Watch(Spec{Key: rev, Port: 8000, StableWindow: time.Minute, PanicWindow: 6 * time.Second, Pooled: true})
				w.enginePage("10.1.0.1", restingPicker)
				w.withPicker(1)
				w.SetHeld(rev, []Share{{Picker: atPicker, Part: 1, NegativeWaits: tt.waits}})
				after(10 * time.Second)
				w.enginePage("10.1.0.1", tt.page)
				after(3 * time.Second)
				wantReading(t, "open", w.observe().Open, tt.asleep)
				wantReading(t, "waiting in the picker", reading(w.WaitingIn(atPicker, false)), tt.woken)
				if tt.asleep == 0 {
					wantReading(t, "queued", w.observe().Queued, 0)
					if c := w.observe().Concurrency.Panic; c > 0 {
						t.Errorf("concurrency %v of requests that wake nobody", c)
					}
				}
				w.SetPods(rev, []Pod{{Name: "p1", UID: "u1", Created: time.Now()}})
				after(3 * time.Second)
				wantReading(t, "open with a pod", w.observe().Open, tt.woken)
			})
		})
	}
}

// A request that comes right after the last pod went is seen as soon, also by a replica
// that read the activators once a second before.
func TestActivators_wakeRightAfterTheLastPod(t *testing.T) {
	for offset := time.Duration(0); offset < time.Second; offset += 130 * time.Millisecond {
		withActivator(t, ready(1), func(t *testing.T, w *world) {
			w.load("10.0.0.1", 0, 0)
			w.engine("10.0.0.1", 0, 0, 0)
			after(10*time.Second + offset)
			w.SetPods(rev, nil)
			after(10 * time.Millisecond)
			w.atActivator(12, 0)
			after(150 * time.Millisecond)
			wantReading(t, fmt.Sprintf("open, %v after the tick", offset), w.observe().Open, 12)
		})
	}
}

// One slow reading of an activator does not make the next ones rare; slow ones throughout do.
func TestActivators_pause(t *testing.T) {
	ms := func(all ...time.Duration) []time.Duration {
		for i := range all {
			all[i] *= time.Millisecond
		}
		return all
	}
	tests := []struct {
		name  string
		fast  bool
		costs []time.Duration
		want  time.Duration
	}{
		{"nobody waits", false, ms(1), slowActivator},
		{"cheap", true, ms(1, 2, 1), fastActivator},
		{"one reading on a busy machine", true, ms(2, 60, 3), fastActivator},
		{"all take 10 ms", true, ms(12, 10, 11), 200 * time.Millisecond},
		{"all take 100 ms", true, ms(100, 110), slowActivator},
		{"a failure", true, nil, slowActivator},
	}
	for _, tt := range tests {
		a := newActivators(Options{}, time.Now, nil)
		a.fast.Store(tt.fast)
		if got := a.pause(tt.costs); got != tt.want {
			t.Errorf("%s: pause %v, want %v", tt.name, got, tt.want)
		}
	}
}

// What is passed on is in the queue-proxy's report: only what waits is added.
func TestActivators_inThePath(t *testing.T) {
	withActivator(t, ready(1), func(t *testing.T, w *world) {
		w.load("10.0.0.1", 3, 2)
		w.engine("10.0.0.1", 3, 0, 0.5)
		w.atActivator(2, 3)
		after(10 * time.Second)
		wantReading(t, "panic concurrency", w.observe().Concurrency.Panic, 5)
		wantReading(t, "queued", w.observe().Queued, 2)
		w.atActivator(0, 0)
		w.load("10.0.0.1", 0, 0)
		w.engine("10.0.0.1", 0, 0, 0)
		after(3 * time.Second)
		wantReading(t, "open", w.observe().Open, 0)
	})
}

// While an activator that gets requests cannot be read, the number of waiting requests is unknown.
func TestActivators_unreadableIsUnknown(t *testing.T) {
	for name, answer := range map[string]func(w *world){
		"none":       func(w *world) { w.SetActivators(nil) },
		"status":     func(w *world) { w.set(activatorIP, func(p *fakePod) { p.statPage = status(404) }) },
		"not a page": func(w *world) { w.set(activatorIP, func(p *fakePod) { p.statPage = answerText("up 1\n") }) },
		"absurd": func(w *world) {
			w.set(activatorIP, func(p *fakePod) { p.statPage = answerText(strings.ReplaceAll(activatorPageOf(0, 0), " 7\n", " NaN\n")) })
		},
		"a second one": func(w *world) {
			w.SetActivators(append(oneActivator(), ActivatorPod{Name: "b", UID: "b", IP: "10.2.0.9", Ready: true}))
		},
		"another address": func(w *world) {
			w.SetActivators([]ActivatorPod{{Name: "activator-1", UID: "a1", IP: "10.2.0.9", Ready: true}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			withActivator(t, ready(1), func(t *testing.T, w *world) {
				w.load("10.0.0.1", 0, 0)
				w.engine("10.0.0.1", 0, 0, 0)
				after(5 * time.Second)
				wantReading(t, "open", w.observe().Open, 0)
				answer(w)
				after(6 * time.Second)
				wantReading(t, "open", w.observe().Open, decider.Unknown())
				if w.ActivatorProblem() == nil {
					t.Error("no problem is reported")
				}
			})
		})
	}
}

// An activator that is going away and cannot be read any more holds nothing that matters.
func TestActivators_leaving(t *testing.T) {
	withActivator(t, ready(1), func(t *testing.T, w *world) {
		w.load("10.0.0.1", 0, 0)
		w.engine("10.0.0.1", 0, 0, 0)
		w.SetActivators(append(oneActivator(), ActivatorPod{Name: "old", UID: "old", IP: "10.2.0.9"}))
		after(5 * time.Second)
		wantReading(t, "open", w.observe().Open, 0)
	})
}

func oneActivator() []ActivatorPod {
	return []ActivatorPod{{Name: "activator-1", UID: "a1", IP: activatorIP, Ready: true}}
}

func TestReadActivator_refuses(t *testing.T) {
	for name, page := range map[string]string{
		"empty":         "",
		"another":       "go_goroutines 7\n",
		"no revision":   "kn_activator_x 1\nkn_revision_request_queued{a=\"b\"} 1\n",
		"not a number":  "kn_activator_x 1\nkn_revision_request_queued{k8s_namespace_name=\"a\",kn_revision_name=\"b\"} x\n",
		"no end":        "kn_activator_x 1\nkn_revision_request_queued{k8s_namespace_name=\"a\"\n",
		"larger":        "kn_activator_x 1\n" + strings.Repeat("# x\n", 1000),
		"absurd number": "kn_activator_x 1\nkn_revision_request_active{k8s_namespace_name=\"a\",kn_revision_name=\"b\"} 1e9\n",
	} {
		if read, err := readActivator(strings.NewReader(page), 2000); err == nil {
			t.Errorf("%s: %v, want an error", name, read)
		}
	}
}

func FuzzReadActivator(f *testing.F) {
	f.Add(activatorPageOf(3, 4))
	f.Fuzz(func(t *testing.T, page string) {
		read, err := readActivator(strings.NewReader(page), 1<<20)
		for rev, h := range read.held {
			if err != nil || rev.Name == "" || !(h.queued >= 0 && h.active >= 0) {
				t.Errorf("%v: %+v, %v", rev, h, err)
			}
		}
	})
}

func answerText(page string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return ok("text/plain", page), nil }
}
