//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
	"github.com/knative-inference/autoscaler-adapter/test/load"
)

// The default metric on a real engine: three times as many clients as it has
// places for keep a queue, so that first tokens are late. The load comes out of
// rest: at first what is in flight asks for a second replica, and while that loads
// the policy learns what one does.
func TestVLLMSLO(t *testing.T) {
	s := realVLLM(t, annotations{
		"max-scale": "2", "knative-inference.dev/slo-ttft": "1s", "knative-inference.dev/slo-itl": "500ms",
	})
	r := s.current()
	r.waitRest()
	pod := r.readyPods()[0]
	clients := load.NewClients(t.Context(), r.sender(), load.Shape{Prompt: 40, Tokens: 100})
	defer clients.Abort()
	start := time.Now()
	clients.Set(24)
	r.waitReplicas(3*settle, "scaled up on its latency", exactly(2))
	took := time.Since(start)
	waitEvent(t, r.namespace, "PodAutoscaler", r.revision, "Scaled from 1 to 2. Demand is ", "one replica sustains ")
	const during = 15 * time.Second // the second replica loads for longer
	before, began := ended(r, pod.Name), time.Now()
	time.Sleep(during)
	rate := (ended(r, pod.Name) - before) / time.Since(began).Seconds()
	// A bin lasts 10 s, and teaches nothing when the page came too late at its end: both
	// engines share the cores while the second one loads.
	var full float64
	eventually(t, 3*slo.BinWidth, "the policy knows what a full replica does, within a factor of 3", func() (bool, string) {
		full = r.number("slo_capacity_rps") / r.number("slo_target_load_ratio")
		return full > rate/3 && full < rate*3, fmt.Sprintf("the policy says %.2f requests/s, it does %.2f", full, rate)
	})
	figure(t, fmt.Sprintf("real vLLM, slo: a second replica asked for %.0f s after 24 clients came; a full one ends %.2f requests/s, the policy says %.2f", took.Seconds(), rate, full))
	expectWhole(t, clients)
	t.Run("batched prompts", func(t *testing.T) { expectPromptsLearned(t, r, clients.Report().Whole) })
	t.Run("aborted streams", func(t *testing.T) { expectAbortedWork(t, r) })
	t.Run("slow metrics endpoint", func(t *testing.T) { expectSlowPageRead(t, r) })
}

// ended is the requests that an engine has ended.
func ended(r revision, pod string) float64 {
	return sumOf(metricsPage(r.t, r.namespace, pod, port), "vllm:request_success_total")
}
