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
)

// Real vLLM behind the pool, picked by its real load: one of two replicas is
// filled past the picker, and nearly all requests through the Gateway are
// answered by the other, by the engines' own counters.
func TestVLLMBehindGateway(t *testing.T) {
	needGateway(t)
	s := realVLLM(t, annotations{"min-scale": "2", "max-scale": "2"})
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
	q.waitServed(t)
	pods := r.readyPods()
	full, idle := pods[0], pods[1]
	fill(t, full, s.model, 14)
	eventually(t, settle, "the filled replica has a queue", func() (bool, string) {
		p := r.page(full)
		return p.waiting >= 5, p.String()
	})
	before := [2]float64{r.answered(full), r.answered(idle)}
	const requests = 40
	for range requests {
		a, err := q.ask(t.Context())
		if err != nil || a.status != 200 || !strings.Contains(a.body, `"choices":[{`) {
			t.Fatalf("through the Gateway: %v %v", a, err)
		}
	}
	if p := r.page(full); p.waiting < 1 {
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
	text, err := cluster.kube.CoreV1().Pods(pod.Namespace).ProxyGet("http", pod.Name, fmt.Sprint(port), "metrics", nil).DoRaw(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return sumOf(text, "vllm:request_success_total")
}
