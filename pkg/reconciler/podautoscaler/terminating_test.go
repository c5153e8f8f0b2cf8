package podautoscaler

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/terminating"
)

// Pods of our class, and with our gate, that are being deleted and may still run are kept by
// whoever leads, but for those whose drain has taken too long already.
func TestTerminating(t *testing.T) {
	going := func(name, ip string, phase corev1.PodPhase) *corev1.Pod {
		p := pod("llm-1", name, ready())
		p.DeletionTimestamp = &metav1.Time{Time: metav1.Now().Time}
		p.Status.PodIP, p.Status.Phase = ip, phase
		return p
	}
	gone := func(p *corev1.Pod) *corev1.Pod {
		p.DeletionTimestamp = &metav1.Time{Time: metav1.Now().Time}
		return p
	}
	for name, tt := range map[string]struct {
		pa      *v1alpha1.PodAutoscaler
		leads   bool
		orphans bool
		want    []string
	}{
		"ours":                 {autoscaler("llm-1", 1), true, false, []string{"a", "drains", "with gate"}},
		"of a short drain":     {autoscaler("llm-1", 1, autoscaling.DrainTimeoutKey, "1m"), true, false, []string{"a", "drains", "with gate"}},
		"after a long one":     {autoscaler("llm-1", 1, autoscaling.DrainTimeoutKey, "30s"), true, false, []string{"a", "with gate"}},
		"another class":        {autoscaler("llm-1", 1, knautoscaling.ClassAnnotationKey, knautoscaling.KPA), true, true, []string{"drains", "with gate"}},
		"another replica acts": {autoscaler("llm-1", 1), false, false, nil},
		"no PodAutoscaler":     {autoscaler("llm-2", 1), true, true, []string{"drains", "with gate"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 1, tt.pa, pod("llm-1", "stays", ready()),
				going("a", "10.0.0.1", corev1.PodRunning), going("ended", "10.0.0.2", corev1.PodSucceeded), going("unborn", "", corev1.PodPending),
				gone(gated("with gate", corev1.ConditionTrue, time.Hour)), gone(costly(gated("drains", corev1.ConditionFalse, 45*time.Second))))
			var got []string
			for _, p := range b.terminating(func(collector.Key) bool { return tt.leads }) {
				got = append(got, p.Name)
				if want := (terminating.Pod{Namespace: "default", Name: p.Name, IP: "10.0.0.1", Orphan: tt.orphans}); p != want {
					t.Errorf("pod %+v, want %+v", p, want)
				}
			}
			if slices.Sort(got); !slices.Equal(got, tt.want) {
				t.Errorf("pods %q, want %q", got, tt.want)
			}
		})
	}
}
