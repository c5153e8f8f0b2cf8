//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/test/load"
)

// tokenTime is how long the simulator takes for a token of a stream.
const tokenTime = 100 * time.Millisecond

// drainStreams is how long the streams of the drain tests are, by DRAIN_STREAMS, such as
// 90s-120s.
func drainStreams(t *testing.T) (shortest, longest time.Duration) {
	shortest, longest = 20*time.Second, 25*time.Second
	text := os.Getenv("DRAIN_STREAMS")
	if text == "" {
		return shortest, longest
	}
	from, to, _ := strings.Cut(text, "-")
	var err, second error
	shortest, err = time.ParseDuration(from)
	longest, second = time.ParseDuration(to)
	if err != nil || second != nil || longest < shortest {
		t.Fatalf("DRAIN_STREAMS %q, want for example 90s-120s", text)
	}
	return shortest, longest
}

// streams are open answers, each counted when it ends.
type streams struct {
	// byGateway streams go through the inference gateway, others by Knative's own route.
	byGateway bool
	// atLeast is added to the length of each.
	atLeast time.Duration
	// from and to, where not 0, are the lengths of the shortest and of the longest.
	from, to time.Duration

	wg     sync.WaitGroup
	mu     sync.Mutex
	whole  int
	failed []string
}

// begin opens 40 streams before the test gives a pod up.
func (all *streams) begin(s *service) { all.open(s, 40) }

// open opens n streams with lengths from shortest to longest; one that fails is lost.
func (all *streams) open(s *service, n int) {
	shortest, longest := drainStreams(s.t)
	shortest, longest = cmp.Or(all.from, shortest)+all.atLeast, cmp.Or(all.to, longest)+all.atLeast
	sender := s.sender()
	if all.byGateway {
		sender = s.gatewaySender()
	}
	for i := range n {
		length := shortest + (longest-shortest)*time.Duration(i)/time.Duration(max(n-1, 1))
		shape := load.Shape{Prompt: 4, Tokens: int(length / tokenTime), Stream: true}
		all.wg.Go(func() {
			began := time.Now()
			err := sender.Send(s.t.Context(), shape)
			all.mu.Lock()
			defer all.mu.Unlock()
			if err != nil {
				all.failed = append(all.failed, fmt.Sprintf("after %v: %v", time.Since(began).Round(time.Second/10), err))
				return
			}
			all.whole++
		})
	}
}

// ended is how many streams have ended so far.
func (all *streams) ended() int {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.whole + len(all.failed)
}

// expectWhole waits for the end of all streams.
func (all *streams) expectWhole(t *testing.T, n int) {
	t.Helper()
	all.wg.Wait()
	figure(t, fmt.Sprintf("%s: %d of %d streams whole", t.Name(), all.whole, n))
	if all.whole != n {
		t.Errorf("%d of %d streams whole; %s", all.whole, n, strings.Join(all.failed, "; "))
	}
}

// drainable starts a Service with four Ready pods that only min-scale holds.
func drainable(t *testing.T, name string) (*service, revision) {
	t.Helper()
	s := drainableService(t, name)
	return s, s.startDrainable()
}

func drainableService(t *testing.T, name string) *service {
	t.Helper()
	s := simulator(t, namespaceFor(t), name, annotations{"metric": "concurrency", "target": "100", "min-scale": "4"},
		"--inter-token-latency="+tokenTime.String(), "--max-num-seqs=64")
	s.timeoutSeconds, s.patience = 300, 5*time.Minute
	return s
}

// waitForGates waits until pods are born with the readiness gate.
func waitForGates(t *testing.T) {
	t.Helper()
	eventually(t, settle, "the webhook has seen autoscalers", func() (bool, string) { // each renews the lease every 10 s
		lease, err := cluster.kube.CoordinationV1().Leases(ownNamespace).Get(t.Context(), "autoscaler-adapter-views", metav1.GetOptions{})
		return err == nil && time.Since(lease.CreationTimestamp.Time) > 12*time.Second, fmt.Sprint(err)
	})
}

