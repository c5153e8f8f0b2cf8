package podautoscaler

import (
	"context"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/apis"
	"knative.dev/pkg/controller"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
)

func TestStartScale(t *testing.T) {
	old := initialized(autoscaler("llm-1", 1), time.Hour)
	older := initialized(autoscaler("llm-0", 0), time.Hour)
	retired := initialized(autoscaler("llm-2", 2), time.Hour)
	retired.Spec.Reachability = v1alpha1.ReachabilityUnreachable
	reserve := revision("llm-2", servingv1.RoutingStateReserve)
	f := func(name string, pa *v1alpha1.PodAutoscaler, replicas, want int32) {
		t.Helper()
		d := target(pa.Name, replicas)
		b := newBench(t, 1, pa, old, older, retired, reserve, target("llm-1", 6), target("llm-0", 9), target("llm-2", 7), d)
		s, err := b.resolveSettings(b.ctx, pa)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.startScale(pa, *s, d); got != want {
			t.Errorf("%s: start scale = %d, want %d", name, got, want)
		}
	}
	f("a new revision starts as large as the newest routed one", autoscaler("llm-3", 3), 1, 6)
	f("at most max-scale", autoscaler("llm-3", 3, "autoscaling.knative.dev/max-scale", "4"), 1, 4)
	f("turned off", autoscaler("llm-3", 3, autoscaling.StartScaleKey, "initial"), 1, 1)
	f("initial-scale when that is more", autoscaler("llm-3", 3, "autoscaling.knative.dev/initial-scale", "8"), 1, 8)
	f("held for a stable window, until traffic has come", initialized(autoscaler("llm-3", 3), 10*time.Second), 6, 6)
	f("whatever the predecessor does meanwhile", initialized(autoscaler("llm-3", 3), 10*time.Second), 8, 8)
	f("then it is over", initialized(autoscaler("llm-3", 3), 2*time.Minute), 6, 0)
	f("routed to again at 0", initialized(autoscaler("llm-3", 3), time.Hour), 0, 6)
	gone := autoscaler("llm-3", 3)
	gone.Spec.Reachability = v1alpha1.ReachabilityUnreachable
	f("unreachable", gone, 1, 0)
}

func TestStatus_trafficWaitsForTheStartScale(t *testing.T) {
	pa, old := autoscaler("llm-2", 2), initialized(autoscaler("llm-1", 1), time.Hour)
	f := func(name string, want bool, pods ...any) {
		t.Helper()
		b := newBench(t, 3, append(pods, pa, old, readySKS(pa), target("llm-2", 3), target("llm-1", 3))...)
		if got := b.reconcile(pa); got.Status.IsScaleTargetInitialized() != want {
			t.Errorf("%s: initialized = %v, want %v", name, !want, want)
		}
	}
	a, c := pod("llm-2", "a", ready()), pod("llm-2", "c", ready())
	f("two of three", false, a, c, pod("llm-2", "b"))
	f("all three", true, a, c, pod("llm-2", "b", ready()))
	f("one cannot be scheduled: not waited for", true, a, c, pod("llm-2", "b", unschedulable()))
	f("none can be scheduled: still one is needed", false, pod("llm-2", "a", unschedulable()), pod("llm-2", "b", unschedulable()), pod("llm-2", "c", unschedulable()))
}

func TestReachability_onlyTheRouteDecides(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1), time.Hour)
	f := func(name string, state servingv1.RoutingState, want v1alpha1.ReachabilityType) {
		t.Helper()
		pa.Spec.Reachability = v1alpha1.ReachabilityUnreachable
		b := newBench(t, 1, pa, revision("llm-1", state))
		if got := b.reachability(pa); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	f("no route is left", servingv1.RoutingStateReserve, v1alpha1.ReachabilityUnreachable)
	f("all pods crashed, still routed", servingv1.RoutingStateActive, v1alpha1.ReachabilityReachable)
	f("never routed", servingv1.RoutingStatePending, v1alpha1.ReachabilityUnknown)
	pa = autoscaler("llm-1", 1)
	f("deployed ahead of its traffic, starting", servingv1.RoutingStateReserve, v1alpha1.ReachabilityUnknown)
	newer := newBench(t, 1, pa, autoscaler("llm-2", 2), revision("llm-1", servingv1.RoutingStateReserve))
	if got := newer.reachability(pa); got != v1alpha1.ReachabilityUnreachable {
		t.Errorf("superseded while it starts: %q; nothing will ever be routed to it", got)
	}
	pa.Status.MarkInactive(timedOut, "")
	f("deployed ahead of its traffic, in vain", servingv1.RoutingStateReserve, v1alpha1.ReachabilityUnreachable)
	pa = autoscaler("llm-1", 1)
	pa.Spec.Reachability = v1alpha1.ReachabilityUnreachable
	if got := newBench(t, 1, pa).reachability(pa); got != v1alpha1.ReachabilityReachable {
		t.Errorf("the Revision is not in the cache: %q; unknown is not unreachable", got)
	}
}

