//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/ptr"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/test/load"
)

// A new revision under load starts with its predecessor's replicas and gets the
// traffic when they are Ready; the old one goes to 0; a rollback to it, at 0, is
// no different. No request is lost on the way.
func TestRolloutAndRollbackLoseNothing(t *testing.T) {
	onlyInFull(t)
	t.Parallel()
	s := simulator(t, namespaceFor(t), "rollout", annotations{"target": "2", "target-utilization-percentage": "100"},
		"--inter-token-latency=50ms", "--max-num-seqs=16").start()
	old := s.current()
	clients := s.clients(load.Shape{Prompt: 4, Tokens: 30}, 8)
	old.waitReplicas(settle, "scaled up", exactly(4))
	old.waitPods(settle, 4)

	long := make(chan error, 1) // an answer of 25 s outlives the switch and the stable window
	go func() { long <- s.sender().Send(t.Context(), load.Shape{Prompt: 4, Tokens: 500}) }()
	time.Sleep(time.Second)
	began := time.Now()
	s.update(func(svc *servingv1.Service) {
		c := &svc.Spec.Template.Spec.Containers[0]
		c.Env = append(c.Env, corev1.EnvVar{Name: "VERSION", Value: "2"})
	})
	eventually(t, settle, "a second revision", func() (bool, string) { return s.latest() != old.revision, s.latest() })
	fresh := s.current()
	s.expectTrafficOnlyWhenReady(old, fresh, 4)
	t.Logf("the switch took %v", time.Since(began).Round(time.Second/10))
	old.waitReplicas(2*settle, "given back after the switch", exactly(0))
	if report := clients.Report(); report.Failed > 0 {
		t.Errorf("rollout: %v", report)
	}
	if err := <-long; err != nil {
		t.Errorf("a long answer begun before the switch: %v", err)
	}

	s.update(func(svc *servingv1.Service) {
		svc.Spec.Traffic = []servingv1.TrafficTarget{{RevisionName: old.revision, LatestRevision: ptr.Bool(false), Percent: ptr.Int64(100)}}
	})
	old.waitReplicas(settle, "comes back from 0", atLeast(1))
	s.waitTraffic(old.revision)
	fresh.waitReplicas(2*settle, "given back after the rollback", exactly(0))
	report := clients.Stop()
	if report.Failed > 0 {
		t.Errorf("rollout and rollback: %v", report)
	}
	t.Logf("load: %v", report)
}

// expectTrafficOnlyWhenReady waits for the switch and fails when traffic moved
// before the new revision had n Ready pods.
func (s *service) expectTrafficOnlyWhenReady(old, fresh revision, n int) {
	s.t.Helper()
	most := 0
	// Often: the last pods become Ready a moment before the traffic moves.
	eventuallyEvery(s.t, 50*time.Millisecond, 2*settle, "traffic moves to the new revision", func() (bool, string) {
		ready := len(fresh.readyPods())
		most = max(most, ready)
		if s.routedTo(fresh.revision) {
			return true, ""
		}
		if len(old.readyPods()) == 0 {
			s.t.Fatalf("the old revision has no Ready pod before the switch; %s", s.state())
		}
		return false, fmt.Sprintf("%d Ready; %s", ready, s.state())
	})
	if most < n {
		s.t.Errorf("traffic moved to the new revision when it had %d Ready pods, its predecessor has %d", most, n)
	}
}

// routedTo reports whether the ingress sends the traffic to the revision: the
// splits of Knative's Ingress, not the Route, are what Envoy has.
func (s *service) routedTo(revision string) bool {
	ingress, err := cluster.dynamic.Resource(ingresses).Namespace(s.namespace).Get(s.t.Context(), s.name, metav1.GetOptions{})
	if err != nil {
		return false
	}
	return splitsTo(ingress.Object, revision)
}

func (s *service) waitTraffic(revision string) {
	s.t.Helper()
	eventually(s.t, 2*settle, "traffic goes to "+revision, func() (bool, string) { return s.routedTo(revision), s.state() })
}

