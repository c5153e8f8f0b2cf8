package inferencepool

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

func (w *world) wantHeld(t *testing.T, when string, want map[collector.Key][]collector.Share) {
	t.Helper()
	w.recorder.mu.Lock()
	defer w.recorder.mu.Unlock()
	if diff := cmp.Diff(want, w.recorder.held); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

func pickerPod(name, pool string, ready bool) *corev1.Pod {
	return pod(name, ready, map[string]string{inference.PickerPodKey: pool})
}

// The picker of a pool of ours is read, and what it holds is shared by the
// revisions that the pool serves, in proportion to their Ready pods.
func TestWatcher_pickers(t *testing.T) {
	app, ours := map[string]string{"app": "vllm"}, map[string]string{"app.kubernetes.io/managed-by": inference.ManagedBy}
	at := func(name string) collector.Key { return collector.Key{Namespace: "team", Name: name} }
	picker := collector.Key{Kind: collector.Picker, Namespace: "team", Name: "llm"}
	story(t, func(t *testing.T) *world {
		starting := knative("s", "new-1")
		starting.Status.Conditions = nil
		return newWorld(t, pickerPod("leads", "llm", true), pickerPod("stands-by", "llm", false), pickerPod("other", "web", true),
			knative("a", "old-1"), knative("b", "old-1"), knative("c", "old-1"), knative("d", "new-1"), starting)
	}, func(t *testing.T, w *world) {
		pool := Pool{Namespace: "team", Name: "llm", Selector: app, Labels: ours}
		w.set(func() { w.observed["old-1"], w.observed["new-1"] = true, true; w.pools = []Pool{pool} })
		w.want(t, "with the pool", map[string][]string{"team picker/llm": {"leads", "stands-by not ready"}})
		w.wantHeld(t, "with the pool", map[collector.Key][]collector.Share{at("old-1"): {{Picker: picker, Part: .75}}, at("new-1"): {{Picker: picker, Part: .25}}})
		w.recorder.mu.Lock()
		target := w.specs[picker]
		w.recorder.mu.Unlock()
		if target.Key.Kind != collector.Picker || target.Port != 9090 || !target.EngineOnly {
			t.Errorf("target %+v, want the picker's page on 9090", target)
		}
		if err := w.kube.CoreV1().Pods("team").Delete(t.Context(), "leads", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		w.set(func() {})
		w.want(t, "its leader is gone", map[string][]string{"team picker/llm": {"stands-by not ready"}})
		w.set(func() { pool.Labels = nil; w.pools = []Pool{pool} })
		w.want(t, "somebody else's pool, whose picker nobody knows", map[string][]string{})
		w.wantHeld(t, "somebody else's pool", map[collector.Key][]collector.Share{})
	})
}

// While no pod is Ready every pod counts; without any pod nobody has a share.
func TestWatcher_pickersWithoutReadyPods(t *testing.T) {
	story(t, func(t *testing.T) *world {
		starting := knative("s", "new-1")
		starting.Status.Conditions = nil
		return newWorld(t, pickerPod("leads", "llm", true), starting)
	}, func(t *testing.T, w *world) {
		pool := Pool{Namespace: "team", Name: "llm", Selector: map[string]string{"app": "vllm"}, Labels: map[string]string{"app.kubernetes.io/managed-by": inference.ManagedBy}}
		w.set(func() { w.observed["new-1"] = true; w.pools = []Pool{pool} })
		w.wantHeld(t, "a starting pod", map[collector.Key][]collector.Share{
			{Namespace: "team", Name: "new-1"}: {{Picker: pool.pickerKey(), Part: 1}},
		})
		w.set(func() { pool.Selector = map[string]string{"app": "none"}; w.pools = []Pool{pool} })
		w.wantHeld(t, "no pod", map[collector.Key][]collector.Share{})
	})
}

// Pods of a Deployment behind the same pool take their part of the queue.
func TestWatcher_pickersOfMixedPools(t *testing.T) {
	app := map[string]string{"app": "vllm"}
	story(t, func(t *testing.T) *world {
		return newWorld(t, pickerPod("leads", "llm", true), knative("a", "new-1"), pod("x", true, app), pod("y", true, app), pod("z", true, app))
	}, func(t *testing.T, w *world) {
		pool := Pool{Namespace: "team", Name: "llm", Selector: app, Port: 8000, Labels: map[string]string{"app.kubernetes.io/managed-by": inference.ManagedBy}}
		w.set(func() { w.observed["new-1"] = true; w.pools = []Pool{pool} })
		w.wantHeld(t, "one of four pods", map[collector.Key][]collector.Share{
			{Namespace: "team", Name: "new-1"}: {{Picker: pool.pickerKey(), Part: .25}},
		})
	})
}

// While a pool has no pod its requests wait for the revisions that it says it serves, by
// their part of the traffic; what waits while one of them has pods is that one's.
func TestWatcher_pickersAtZero(t *testing.T) {
	at := func(name string) collector.Key { return collector.Key{Namespace: "team", Name: name} }
	pool := Pool{Namespace: "team", Name: "llm", Selector: map[string]string{"app": "none"}, Labels: map[string]string{"app.kubernetes.io/managed-by": inference.ManagedBy},
		Serves: map[string]float64{"old-1": .75, "new-1": .25}}
	share := func(part float64) []collector.Share {
		return []collector.Share{{Picker: pool.pickerKey(), Part: part, NegativeWaits: pool.NegativeWaits}}
	}
	story(t, func(t *testing.T) *world {
		return newWorld(t, pickerPod("leads", "llm", true), knative("a", "old-1"))
	}, func(t *testing.T, w *world) {
		w.set(func() { w.observed["old-1"], w.observed["new-1"] = true, true; w.pools = []Pool{pool} })
		w.wantHeld(t, "at zero", map[collector.Key][]collector.Share{at("old-1"): share(.75), at("new-1"): share(.25)})
		w.set(func() { pool.Selector = map[string]string{"app": "vllm"}; w.pools = []Pool{pool} })
		w.wantHeld(t, "one of them has a pod", map[collector.Key][]collector.Share{at("old-1"): share(1), at("new-1"): share(0)})
		w.set(func() { pool.NegativeWaits = true; w.pools = []Pool{pool} })
		w.wantHeld(t, "negative priorities wake nobody", map[collector.Key][]collector.Share{at("old-1"): share(1), at("new-1"): share(0)})
	})
}

// What a pool says of itself is believed in one of ours only, and only if it can be.
func TestServes(t *testing.T) {
	for text, want := range map[string]map[string]float64{
		"":                           nil,
		"{}":                         {},
		`{"a":90,"b":10}`:            {"a": .9, "b": .1},
		`{"a":30,"b":30}`:            {"a": .5, "b": .5},
		`{"a":0}`:                    nil,
		`{"a":-1}`:                   nil,
		`{"a":1e300}`:                nil,
		`{"a":"100"}`:                nil,
		`[1]`:                        nil,
		`{"a":100} and more`:         nil,
		`{"a":100,"b":null,"c":100}`: nil,
	} {
		if diff := cmp.Diff(want, serves(text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}
