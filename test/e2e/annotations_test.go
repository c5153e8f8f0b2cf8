//go:build e2e

package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/ptr"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/test/load"
)

const refusedReason = "AnnotationRefused"

// annotate edits annotations of a live Revision; Knative copies them to its PodAutoscaler.
func (r revision) annotate(a annotations) {
	r.t.Helper()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": prefixed(a)}})
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = cluster.knative.ServingV1().Revisions(r.namespace).Patch(r.t.Context(), r.revision, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
}

// A Service whose annotations we cannot do is refused by our webhook. One that
// comes past it (here: a Configuration and a Route without a Service) gets a
// revision with no pod and no traffic, which says so wherever a user looks; the
// fix on the Revision brings it up.
func TestBadAnnotationsAreRefused(t *testing.T) {
	t.Parallel()
	namespace := namespaceFor(t)
	for _, c := range []struct {
		name  string
		bad   annotations
		fix   annotations
		parts []string // of the message: key, value, fix
	}{
		{"target", annotations{"metric": "kv_cache_usage_percent=700"}, annotations{"metric": "kv_cache_usage_percent=70"},
			[]string{"autoscaling.knative.dev/metric", "700", "100"}},
		{"metric", annotations{"metric": "tokens_per_second=5"}, annotations{"metric": "generation_tokens_per_second=5"},
			[]string{"autoscaling.knative.dev/metric", "tokens_per_second", "one of concurrency, rps"}},
		{"engine", annotations{"knative-inference.dev/engine": "crystal-ball"}, annotations{"knative-inference.dev/engine": "vllm"},
			[]string{"knative-inference.dev/engine", "crystal-ball", "vllm"}},
		{"utilization", annotations{"metric": "kv_cache_usage_percent", "target": "70", "target-utilization-percentage": "80"}, annotations{"metric": "concurrency"},
			[]string{"autoscaling.knative.dev/target-utilization-percentage", "80", "remove it"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := standIn(t, namespace, c.name, c.bad)
			s.expectDenied(c.parts)
			s.createPastWebhook()
			eventually(t, settle, "refused", func() (bool, string) {
				return s.latest() != "" && strings.Contains(s.state(), refusedReason), s.state()
			})
			r := s.current()
			r.expectRefused(c.parts)
			for _, kind := range []string{"PodAutoscaler", "Revision"} {
				waitEvent(t, namespace, kind, r.revision, append([]string{"Warning " + refusedReason}, c.parts...)...)
			}
			r.annotate(c.fix)
			r.waitRevisionReady()
		})
	}
}

// expectDenied tries until the answer is our webhook's own.
func (s *service) expectDenied(parts []string) {
	s.t.Helper()
	eventually(s.t, settle, "denied at admission", func() (bool, string) {
		_, err := cluster.knative.ServingV1().Services(s.namespace).Create(s.t.Context(), s.object(), metav1.CreateOptions{})
		if err == nil {
			s.t.Fatalf("%s: %v was admitted", s.name, s.annotations)
		}
		return strings.Contains(err.Error(), "denied the request") && containsAll(err.Error(), parts), err.Error()
	})
}

func (s *service) createPastWebhook() {
	s.t.Helper()
	meta, client := metav1.ObjectMeta{Name: s.name, Namespace: s.namespace}, cluster.knative.ServingV1()
	configuration := &servingv1.Configuration{ObjectMeta: meta, Spec: s.object().Spec.ConfigurationSpec}
	if _, err := client.Configurations(s.namespace).Create(s.t.Context(), configuration, metav1.CreateOptions{}); err != nil {
		s.t.Fatal(err)
	}
	route := &servingv1.Route{ObjectMeta: meta, Spec: servingv1.RouteSpec{Traffic: []servingv1.TrafficTarget{
		{ConfigurationName: s.name, LatestRevision: ptr.Bool(true), Percent: ptr.Int64(100)},
	}}}
	if _, err := client.Routes(s.namespace).Create(s.t.Context(), route, metav1.CreateOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

func (r revision) waitRevisionReady() {
	r.t.Helper()
	eventually(r.t, settle, r.revision+" Ready", func() (bool, string) {
		rev, err := cluster.knative.ServingV1().Revisions(r.namespace).Get(r.t.Context(), r.revision, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		return rev.IsReady(), conditions(rev.Status.Conditions)
	})
}

func (r revision) expectRefused(parts []string) {
	r.t.Helper()
	eventually(r.t, 10*time.Second, "no replica", func() (bool, string) { return r.replicas() == 0, r.state() })
	always(r.t, 3*time.Second, "stays refused", func() (bool, string) {
		pa := r.pa()
		ready := pa.Status.GetCondition(v1alpha1.PodAutoscalerConditionReady)
		ok := ready.IsFalse() && ready.Reason == refusedReason && containsAll(ready.Message, parts) &&
			pa.Status.ServiceName == "" && r.replicas() == 0
		return ok, r.state() + ", serviceName=" + pa.Status.ServiceName
	})
}

// Edits on a live revision: a bad one keeps the last good settings and touches
// no pod; a good one takes effect within seconds, without a restart.
func TestEditsOnALiveRevision(t *testing.T) {
	onlyInFull(t)
	t.Parallel()
	s := simulator(t, namespaceFor(t), "edits", annotations{"target": "2", "max-scale": "2"},
		"--inter-token-latency=50ms", "--max-num-seqs=32").start()
	r := s.current()
	before := uids(r)

	r.annotate(annotations{"metric": "nonsense"})
	eventually(t, 10*time.Second, "the edit is refused", func() (bool, string) {
		c := r.pa().Status.GetCondition("AnnotationsAccepted")
		return c != nil && c.IsFalse() && c.Reason == refusedReason && strings.Contains(c.Message, "nonsense"), s.state()
	})
	waitEvent(t, s.namespace, "Service", s.name, "Warning "+refusedReason, "nonsense")
	if !r.pa().IsReady() {
		t.Errorf("a refused edit took Ready away: %s", s.state())
	}
	clients := s.clients(load.Shape{Prompt: 4, Tokens: 20}, 12)
	r.waitReplicas(settle, "still scales by the last good settings", exactly(2))

	r.annotate(annotations{"metric": "concurrency"})
	eventually(t, 10*time.Second, "the mended edit is accepted", func() (bool, string) {
		c := r.pa().Status.GetCondition("AnnotationsAccepted")
		return c != nil && c.IsTrue(), s.state()
	})
	r.annotate(annotations{"max-scale": "4"})
	r.waitReplicas(10*time.Second, "max-scale 4 takes effect", exactly(4))
	r.waitPods(settle, 4)
	four := uids(r)
	r.annotate(annotations{"max-scale": "3"})
	eventually(t, 10*time.Second, "max-scale 3 takes effect", func() (bool, string) {
		return r.pa().Status.GetDesiredScale() == 3, r.state()
	})
	r.waitReplicas(settle, "and a pod that has ended its requests goes", exactly(3))
	if n := clients.Stop(); n.Failed > 0 {
		t.Errorf("load: %v", n)
	}
	for _, uid := range before {
		if !slices.Contains(four, uid) {
			t.Errorf("the first pod was replaced by an edit")
		}
	}
	for _, uid := range uids(r) { // any of the four may go: the one that ended its requests first
		if !slices.Contains(four, uid) {
			t.Errorf("a pod was replaced by the edit of max-scale")
		}
	}
	for _, p := range r.pods() {
		for _, c := range p.Status.ContainerStatuses {
			if c.RestartCount > 0 {
				t.Errorf("%s/%s restarted", p.Name, c.Name)
			}
		}
	}
}

func uids(r revision) []types.UID {
	r.t.Helper()
	var all []types.UID
	for _, p := range r.pods() {
		all = append(all, p.UID)
	}
	return all
}