// A revision that is deployed before it gets traffic becomes Ready, and is given
// back when it is idle.
func TestReconcile_deployedAheadOfItsTraffic(t *testing.T) {
	pa := autoscaler("llm-1", 1)
	pa.Spec.Reachability = v1alpha1.ReachabilityUnreachable
	b := newBench(t, 1, pa, readySKS(pa), target("llm-1", 1), revision("llm-1", servingv1.RoutingStateReserve), pod("llm-1", "a"))
	got := b.reconcile(pa)
	if spec := b.specs[revisionOf(pa)]; spec.MinReplicas != 1 || got.Status.IsInactive() {
		t.Errorf("min %d, inactive %v while it starts; want its one pod awaited", spec.MinReplicas, got.Status.IsInactive())
	}
	pa = initialized(pa, 0)
	b = newBench(t, 1, pa, readySKS(pa), target("llm-1", 1), revision("llm-1", servingv1.RoutingStateReserve), pod("llm-1", "a", ready()))
	b.reconcile(pa)
	if spec := b.specs[revisionOf(pa)]; spec.Reachable || spec.MinReplicas != 0 {
		t.Errorf("reachable %v, min %d once it was Ready; want it to go when idle", spec.Reachable, spec.MinReplicas)
	}
}

func TestReconcile_crashedButRoutedKeepsItsPods(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1), time.Hour)
	pa.Spec.Reachability = v1alpha1.ReachabilityUnreachable
	b := newBench(t, 4, pa, readySKS(pa), target("llm-1", 4), revision("llm-1", servingv1.RoutingStateActive))
	b.reconcile(pa)
	if spec := b.specs[revisionOf(pa)]; !spec.Reachable || spec.MinReplicas != 0 {
		t.Errorf("spec reachable %v, min %d; want a routed revision", spec.Reachable, spec.MinReplicas)
	}
}

func TestReconcile_neverRoutedIsGivenBackWhenIdle(t *testing.T) {
	pa := initialized(autoscaler("llm-1", 1), time.Hour)
	pa.Spec.Reachability = v1alpha1.ReachabilityUnknown
	b := newBench(t, 1, pa, readySKS(pa), target("llm-1", 1))
	b.reconcile(pa)
	if spec := b.specs[revisionOf(pa)]; spec.Reachable || spec.MinReplicas != 0 {
		t.Errorf("spec reachable %v, min %d; want it to go when idle", spec.Reachable, spec.MinReplicas)
	}
}

func TestStartScale_rollbackIsHeld(t *testing.T) {
	pa, peer := initialized(autoscaler("llm-1", 1), time.Hour), initialized(autoscaler("llm-2", 2), time.Hour)
	b := newBench(t, 1, pa, peer, readySKS(pa), target("llm-1", 0), target("llm-2", 6))
	b.reconcile(pa)
	if got := b.specs[revisionOf(pa)].MinReplicas; got != 6 {
		t.Fatalf("min replicas at the rollback = %d, want the peer's 6", got)
	}
	s, err := b.resolveSettings(b.ctx, pa)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.startScale(pa, *s, target("llm-1", 6)); got != 6 {
		t.Errorf("start scale at the next look = %d, want 6 for a stable window", got)
	}
	b.starts.set(pa.UID, start{replicas: 6, until: time.Now()})
	if got := b.startScale(pa, *s, target("llm-1", 6)); got != 0 {
		t.Errorf("start scale after it = %d, want 0", got)
	}
}