// startDrainable starts the Service once its pods are born with the readiness gate.
func (s *service) startDrainable() revision {
	t := s.t
	t.Helper()
	waitForGates(t)
	s.start()
	r := s.current()
	n, err := strconv.Atoi(s.annotations[autoscalingPrefix+"min-scale"])
	if err != nil {
		t.Fatal(err)
	}
	r.waitPods(settle, n)
	for _, p := range r.pods() {
		if gate, _ := servingGate(p); len(p.Spec.ReadinessGates) != 1 || gate != corev1.ConditionTrue {
			t.Fatalf("pod %s: gates %v, condition %q; want ours and True", p.Name, p.Spec.ReadinessGates, gate)
		}
		if !fullDuplex(p) {
			t.Errorf("pod %s: its queue-proxy closes a request's body when the answer begins, which cuts streams", p.Name)
		}
	}
	return r
}

// fullDuplex reports whether Knative gave a pod's queue-proxy what the webhook asked for.
func fullDuplex(p corev1.Pod) bool {
	for _, c := range p.Spec.Containers {
		if slices.Contains(c.Env, corev1.EnvVar{Name: "ENABLE_HTTP_FULL_DUPLEX", Value: "true"}) {
			return c.Name == "queue-proxy"
		}
	}
	return false
}

