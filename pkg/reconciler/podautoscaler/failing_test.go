package podautoscaler

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
)

// The condition PodsStart and one event name the container that crashes; when it runs, all start again.
func TestReconcile_podsThatDoNotStart(t *testing.T) {
	crashing := func(restarts int32, waits string) *corev1.Pod {
		p := pod("llm-1", "a")
		p.Status.Conditions = nil
		c := corev1.ContainerStatus{Name: "user-container", RestartCount: restarts,
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 5, Message: "out of memory"}}}
		if waits != "" {
			c.State.Waiting = &corev1.ContainerStateWaiting{Reason: waits}
		}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "queue-proxy", RestartCount: 0}, c}
		if _, err := Slim(p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	replace := func(b *bench, p *corev1.Pod) {
		if err := b.pods.Update(p); err != nil {
			t.Fatal(err)
		}
	}
	served := initialized(autoscaler("llm-1", 1), time.Hour)
	b := newBench(t, 1, served, readySKS(served), target("llm-1", 1), crashing(9, "CrashLoopBackOff"))
	if c := b.reconcile(served).Status.GetCondition(autoscaling.ConditionPodsStart); c != nil {
		t.Errorf("of a revision that has served: %v, want no condition", c)
	}
	pa := autoscaler("llm-1", 1)
	b = newBench(t, 1, pa, readySKS(pa), target("llm-1", 1), crashing(2, "CrashLoopBackOff"))
	got := b.reconcile(pa)
	if c := got.Status.GetCondition(autoscaling.ConditionPodsStart); c != nil {
		t.Errorf("after two failed starts: %v, want no condition", c)
	}
	var message string
	for i, p := range []*corev1.Pod{crashing(3, "CrashLoopBackOff"), crashing(4, ""), crashing(5, "CrashLoopBackOff")} {
		replace(b, p)
		got = b.reconcile(got)
		c := got.Status.GetCondition(autoscaling.ConditionPodsStart)
		if c == nil || !c.IsFalse() || c.Reason != "CrashLoopBackOff" || !strings.Contains(c.Message, "user-container of pod a") || !strings.Contains(c.Message, "exit code 5") {
			t.Fatalf("condition %v, want the container and its exit code", c)
		}
		if i > 0 && c.Message != message {
			t.Errorf("the message changed from %q to %q", message, c.Message)
		}
		message = c.Message
		if n := strings.Count(b.eventText(), "CrashLoopBackOff"); i == 0 && n == 0 || i > 0 && n > 0 {
			t.Errorf("attempt %d: %d events", i, n)
		}
	}
	replace(b, pod("llm-1", "a"))
	if c := b.reconcile(got).Status.GetCondition(autoscaling.ConditionPodsStart); c == nil || !c.IsTrue() || c.Message != "" {
		t.Errorf("when it runs: %v, want True", c)
	}
}

// Of several containers that do not start the first by pod is reported, and the two reasons that
// alternate while an image cannot be pulled are one.
func TestCounts_failing(t *testing.T) {
	waits := func(name, reason string) *corev1.Pod {
		p := pod("llm-1", name)
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "user-container", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}}
		return p
	}
	for _, reason := range []string{"ErrImagePull", "ImagePullBackOff"} {
		pa := autoscaler("llm-1", 1)
		b := newBench(t, 1, pa, readySKS(pa), target("llm-1", 4), pod("llm-1", "a", ready()), waits("d", "CreateContainerError"), waits("b", reason), waits("c", "CreateContainerError"))
		want := failure{pod: "b", container: "user-container", reason: "ImagePullBackOff"}
		for range 8 { // the index has no order
			if got := b.pods.counts(revisionOf(pa)).failing; got != want {
				t.Fatalf("failing %+v, want %+v", got, want)
			}
		}
	}
}
