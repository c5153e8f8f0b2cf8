//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/knative-inference/autoscaler-adapter/test/load"
)

// Four buckets are balanced between the two replicas after a rollout, and again after one of them was killed. The count
// of a revision under load never falls below what the load asks for.
func TestBucketsAreBalanced(t *testing.T) {
	onlyInFull(t)
	const buckets = 4
	setBuckets(t, buckets)
	s := simulator(t, namespaceFor(t), "buckets",
		annotations{"target": "2", "max-scale": "10", "target-utilization-percentage": "100"},
		"--inter-token-latency=50ms", "--max-num-seqs=32").start()
	clients := s.clients(load.Shape{Prompt: 4, Tokens: 20}, 6)
	r := s.current()
	r.waitReplicas(settle, "what six clients ask for", atLeast(3))
	h, began := r.watchReplicas(), time.Now()
	waitBalanced(t, buckets, "a rollout")
	identity, pod := holderOf(t, bucketLease(0, buckets))
	t.Logf("%s of %s", kill(t, pod), pod)
	eventually(t, time.Minute, "the killed process leads no bucket", func() (bool, string) {
		for i := range buckets {
			if now, _ := holderOf(t, bucketLease(i, buckets)); now == identity {
				return false, bucketLease(i, buckets)
			}
		}
		return true, ""
	})
	waitBalanced(t, buckets, "the death of a replica")
	clients.Set(12)
	r.waitReplicas(settle, "what twelve clients ask for", atLeast(6))
	for _, c := range h.since(began) {
		if c.replicas < 3 {
			t.Errorf("the count fell below the 3 replicas that six clients ask for: %v", h)
			break
		}
	}
	clients.Stop()
	waitBothReplicas(t)
}

// waitBalanced waits until each of two replicas leads half of the buckets, and logs each change on the way.
func waitBalanced(t *testing.T, buckets int, after string) {
	t.Helper()
	began, last := time.Now(), ""
	eventually(t, 6*time.Minute, "each replica leads half of the buckets", func() (bool, string) {
		led := bucketsByPod(t, buckets)
		if now := fmt.Sprint(led); now != last {
			t.Logf("%v after %s: %s", time.Since(began).Round(time.Second), after, now)
			last = now
		}
		return slices.Equal(slices.Collect(maps.Values(led)), []int{buckets / 2, buckets / 2}), last
	})
	figure(t, fmt.Sprintf("%s: balanced %v after %s", t.Name(), time.Since(began).Round(time.Second), after))
}

func bucketLease(i, buckets int) string {
	return fmt.Sprintf("%s-%02d-of-%02d", ownName, i, buckets)
}

// bucketsByPod counts the buckets that each pod leads.
func bucketsByPod(t *testing.T, buckets int) map[string]int {
	t.Helper()
	led := map[string]int{}
	for i := range buckets {
		_, pod := holderOf(t, bucketLease(i, buckets))
		led[pod]++
	}
	return led
}

// setBuckets restarts the autoscaler with that many buckets, and at the end of the test as it was.
func setBuckets(t *testing.T, buckets int) {
	t.Helper()
	setArgument(t, fmt.Sprintf(`{"op": "add", "path": %%q, "value": "--buckets=%d"}`, buckets))
	t.Cleanup(func() { setArgument(t, `{"op": "remove", "path": %q}`) })
	eventually(t, time.Minute, "every bucket has a leader", func() (bool, string) {
		for i := range buckets {
			name := bucketLease(i, buckets)
			lease, err := cluster.kube.CoordinationV1().Leases(ownNamespace).Get(t.Context(), name, metav1.GetOptions{})
			if err != nil || lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
				return false, fmt.Sprintf("%s: %v", name, err)
			}
		}
		return true, ""
	})
}

// setArgument changes the second argument of the autoscaler, and waits until both replicas run with the change.
func setArgument(t *testing.T, operation string) {
	t.Helper()
	// The context of a test has ended when its clean-up runs.
	ctx, cancel := context.WithTimeout(context.Background(), slowness*3*time.Minute)
	defer cancel()
	deployments := cluster.kube.AppsV1().Deployments(ownNamespace)
	patch := "[" + fmt.Sprintf(operation, "/spec/template/spec/containers/0/args/1") + "]"
	changed, err := deployments.Patch(ctx, ownName, types.JSONPatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		d, err := deployments.Get(ctx, ownName, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s := d.Status
		if s.ObservedGeneration >= changed.Generation && s.UpdatedReplicas == 2 && s.ReadyReplicas == 2 && s.Replicas == 2 {
			return
		}
		time.Sleep(pollEvery)
	}
}
