package podautoscaler

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
	"github.com/knative-inference/autoscaler-adapter/pkg/zero"
)

// A clock that is set forward while a revision starts ends no start, and one that is set
// back does not make it last for ever.
func TestLate_clockSteps(t *testing.T) {
	for name, step := range map[string]time.Duration{"none": 0, "an hour forward": time.Hour, "an hour back": -time.Hour, "5 s forward": 5 * time.Second} {
		t.Run(name, func(t *testing.T) {
			pa := autoscaler("llm-1", 1)
			pa.Status.InitializeConditions()
			pa.Status.MarkActivating("Queued", "")
			b := newBench(t, 1, pa, target("llm-1", 1))
			begin := time.Now()
			for i := range pa.Status.Conditions {
				pa.Status.Conditions[i].LastTransitionTime = apis.VolatileTime{Inner: metav1.NewTime(begin)}
			}
			wall, running := begin, time.Duration(0)
			b.clock = func() (time.Time, time.Duration) { return wall, running }
			limit := 2*time.Minute + zero.ActivationBuffer
			late := func(after time.Duration) bool {
				wall, running = wall.Add(after), running+after
				return b.late(b.ctx, pa)
			}
			if late(time.Second) {
				t.Fatal("late after a second")
			}
			wall = wall.Add(step)
			if late(limit - 3*time.Second) {
				t.Error("late before the progress deadline, because the clock was set")
			}
			if !late(5 * time.Second) {
				t.Error("not late after the progress deadline")
			}
		})
	}
}

// A clock that is set while a pod drains deletes the pod neither early nor late.
func TestDrain_clockSteps(t *testing.T) {
	for name, step := range map[string]time.Duration{"none": 0, "an hour forward": time.Hour, "an hour back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			pa := initialized(autoscaler("llm-1", 1, autoscaling.DrainTimeoutKey, "1m"), time.Hour)
			b := newBench(t, 1, pa, readySKS(pa), target("llm-1", 2), gated("b", corev1.ConditionFalse, 0), gated("c", corev1.ConditionTrue, 0))
			b.loads = map[string]collector.Load{"b": {Open: 1, Quiet: -1}, "c": {Open: 9, Quiet: -1}}
			wall, running := time.Now(), time.Duration(0)
			b.clock = func() (time.Time, time.Duration) { return wall, running }
			written := func(after time.Duration) string {
				wall, running = wall.Add(after), running+after
				b.reconcile(pa)
				return strings.Join(b.writtenPods(), " ")
			}
			if got := written(time.Second); got != "" {
				t.Fatalf("wrote %s after a second", got)
			}
			wall = wall.Add(step)
			if got := written(55 * time.Second); got != "" {
				t.Errorf("wrote %s before the drain-timeout, because the clock was set", got)
			}
			if got := written(6 * time.Second); got != "b: release" {
				t.Errorf("wrote %q after the drain-timeout, want the pod released", got)
			}
		})
	}
}

// Drains that ended are forgotten with the next one, and a drain that begins again is another one.
func TestDrains(t *testing.T) {
	var d drains
	begin := time.Now()
	d.lasting("ns/a", begin, begin, 0)
	if got := d.lasting("ns/a", begin.Add(time.Hour), begin.Add(time.Hour), time.Minute); got != 0 {
		t.Errorf("a drain that begins lasts %v", got)
	}
	d.lasting("ns/b", begin, begin, 3*time.Minute)
	if len(d.seen) != 1 {
		t.Errorf("%d drains are remembered, want that of b", len(d.seen))
	}
}

// A revision that was seen to reach its start scale keeps its replicas for the whole window,
// whatever clock wrote the condition.
func TestFloor_clockSkew(t *testing.T) {
	for _, skew := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute} {
		pa := autoscaler("llm-1", 1)
		b := newBench(t, 1, pa, readySKS(pa), target("llm-1", 3))
		b.reconcile(pa) // it is starting
		begun := initialized(pa, skew)
		b.reconcile(begun)
		if got := b.specs[revisionOf(pa)].MinReplicas; got != 3 {
			t.Errorf("clock off by %v: at least %d replicas, want 3 for a stable window", skew, got)
		}
	}
}

// A clock that was set back does not freeze the condition Scaling.
func TestMarkScaling_clockSetBack(t *testing.T) {
	pa := &v1alpha1.PodAutoscaler{}
	now := time.Now()
	record := func(at time.Time, n int32) multiscaler.Record {
		return multiscaler.Record{Time: at, Decision: decider.Decision{Replicas: n, Reason: decider.DesiredWithinRange}}
	}
	markScaling(pa, record(now, 1), 1)
	pa.Status.DesiredScale = &[]int32{1}[0]
	before := pa.Status.GetCondition(autoscaling.ConditionScaling).Message
	markScaling(pa, record(now.Add(-time.Hour), 2), 1)
	if got := pa.Status.GetCondition(autoscaling.ConditionScaling).Message; got == before {
		t.Errorf("the message is %q still", got)
	}
}
