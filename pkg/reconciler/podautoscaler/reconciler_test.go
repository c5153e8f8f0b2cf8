package podautoscaler

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
	"knative.dev/pkg/apis"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/ptr"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
)

func TestReconcile_followsTheDecision(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1, "autoscaling.knative.dev/max-scale", "8"), time.Hour)
	b := newBench(t, 3, pa, readySKS(pa), target("llm-1", 1), pod("llm-1", "a", ready()))
	got := b.reconcile(pa)
	if b.patched() != `{"spec":{"replicas":3}}` {
		t.Errorf("patched %s, want 3 replicas", b.patched())
	}
	if *got.Status.DesiredScale != 3 || *got.Status.ActualScale != 1 || !got.IsReady() {
		t.Errorf("status %+v, want desired 3, actual 1, ready", got.Status)
	}
	if events := b.eventText(); !strings.Contains(events, "Scaled from 1 to 3") {
		t.Errorf("events: %q", events)
	}
	if w := b.watched[revisionOf(pa)]; w.Port != 8000 {
		t.Errorf("engine page on port %d, want the user container's 8000", w.Port)
	}
	if spec := b.specs[revisionOf(pa)]; spec.MinReplicas != 0 || spec.MaxReplicas != 8 {
		t.Errorf("spec bounds %d..%d, want 0..8", spec.MinReplicas, spec.MaxReplicas)
	}
	if c := got.Status.GetCondition(autoscaling.ConditionScaleToZero); c != nil {
		t.Errorf("condition ScaleToZero = %v of a revision that serves", c)
	}
}

// With containerConcurrency 1 a reading would be a second request: only what may be an engine is read.
func TestReconcile_oneRequestAtATime(t *testing.T) {
	for _, tt := range []struct {
		name               string
		limit              int64
		metric, key, value string
		image              string
		port               int
	}{
		{"a plain application", 1, "concurrency", "", "", "example.com/app", 0},
		{"more than one", 2, "concurrency", "", "", "example.com/app", 8000},
		{"no limit", 0, "concurrency", "", "", "example.com/app", 8000},
		{"an engine that is named", 1, "concurrency", autoscaling.EngineKey, "vllm", "example.com/app", 8000},
		{"an image of an engine", 1, "concurrency", "", "", "vllm/vllm-openai:v0.32.0", 8000},
		{"a metric of engines", 1, "slo", "", "", "example.com/app", 8000},
		{"a metric of engines by default", 1, "", "", "", "example.com/app", 0},
		{"an objective", 1, "", autoscaling.SLOTTFTKey, "1s", "example.com/app", 8000},
	} {
		annotations := []string{knautoscaling.MetricAnnotationKey, tt.metric}
		if tt.key != "" {
			annotations = append(annotations, tt.key, tt.value)
		}
		pa := initialized(autoscaler("llm-1", 1, annotations...), time.Hour)
		pa.Spec.ContainerConcurrency = tt.limit
		d := target("llm-1", 1)
		d.Spec.Template.Spec.Containers[1].Image = tt.image
		b := newBench(t, 1, pa, readySKS(pa), d, pod("llm-1", "a", ready()))
		b.reconcile(pa)
		if w := b.watched[revisionOf(pa)]; w.Port != tt.port {
			t.Errorf("%s: engine page on port %d, want %d", tt.name, w.Port, tt.port)
		}
		set(pa, apis.Condition{Type: autoscaling.ConditionEngineReadable, Status: corev1.ConditionTrue})
		b.reconcile(pa)
		if w := b.watched[revisionOf(pa)]; w.Port != 8000 {
			t.Errorf("%s, read before as an engine: engine page on port %d, want 8000", tt.name, w.Port)
		}
	}
}

func TestReconcile_noDecisionYetLeavesTheScale(t *testing.T) {
	pa := autoscaler("llm-1", 1)
	b := newBench(t, -1, pa, target("llm-1", 5))
	got := b.reconcile(pa)
	if b.patched() != "none" {
		t.Errorf("patched %s without a decision", b.patched())
	}
	if got.Status.DesiredScale != nil {
		t.Errorf("desired scale %d without a decision", *got.Status.DesiredScale)
	}
}

