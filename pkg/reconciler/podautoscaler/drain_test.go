package podautoscaler

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"
	"knative.dev/pkg/ptr"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/drain"
)

// gated is a running pod with our readiness gate; gate "" was not written yet.
func gated(name string, gate corev1.ConditionStatus, since time.Duration) *corev1.Pod {
	p := pod("llm-1", name, corev1.PodCondition{Type: corev1.ContainersReady, Status: corev1.ConditionTrue})
	p.UID, p.Spec.NodeName = types.UID(name), "node0"
	p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: autoscaling.ServingGate}}
	isReady := corev1.ConditionFalse
	if gate != "" {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: autoscaling.ServingGate, Status: gate, LastTransitionTime: metav1.NewTime(time.Now().Add(-since))})
		isReady = gate
	}
	c := corev1.PodCondition{Type: corev1.PodReady, Status: isReady}
	if isReady == corev1.ConditionFalse {
		c.Reason = "ReadinessGatesNotReady" // the kubelet's
	}
	p.Status.Conditions = append(p.Status.Conditions, c)
	return p
}

// onLostNode is what the node lifecycle controller makes of a pod whose node does not answer.
func onLostNode(p *corev1.Pod) *corev1.Pod {
	for i, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			p.Status.Conditions[i] = corev1.PodCondition{Type: c.Type, Status: corev1.ConditionFalse, LastTransitionTime: metav1.Now()}
		}
	}
	return p
}

// onLostNodeWhileDraining is a pod whose kubelet has not answered since the pod drained, and
// whose gate was opened again.
func onLostNodeWhileDraining(p *corev1.Pod) *corev1.Pod {
	for i, c := range onLostNode(p).Status.Conditions {
		if c.Type == corev1.PodReady {
			p.Status.Conditions[i].Reason = "ReadinessGatesNotReady"
		}
	}
	return p
}

func costly(p *corev1.Pod) *corev1.Pod {
	p.Annotations = map[string]string{corev1.PodDeletionCost: fmt.Sprint(drain.ReleaseCost)}
	return p
}

// written are the patches of pods, as "name: patch".
func (b *bench) writtenPods() (all []string) {
	for _, a := range b.kube.Actions() {
		if p, ok := a.(clienttesting.PatchAction); ok && a.GetResource().Resource == "pods" {
			text := string(p.GetPatch())
			switch {
			case a.GetSubresource() == "status" && strings.Contains(text, `"False"`):
				text = "close"
			case a.GetSubresource() == "status" && strings.Contains(text, `"True"`):
				text = "open"
			case strings.Contains(text, `"controller.kubernetes.io/pod-deletion-cost":null`):
				text = "keep"
			case strings.Contains(text, `"controller.kubernetes.io/pod-deletion-cost":"-2147483647"`):
				text = "release"
			}
			all = append(all, p.GetName()+": "+text)
		}
	}
	slices.Sort(all)
	return all
}

