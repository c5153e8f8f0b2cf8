package podautoscaler

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clienttesting "k8s.io/client-go/testing"
	nv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/pkg/apis"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
	"github.com/knative-inference/autoscaler-adapter/pkg/zero"
)

func TestKeepAlive(t *testing.T) {
	for name, c := range map[string]struct {
		zero    config.Zero
		startup time.Duration
		want    time.Duration
	}{
		"not known":           {config.Zero{}, 0, 0},
		"two startup times":   {config.Zero{}, 5 * time.Minute, 10 * time.Minute},
		"bounded":             {config.Zero{}, time.Hour, 30 * time.Minute},
		"the user's":          {config.Zero{Retention: time.Minute, RetentionSet: true}, time.Hour, time.Minute},
		"the user wants none": {config.Zero{RetentionSet: true}, time.Hour, 0},
	} {
		if got := keepAlive(c.zero, c.startup); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// idleFor sets the condition Active, as it was written so long ago.
func idleFor(pa *v1alpha1.PodAutoscaler, ago time.Duration, mark func(*v1alpha1.PodAutoscalerStatus)) *v1alpha1.PodAutoscaler {
	mark(&pa.Status)
	for i, c := range pa.Status.Conditions {
		if c.Type == v1alpha1.PodAutoscalerConditionActive {
			pa.Status.Conditions[i].LastTransitionTime = apis.VolatileTime{Inner: metav1.NewTime(time.Now().Add(-ago))}
		}
	}
	return pa
}

func active(s *v1alpha1.PodAutoscalerStatus)   { s.MarkActive() }
func inactive(s *v1alpha1.PodAutoscalerStatus) { s.MarkInactive("NoTraffic", "") }

// mode is what was last asked of the ServerlessService.
func (b *bench) modeAsked() nv1alpha1.ServerlessServiceOperationMode {
	asked := nv1alpha1.ServerlessServiceOperationMode("unchanged")
	for _, a := range b.network.Actions() {
		if u, ok := a.(clienttesting.UpdateAction); ok {
			if sks, ok := u.GetObject().(*nv1alpha1.ServerlessService); ok {
				asked = sks.Spec.Mode
			}
		}
	}
	return asked
}

// A routed revision without traffic: it is marked inactive first, which brings the activator
// into the path, keeps its pod for the grace period, and goes then.
func TestReconcile_toZero(t *testing.T) {
	pa := idleFor(initialized(autoscaler("llm-1", 1), time.Hour), 2*time.Minute, active)
	world := func(pa *v1alpha1.PodAutoscaler) *bench {
		return newBench(t, 0, pa, readySKS(pa), target("llm-1", 1), costly(pod("llm-1", "a", ready()))) // born without the gate
	}
	b := world(pa)
	got := b.reconcile(pa)
	if !got.Status.IsInactive() || b.patched() != "none" || b.modeAsked() != nv1alpha1.SKSOperationModeProxy {
		t.Fatalf("inactive %v, patched %s, mode %s; want the activator in the path and the pod still there", got.Status.IsInactive(), b.patched(), b.modeAsked())
	}
	if c := got.Status.GetCondition(autoscaling.ConditionScaleToZero); c != nil {
		t.Errorf("ScaleToZero %v while the pod stays", c)
	}

	b = world(idleFor(pa, 40*time.Second, inactive))
	b.noActivator = true
	if b.reconcile(pa); b.patched() != "none" || b.requeued != zero.ProbeAgain {
		t.Errorf("patched %s, again after %v; want to wait for the activator", b.patched(), b.requeued)
	}

	b = world(pa)
	got = b.reconcile(pa)
	if b.patched() != `{"spec":{"replicas":0}}` || *got.Status.DesiredScale != 0 {
		t.Errorf("patched %s, desired scale %d; want 0", b.patched(), *got.Status.DesiredScale)
	}
	if c := got.Status.GetCondition(autoscaling.ConditionScaleToZero); c == nil || !c.IsTrue() {
		t.Errorf("ScaleToZero = %v, want True", c)
	}

	// It stays there, also when another process looks, and is woken by its decision alone.
	b = newBench(t, 0, got, readySKS(pa), target("llm-1", 0))
	if b.reconcile(got); b.specs[revisionOf(pa)].MinReplicas != 0 || b.patched() != "none" {
		t.Errorf("min %d, patched %s at zero; want it left there", b.specs[revisionOf(pa)].MinReplicas, b.patched())
	}
	b.answer = 3
	if got = b.reconcile(got); b.patched() != `{"spec":{"replicas":3}}` || !got.Status.IsActivating() {
		t.Errorf("patched %s, activating %v; want 3 replicas at once", b.patched(), got.Status.IsActivating())
	}
}

// Two stories of a revision that is not at rest: one that keeps its pods and one that drains.
func TestReconcile_toZeroKeepsAlive(t *testing.T) {
	pa := idleFor(initialized(autoscaler("llm-1", 1), time.Hour), time.Minute, inactive)
	b := newBench(t, 0, pa, readySKS(pa), target("llm-1", 1), costly(pod("llm-1", "a", ready())))
	b.readyAfter = 5 * time.Minute
	if b.reconcile(pa); b.patched() != "none" || b.requeued < 8*time.Minute {
		t.Errorf("patched %s, again after %v; want a pod that loads for 5 minutes kept for 10", b.patched(), b.requeued)
	}
	pa.Annotations["autoscaling.knative.dev/scale-to-zero-pod-retention-period"] = "45s"
	if b.reconcile(pa); b.patched() != `{"spec":{"replicas":0}}` {
		t.Errorf("patched %s, want what the user set to hold", b.patched())
	}
}

// The last pod leaves routing first and goes when it has ended.
func TestReconcile_toZeroDrains(t *testing.T) {
	pa := idleFor(initialized(autoscaler("llm-1", 1), time.Hour), time.Minute, inactive)
	p := gated("a", corev1.ConditionTrue, 0)
	b := newBench(t, 0, pa, readySKS(pa), target("llm-1", 1), p)
	b.loads = map[string]collector.Load{string(p.UID): {Open: 0, Quiet: -1}}
	got := b.reconcile(pa)
	if b.patched() != "none" || !strings.Contains(b.eventText(), "Draining") {
		t.Errorf("patched %s; want the pod to leave routing first", b.patched())
	}
	if !got.Status.IsInactive() {
		t.Errorf("Active %v while the last pod drains", got.Status.GetCondition(v1alpha1.PodAutoscalerConditionActive))
	}
}

// Without a view of the activator the condition says what to do.
func TestReconcile_blindKeepsOne(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1), time.Hour)
	b := newBench(t, 1, pa, readySKS(pa), target("llm-1", 1), pod("llm-1", "a", ready()))
	b.blind = errors.New("activator pod activator-1 serves no metrics")
	c := b.reconcile(pa).Status.GetCondition(autoscaling.ConditionScaleToZero)
	if c == nil || !c.IsFalse() || c.Reason != autoscaling.ReasonKeptAtOne || !strings.Contains(c.Message, "metrics-protocol: prometheus") {
		t.Errorf("ScaleToZero = %v, want it to name the setting", c)
	}
	pa.Annotations["autoscaling.knative.dev/min-scale"] = "1"
	if c := b.reconcile(pa).Status.GetCondition(autoscaling.ConditionScaleToZero); c != nil {
		t.Errorf("ScaleToZero = %v with min-scale 1, want none", c)
	}
}

