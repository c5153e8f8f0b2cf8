//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Two Services name one pool: they share its picker and their pods, each has an
// objective of its own, and the pool goes with the last of them.
func TestGatewaySharedPool(t *testing.T) {
	onlyInFull(t)
	t.Parallel()
	needGateway(t)
	const pool = "gpus"
	namespace := namespaceFor(t)
	member := func(name, priority string) *service {
		return standIn(t, namespace, name, annotations{"min-scale": "1", "max-scale": "1"}, "-token=5ms").
			behindGateway(map[string]string{"knative-inference.dev/pool": pool, "knative-inference.dev/priority": priority})
	}
	first, second := member("first", "5").create(), member("second", "-5").create()
	for _, s := range []*service{first, second} {
		s.waitReady(settle)
		s.waitCondition("Ready", "True")
		question{host: s.host()}.waitServed(t)
	}
	if got := list(t, inferencePools, namespace); len(got) != 1 || got[0].GetName() != pool || len(got[0].GetOwnerReferences()) != 2 {
		t.Errorf("want one pool of two owners: %v", got)
	}
	if got := list(t, objectives, namespace); len(got) != 2 {
		t.Errorf("want an objective for each: %v", got)
	}
	expectBothAnswer(t, question{host: first.host()}, first.latest(), second.latest())
	remove := func(s *service) {
		if err := cluster.knative.ServingV1().Services(namespace).Delete(t.Context(), s.name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	remove(first)
	eventually(t, settle, "the pool has one owner", func() (bool, string) {
		p, err := cluster.dynamic.Resource(inferencePools).Namespace(namespace).Get(t.Context(), pool, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		return len(p.GetOwnerReferences()) == 1, fmt.Sprint(p.GetOwnerReferences())
	})
	question{host: second.host()}.waitServed(t)
	remove(second)
	eventually(t, settle, "the pool is gone with the last", func() (bool, string) {
		_, err := cluster.dynamic.Resource(inferencePools).Namespace(namespace).Get(t.Context(), pool, metav1.GetOptions{})
		return apierrs.IsNotFound(err), fmt.Sprint(err)
	})
	waitNothingIn(t, namespace)
}

// expectBothAnswer: requests to one host are answered by the pods of both.
func expectBothAnswer(t *testing.T, q question, revisions ...string) {
	seen := map[string]int{}
	for range 60 {
		a, err := q.ask(t.Context())
		if err != nil || a.status != 200 || !a.byPicked() {
			t.Fatalf("want 200 by the pod that the picker named: %v %v", a, err)
		}
		seen[a.revision]++
	}
	for _, r := range revisions {
		if seen[r] == 0 {
			t.Errorf("no request was answered by %s: %v", r, seen)
		}
	}
}
