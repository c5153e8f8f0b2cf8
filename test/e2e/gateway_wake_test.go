//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// zeroGatewayFull are the parts of TestZero behind the gateway that take minutes each; make e2e-full runs
// them.
func zeroGatewayFull() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"gateway-priorities": zeroPriorities, "gateway-kpa": zeroOfKPABehindGateway, "gateway-failing-starts": zeroFailingStarts,
	}
}

// asked is an answer that a goroutine waits for.
type asked struct {
	answer answer
	err    error
	took   time.Duration
}

// later sends a request and returns a function that waits for its answer.
func (q question) later(t *testing.T) func() asked {
	t.Helper()
	var a asked
	var done sync.WaitGroup
	done.Go(func() {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		began := time.Now()
		a.answer, a.err = q.ask(ctx)
		a.took = time.Since(began)
	})
	return func() asked { done.Wait(); return a }
}

func (a asked) expect(t *testing.T, what string, status int) {
	t.Helper()
	figure(t, fmt.Sprintf("%s: %s: status %d after %v", t.Name(), what, a.answer.status, a.took.Round(time.Second/10)))
	if a.err != nil || a.answer.status != status {
		t.Errorf("%s: %v %v, want status %d", what, a.answer, a.err, status)
	}
	if refused := status == http.StatusServiceUnavailable; refused && a.answer.retryAfter == "" {
		t.Errorf("%s: no Retry-After: %v", what, a.answer)
	}
}

// At zero requests of a negative priority wait for another one to wake the revision, and get
// the picker's 503 without one; so does a request whose pod cannot be made.
func zeroPriorities(t *testing.T) {
	needGateway(t)
	namespace := namespaceFor(t)
	const ttl = 30 * time.Second
	s := sleeperService(t, namespace, "ranked", nil).behindGateway(map[string]string{
		"knative-inference.dev/objectives": "batch=-10,vip=20", "knative-inference.dev/negative-priority": "wait",
		"knative-inference.dev/queue-ttl": ttl.String(),
	}).start()
	own, batch, vip := question{host: s.host(), model: s.model}, question{host: "batch-" + s.host(), model: s.model}, question{host: "vip-" + s.host(), model: s.model}
	for _, q := range []question{own, batch, vip} {
		q.waitServed(t)
	}
	r := s.current()

	r.waitZero()
	alone := batch.later(t)
	always(t, ttl-time.Second, "batch alone wakes nobody", func() (bool, string) { n := r.replicas(); return n == 0, fmt.Sprint(n, " replicas") })
	alone().expect(t, "batch alone", http.StatusServiceUnavailable)

	waiting := []func() asked{batch.later(t), batch.later(t)}
	always(t, 3*time.Second, "batch alone wakes nobody", func() (bool, string) { n := r.replicas(); return n == 0, fmt.Sprint(n, " replicas") })
	vip.later(t)().expect(t, "vip, with two of batch", http.StatusOK)
	for _, a := range waiting {
		a().expect(t, "batch after vip", http.StatusOK)
	}

	r.waitZero()
	allow := denyPods(t, namespace)
	failed := own.later(t)()
	failed.expect(t, "a wake without a pod", http.StatusServiceUnavailable)
	if late := failed.took - ttl; late.Abs() > 5*time.Second {
		t.Errorf("answered %v after the time limit of %v", late, ttl)
	}
	allow()
}

// denyPods has the API server refuse new pods in a namespace until the result is called.
func denyPods(t *testing.T, namespace string) (allow func()) {
	t.Helper()
	quotas := cluster.kube.CoreV1().ResourceQuotas(namespace)
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "no-pods"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}}}
	if _, err := quotas.Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	allow = func() {
		if err := quotas.Delete(context.Background(), quota.Name, metav1.DeleteOptions{}); err != nil && !apierrs.IsNotFound(err) {
			t.Error(err)
		}
	}
	t.Cleanup(allow)
	return allow
}

// A Service of Knative's own class behind the gateway is woken by a POST.
func zeroOfKPABehindGateway(t *testing.T) {
	needGateway(t)
	s := sleeperService(t, namespaceFor(t), "kpa", annotations{"class": kpaClass}).behindGateway(nil).start()
	question{host: s.host(), model: s.model}.waitServed(t)
	r := s.current()
	r.waitZero()
	posts := streams{byGateway: true}
	figure(t, fmt.Sprintf("%s: woken %v after the first POST", t.Name(), r.wakeTime(&posts, 3).Round(time.Millisecond)))
	posts.expectWhole(t, 3)
	r.waitZero()
}

// A pod that fails its first two starts is waited for, and not joined by more; the POST that
// woke it is answered by its third.
func zeroFailingStarts(t *testing.T) {
	needGateway(t)
	s := standIn(t, namespaceFor(t), "stumbles", annotations{"metric": "concurrency", "target": "2", "scale-to-zero-pod-retention-period": "0s"},
		"-fail-starts=2", "-state=/state/starts").behindGateway(nil)
	s.volumes = []corev1.Volume{{Name: "state", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	s.container.VolumeMounts = []corev1.VolumeMount{{Name: "state", MountPath: "/state"}}
	s.create().waitReady(3 * time.Minute)
	q := question{host: s.host(), model: s.model}
	q.waitServed(t)
	r := s.current()
	r.waitZero()
	waiting := []func() asked{q.later(t)}
	eventually(t, settle, "its pod is held back after two failures", func() (bool, string) { return crashLoops(r.pods()), r.state() })
	waiting = append(waiting, q.later(t), q.later(t))
	always(t, 5*time.Second, "pods that fail are not joined by more", func() (bool, string) { n := len(r.pods()); return n <= 1, fmt.Sprint(n, " pods") })
	for i, a := range waiting {
		a().expect(t, fmt.Sprintf("POST %d", i+1), http.StatusOK)
	}
	if n := restarts(r.pods()); n < 2 {
		t.Errorf("%d restarts, want 2", n)
	}
}

// crashLoops reports whether Kubernetes waits before it starts a container again.
func crashLoops(pods []corev1.Pod) bool {
	for _, p := range pods {
		for _, c := range p.Status.ContainerStatuses {
			if c.State.Waiting != nil && c.State.Waiting.Reason == "CrashLoopBackOff" {
				return true
			}
		}
	}
	return false
}

// restarts is how often containers of the pods began anew.
func restarts(pods []corev1.Pod) (n int32) {
	for _, p := range pods {
		for _, c := range p.Status.ContainerStatuses {
			n += c.RestartCount
		}
	}
	return n
}

// The adapter is killed at zero while a POST waits in the picker: the next leader wakes the
// revision, or the gateway's part goes on without it.
func zeroBehindGatewayOverAKilledLeader(t *testing.T) {
	needGateway(t)
	s := sleeperService(t, namespaceFor(t), "killed", nil).behindGateway(map[string]string{
		"knative-inference.dev/objectives": "batch=-10", "knative-inference.dev/negative-priority": "wait",
	}).start()
	batch := question{host: "batch-" + s.host(), model: s.model}
	batch.waitServed(t)
	r := s.current()
	r.waitZero()
	patient := batch.later(t) // it waits, and wakes nobody: the leader can be killed before the wake
	time.Sleep(time.Second)
	_, pod := holder(t)
	t.Log(kill(t, pod))
	posts := streams{byGateway: true}
	posts.open(s, 3)
	posts.expectWhole(t, 3)
	patient().expect(t, "batch, which waited before", http.StatusOK)
	waitBothReplicas(t)
}
