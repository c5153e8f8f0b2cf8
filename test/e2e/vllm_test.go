//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/knative-inference/autoscaler-adapter/test/load"
)

// realVLLM makes a Knative Service of real vLLM on the CPU: the real scheduler,
// KV cache, API server and metrics around a tiny model of random weights. One
// replica runs 8 requests at a time and caches 5,120 tokens.
func realVLLM(t *testing.T, a annotations) *service {
	t.Helper()
	if os.Getenv("IPA_CLUSTER") == "existing" {
		t.Skip("SKIPPED: real vLLM is mounted from this machine, which is no node of your own cluster")
	}
	s := newService(t, namespaceFor(t), "vllm", corev1.Container{}, a, "tiny")
	args := []string{"ksvc", s.name}
	for k, v := range s.annotations {
		args = append(args, k+"="+v)
	}
	cmd := exec.CommandContext(t.Context(), "../../hack/cluster/vllm.sh", args...)
	cmd.Stderr = os.Stderr
	yaml, err := cmd.Output()
	if err != nil {
		t.Fatalf("hack/cluster/vllm.sh ksvc: %v", err)
	}
	if _, err := kubectl(t.Context(), string(yaml), "-n", s.namespace, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	s.waitReady(4 * time.Minute)
	return s
}

// One replica's signals against its own page; a burst that fills cache and queue;
// a second replica that loads for half a minute or more and is counted all the
// while; and back to one.
func TestVLLM(t *testing.T) {
	s := realVLLM(t, annotations{
		"metric":    "concurrency=100,kv_cache_usage_percent=70,num_requests_waiting=6",
		"max-scale": "1", "window": "15s", "target-utilization-percentage": "100",
	})
	r := s.current()
	t.Run("signals", func(t *testing.T) { expectSignalsOfThePage(t, r) })
	t.Run("scale up and cold start", func(t *testing.T) { expectColdStartCounted(t, r) })
	t.Run("scale down", func(t *testing.T) { r.waitReplicas(3*time.Minute, "scaled down to one", exactly(1)) })
}

// signals are what a page, or our API, says of one pod at one instant; the
// token counters of a page, the token rates of the API.
type signals struct{ running, waiting, kv, prompt, generation float64 }

// expectSignalsOfThePage reads the engine's own page and our API at the same
// time, under a steady load. Both move while they are read, and ours is up to a
// scrape old: gauges are compared by their means over many reads.
func expectSignalsOfThePage(t *testing.T, r revision) {
	pod := r.readyPods()[0]
	clients := load.NewClients(t.Context(), r.sender(), load.Shape{Prompt: 40, Tokens: 400})
	defer clients.Abort()
	clients.Set(11)
	time.Sleep(8 * time.Second) // the rates' window fills
	var page, api signals
	first, began := r.page(pod), time.Now()
	const reads = 30
	for range reads {
		p, a := r.page(pod), r.served(pod)
		page, api = page.plus(p, 1.0/reads), api.plus(a, 1.0/reads)
		time.Sleep(500 * time.Millisecond)
	}
	last, seconds := r.page(pod), time.Since(began).Seconds()
	page.prompt, page.generation = (last.prompt-first.prompt)/seconds, (last.generation-first.generation)/seconds
	figure(t, fmt.Sprintf("real vLLM, means of %d reads: page %+v; ours %+v", reads, page, api))
	for _, c := range []struct {
		name                  string
		page, ours, tolerance float64
	}{
		{"running", page.running, api.running, 0.5},
		{"waiting", page.waiting, api.waiting, 0.7},
		{"KV cache percent", page.kv, api.kv, 5},
		{"prompt tokens per second", page.prompt, api.prompt, 0.15 * page.prompt},
		{"generation tokens per second", page.generation, api.generation, 0.15 * page.generation},
	} {
		if c.page == 0 || !(math.Abs(c.page-c.ours) <= c.tolerance) {
			t.Errorf("%s: the page says %.2f, our API %.2f, want within %.2f and not 0", c.name, c.page, c.ours, c.tolerance)
		}
	}
	if report := clients.Stop(); report.Failed > 0 {
		t.Errorf("load: %v", report)
	}
}

func (s signals) plus(o signals, weight float64) signals {
	return signals{s.running + weight*o.running, s.waiting + weight*o.waiting, s.kv + weight*o.kv,
		s.prompt + weight*o.prompt, s.generation + weight*o.generation}
}

// page reads the engine's own /metrics, summing over label sets.
func (r revision) page(pod corev1.Pod) signals {
	r.t.Helper()
	text, err := cluster.kube.CoreV1().Pods(pod.Namespace).ProxyGet("http", pod.Name, strconv.Itoa(port), "metrics", nil).DoRaw(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return signals{
		running: sumOf(text, "vllm:num_requests_running"), waiting: sumOf(text, "vllm:num_requests_waiting"),
		kv:     100 * sumOf(text, "vllm:kv_cache_usage_perc"),
		prompt: sumOf(text, "vllm:prompt_tokens_total"), generation: sumOf(text, "vllm:generation_tokens_total"),
	}
}

func sumOf(page []byte, name string) float64 {
	var sum float64
	for lines := bufio.NewScanner(bytes.NewReader(page)); lines.Scan(); {
		line := lines.Text()
		if !strings.HasPrefix(line, name+"{") && !strings.HasPrefix(line, name+" ") {
			continue
		}
		if v, err := strconv.ParseFloat(line[strings.LastIndex(line, " ")+1:], 64); err == nil {
			sum += v
		}
	}
	return sum
}

// served reads the same pod from our API.
func (r revision) served(pod corev1.Pod) signals {
	r.t.Helper()
	get := func(metric string) float64 {
		v := values(r.t, metricPath(r.namespace, "pods", pod.Name, metric))
		if len(v) != 1 {
			return math.NaN()
		}
		return v[0].Value.AsApproximateFloat64()
	}
	return signals{get("num_requests_running"), get("num_requests_waiting"), get("kv_cache_usage_percent"),
		get("prompt_tokens_per_second"), get("generation_tokens_per_second")}
}

// expectColdStartCounted overloads one replica by 16 clients: 8 run, 8 wait, the
// cache is full; cache and queue ask for two replicas. While the second loads,
// nothing else is asked for, although the first stays overloaded all the while.
func expectColdStartCounted(t *testing.T, r revision) {
	r.annotate(annotations{"max-scale": "4"})
	time.Sleep(3 * time.Second)
	h := r.watchReplicas()
	start := time.Now()
	clients := load.NewClients(t.Context(), r.sender(), load.Shape{Prompt: 40, Tokens: 600})
	defer clients.Abort()
	clients.Set(16)
	r.waitReplicas(settle, "a second replica", atLeast(2))
	waitEvent(t, r.namespace, "PodAutoscaler", r.revision, "Scaled from 1 to 2", "kv_cache_usage_percent=", "num_requests_waiting=", "concurrency=")
	scaled := time.Now()
	t.Logf("scaled after %v: %q", scaled.Sub(start).Round(time.Second/10), events(t, r.namespace, "PodAutoscaler", r.revision))
	eventually(t, 4*time.Minute, "the second replica is loaded", func() (bool, string) {
		if n := h.peak(start); n > 2 && len(r.readyPods()) < 2 {
			t.Fatalf("%d replicas were asked for while the second was loading: %v; %s", n, h, r.state())
		}
		return len(r.readyPods()) >= 2, r.state()
	})
	figure(t, fmt.Sprintf("real vLLM cold start beside a loaded replica: %.0f s, replicas asked for meanwhile: 2", time.Since(scaled).Seconds()))
	if report := clients.Stop(); report.Failed > 0 {
		t.Errorf("load: %v", report)
	} else {
		t.Logf("load: %v", report)
	}
}