func TestReconcile_refusedFromTheStart(t *testing.T) {
	pa := autoscaler("llm-1", 1, "autoscaling.knative.dev/metric", "kv_cache=70")
	svc := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "llm", UID: "svc-uid"}}
	b := newBench(t, 3, pa, target("llm-1", 1), svc)
	got := b.reconcile(pa)
	c := got.Status.GetCondition(v1alpha1.PodAutoscalerConditionReady)
	if c == nil || !c.IsFalse() || c.Reason != autoscaling.ReasonRefused || !strings.Contains(c.Message, "kv_cache_usage_percent") {
		t.Errorf("Ready = %v, want False, %s and the metrics that exist", c, autoscaling.ReasonRefused)
	}
	if got.Status.ServiceName != "" || b.patched() != `{"spec":{"replicas":0}}` {
		t.Errorf("service name %q, patched %s; want none and 0 replicas", got.Status.ServiceName, b.patched())
	}
	if n := strings.Count(b.eventText(), autoscaling.ReasonRefused); n != 3 {
		t.Errorf("%d warnings, want one each on PodAutoscaler, Revision and Service", n)
	}
	if len(b.watched) != 0 {
		t.Errorf("collecting for a refused revision: %v", b.watched)
	}
	if b.reconcile(got); b.eventText() != "" {
		t.Error("the same refusal was reported twice")
	}
}

func TestReconcile_refusedEditKeepsTheLastGoodSpec(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1, "autoscaling.knative.dev/max-scale", "8"), time.Hour)
	b := newBench(t, 3, pa, readySKS(pa), target("llm-1", 3), pod("llm-1", "a", ready()))
	b.reconcile(pa)
	stored, err := b.serving.AutoscalingV1alpha1().PodAutoscalers("default").Get(t.Context(), "llm-1", metav1.GetOptions{})
	if err != nil || stored.Annotations[autoscaling.AcceptedKey] == "" {
		t.Fatalf("accepted annotations were not remembered: %v %v", stored.Annotations, err)
	}
	edited := initialized(stored.DeepCopy(), time.Hour)
	edited.Annotations["autoscaling.knative.dev/metric"] = "nonsense"
	edited.Annotations["autoscaling.knative.dev/max-scale"] = "2"
	got := b.reconcile(edited)
	if spec := b.specs[revisionOf(pa)]; spec.MaxReplicas != 8 {
		t.Errorf("max replicas %d after a refused edit, want the last good 8", spec.MaxReplicas)
	}
	c := got.Status.GetCondition(autoscaling.ConditionAnnotationsAccepted)
	if c == nil || !c.IsFalse() || !strings.Contains(c.Message, `"nonsense"`) || !got.IsReady() {
		t.Errorf("AnnotationsAccepted = %v, Ready = %v; want refused but still serving", c, got.IsReady())
	}
}

func TestReconcile_refusedButServedByAnotherClassKeepsItsPods(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1, "autoscaling.knative.dev/metric", "nonsense"), time.Hour)
	b := newBench(t, 3, pa, readySKS(pa), target("llm-1", 4))
	b.reconcile(pa)
	if b.patched() != "none" {
		t.Errorf("patched %s; a revision that serves must keep its pods", b.patched())
	}
}

func TestStatus_missedProgressDeadlineNamesTheAnnotation(t *testing.T) {
	pa := autoscaler("llm-1", 1)
	d := target("llm-1", 1)
	d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded", LastTransitionTime: metav1.Now()}}
	b := newBench(t, 1, pa, readySKS(pa), d)
	b.reconcile(pa)
	if events := b.eventText(); !strings.Contains(events, "serving.knative.dev/progress-deadline") {
		t.Errorf("events: %q", events)
	}
	if b.reconcile(pa); strings.Contains(b.eventText(), "progress-deadline") {
		t.Error("the same missed deadline was reported twice")
	}
}

func TestObserve_writesNothing(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1), time.Hour)
	b := newBench(t, 5, pa, target("llm-1", 1))
	b.kube.ClearActions()
	b.serving.ClearActions()
	if err := b.ObserveKind(b.ctx, pa); err != nil {
		t.Fatal(err)
	}
	actions := slices.Concat(b.kube.Actions(), b.serving.Actions(), b.network.Actions())
	for _, a := range actions {
		if a.GetVerb() != "get" && a.GetVerb() != "list" && a.GetVerb() != "watch" {
			t.Errorf("a standby wrote: %s %s", a.GetVerb(), a.GetResource().Resource)
		}
	}
	if events := b.eventText(); events != "" {
		t.Errorf("a standby sent events: %s", events)
	}
	if _, ok := b.specs[revisionOf(pa)]; !ok {
		t.Error("a standby must decide in shadow")
	}
}