func TestReconcile_drains(t *testing.T) {
	open, closed := corev1.ConditionTrue, corev1.ConditionFalse
	for _, tt := range []struct {
		name           string
		want, replicas int32
		pods           []*corev1.Pod
		writes         []string
		scale          string
		active         bool
		draining       string // part of the condition; "" is none
		event          string
	}{
		{"a new pod is let in", 1, 1, []*corev1.Pod{gated("a", "", 0)}, []string{"a: open", "a: open"}, "none", false, "", ""}, // twice: a fake's pods have no versions
		{"the count falls: pods leave routing first", 1, 3, []*corev1.Pod{gated("a", open, 0), gated("b", open, 0), gated("c", open, 0)},
			[]string{"a: close", "b: close"}, "none", true, "2 pods are given up", "Normal Draining Gave up 2 of 3 pods"},
		{"and stay while they hold requests", 1, 2, []*corev1.Pod{gated("b", closed, time.Minute), gated("c", open, 0)}, nil, "none", true, "hold 2 requests", ""},
		{"then they are marked", 1, 2, []*corev1.Pod{gated("a", closed, time.Minute), gated("c", open, 0)}, []string{"a: release"}, "none", true, "1 pods are given up", ""},
		{"then the count is lowered", 1, 2, []*corev1.Pod{costly(gated("a", closed, time.Minute)), gated("c", open, 0)}, nil, `{"spec":{"replicas":1}}`, true, "1 pods are given up", "Normal Scaled Scaled from 2 to 1. num_requests_running is 1 (target 1 per replica) and needs 1 replica."},
		{"the others go on", 1, 3, []*corev1.Pod{costly(gated("a", closed, time.Minute)), gated("b", closed, time.Minute), gated("c", open, 0)}, nil, `{"spec":{"replicas":2}}`, true, "2 pods are given up",
			"Normal Scaled Scaled from 3 to 2. num_requests_running is 1 (target 1 per replica) and needs 1 replica. The decision asks for 1; pods that still have requests end them first."},
		{"at the timeout at the latest", 1, 2, []*corev1.Pod{gated("b", closed, 70*time.Second), gated("c", open, 0)}, []string{"b: release"}, "none", true, "1 pods", "Warning DrainTimeout"},
		{"load returns", 2, 3, []*corev1.Pod{costly(gated("a", closed, time.Minute)), gated("b", closed, time.Minute), gated("c", open, 0)},
			[]string{"b: open"}, `{"spec":{"replicas":2}}`, true, "1 pods", "Normal Rescued Brought 1 draining pods back"},
		{"pods on a lost node go before those that serve", 1, 2, []*corev1.Pod{onLostNode(gated("x", open, time.Hour)), gated("c", open, 0)},
			[]string{"x: close"}, "none", true, "1 pods are given up", "Normal Draining Gave up 1 of 2 pods"},
		{"also when they came back meanwhile", 1, 2, []*corev1.Pod{onLostNode(gated("x", open, 0)), gated("c", open, 0)},
			[]string{"x: close"}, "none", true, "1 pods are given up", "Normal Draining"},
		{"pods that drained on a lost node, and came back, too", 1, 2, []*corev1.Pod{onLostNodeWhileDraining(gated("x", open, time.Minute)), gated("c", open, 0)},
			[]string{"x: close"}, "none", true, "1 pods are given up", "Normal Draining"},
		{"the node is lost: draining pods there come back last", 2, 3, []*corev1.Pod{onLostNode(gated("x", closed, time.Second)), gated("b", closed, time.Second), gated("c", open, 0)},
			[]string{"b: open"}, "none", true, "1 pods are given up", "Normal Rescued"},
		{"pods without the gate: only the cost", 1, 2, []*corev1.Pod{pod("llm-1", "x", ready()), pod("llm-1", "y", ready())}, []string{"x: release"}, "none", true, "1 pods", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pa := initialized(autoscaler("llm-1", 1, "autoscaling.knative.dev/min-scale", "1"), time.Hour)
			rev := revision("llm-1", servingv1.RoutingStateActive)
			rev.Spec.TimeoutSeconds = ptr.Int64(65)
			objects := []any{pa, readySKS(pa), target("llm-1", tt.replicas), rev}
			for _, p := range tt.pods {
				objects = append(objects, p)
			}
			b := newBench(t, tt.want, objects...)
			b.loads = map[string]collector.Load{
				"a": {Open: 0, Quiet: drain.QuietTime}, "b": {Open: 1.7, Quiet: -1}, "c": {Open: 9, Quiet: -1},
			}
			got := b.reconcile(pa)
			if w := b.writtenPods(); !slices.Equal(w, tt.writes) {
				t.Errorf("wrote %q, want %q", w, tt.writes)
			}
			if b.patched() != tt.scale {
				t.Errorf("patched %s, want %s", b.patched(), tt.scale)
			}
			if got.IsReady() != tt.active {
				t.Errorf("Ready %v, want %v: %v", got.IsReady(), tt.active, got.Status.Conditions)
			}
			c := got.Status.GetCondition(autoscaling.ConditionDraining)
			if (c != nil) != (tt.draining != "") || c != nil && !strings.Contains(c.Message, tt.draining) {
				t.Errorf("condition Draining %v, want %q", c, tt.draining)
			}
			if events := b.eventText(); !strings.Contains(events, tt.event) {
				t.Errorf("events %q, want %q", events, tt.event)
			}
		})
	}
}

