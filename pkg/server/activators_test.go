package server

import (
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

// activatorPod is a Running pod of the activator with an address.
func activatorPod(name, ip string, edits ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "knative-serving", Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{"app": "activator"}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
	for _, edit := range edits {
		edit(p)
	}
	return p
}

// Requests that wait in an activator keep a revision from zero, so each activator that may
// hold one is read: also one that is not Ready or ends, and none that has no address or has
// ended.
func TestActivatorPods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unready := func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }
		ends := func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Now()} }
		phase := func(phase corev1.PodPhase) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Status.Phase = phase } }
		elsewhere := func(p *corev1.Pod) { p.Namespace = "other" }
		kube := fake.NewClientset(activatorPod("a", "10.0.0.1"), activatorPod("b", "10.0.0.2", unready), activatorPod("c", "10.0.0.3", ends),
			activatorPod("d", ""), activatorPod("e", "10.0.0.5", phase(corev1.PodSucceeded)), activatorPod("f", "10.0.0.6", elsewhere))
		var got []collector.ActivatorPod
		a := newActivatorPods(kube, "knative-serving", func(pods []collector.ActivatorPod) {
			got = pods
		})
		go a.run(t.Context()) //nolint:errcheck it ends with the test
		time.Sleep(2 * time.Second)
		synctest.Wait()
		ready := map[string]bool{}
		for _, p := range got {
			ready[p.Name+" "+p.UID+" "+p.IP] = p.Ready
		}
		want := map[string]bool{"a uid-a 10.0.0.1": true, "b uid-b 10.0.0.2": false, "c uid-c 10.0.0.3": false}
		if len(ready) != len(want) {
			t.Fatalf("pods %v, want %v", ready, want)
		}
		for p, r := range want {
			if got, ok := ready[p]; !ok || got != r {
				t.Errorf("pod %s: Ready %t and there %t, want Ready %t", p, got, ok, r)
			}
		}

		pods := kube.CoreV1().Pods("knative-serving")
		for _, name := range []string{"a", "b", "c"} {
			if err := pods.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if len(got) != 0 {
			t.Errorf("pods %v after all were deleted, want none at once", got)
		}
	})
}
