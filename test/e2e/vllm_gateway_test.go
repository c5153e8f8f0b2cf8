//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/test/load"
	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

// Real vLLM behind the pool, picked by its real load: plain and streamed
// completions are answered by the pod that the picker named; then one of two
// replicas is filled past the picker, and nearly all requests through the
// Gateway are answered by the other, by the engines' own counters; then one is
// given up under streams.
func TestVLLMBehindPool(t *testing.T) {
	needGateway(t)
	tellPicked(t)
	waitForGates(t)
	s := realVLLM(t, annotations{"metric": "concurrency", "target": "100", "min-scale": "2", "max-scale": "2"})
	s.update(func(svc *servingv1.Service) {
		if svc.Annotations == nil {
			svc.Annotations = map[string]string{}
		}
		svc.Annotations[aiGateway] = "inference"
	})
	s.waitCondition("Ready", "True")
	r := s.current()
	r.waitPods(4*time.Minute, 2)
	q := question{host: s.host(), path: "/v1/completions", model: s.model, tokens: 4}
	q.waitPicked(t)
	t.Run("plain", func(t *testing.T) { expectNamedPodAnswers(t, r, q) })
	t.Run("streamed", func(t *testing.T) {
		q.stream = true
		expectNamedPodAnswers(t, r, q)
	})
	t.Run("busy", func(t *testing.T) { expectIdleReplica(t, r, q) })
	t.Run("drain", func(t *testing.T) { expectDrained(t, r) })
}

// expectDrained gives up one of two replicas while clients stream, half of them through the
// Gateway and half through Knative's own ingress: no answer is cut, and the replica goes
// although the clients go on.
func expectDrained(t *testing.T, r revision) {
	shape := load.Shape{Prompt: 4, Tokens: 300, Stream: true}
	byGateway, byKnative := load.NewClients(t.Context(), r.gatewaySender(), shape), load.NewClients(t.Context(), r.sender(), shape)
	all := []*load.Clients{byGateway, byKnative}
	for _, c := range all {
		t.Cleanup(c.Abort)
		c.Set(4)
	}
	eventually(t, settle, "both replicas run requests", func() (bool, string) {
		a, b := r.page(r.readyPods()[0]), r.page(r.readyPods()[1])
		return a.running > 0 && b.running > 0, fmt.Sprint(a, b)
	})
	began := time.Now()
	r.setMinScale(1)
	waitEvent(t, r.namespace, "PodAutoscaler", r.revision, "Normal Draining", "of 2 pods, which end their requests first")
	r.waitReplicas(settle, "given back while clients go on", exactly(1))
	drained := time.Since(began)
	r.waitPods(settle, 1)
	for i, way := range []string{"the gateway", "Knative's ingress"} {
		report := all[i].Stop()
		figure(t, fmt.Sprintf("real vLLM, one of two replicas given up under streams through %s: %v; given back %v after the edit", way, report, drained.Round(time.Second)))
		if report.Failed > 0 || report.Whole == 0 {
			t.Errorf("through %s: %v", way, report)
		}
	}
}

// tellPicked makes the Gateway answer with what its picker wrote into the
// request, for which the stand-in engine has a header of its own.
func tellPicked(t *testing.T) {
	t.Helper()
	const filter = `apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: e2e-tell-picked, namespace: knative-serving}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: knative-gateway}]
  configPatches:
  - applyTo: ROUTE_CONFIGURATION
    match: {context: GATEWAY}
    patch:
      operation: MERGE
      value:
        response_headers_to_add:
        - append_action: OVERWRITE_IF_EXISTS_OR_ADD
          header: {key: x-picked, value: "%REQ(x-gateway-destination-endpoint)%"}
`
	if testbed.Setting("IPA_GATEWAY_CLASS", "istio") != "istio" {
		t.Skip("SKIPPED: only on Istio does this test know how to see what the picker named")
	}
	if _, err := testbed.Kubectl(t.Context(), filter, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := testbed.Kubectl(context.Background(), filter, "delete", "-f", "-"); err != nil {
			t.Error(err)
		}
	})
	time.Sleep(2 * time.Second) // Envoy has it
}

