package rollup

import (
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

func TestSnapshotCache(t *testing.T) {
	asked := &recordedSnapshots{Snapshots: collected{"a": readyPods(2, 1)}}
	c := newSnapshotCache(asked)
	a, gone := collector.Key{Namespace: "default", Name: "a"}, collector.Key{Namespace: "default", Name: "gone"}
	for _, step := range []struct {
		rev     collector.Key
		after   time.Duration
		watched bool
		asked   int
	}{
		{a, 0, true, 1}, {a, snapshotTTL - 1, true, 1}, {a, snapshotTTL, true, 2},
		{a, 0, true, 3},                          // the clock went back: what is newer than now is not reused
		{gone, 0, false, 4}, {gone, 0, false, 5}, // not watched is asked again: it may be by now
		{a, time.Minute, true, 6},
	} {
		s, ok := c.Snapshot(step.rev, then.Add(step.after))
		if ok != step.watched || len(asked.names) != step.asked || ok && len(s.Pods) != 2 {
			t.Errorf("%s after %v: watched %v with %d pods, %d snapshots taken, want %v and %d", step.rev.Name, step.after, ok, len(s.Pods), len(asked.names), step.watched, step.asked)
		}
	}
	if len(c.newest) != 1 {
		t.Errorf("%d revisions kept, want 1", len(c.newest))
	}
}
