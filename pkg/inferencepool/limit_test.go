package inferencepool

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

// A namespace costs one watch of pods, however many pools it has. Beyond the limit
// the oldest are read, and the log says that others are not.
func TestWatcher_poolsAreBounded(t *testing.T) {
	app := map[string]string{"app": "vllm"}
	story(t, func(t *testing.T) *world { return newWorld(t, pod("a", true, app)) }, func(t *testing.T, w *world) {
		var pools []Pool
		for i := range maxPlainPools + 20 { // the youngest first
			pools = append(pools, Pool{Namespace: "team", Name: fmt.Sprintf("llm-%03d", i), Selector: app, Port: 8000, Created: time.Unix(int64(1000-i), 0)})
		}
		knativeOnly := Pool{Namespace: "team", Name: "ours", Selector: map[string]string{"serving.knative.dev/service": "s"}, Port: 8000}
		w.set(func() { w.pools = append([]Pool{knativeOnly}, pools...) })
		if got := w.watchesOfPods(); got != 1 {
			t.Errorf("%d watches of pods for %d pools of one namespace, want 1", got, len(pools))
		}
		read := w.told()
		if len(read) != maxPlainPools || read["team pool/llm-000"] != nil || read["team pool/llm-069"] == nil {
			t.Errorf("%d pools are read, want the %d oldest", len(read), maxPlainPools)
		}
		w.set(func() {})
		if got := strings.Count(w.log.String(), "level=WARN"); got != 1 || !strings.Contains(w.log.String(), `"without metrics"=20`) {
			t.Errorf("%d warnings, want one that counts 20 pools:\n%s", got, w.log.String())
		}
		w.set(func() { w.pools = pools[60:] })
		if got := w.told(); len(got) != 10 || !strings.Contains(w.log.String(), "read again") {
			t.Errorf("%d pools are read after others went, want 10 and a line in the log:\n%s", len(got), w.log.String())
		}
	})
}

func (w *world) watchesOfPods() (n int) {
	for _, a := range w.kube.Actions() {
		if a.Matches("watch", "pods") {
			n++
		}
	}
	return n
}

// A panic on one revision's data is counted, and logged once a minute; the other
// revisions are read on, and what was known of the one is not forgotten.
func TestWatcher_panicIsContained(t *testing.T) {
	story(t, func(t *testing.T) *world { return newWorld(t, knative("a", "fatal"), knative("b", "kpa-1")) }, func(t *testing.T, w *world) {
		w.set(func() { w.pools = []Pool{{Namespace: "team", Name: "llm", Selector: map[string]string{"app": "vllm"}}} })
		w.want(t, "the others", map[string][]string{"team kpa-1": {"b"}})
		if got := w.panics.Load(); got < 2 {
			t.Errorf("%d panics counted after two seconds, want each", got)
		}
		if got := strings.Count(w.log.String(), "panic contained"); got != 1 || !strings.Contains(w.log.String(), "name=fatal") {
			t.Errorf("%d log lines, want one that names the revision:\n%s", got, w.log.String())
		}
	})
}

// A pool whose shares cannot be computed keeps those that it had: unknown is not zero.
func TestWatcher_panicKeepsShares(t *testing.T) {
	w := newWorld(t)
	r := collector.Key{Namespace: "team", Name: "new-1"}
	w.Watcher.held[r] = true
	w.recorder.held[r] = []collector.Share{{Part: 1}}
	w.o.Knative = nil // listing panics
	ours := Pool{Namespace: "team", Name: "llm", Selector: map[string]string{"a": "b"}, Labels: map[string]string{"app.kubernetes.io/managed-by": "knative-inference-gateway"}}
	w.followPickers(t.Context(), []Pool{ours})
	if w.panics.Load() != 1 || len(w.recorder.held[r]) != 1 {
		t.Errorf("%d panics, shares %v; want 1 and those from before", w.panics.Load(), w.recorder.held)
	}
}