func TestMode(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1), time.Hour)
	serve, proxy := nv1alpha1.SKSOperationModeServe, nv1alpha1.SKSOperationModeProxy
	b := newBench(t, 1, pa, readySKS(pa))
	f := func(name string, want nv1alpha1.ServerlessServiceOperationMode, replicas int32, excess float64, change func(*report)) {
		t.Helper()
		rep := report{want: replicas, counts: podCounts{ready: 2}, record: multiscaler.Record{Decision: decider.Decision{ExcessBurst: decider.Reading(excess)}}}
		if change != nil {
			change(&rep)
		}
		if got := b.mode(pa, rep); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	f("room for the burst", serve, 2, 0, nil)
	f("no room for the burst", proxy, 2, -1, nil)
	f("no replica wanted", proxy, 0, 5, nil)
	f("no decision: as it is", serve, -1, -1, nil)
	f("some pods drain", serve, 2, -1, func(rep *report) { rep.drain.pods = 1 })
	f("all pods drain", proxy, 2, -1, func(rep *report) { rep.drain.pods, rep.counts.ready = 2, 0 })
}

// As computeNumActivators in Knative's pkg/reconciler/autoscaling/kpa.
func TestNumActivators(t *testing.T) {
	f := func(burst, capacity float64, ready, want int32) {
		t.Helper()
		rep := report{counts: podCounts{ready: ready}}
		rep.settings.Spec.TargetBurst, rep.settings.Spec.ReplicaCapacity, rep.settings.Zero.ActivatorCapacity = burst, capacity, 100
		if got := numActivators(rep); got != want {
			t.Errorf("burst %v, %d pods of %v: %d activators, want %d", burst, ready, capacity, got, want)
		}
	}
	f(0, 100, 50, 2)
	f(-1, 100, 1, 2)
	f(-1, 100, 5, 5)
	f(-1, 10, 51, 6)
	f(211, 100, 2, 5)
	f(211, 1, 1, 3)
}

