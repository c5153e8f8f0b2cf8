package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/knative-inference/autoscaler-adapter/test/load"
	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

const (
	namespace = "ipa-demo"
	name      = "model"
)

// model is what the demo serves and how it loads it.
type model struct {
	engine, served string
	annotations    []string // key=value of the revision template
	shape          load.Shape
	clients        int
	startup        int           // seconds that one replica may take
	every          time.Duration // from line to line of the table
	about          string
}

// The targets leave concurrency out of the game: one replica may have 24 (or
// 60) requests in flight, so only the engine's own signals can ask for more.
func modelFor(engine string) (model, error) {
	common := []string{
		"autoscaling.knative.dev/class=ipa.autoscaling.knative-inference.dev",
		"autoscaling.knative.dev/window=15s",
		"autoscaling.knative.dev/target-utilization-percentage=100",
	}
	switch engine {
	case "sim":
		return model{
			engine: "llm-d-inference-sim, a simulator of vLLM", served: "demo",
			annotations: append(common, "autoscaling.knative.dev/max-scale=4",
				"autoscaling.knative.dev/metric=concurrency=24,kv_cache_usage_percent=70,num_requests_waiting=4"),
			shape: load.Shape{Prompt: 400, Tokens: 60}, clients: 14, startup: 60, every: 2 * time.Second,
			about: "14 clients, each prompt 400 random tokens: 12.5 % of one replica's KV cache of 3,200 tokens",
		}, nil
	case "vllm":
		return model{
			engine: "real vLLM 0.32 on the CPU (a tiny model of random weights)", served: "tiny",
			annotations: append(common, "autoscaling.knative.dev/max-scale=2",
				"autoscaling.knative.dev/metric=concurrency=60,kv_cache_usage_percent=70,num_requests_waiting=8"),
			shape: load.Shape{Prompt: 60, Tokens: 600}, clients: 20, startup: 180, every: 4 * time.Second,
			about: "20 clients, each asks for 600 tokens; one replica's KV cache holds 5,120",
		}, nil
	}
	return model{}, fmt.Errorf("-engine %q: there are sim and vllm", engine)
}

func (m model) host() string {
	return name + "." + namespace + "." + testbed.Setting("IPA_DOMAIN", "example.com")
}

// yaml returns the Knative Service.
func (m model) yaml(ctx context.Context) (string, error) {
	if m.served == "tiny" {
		args := append([]string{"ksvc", name}, m.annotations...)
		cmd := exec.CommandContext(ctx, "hack/cluster/vllm.sh", args...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		return string(out), err
	}
	var lines strings.Builder
	for _, a := range m.annotations {
		key, value, _ := strings.Cut(a, "=")
		fmt.Fprintf(&lines, "        %s: %q\n", key, value)
	}
	return fmt.Sprintf(simulatorYAML, name, lines.String(), testbed.Setting("IPA_SIM_IMAGE", "dev.local/llm-d-inference-sim:v0.10.2")), nil
}

// A prompt of 400 tokens takes 25 of 200 blocks: seven fill 87.5 % of the cache.
const simulatorYAML = `apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: %s
spec:
  template:
    metadata:
      annotations:
%s    spec:
      timeoutSeconds: 60
      containers:
      - image: %s
        args: [--model=demo, --port=8000, --force-dummy-tokenizer=true, --max-model-len=2048,
          --max-num-seqs=7, --enable-kvcache=true, --kv-cache-size=200, --block-size=16,
          --time-to-first-token=200ms, --inter-token-latency=50ms]
        env: [{name: POD_IP, value: "127.0.0.1"}]
        ports: [{containerPort: 8000}]
        readinessProbe: {httpGet: {path: /health/ready, port: 8000}, periodSeconds: 1}
`

// excerpt leaves the mounts of real vLLM out: they are how it comes to the node, not the point.
func (m model) excerpt(text string) string {
	head, _, found := strings.Cut(text, "        volumeMounts:")
	if found {
		head += "        ..."
	}
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSpace(head), "\n") {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, "  "+line)
		}
	}
	return strings.Join(lines, "\n")
}