// knative-inference.dev/start-scale: initial turns the predecessor's replicas off.
func TestStartScaleInitial(t *testing.T) {
	t.Parallel()
	s := standIn(t, namespaceFor(t), "initial", annotations{
		"metric": "num_requests_waiting", "target": "4", "knative-inference.dev/start-scale": "initial",
	}).start()
	old := s.current()
	s.tell(old.readyPods()[0], page{Waiting: 12})
	old.waitReplicas(settle, "scaled up", exactly(3))
	s.update(func(svc *servingv1.Service) {
		svc.Spec.Template.Spec.Containers[0].Args = []string{"--token=51ms"}
	})
	eventually(t, settle, "a second revision", func() (bool, string) { return s.latest() != old.revision, s.latest() })
	fresh := s.current()
	eventually(t, settle, "its Deployment", func() (bool, string) {
		_, err := cluster.kube.AppsV1().Deployments(s.namespace).Get(t.Context(), fresh.revision+"-deployment", metav1.GetOptions{})
		return err == nil, fmt.Sprint(err)
	})
	h := fresh.watchReplicas()
	s.waitTraffic(fresh.revision)
	if n := h.peak(time.Time{}); n != 1 {
		t.Errorf("started with %d replicas, want 1: %v", n, h)
	}
}

// A revision that nothing is routed to and that has no Ready pod holds its GPUs
// for nothing: it goes to 0 at once, long before its progress deadline.
func TestUnreachableRevisionWithoutReadyPodGoesToZero(t *testing.T) {
	t.Parallel()
	s := standIn(t, namespaceFor(t), "superseded", annotations{"target": "2"}, "--startup=-1s")
	s.annotations["serving.knative.dev/progress-deadline"] = "600s"
	s.create()
	eventually(t, settle, "a pod that never gets Ready", func() (bool, string) {
		return s.latest() != "" && len(s.current().pods()) == 1, s.state()
	})
	stuck := s.current()
	s.update(func(svc *servingv1.Service) { svc.Spec.Template.Spec.Containers[0].Args = nil })
	eventually(t, settle, "a second revision", func() (bool, string) { return s.latest() != stuck.revision, s.latest() })
	s.waitReady(settle)
	stuck.waitReplicas(10*time.Second, "given back at once", exactly(0))
}

// A missed progress deadline names the annotation that a slow model load needs.
func TestMissedProgressDeadlineNamesTheAnnotation(t *testing.T) {
	onlyInFull(t)
	t.Parallel()
	s := standIn(t, namespaceFor(t), "slow", annotations{"target": "2"}, "--startup=-1s")
	s.annotations["serving.knative.dev/progress-deadline"] = "10s"
	s.create()
	eventually(t, settle, "a revision", func() (bool, string) { return s.latest() != "", s.state() })
	r := s.current()
	for kind, name := range map[string]string{"PodAutoscaler": r.revision, "Revision": r.revision, "Service": s.name} {
		waitEvent(t, s.namespace, kind, name, "Warning ProgressDeadlineMissed", "10s", "serving.knative.dev/progress-deadline")
	}
	r.waitReplicas(time.Minute, "given up 30 s after the deadline", exactly(0))
	always(t, 6*time.Second, "given up once and for all", func() (bool, string) { return r.replicas() == 0, r.state() })
}

// A pod that finds no node, as where a GPU node is still coming, is left to
// wait: Knative calls its revision unreachable meanwhile, but its route is not.
func TestUnschedulablePodIsLeftToWait(t *testing.T) {
	t.Parallel()
	s := standIn(t, namespaceFor(t), "homeless", annotations{"target": "2"})
	s.container.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1000")}
	s.annotations["serving.knative.dev/progress-deadline"] = "600s"
	s.create()
	eventually(t, settle, "a pod without a node", func() (bool, string) {
		return s.latest() != "" && len(s.current().pods()) == 1, s.state()
	})
	r := s.current()
	first := r.pods()[0].UID
	always(t, 12*time.Second, "the same pod", func() (bool, string) {
		pods := r.pods()
		return r.replicas() == 1 && len(pods) == 1 && pods[0].UID == first, r.state()
	})
}