// A revision behind an inference gateway keeps a pod.
func TestReconcile_poolKeepsOne(t *testing.T) {
	pa := idleFor(initialized(autoscaler("llm-1", 1), time.Hour), time.Hour, inactive)
	b := newBench(t, 1, pa, readySKS(pa), target("llm-1", 1), pod("llm-1", "a", ready()))
	b.pools = func(string) []Pool {
		return []Pool{{Selector: map[string]string{serving.RevisionLabelKey: "another"}}, {Selector: map[string]string{serving.RevisionLabelKey: "llm-1"}}}
	}
	c := b.reconcile(pa).Status.GetCondition(autoscaling.ConditionScaleToZero)
	if b.specs[revisionOf(pa)].MinReplicas != 1 || c == nil || !c.IsFalse() || !strings.Contains(c.Message, "InferencePool") {
		t.Errorf("min %d, ScaleToZero = %v; want one pod and the reason", b.specs[revisionOf(pa)].MinReplicas, c)
	}
}

// One that the pool names goes to zero, is known to be behind a picker, and says why it
// cannot go while the picker cannot be read.
func TestReconcile_poolThatSaysWhomItServes(t *testing.T) {
	pa := idleFor(initialized(autoscaler("llm-1", 1), time.Hour), time.Hour, inactive)
	b := newBench(t, 0, pa, readySKS(pa), target("llm-1", 1), costly(pod("llm-1", "a", ready())))
	reads := 0
	b.pools = func(string) []Pool {
		reads++
		return []Pool{{Selector: map[string]string{serving.RevisionLabelKey: "llm-1"}, Serves: map[string]float64{"llm-1": 1}, NegativeWaits: true}}
	}
	b.blindPicker = errors.New("the endpoint picker is not read yet")
	b.answer = 1
	c := b.reconcile(pa).Status.GetCondition(autoscaling.ConditionScaleToZero)
	if c == nil || !c.IsFalse() || !strings.Contains(c.Message, "not read yet") || !strings.Contains(c.Message, "flow-control") {
		t.Errorf("ScaleToZero = %v, want the picker's problem and what to do", c)
	}
	b.blindPicker, b.answer, reads = nil, 0, 0
	got := b.reconcile(pa)
	if reads != 1 {
		t.Errorf("the pools were read %d times, want once", reads)
	}
	if b.specs[revisionOf(pa)].MinReplicas != 0 || b.patched() != `{"spec":{"replicas":0}}` || !b.watched[revisionOf(pa)].Pooled {
		t.Errorf("min %d, patched %s, pooled %v; want it to go to zero with the picker read", b.specs[revisionOf(pa)].MinReplicas, b.patched(), b.watched[revisionOf(pa)].Pooled)
	}
	if c := got.Status.GetCondition(autoscaling.ConditionScaleToZero); c == nil || !c.IsTrue() || !strings.Contains(c.Message, "negative priority wait") {
		t.Errorf("ScaleToZero = %v, want True, and who does not wake it", c)
	}
}

func TestIsFailing(t *testing.T) {
	waits := func(reason string) corev1.ContainerStatus {
		return corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}
	}
	for name, c := range map[string]struct {
		status corev1.ContainerStatus
		want   bool
	}{
		"is being made":      {waits("ContainerCreating"), false},
		"crashes":            {waits("CrashLoopBackOff"), true},
		"has no image":       {waits("ImagePullBackOff"), true},
		"ended once":         {corev1.ContainerStatus{RestartCount: 1}, false},
		"ended twice":        {corev1.ContainerStatus{RestartCount: 2}, true},
		"ended, but runs on": {corev1.ContainerStatus{RestartCount: 2, Ready: true}, false},
	} {
		p := pod("llm-1", "a")
		p.Status.ContainerStatuses = []corev1.ContainerStatus{c.status}
		if _, err := Slim(p); err != nil || isFailing(p) != c.want {
			t.Errorf("%s: failing %v, want %v", name, !c.want, c.want)
		}
	}
}

// A pod that was Ready after 3 s does not stay for two of the startup times that slo
// assumes: a web application of Knative's tests stayed for four minutes.
func TestReport_startupIsMeasuredBeforeItIsAssumed(t *testing.T) {
	var rep report
	if got := rep.startup(); got != 0 {
		t.Errorf("%v with nothing known, want 0", got)
	}
	rep.record.Decision.SLO = &decider.SLOParts{StartupTime: 120}
	if got := rep.startup(); got != 2*time.Minute {
		t.Errorf("%v without a Ready pod, want the 2 min of slo", got)
	}
	rep.record.ReadyAfter = 3 * time.Second // records have no pods
	if got := rep.startup(); got != 3*time.Second {
		t.Errorf("%v, want the shortest of the Ready pods, 3 s", got)
	}
}