// Without the right to write pods the count is raised all the same, and the error is reported.
func TestReconcile_podsThatCannotBeWritten(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1), time.Hour)
	b := newBench(t, 4, pa, readySKS(pa), target("llm-1", 2), gated("a", "", 0), gated("b", corev1.ConditionTrue, 0))
	b.kube.PrependReactor("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("not allowed")
	})
	pa = pa.DeepCopy()
	pa.Status.InitializeConditions()
	if err := b.ReconcileKind(b.ctx, pa); err == nil || !strings.Contains(err.Error(), "not allowed") {
		t.Errorf("error %v", err)
	}
	if b.patched() != `{"spec":{"replicas":4}}` || *pa.Status.DesiredScale != 4 {
		t.Errorf("patched %s, desired %v; want 4", b.patched(), pa.Status.DesiredScale)
	}
}

// What drains is not asked for: the decision sees what serves.
func TestServing(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1), time.Hour)
	b := newBench(t, 1, pa, target("llm-1", 3), gated("a", corev1.ConditionFalse, 0), gated("b", corev1.ConditionFalse, 0), gated("c", corev1.ConditionTrue, 0))
	if got := b.pods.serving(revisionOf(pa), target("llm-1", 3)); got != 1 {
		t.Errorf("%d replicas serve, want 1", got)
	}
	if got, ok := (scales{b.deployments, b.autoscalers, b.pods}).Replicas(revisionOf(pa)); got != 1 || !ok {
		t.Errorf("the decision sees %d replicas, want 1", got)
	}
	if c := b.pods.counts(revisionOf(pa)); c != (podCounts{ready: 1, draining: 2, returning: 2}) {
		t.Errorf("counts %+v", c)
	}
	for _, p := range b.pods.of(revisionOf(pa)) {
		if p.Draining != (p.Name != "c") {
			t.Errorf("the collector knows that pod %s drains: %v", p.Name, p.Draining)
		}
	}
}

// min-scale is raised while pods drain: they come back, and the revision stays Ready.
func TestReconcile_minScaleDuringADrain(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1, "autoscaling.knative.dev/min-scale", "3"), time.Hour)
	b := newBench(t, 3, pa, readySKS(pa), target("llm-1", 3), gated("a", corev1.ConditionFalse, time.Minute), gated("b", corev1.ConditionFalse, time.Minute), gated("c", corev1.ConditionTrue, 0))
	if got := b.reconcile(pa); !got.IsReady() {
		t.Errorf("not Ready: %v", got.Status.Conditions)
	}
	if w := b.writtenPods(); !slices.Equal(w, []string{"a: open", "b: open"}) {
		t.Errorf("wrote %q", w)
	}
}

// Pods of our class that is no more, or never was, are let in by whoever leads.
func TestOpenStrays(t *testing.T) {
	for name, tt := range map[string]struct {
		pa    *v1alpha1.PodAutoscaler
		leads bool
		want  []string
	}{
		"another class":        {autoscaler("llm-1", 1, knautoscaling.ClassAnnotationKey, knautoscaling.KPA), true, []string{"a: open", "b: open"}},
		"no PodAutoscaler":     {autoscaler("llm-2", 1), true, []string{"a: open", "b: open"}},
		"our class":            {autoscaler("llm-1", 1), true, nil},
		"another replica acts": {autoscaler("llm-2", 1), false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 1, tt.pa, gated("a", "", 0), gated("b", corev1.ConditionFalse, time.Minute), gated("c", corev1.ConditionTrue, 0), pod("llm-1", "d", ready()))
			b.openStrays(t.Context(), func(collector.Key) bool { return tt.leads })
			if w := b.writtenPods(); !slices.Equal(w, tt.want) {
				t.Errorf("wrote %q, want %q", w, tt.want)
			}
		})
	}
}

