//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/knative-inference/autoscaler-adapter/test/load"
	"github.com/knative-inference/autoscaler-adapter/test/testbed"
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
	s.patience = 4 * time.Minute // the engine and a second one that loads share this machine's cores
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
	if _, err := testbed.Kubectl(t.Context(), string(yaml), "-n", s.namespace, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	s.waitReady(4 * time.Minute)
	return s
}

// One replica's signals against its own page; a cache that fills asks for a
// second replica, which loads for half a minute or more and is counted all the
// while; back to one; a queue alone asks for a second; and back to one.
func TestVLLM(t *testing.T) {
	s := realVLLM(t, annotations{
		"metric":    "concurrency=100,kv_cache_usage_percent=60",
		"max-scale": "1", "window": "15s", "target-utilization-percentage": "100",
		"panic-window-percentage": "100", // token rates cover two waves of prompts
	})
	r := s.current()
	t.Run("signals", func(t *testing.T) { expectSignalsOfThePage(t, r) })
	time.Sleep(20 * time.Second) // what that load asked for leaves the stable window
	t.Run("KV cache and cold start", func(t *testing.T) { expectColdStartCounted(t, r) })
	t.Run("down", func(t *testing.T) { r.waitReplicas(3*time.Minute, "scaled down to one", exactly(1)) })
	t.Run("queue", func(t *testing.T) { expectScaleUpByQueue(t, r) })
	t.Run("down again", func(t *testing.T) { r.waitReplicas(3*time.Minute, "scaled down to one", exactly(1)) })
}

// page reads the engine's own /metrics, summing over label sets.
func (r revision) page(pod corev1.Pod) signals {
	r.t.Helper()
	text := metricsPage(r.t, pod.Namespace, pod.Name, port)
	return signals{
		running: sumOf(text, "vllm:num_requests_running"), waiting: sumOf(text, "vllm:num_requests_waiting"),
		kv:     100 * sumOf(text, "vllm:kv_cache_usage_perc"),
		prompt: sumOf(text, "vllm:prompt_tokens_total"), generation: sumOf(text, "vllm:generation_tokens_total"),
	}
}

// metricsPage reads /metrics of a pod through the API server.
func metricsPage(t *testing.T, namespace, pod string, port int) []byte {
	t.Helper()
	page, err := cluster.kube.CoreV1().Pods(namespace).ProxyGet("http", pod, strconv.Itoa(port), "metrics", nil).DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return page
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

// expectColdStartCounted overloads one replica by 16 clients of 600 tokens: its
// cache is 80 % and more in use, of 60. While the second replica loads, nothing
// else is asked for, although the first stays overloaded all the while.
func expectColdStartCounted(t *testing.T, r revision) {
	expectQuiet(t, r)
	pod := r.readyPods()[0]
	h, start := r.watchReplicas(), time.Now()
	clients := overload(t, r)
	r.waitReplicas(settle, "a second replica", atLeast(2))
	scaled := time.Now()
	expectAskedByCache(t, r, pod)
	eventually(t, 4*time.Minute, "the second replica is loaded", func() (bool, string) {
		loaded := len(r.readyPods()) >= 2
		if n := h.peak(start); n > 2 && !loaded {
			t.Fatalf("%d replicas were asked for while the second was loading: %v; %s", n, h, r.state())
		}
		return loaded, r.state()
	})
	figure(t, fmt.Sprintf("real vLLM cold start beside a loaded replica: %.0f s, replicas asked for meanwhile: 2", time.Since(scaled).Seconds()))
	expectWhole(t, clients)
}

// expectQuiet lets the revision have four replicas and sees that nothing of the
// load before asks for a second one: what does so afterwards is the new load.
func expectQuiet(t *testing.T, r revision) {
	t.Helper()
	pod := r.readyPods()[0]
	page := r.page(pod)
	for _, s := range vllmSignals {
		if ours := r.apiSample(pod, s.metric); !s.isRate && (s.of(page) != 0 || ours.value != 0) {
			t.Fatalf("%s without load: the page says %v, our API %v", s.metric, page, ours.value)
		}
	}
	r.annotate(annotations{"max-scale": "4"})
	always(t, 5*time.Second, "one replica without load", func() (bool, string) { // two ticks and more
		n := r.replicas()
		return n == 1, fmt.Sprintf("%d replicas; %s", n, r.state())
	})
}

// expectAskedByCache expects that the cache asked for the second replica, with a
// usage that the engine reports under this load too, and concurrency did
// not. The need of concurrency may be 0 or 1: a cache fills within a second, and a
// queue-proxy reports once a second.
func expectAskedByCache(t *testing.T, r revision, pod corev1.Pod) {
	t.Helper()
	const scaled = `Scaled from 1 to 2\. concurrency is [\d.]+ \(target 100 per replica\) and needs (?:0 replicas|1 replica)\. ` +
		`kv_cache_usage_percent is ([\d.]+) \(target 60\) and needs 2 replicas\.$`
	usage := math.NaN()
	eventually(t, settle, "an event says that the cache asked, and concurrency did not", func() (bool, string) {
		all := strings.Join(events(t, r.namespace, "PodAutoscaler", r.revision), "\n")
		if found := regexp.MustCompile("(?m)" + scaled).FindStringSubmatch(all); found != nil {
			usage, _ = strconv.ParseFloat(found[1], 64)
		}
		return !math.IsNaN(usage), all
	})
	most := 0.0
	eventually(t, settle, "the page tells that usage", func() (bool, string) {
		most = max(most, r.page(pod).kv)
		return most > usage-0.01, fmt.Sprintf("%.2f %% at most, the event says %.2f", most, usage)
	})
}

// expectScaleUpByQueue has the queue as its only engine signal: 8 of 16 clients wait.
func expectScaleUpByQueue(t *testing.T, r revision) {
	r.annotate(annotations{"metric": "concurrency=100,num_requests_waiting=6"})
	time.Sleep(2 * time.Second) // the edit takes effect within seconds
	clients := overload(t, r)
	r.waitReplicas(settle, "a second replica", exactly(2))
	waitEvent(t, r.namespace, "PodAutoscaler", r.revision, "Scaled from 1 to 2", "num_requests_waiting is ", " (target 6 per replica) and needs 2 replicas")
	expectWhole(t, clients)
}

func overload(t *testing.T, r revision) *load.Clients {
	clients := load.NewClients(t.Context(), r.sender(), load.Shape{Prompt: 40, Tokens: 600})
	t.Cleanup(clients.Abort)
	clients.Set(16)
	return clients
}

func expectWhole(t *testing.T, clients *load.Clients) {
	t.Helper()
	report := clients.Stop()
	t.Logf("load: %v", report)
	if report.Failed > 0 {
		t.Errorf("load: %v", report)
	}
}