// A revision gives its pods up when its route is gone; when the route comes back, the revision
// has as many again as it takes over, though one of its pods serves.
func TestStartScale_routedToAgainWhilePodsGo(t *testing.T) {
	pa, peer := initialized(autoscaler("llm-1", 1), time.Hour), initialized(autoscaler("llm-2", 2), time.Hour)
	d := target("llm-1", 8)
	b := newBench(t, 1, pa, peer, d, target("llm-2", 6), gated("a", corev1.ConditionTrue, 0), gated("b", corev1.ConditionFalse, time.Minute))
	s, err := b.resolveSettings(b.ctx, pa)
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		reachability v1alpha1.ReachabilityType
		want         int32
	}{
		{v1alpha1.ReachabilityReachable, 0}, // started long ago
		{v1alpha1.ReachabilityUnreachable, 0},
		{v1alpha1.ReachabilityUnknown, 0}, // not yet
		{v1alpha1.ReachabilityReachable, 6},
		{v1alpha1.ReachabilityReachable, 6}, // for a stable window
	} {
		pa.Spec.Reachability = step.reachability
		if got := b.startScale(pa, *s, d); got != step.want {
			t.Errorf("step %d, %s: start scale = %d, want %d", i, step.reachability, got, step.want)
		}
	}
}

func TestStartScale_isReadOnce(t *testing.T) {
	pa, old := autoscaler("llm-2", 2), initialized(autoscaler("llm-1", 1), time.Hour)
	growing := target("llm-1", 3)
	b := newBench(t, 1, pa, old, target("llm-2", 1), growing)
	s, err := b.resolveSettings(b.ctx, pa)
	if err != nil {
		t.Fatal(err)
	}
	first := b.startScale(pa, *s, target("llm-2", 1))
	*growing.Spec.Replicas = 9
	if again := b.startScale(pa, *s, target("llm-2", 3)); first != 3 || again != 3 {
		t.Errorf("start scale %d, then %d; want 3 although the predecessor grows", first, again)
	}
}

func TestReconcile_missedDeadlineEndsAndStays(t *testing.T) {
	pa := autoscaler("llm-1", 1)
	pa.Status.InitializeConditions()
	pa.Status.MarkActivating("Queued", "")
	for i := range pa.Status.Conditions {
		pa.Status.Conditions[i].LastTransitionTime = apis.VolatileTime{Inner: metav1.NewTime(time.Now().Add(-10 * time.Minute))}
	}
	b := newBench(t, 1, pa, readySKS(pa), target("llm-1", 1))
	got := b.reconcile(pa)
	if c := got.Status.GetCondition(v1alpha1.PodAutoscalerConditionActive); b.patched() != `{"spec":{"replicas":0}}` || c.Reason != timedOut {
		t.Fatalf("patched %s, Active %v; want 0 and %s", b.patched(), c, timedOut)
	}
	b = newBench(t, 1, got, readySKS(pa), target("llm-1", 0))
	if b.reconcile(got); b.patched() != "none" {
		t.Errorf("patched %s afterwards, want it to stay at 0", b.patched())
	}
}

// Another leader does not begin to count anew: it comes back when what is left
// of the deadline has passed.
func TestReconcile_comesBackForTheDeadline(t *testing.T) {
	pa := autoscaler("llm-1", 1)
	pa.Annotations[serving.ProgressDeadlineAnnotationKey] = "60s"
	pa.Status.InitializeConditions()
	pa.Status.MarkActivating("Queued", "")
	for i := range pa.Status.Conditions {
		pa.Status.Conditions[i].LastTransitionTime = apis.VolatileTime{Inner: metav1.NewTime(time.Now().Add(-80 * time.Second))}
	}
	b := newBench(t, 1, pa, readySKS(pa), target("llm-1", 1))
	if b.reconcile(pa); b.requeued < 9*time.Second || b.requeued > 12*time.Second {
		t.Errorf("it comes back after %v, want 10 s and a little", b.requeued)
	}
}

// idle is a reconciler that is never run.
type idle struct{}

func (idle) Reconcile(context.Context, string) error { return nil }

// A new revision has those reconciled that are still being started: it supersedes
// them, and no event of their own tells.
func TestPAAdded_looksAtThoseStarting(t *testing.T) {
	starting, started := autoscaler("llm-1", 1), initialized(autoscaler("llm-0", 0), time.Hour)
	fresh := autoscaler("llm-2", 2)
	b := newBench(t, 1, starting, started, fresh)
	impl := controller.NewContext(t.Context(), idle{}, controller.ControllerOptions{WorkQueueName: t.Name(), Logger: zap.NewNop().Sugar()})
	b.paAdded(impl, fresh)
	impl.WorkQueue().ShutDown() // gives what it has, then ends; Len is wrong while keys are on their way
	var got []string
	for key, ended := impl.WorkQueue().Get(); !ended; key, ended = impl.WorkQueue().Get() {
		got = append(got, key.(types.NamespacedName).Name)
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"llm-1", "llm-2"}) {
		t.Errorf("enqueued %v, want the new one and the one that is being started", got)
	}
}
