//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/test/load"
)

// Each metric on its own, by real requests to the simulator: up while they
// come, down to one when they end, and the decision names the metric.
func TestEachMetricScalesUpAndDown(t *testing.T) {
	t.Parallel()
	namespace := namespaceFor(t)
	for _, c := range []struct {
		name, metric, target string
		flags                []string
		shape                load.Shape
		clients              int
		reaches              int32 // replicas that the load surely asks for
	}{
		{"rps", "rps", "5", []string{"--inter-token-latency=50ms", "--max-num-seqs=32"},
			load.Shape{Prompt: 4, Tokens: 4}, 4, 3},
		{"running", "num_requests_running", "2", []string{"--inter-token-latency=50ms", "--max-num-seqs=32"},
			load.Shape{Prompt: 4, Tokens: 60}, 6, 3},
		{"waiting", "num_requests_waiting", "2", []string{"--inter-token-latency=50ms", "--max-num-seqs=2"},
			load.Shape{Prompt: 4, Tokens: 20}, 8, 2},
		// 25 of 200 blocks each: seven fill 87.5 % of one replica's cache.
		{"kv", "kv_cache_usage_percent", "60", []string{"--inter-token-latency=50ms", "--max-num-seqs=7", "--enable-kvcache=true", "--kv-cache-size=200", "--block-size=16"},
			load.Shape{Prompt: 400, Tokens: 40}, 10, 2},
		// The simulator counts a request's tokens when it ends: short requests make a steady rate.
		{"prompt", "prompt_tokens_per_second", "300", []string{"--inter-token-latency=50ms", "--max-num-seqs=32"},
			load.Shape{Prompt: 100, Tokens: 4}, 4, 3},
		{"generation", "generation_tokens_per_second", "50", []string{"--inter-token-latency=20ms", "--max-num-seqs=32"},
			load.Shape{Prompt: 4, Tokens: 25}, 8, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := annotations{"metric": c.metric, "target": c.target, "max-scale": "4"}
			if c.metric == "rps" { // Knative's utilization is for its own metrics only
				a["target-utilization-percentage"] = "100"
			}
			s := simulator(t, namespace, c.name, a, c.flags...).start()
			r := s.current()
			clients := s.clients(c.shape, c.clients)
			r.waitReplicas(settle, "scaled up", atLeast(c.reaches))
			waitEvent(t, namespace, "PodAutoscaler", r.revision, "Scaled from 1 to", c.metric+" is ", " (target "+c.target)
			r.waitWhy(c.metric + " is ")
			if report := clients.Stop(); report.Failed > 0 {
				t.Errorf("load: %v", report)
			}
			r.waitReplicas(2*settle, "scaled down", exactly(1))
		})
	}
}

// Several metrics in one annotation: each asks, the largest want wins, whichever it is.
func TestLargestOfSeveralMetricsWins(t *testing.T) {
	onlyInFull(t)
	t.Parallel()
	s := standIn(t, namespaceFor(t), "several", annotations{
		"metric": "concurrency=10,kv_cache_usage_percent=70,num_requests_waiting=4", "target-utilization-percentage": "100",
	}).start()
	r := s.current()
	first := r.readyPods()[0]

	s.tell(first, page{KV: 0.95})
	r.waitReplicas(settle, "2 by KV cache (95 of 70)", exactly(2))
	waitEvent(t, s.namespace, "PodAutoscaler", r.revision, "Scaled from 1 to 2", "kv_cache_usage_percent is 95 (target 70) and needs 2 replicas",
		"concurrency is 0 (target 10 per replica) and needs ", "num_requests_waiting is 0 (target 4 per replica) and needs ")

	s.tell(first, page{KV: 0.95, Waiting: 16})
	r.waitReplicas(settle, "4 by queue (16 of 4)", exactly(4))
	waitEvent(t, s.namespace, "PodAutoscaler", r.revision, "to 4", "num_requests_waiting is 16 (target 4 per replica) and needs 4 replicas")

	s.tell(first, page{})
	r.waitReplicas(settle, "down when all is quiet", exactly(1))
}

// Two Services side by side: the load of one never moves the other.
func TestTwoServicesDoNotInfluenceEachOther(t *testing.T) {
	onlyInFull(t)
	t.Parallel()
	namespace := namespaceFor(t)
	a := annotations{"metric": "concurrency=2,num_requests_running=2", "max-scale": "3"}
	flags := []string{"--inter-token-latency=50ms", "--max-num-seqs=16"}
	east, west := simulator(t, namespace, "east", a, flags...).create(), simulator(t, namespace, "west", a, flags...).create()
	east.waitReady(settle)
	west.waitReady(settle)
	e, w := east.current(), west.current()
	shape := load.Shape{Prompt: 4, Tokens: 20}

	quiet := w.watchReplicas()
	clients := east.clients(shape, 8)
	e.waitReplicas(settle, "scaled up", exactly(3))
	if n := clients.Stop(); n.Failed > 0 {
		t.Errorf("load of east: %v", n)
	}
	if all := quiet.String(); strings.Contains(all, " ") {
		t.Errorf("west moved while only east had load: %s; %s", all, west.state())
	}
	clients = west.clients(shape, 8)
	w.waitReplicas(settle, "scaled up", exactly(3))
	e.waitReplicas(settle, "scaled down while west is busy", exactly(1))
	if n := w.replicas(); n != 3 {
		t.Errorf("west has %d replicas under its load, want 3; %s", n, west.state())
	}
	clients.Stop()
}
