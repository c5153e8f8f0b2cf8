package rollup

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// readyPods are n Ready pods; the first ones were read.
func readyPods(n, read int) collector.Snapshot {
	s := collector.Snapshot{}
	for i := range n {
		p := collector.PodSnapshot{Pod: collector.Pod{Name: "p", Ready: true}}
		if i < read {
			p.Values = map[decider.Metric]collector.Sample{decider.Running: {Value: 1, Time: then}}
		}
		s.Pods = append(s.Pods, p)
	}
	return s
}

func TestWarmUp(t *testing.T) {
	v := newView(t)
	snapshots := collected{"llm-1": readyPods(20, 0), "llm-2": {}}
	v.collector = snapshots
	var logged bytes.Buffer
	w := &WarmUp{view: v, log: slog.New(slog.NewTextHandler(&logged, nil))}
	for _, step := range []struct {
		what  string
		do    func()
		after time.Duration
		want  bool
	}{
		{"nothing is read, hpa-1 is not even watched", func() {}, 0, false},
		{"18 of 20 pods are read", func() { snapshots["hpa-1"], snapshots["llm-1"] = collector.Snapshot{}, readyPods(20, 18) }, time.Second, false},
		{"19 of 20 pods are read", func() { snapshots["llm-1"] = readyPods(20, 19) }, 2 * time.Second, true},
		{"all went stale later", func() { snapshots["llm-1"] = readyPods(20, 0) }, time.Hour, true},
	} {
		step.do()
		if got := w.Ready(then.Add(step.after)); got != step.want {
			t.Errorf("%s: ready %v, want %v", step.what, got, step.want)
		}
	}
	if logged.Len() > 0 {
		t.Errorf("logged %s", &logged)
	}
}

// Pods that never answer hold a replica back for a limited time only.
func TestWarmUp_deadPodsEndTheWait(t *testing.T) {
	v := newView(t)
	v.collector = collected{"llm-1": readyPods(4, 3), "llm-2": {}, "hpa-1": {}}
	var logged bytes.Buffer
	w := &WarmUp{view: v, log: slog.New(slog.NewTextHandler(&logged, nil))}
	if w.Ready(then) || w.Ready(then.Add(warmLimit-time.Millisecond)) {
		t.Error("ready before the limit with 3 of 4 pods read")
	}
	if !w.Ready(then.Add(warmLimit)) {
		t.Error("not ready at the limit")
	}
	if !strings.Contains(logged.String(), "read=3 pods=4") {
		t.Errorf("log %q does not name the 3 of 4 pods", &logged)
	}
}

// Without a revision there is nothing to wait for.
func TestWarmUp_ofNothing(t *testing.T) {
	v := newView(t)
	v.collector = collected{"llm-1": {}, "llm-2": {}, "hpa-1": {}}
	if w := (&WarmUp{view: v, log: slog.Default()}); !w.Ready(then) {
		t.Error("not ready with no pod to read")
	}
}
