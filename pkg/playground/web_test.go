package playground

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// A viewer who comes late gets the newest frames, as many as the history has, and then each once.
func TestFeed(t *testing.T) {
	f := newFeed()
	frames, next, wake := f.since(0)
	if len(frames) != 0 || next != 0 {
		t.Fatalf("%d frames of none, next is %d", len(frames), next)
	}
	for i := range history + 5 {
		f.add([]byte(fmt.Sprint(i)))
	}
	select {
	case <-wake:
	default:
		t.Error("who waits for the first frame still waits")
	}
	for from, want := range map[int][3]int{0: {history, 5, history + 5}, 5: {history, 5, history + 5}, 100: {history - 95, 100, history + 5}, history + 4: {1, history + 4, history + 5}} {
		frames, next, _ := f.since(from)
		if len(frames) != want[0] || string(frames[0]) != fmt.Sprint(want[1]) || next != want[2] {
			t.Errorf("from %d: %d frames from %s on, next is %d; want %v", from, len(frames), frames[0], next, want)
		}
	}
	if frames, next, _ := f.since(history + 5); len(frames) != 0 || next != history+5 {
		t.Errorf("who has all frames gets %d", len(frames))
	}
}

// Each pod has an address of its own, also after tens of thousands.
func TestAddress(t *testing.T) {
	seen := map[string]bool{}
	for i := range 250 * 250 {
		a := address(i)
		if _, err := netip.ParseAddr(a); err != nil || seen[a] || strings.HasSuffix(a, ".0") || strings.HasSuffix(a, ".255") {
			t.Fatalf("pod %d has the address %s (%v)", i, a, err)
		}
		seen[a] = true
	}
}

// Every counter of a pod is on its page under vLLM's name; what is not known is not there.
func TestEnginePage(t *testing.T) {
	one := func(n decider.Reading) decider.Histogram {
		return decider.Histogram{Bounds: []float64{.5}, Counts: []float64{float64(n) - 1}, Count: n, Sum: 2 * n}
	}
	page := string(enginePage(decider.Pod{Running: 1, Waiting: 2, KVCache: 30, Totals: decider.Totals{
		Known: true, PromptTokens: 11, GenerationTokens: 12, Preemptions: 13, CachedTokens: 14, Steps: 15, Finished: 16, KVCapacity: 1600,
		TTFT: one(21), ITL: one(22), E2E: one(23), QueueTime: one(24), PrefillTime: one(25), PromptLengths: one(26),
	}}))
	for name, value := range map[string]string{
		"num_requests_running": "1", "num_requests_waiting": "2", "kv_cache_usage_perc": "0.3", "prompt_tokens_total": "11",
		"generation_tokens_total": "12", "num_preemptions_total": "13", "prefix_cache_hits_total": "14",
		"iteration_tokens_total_count": "15", "request_success_total": "16", "cache_config_info": "1",
		"time_to_first_token_seconds_count": "21", "inter_token_latency_seconds_count": "22", "e2e_request_latency_seconds_count": "23",
		"request_queue_time_seconds_count": "24", "request_prefill_time_seconds_count": "25", "request_prompt_tokens_count": "26",
		"time_to_first_token_seconds_sum": "42", "time_to_first_token_seconds_bucket": "20",
	} {
		_, rest, found := strings.Cut("\n"+page, "\nvllm:"+name+"{")
		line, _, _ := strings.Cut(rest, "\n")
		if !found || !strings.HasSuffix(line, "} "+value) {
			t.Errorf("%s: %q, want %s", name, line, value)
		}
	}
	if !strings.Contains(page, `num_gpu_blocks="100"`) || !strings.Contains(page, `vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf"} 21`) {
		t.Errorf("cache or last bucket missing in\n%s", page)
	}
	unknown := decider.Unknown()
	if page := enginePage(decider.Pod{Running: unknown, Waiting: 3, KVCache: unknown}); string(page) != "vllm:num_requests_waiting{engine=\"0\",model_name=\"playground\"} 3\n" {
		t.Errorf("a pod of which little is known: %q", page)
	}
}
