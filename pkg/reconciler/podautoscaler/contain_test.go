package podautoscaler

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"knative.dev/pkg/controller"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
)

// failing is a scaler whose decisions panic, and are contained there.
type failing struct{ *bench }

func (f failing) Last(collector.Key) (multiscaler.Record, bool) {
	return f.Ensure(collector.Key{}, decider.Spec{}, 0), true
}

func (f failing) Ensure(collector.Key, decider.Spec, int32) multiscaler.Record {
	return multiscaler.Record{Time: time.Now(), Failure: "index out of range [3]", Decision: decider.Decision{Replicas: 2, Reason: multiscaler.InternalError}}
}

// An internal error holds the count, and condition and event say so once.
func TestReconcile_internalErrorIsReported(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1), time.Hour)
	b := newBench(t, 2, pa, readySKS(pa), target("llm-1", 2), pod("llm-1", "a", ready()))
	b.scaler = failing{b}
	got := b.reconcile(pa)
	c := got.Status.GetCondition(autoscaling.ConditionScaling)
	if c == nil || c.Reason != "InternalError" || !strings.Contains(c.Message, "stays at 2") || !strings.Contains(c.Message, "index out of range [3]") {
		t.Errorf("condition %+v, want the count, the error and what to do", c)
	}
	if b.patched() != "none" {
		t.Errorf("patched %s, want the count held", b.patched())
	}
	if events := b.eventText(); strings.Count(events, "InternalError") != 2 { // on the PodAutoscaler and its Revision
		t.Errorf("events %q, want one on each owner", events)
	}
	b.reconcile(got)
	if events := b.eventText(); events != "" {
		t.Errorf("told again: %q", events)
	}
}

// A panic on one PodAutoscaler is an error of that one.
func TestReconcile_panicIsAnError(t *testing.T) {
	pa := autoscaler("llm-1", 1)
	b := newBench(t, 1, pa, target("llm-1", 1))
	b.own = nil // a bug: the reconciler calls a nil function
	for name, f := range map[string]func() error{
		"leader":  func() error { return b.ReconcileKind(b.ctx, pa) },
		"standby": func() error { return b.ObserveKind(b.ctx, pa) },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), "internal error") {
			t.Errorf("%s: %v, want an internal error", name, err)
		}
	}
}

// A PodAutoscaler that is gone leaves nothing behind.
func TestForgetUID(t *testing.T) {
	r := &Reconciler{}
	r.starts.set("a", start{replicas: 3})
	r.deadlines.seen("a", time.Now())
	r.forgetUID("a")
	if len(r.starts.known) != 0 || len(r.deadlines.reported) != 0 {
		t.Errorf("%d starts and %d deadlines are left", len(r.starts.known), len(r.deadlines.reported))
	}
}

// Nothing is remembered of a PodAutoscaler whose reconciliation ends after it was
// deleted, or after another one took its name.
func TestReconcileKind_remembersNothingOfTheDeleted(t *testing.T) {
	gone := autoscaler("llm-1", 1, knautoscaling.InitialScaleAnnotationKey, "3")
	again := gone.DeepCopy()
	again.UID = "again"
	for name, objects := range map[string][]any{"deleted": nil, "made anew": {again}} {
		b := newBench(t, 1, append(objects, target("llm-1", 1))...)
		_, _ = b.serving.AutoscalingV1alpha1().PodAutoscalers("default").Create(t.Context(), gone.DeepCopy(), metav1.CreateOptions{}) // deleted a moment later
		b.reconcile(gone)
		if err := b.ObserveKind(b.ctx, gone.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		if _, known := b.starts.get(gone.UID); known {
			t.Errorf("%s: its start is remembered", name)
		}
	}
}

// The events of a PodAutoscaler that is deleted, or leaves our class, end what is remembered of it.
func TestEvents_forgetUID(t *testing.T) {
	mine := autoscaler("llm-1", 1)
	other := mine.DeepCopy()
	other.Annotations[knautoscaling.ClassAnnotationKey] = knautoscaling.KPA
	for name, event := range map[string]func(cache.ResourceEventHandler){
		"deleted":             func(h cache.ResourceEventHandler) { h.OnDelete(mine) },
		"deleted, event lost": func(h cache.ResourceEventHandler) { h.OnDelete(cache.DeletedFinalStateUnknown{Obj: mine}) },
		"another class":       func(h cache.ResourceEventHandler) { h.OnUpdate(mine, other) },
		"replaced": func(h cache.ResourceEventHandler) {
			next := mine.DeepCopy()
			next.UID = "next"
			h.OnUpdate(mine, next)
		},
	} {
		b := newBench(t, 1)
		b.starts.set(mine.UID, start{replicas: 3})
		b.deadlines.seen(mine.UID, time.Now())
		event(b.autoscalerEvents(controller.NewContext(b.ctx, nil, controller.ControllerOptions{WorkQueueName: name, Logger: zap.NewNop().Sugar()})))
		if len(b.starts.known) != 0 || len(b.deadlines.reported) != 0 {
			t.Errorf("%s: %d starts and %d deadlines are left", name, len(b.starts.known), len(b.deadlines.reported))
		}
	}
}