// setMinScale edits the Revision; Knative passes it on to the PodAutoscaler.
func (r revision) setMinScale(n int) {
	r.t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"autoscaling.knative.dev/min-scale":%q}}}`, strconv.Itoa(n))
	_, err := cluster.knative.ServingV1().Revisions(r.namespace).Patch(r.t.Context(), r.revision, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
}

// servingGate is the condition of our readiness gate.
func servingGate(p corev1.Pod) (corev1.ConditionStatus, time.Time) {
	for _, c := range p.Status.Conditions {
		if c.Type == "knative-inference.dev/serving" {
			return c.Status, c.LastTransitionTime.Time
		}
	}
	return "", time.Time{}
}

// drainingPods are the names of the pods that are given up, with the time of that.
func (r revision) drainingPods() map[string]time.Time {
	r.t.Helper()
	given := map[string]time.Time{}
	for _, p := range r.pods() {
		if gate, since := servingGate(p); gate == corev1.ConditionFalse {
			given[p.Name] = since
		}
	}
	return given
}

// waitThreeDraining waits until one of four pods is left to serve.
func (r revision) waitThreeDraining() {
	r.t.Helper()
	eventually(r.t, settle, "3 pods of "+r.revision+" drain", func() (bool, string) {
		got := r.drainingPods()
		return len(got) == 3, fmt.Sprintf("%d drain; %s", len(got), r.state())
	})
}

// staysReady fails when the PodAutoscaler or the Service is not Ready, until the end of the test.
func (r revision) staysReady() (stop func()) {
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-end:
				return
			case <-time.After(500 * time.Millisecond):
			}
			pa, err := cluster.knative.AutoscalingV1alpha1().PodAutoscalers(r.namespace).Get(r.t.Context(), r.revision, metav1.GetOptions{})
			if err == nil && !pa.IsReady() {
				r.t.Errorf("the PodAutoscaler is not Ready while pods drain: %s", conditions(pa.Status.Conditions))
				return
			}
			svc, err := cluster.knative.ServingV1().Services(r.namespace).Get(r.t.Context(), r.name, metav1.GetOptions{})
			if err == nil && !svc.IsReady() {
				r.t.Errorf("the Service is not Ready while pods drain: %s", conditions(svc.Status.Conditions))
				return
			}
		}
	}()
	return func() { close(end); <-done }
}

// Four Ready pods with 40 streams are to be one: the others leave routing, keep their
// streams to the end, and only then go.
func TestDrainCutsNoStream(t *testing.T) {
	onlyInFull(t)
	t.Parallel()
	s, r := drainable(t, "drain")
	var old streams
	old.begin(s)
	time.Sleep(5 * time.Second)
	stop := r.staysReady()
	r.setMinScale(1)
	r.waitThreeDraining()
	given := time.Now()
	if n := r.replicas(); n != 4 {
		t.Errorf("%d replicas while streams are open, want the 4 there were", n)
	}
	var fresh streams // what comes now goes to the pod that stays
	time.Sleep(2 * time.Second)
	shortest, longest := drainStreams(t)
	fresh.open(s, 5)
	waitEvent(t, s.namespace, "PodAutoscaler", r.revision, "Normal Draining", "of 4 pods, which end their requests first")
	if c := r.pa().Status.GetCondition("Draining"); c == nil || !c.IsTrue() {
		t.Errorf("condition Draining is %v: %s", c, s.state())
	}
	old.expectWhole(t, 40)
	ended := time.Now()
	r.waitReplicas(settle, "given back when the streams had ended", exactly(1))
	stop()
	figure(t, fmt.Sprintf("%s: pods drained for %v; the count fell %v after the last stream (streams of %v to %v)", t.Name(),
		ended.Sub(given).Round(time.Second), time.Since(ended).Round(time.Second/10), shortest, longest))
	fresh.expectWhole(t, 5)
	if n := len(r.readyPods()); n != 1 {
		t.Errorf("%d Ready pods, want 1", n)
	}
}

// Of four pods two are given up: the only one of its zone stays, though it would be the first to go without zones.
// The test labels the pods itself: there is one node, and Kubernetes copies a pod's zone from the node.
func TestDrainKeepsZones(t *testing.T) {
	t.Parallel()
	onlyInFull(t)
	s, r := drainable(t, "zones")
	alone := slices.MinFunc(r.pods(), func(a, b corev1.Pod) int { // the youngest of idle pods
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	}).Name
	for _, p := range r.pods() {
		zone := "zone-a"
		if p.Name == alone {
			zone = "zone-b"
		}
		r.setZone(p.Name, zone)
	}
	time.Sleep(2 * time.Second) // the autoscaler's watch
	r.setMinScale(2)
	r.waitReplicas(settle, "given back", exactly(2))
	r.waitPods(settle, 2)
	zones := map[string]int{}
	for _, p := range r.readyPods() {
		zones[p.Labels[corev1.LabelTopologyZone]]++
	}
	if zones["zone-a"] != 1 || zones["zone-b"] != 1 {
		t.Errorf("pods by zone %v, want one in each", zones)
	}
	var all streams
	all.open(s, 2)
	all.expectWhole(t, 2)
}

func (r revision) setZone(pod, zone string) {
	r.t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, corev1.LabelTopologyZone, zone)
	if _, err := cluster.kube.CoreV1().Pods(r.namespace).Patch(r.t.Context(), pod, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		r.t.Fatal(err)
	}
}

// Load returns in the middle of a drain: the pods come back, none is made anew, and no
// stream ends for it.
func TestDrainRescue(t *testing.T) {
	t.Parallel()
	s, r := drainable(t, "rescue")
	before := map[string]bool{}
	for _, p := range r.pods() {
		before[p.Name] = true
	}
	var old streams
	old.begin(s)
	time.Sleep(5 * time.Second)
	r.setMinScale(1)
	r.waitThreeDraining()
	stop := r.staysReady()
	defer stop()
	time.Sleep(3 * time.Second)
	back := time.Now()
	r.setMinScale(4)
	r.waitPods(settle, 4)
	figure(t, fmt.Sprintf("%s: 3 draining pods were Ready again %v after the edit", t.Name(), time.Since(back).Round(time.Second/10)))
	old.open(s, 20)
	old.expectWhole(t, 60)
	for _, p := range r.pods() {
		if gate, _ := servingGate(p); !before[p.Name] || gate != corev1.ConditionTrue || p.Annotations[corev1.PodDeletionCost] != "" {
			t.Errorf("pod %s: there before %v, gate %q, cost %q", p.Name, before[p.Name], gate, p.Annotations[corev1.PodDeletionCost])
		}
	}
	waitEvent(t, s.namespace, "PodAutoscaler", r.revision, "Normal Rescued", "Brought 3 draining pods back")
}

// The leader is killed in the middle of a drain: the next one finds it going on.
func TestDrainOverAKilledLeader(t *testing.T) {
	onlyInFull(t)
	s, r := drainable(t, "killed")
	var old streams
	old.begin(s)
	time.Sleep(3 * time.Second)
	r.setMinScale(1)
	r.waitThreeDraining()
	given := r.drainingPods()
	_, pod := holder(t)
	t.Log(kill(t, pod))
	old.expectWhole(t, 40)
	r.waitReplicas(2*settle, "given back by the next leader", exactly(1))
	for name, since := range given {
		t.Logf("pod %s was given up at %s", name, since.Format(time.TimeOnly))
	}
	waitBothReplicas(t)
}

// Streams go through the activator, and the activator is restarted while pods drain: no stream ends.
func TestDrainOverARestartedActivator(t *testing.T) {
	onlyInFull(t)
	s := drainableService(t, "carried")
	s.annotations[autoscalingPrefix+"target-burst-capacity"] = "-1"
	r := s.startDrainable()
	var old streams
	old.begin(s)
	time.Sleep(3 * time.Second)
	r.setMinScale(1)
	r.waitThreeDraining()
	ctx, cancel := context.WithTimeout(t.Context(), served)
	defer cancel()
	replaceActivators(ctx, t)
	var fresh streams
	fresh.open(s, 5)
	old.expectWhole(t, 40)
	fresh.expectWhole(t, 5)
	r.waitReplicas(2*settle, "given back when the streams had ended", exactly(1))
}

// A new revision takes the traffic: the streams of the old one end whole.
func TestDrainRollout(t *testing.T) {
	t.Parallel()
	s, old := drainable(t, "rolled")
	var open streams
	s.rollOut(old, &open)
}

// The same with eight pods and streams of a minute.
func TestDrainRolloutOfEight(t *testing.T) {
	onlyInFull(t)
	s := drainableService(t, "eight")
	s.annotations[autoscalingPrefix+"min-scale"], s.annotations[autoscalingPrefix+"max-scale"] = "8", "16"
	s.rollOut(s.startDrainable(), &streams{atLeast: 40 * time.Second})
}

// rollOut gives the traffic of a revision with 40 streams to a new one.
func (s *service) rollOut(old revision, open *streams) {
	t := s.t
	t.Helper()
	open.begin(s)
	time.Sleep(2 * time.Second)
	s.update(func(svc *servingv1.Service) {
		c := &svc.Spec.Template.Spec.Containers[0]
		c.Env = append(c.Env, corev1.EnvVar{Name: "VERSION", Value: "2"})
	})
	eventually(t, settle, "a second revision", func() (bool, string) { return s.latest() != old.revision, s.latest() })
	s.waitTraffic(s.latest())
	open.expectWhole(t, 40)
	old.waitReplicas(2*settle, "given back after the switch", exactly(0))
}

// Pods are evicted, as by kubectl drain: Kubernetes deletes them itself. Streams that last
// longer than queue-proxy waits (30 s) end whole, and the pods go after them.
func TestDrainEvictedPods(t *testing.T) {
	onlyInFull(t)
	t.Parallel()
	s := drainableService(t, "evicted")
	s.annotations["knative-inference.dev/max-unavailable"] = "50%"
	r := s.startDrainable()
	r.waitEvictable(2)
	open := streams{atLeast: 30 * time.Second}
	open.begin(s)
	time.Sleep(5 * time.Second)
	evicted := time.Now()
	pods := r.pods()
	victims := pods[:2]
	for _, p := range victims {
		if err := evict(t, p); err != nil {
			t.Fatal(err)
		}
	}
	if err := evict(t, pods[2]); !apierrs.IsTooManyRequests(err) {
		t.Errorf("half of four pods may be evicted at a time, and the third was: %v", err)
	}
	open.expectWhole(t, 40)
	ended := time.Now()
	for _, p := range victims {
		eventually(t, settle, "the evicted pod ends", func() (bool, string) {
			_, err := cluster.kube.CoreV1().Pods(p.Namespace).Get(t.Context(), p.Name, metav1.GetOptions{})
			return apierrs.IsNotFound(err), fmt.Sprint(err)
		})
	}
	figure(t, fmt.Sprintf("%s: two pods answered for %v after their eviction, and were gone %v later", t.Name(),
		ended.Sub(evicted).Round(time.Second), time.Since(ended).Round(time.Second)))
	r.waitPods(settle, 4)
}

// evict evicts a pod. Once more is as good as once: Kubernetes lets a pod that ends be evicted again.
func evict(t *testing.T, p corev1.Pod) error {
	t.Helper()
	return againIfSlow(t, func() error {
		return cluster.kube.PolicyV1().Evictions(p.Namespace).Evict(t.Context(),
			&policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}})
	})
}

// waitEvictable waits until Kubernetes lets n pods of the revision be evicted.
func (r revision) waitEvictable(n int32) {
	r.t.Helper()
	eventually(r.t, settle, fmt.Sprintf("%d pods may be evicted", n), func() (bool, string) {
		b, err := cluster.kube.PolicyV1().PodDisruptionBudgets(r.namespace).Get(r.t.Context(), r.revision, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		return b.Status.DisruptionsAllowed == n, fmt.Sprintf("%+v", b.Status)
	})
}