// expectNamedPodAnswers asks one after the other: each answer is whole, and
// counted by the engine that the picker named and by no other.
func expectNamedPodAnswers(t *testing.T, r revision, q question) {
	t.Helper()
	pods := r.readyPods()
	named := map[string]int{}
	for range 10 {
		before := map[string]float64{}
		for _, p := range pods {
			before[p.Name] = r.answered(p)
		}
		a, err := q.ask(t.Context())
		if err != nil || !wholeAnswer(a, q.stream) {
			t.Fatalf("through the Gateway: %v %v", a, err)
		}
		eventually(t, 10*time.Second, "an engine has counted the request", func() (bool, string) {
			for _, p := range pods {
				if r.answered(p) == before[p.Name] {
					continue
				}
				if !strings.HasPrefix(a.picked, p.Status.PodIP+":") {
					t.Fatalf("%s (%s) has answered, the picker named %q", p.Name, p.Status.PodIP, a.picked)
				}
				named[p.Name]++
				return true, ""
			}
			return false, fmt.Sprintf("the picker named %q", a.picked)
		})
	}
	figure(t, fmt.Sprintf("real vLLM behind the gateway, stream %v: 10 of 10 answered by the pod that the picker named: %v", q.stream, named))
}

// wholeAnswer looks at what ended it: a vLLM that stops says 200 and [DONE] as well.
func wholeAnswer(a answer, stream bool) bool {
	ended := strings.Contains(a.body, `"finish_reason":"length"`) || strings.Contains(a.body, `"finish_reason":"stop"`)
	return a.status == 200 && ended && strings.HasSuffix(strings.TrimSpace(a.body), "data: [DONE]") == stream
}

// expectIdleReplica fills one of two replicas and asks through the Gateway.
func expectIdleReplica(t *testing.T, r revision, q question) {
	pods := r.readyPods()
	full, idle := pods[0], pods[1]
	fill(t, full, r.model, 14)
	eventually(t, settle, "the filled replica has a queue", func() (bool, string) {
		p := r.page(full)
		return p.waiting >= 5, p.String()
	})
	before := [2]float64{r.answered(full), r.answered(idle)}
	const requests = 40
	for range requests {
		a, err := q.ask(t.Context())
		if err != nil || !wholeAnswer(a, q.stream) {
			t.Fatalf("through the Gateway: %v %v", a, err)
		}
	}
	if p := r.page(full); p.running+p.waiting < 9 {
		t.Fatalf("the filled replica emptied too soon: %v", p)
	}
	toIdle := r.answered(idle) - before[1]
	figure(t, fmt.Sprintf("real vLLM behind the gateway: of %d requests %.0f were answered by the idle replica of two; the other, with a queue, answered %.0f in all",
		requests, toIdle, r.answered(full)-before[0]))
	if toIdle < 0.95*requests {
		t.Errorf("only %.0f of %d requests went to the idle replica", toIdle, requests)
	}
}

// fill sends long requests straight to one pod until the test ends. 14 of them
// leave 6 waiting and the KV cache below its brim: more would saturate the pool.
func fill(t *testing.T, pod corev1.Pod, model string, n int) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	for range n {
		go func() {
			for ctx.Err() == nil {
				body := fmt.Sprintf(`{"model":%q,"prompt":"hi","max_tokens":500,"ignore_eos":true}`, model)
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("http://%s:%d/v1/completions", pod.Status.PodIP, port), strings.NewReader(body))
				if err != nil {
					return
				}
				req.Header.Set("Content-Type", "application/json")
				if _, err := do(req); err != nil {
					time.Sleep(100 * time.Millisecond)
				}
			}
		}()
	}
}

// answered counts the requests that a pod's engine has finished.
func (r revision) answered(pod corev1.Pod) float64 {
	r.t.Helper()
	return sumOf(metricsPage(r.t, pod.Namespace, pod.Name, port), "vllm:request_success_total")
}