// A decision knows which pods cannot drain.
func TestPods_ungated(t *testing.T) {
	b := newBench(t, 1, gated("a", corev1.ConditionTrue, 0), gated("b", "", 0), pod("llm-1", "c", ready()))
	for _, p := range b.pods.of(collector.Key{Namespace: "default", Name: "llm-1"}) {
		if want := p.Name == "c"; p.Ungated != want {
			t.Errorf("pod %s: ungated %v, want %v", p.Name, p.Ungated, want)
		}
	}
}

// What this process wrote counts until the cache has it.
func TestWritten(t *testing.T) {
	version := func(p *corev1.Pod, v string) *corev1.Pod { p.ResourceVersion = v; return p }
	w := &written{}
	w.note(version(gated("a", corev1.ConditionFalse, 0), "7"))
	for v, want := range map[string]bool{"6": true, "7": false, "10": false} {
		w.note(version(gated("a", corev1.ConditionFalse, 0), "7"))
		if got := w.newest(version(gated("a", corev1.ConditionTrue, 0), v)); isDraining(got) != want {
			t.Errorf("cache at %s: draining %v, want %v", v, isDraining(got), want)
		}
	}
	if other := gated("b", corev1.ConditionTrue, 0); w.newest(other) != other {
		t.Error("another pod was replaced")
	}
}

// A pod keeps in the cache what a drain needs of it.
func TestSlim_keepsTheGate(t *testing.T) {
	p := costly(gated("a", corev1.ConditionFalse, time.Minute))
	p.Annotations["other"] = "x"
	if _, err := Slim(p); err != nil {
		t.Fatal(err)
	}
	gate, since := gateOf(p)
	if gate != drain.Closed || since.IsZero() || deletionCost(p) != drain.ReleaseCost || p.Annotations["other"] != "" {
		t.Errorf("gate %v since %v, cost %d, annotations %v", gate, since, deletionCost(p), p.Annotations)
	}
}

// A pod that was never Ready is known without its history.
func TestNeverReady(t *testing.T) {
	start := metav1.NewTime(time.Date(2026, 11, 28, 20, 0, 0, 0, time.UTC))
	at := func(status corev1.ConditionStatus, after time.Duration) *corev1.Pod {
		p := pod("llm-1", "a", corev1.PodCondition{Type: corev1.PodReady, Status: status, LastTransitionTime: metav1.NewTime(start.Add(after))})
		p.Status.StartTime = &start
		return p
	}
	pending := pod("llm-1", "a")
	pending.Status.Phase = corev1.PodPending
	for name, tt := range map[string]struct {
		pod  *corev1.Pod
		want bool
	}{
		"since its first status": {at(corev1.ConditionFalse, 0), true},
		"a second later":         {at(corev1.ConditionFalse, time.Second), true},
		"it was Ready before":    {at(corev1.ConditionFalse, 2*time.Second), false},
		"it is Ready":            {at(corev1.ConditionTrue, 0), false},
		"no node yet":            {pending, true},
		"nothing is known":       {pod("llm-1", "a"), false},
	} {
		if got := neverReady(tt.pod); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func TestDrainTimeout(t *testing.T) {
	rev := revision("llm-1", servingv1.RoutingStateActive)
	rev.Spec.TimeoutSeconds = ptr.Int64(42)
	pa := autoscaler("llm-1", 1)
	own := autoscaler("llm-1", 1, autoscaling.DrainTimeoutKey, "10m")
	for name, tt := range map[string]struct {
		b    *bench
		pa   *v1alpha1.PodAutoscaler
		want time.Duration
	}{
		"the revision's":      {newBench(t, 1, rev), pa, 42 * time.Second},
		"Knative's default":   {newBench(t, 1), pa, 5 * time.Minute},
		"the annotation's":    {newBench(t, 1, rev), own, 10 * time.Minute},
		"a refused one's not": {newBench(t, 1, rev), autoscaler("llm-1", 1, autoscaling.DrainTimeoutKey, "never"), 42 * time.Second},
	} {
		s, refused := tt.b.resolveSettings(tt.b.ctx, tt.pa)
		if refused != nil {
			s, _ = tt.b.resolveSettings(tt.b.ctx, pa)
		}
		if got := tt.b.drainTimeout(tt.pa, s.DrainTimeout); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