func TestScaleTarget_otherKindsAreRefused(t *testing.T) {
	pa := autoscaler("llm-1", 1)
	pa.Spec.ScaleTargetRef.Kind = "StatefulSet"
	b := newBench(t, 1, pa)
	if err := b.ReconcileKind(b.ctx, pa); err == nil || !strings.Contains(err.Error(), "only Deployment") {
		t.Errorf("error %v, want one that names the kind that can be scaled", err)
	}
}

func TestScaleTarget_missingIsAskedForAgainQuietly(t *testing.T) {
	b := newBench(t, 1)
	if ok, _ := controller.IsRequeueKey(b.ReconcileKind(b.ctx, autoscaler("llm-1", 1))); !ok {
		t.Error("a missing Deployment is an error, want a later look")
	}
}

// The condition's numbers are written again when they are old, and no sooner.
func TestMarkScaling_refreshesNumbers(t *testing.T) {
	pa := autoscaler("llm-1", 1)
	record := multiscaler.Record{Time: time.Now(), Decision: decider.Decision{Replicas: 1, Reason: decider.DesiredWithinRange}}
	message := func(waiting float64) string {
		record.Decision.Wants = []decider.Want{{Metric: decider.Waiting, Observed: decider.Reading(waiting), Target: 9, Asked: 1, Replicas: 1, Reason: decider.DesiredWithinRange}}
		markScaling(pa, record, 1)
		pa.Status.DesiredScale = ptr.Int32(1)
		return pa.Status.GetCondition(autoscaling.ConditionScaling).Message
	}
	first := message(1)
	if second := message(2); second != first {
		t.Errorf("%q at once after %q", second, first)
	}
	record.Time = record.Time.Add(time.Minute)
	if third := message(3); !strings.Contains(third, "is 3 (target 9 per replica)") {
		t.Errorf("a minute later still %q", third)
	}
}

// The decision loop goes on while a count is written; the event has the decision that
// was applied. "Scaled from 12 to 5" with the reasons for 12 was seen on a busy machine.
func TestScale_eventHasTheDecisionThatWasApplied(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1), time.Hour)
	b := newBench(t, 5, pa, readySKS(pa), target("llm-1", 12), pod("llm-1", "a", ready()))
	b.kube.PrependReactor("patch", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
		b.answer = 12
		return false, nil, nil
	})
	got := b.reconcile(pa)
	if events := b.eventText(); !strings.Contains(events, "Scaled from 12 to 5. num_requests_running is 5 ") {
		t.Errorf("events: %q", events)
	}
	if c := got.Status.GetCondition(autoscaling.ConditionScaling); *got.Status.DesiredScale != 5 || !strings.HasPrefix(c.Message, "5 replicas.") {
		t.Errorf("desired scale %d, Scaling %q", *got.Status.DesiredScale, c.Message)
	}
}

// A count above the decision's says what it waits for.
func TestReport_whyTheCountIsAboveTheDecision(t *testing.T) {
	rep := report{want: 1}
	if got := rep.why(1); got != "" {
		t.Errorf("%q for the decision's own count", got)
	}
	if got := rep.why(2); !strings.Contains(got, "asks for 1; pods that still have requests") || strings.Contains(got, "activator") {
		t.Errorf("%q", got)
	}
	rep.want = 0
	if got := rep.why(1); !strings.Contains(got, "asks for 0") || !strings.Contains(got, "the last one waits for Knative's activator") {
		t.Errorf("%q", got)
	}
}

// While the cache lags behind, one decision is patched once.
func TestScale_oneDecisionIsPatchedOnce(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1), time.Hour)
	b := newBench(t, 3, pa, readySKS(pa), target("llm-1", 1), pod("llm-1", "a", ready()))
	b.reconcile(pa)
	b.kube.ClearActions()
	b.reconcile(pa) // the cache still shows 1
	if b.patched() != "none" {
		t.Errorf("patched %s again", b.patched())
	}
}
