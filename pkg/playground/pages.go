package playground

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"

	netheader "knative.dev/networking/pkg/http/header"
	asmetrics "knative.dev/serving/pkg/autoscaler/metrics"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// The ports of a pod, as in a cluster. One real server answers for all pods: it
// distinguishes them by the address that the collector asked for.
const (
	queueProxyPort = "9090"
	enginePort     = "8000"
)

// pages are what the pods' two servers answer now, by pod IP and by name.
type pages struct {
	byIP   map[string]page
	byName map[string]page
}

// page is one Ready pod as it was last observed; it is written out when it is asked for.
type page struct {
	pod  decider.Pod
	stat asmetrics.Stat
}

// answer serves one pod's page as its own server would.
func (p page) answer(w http.ResponseWriter, port string) {
	if port == queueProxyPort {
		b, err := p.stat.Marshal()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", netheader.ProtobufMIMEType)
		_, _ = w.Write(b)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	_, _ = w.Write(enginePage(p.pod))
}

// servePod answers for whatever pod the request's Host names.
func (w *World) servePod(rw http.ResponseWriter, r *http.Request) {
	ip, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		http.Error(rw, "no pod and port in the Host header", http.StatusNotFound)
		return
	}
	w.pagesMu.RLock()
	p, ok := w.pages.byIP[ip]
	w.pagesMu.RUnlock()
	if !ok {
		http.Error(rw, "no Ready pod has this address", http.StatusNotFound)
		return
	}
	p.answer(rw, port)
}

// servePage answers /pods/NAME/metrics, for people.
func (w *World) servePage(rw http.ResponseWriter, r *http.Request) {
	w.pagesMu.RLock()
	p, ok := w.pages.byName[r.PathValue("pod")]
	w.pagesMu.RUnlock()
	if !ok {
		http.Error(rw, "no Ready pod of this name; / lists them", http.StatusNotFound)
		return
	}
	p.answer(rw, enginePort)
}

// enginePage writes what vLLM's page would say of a pod.
func enginePage(p decider.Pod) []byte {
	var b bytes.Buffer
	const labels = `{engine="0",model_name="playground"}`
	line := func(name string, v decider.Reading) {
		if v.Known() {
			fmt.Fprintf(&b, "%s%s %v\n", name, labels, float64(v))
		}
	}
	line("vllm:num_requests_running", p.Running)
	line("vllm:num_requests_waiting", p.Waiting)
	line("vllm:kv_cache_usage_perc", p.KVCache/100)
	t := p.Totals
	if !t.Known {
		return b.Bytes()
	}
	line("vllm:prompt_tokens_total", t.PromptTokens)
	line("vllm:generation_tokens_total", t.GenerationTokens)
	line("vllm:num_preemptions_total", t.Preemptions)
	line("vllm:prefix_cache_hits_total", t.CachedTokens)
	line("vllm:iteration_tokens_total_count", t.Steps)
	if t.Finished.Known() {
		fmt.Fprintf(&b, "vllm:request_success_total{engine=\"0\",finished_reason=\"stop\",model_name=\"playground\"} %v\n", float64(t.Finished))
	}
	if t.KVCapacity.Known() {
		fmt.Fprintf(&b, "vllm:cache_config_info{block_size=\"16\",engine=\"0\",num_gpu_blocks=\"%d\"} 1\n", int(t.KVCapacity)/16)
	}
	histogram(&b, "vllm:time_to_first_token_seconds", t.TTFT)
	histogram(&b, "vllm:inter_token_latency_seconds", t.ITL)
	histogram(&b, "vllm:e2e_request_latency_seconds", t.E2E)
	histogram(&b, "vllm:request_queue_time_seconds", t.QueueTime)
	histogram(&b, "vllm:request_prefill_time_seconds", t.PrefillTime)
	histogram(&b, "vllm:request_prompt_tokens", t.PromptLengths)
	return b.Bytes()
}

func histogram(b *bytes.Buffer, name string, h decider.Histogram) {
	if !h.Count.Known() {
		return
	}
	for i, bound := range h.Bounds {
		fmt.Fprintf(b, "%s_bucket{engine=\"0\",le=\"%v\"} %v\n", name, bound, h.Counts[i])
	}
	fmt.Fprintf(b, "%s_bucket{engine=\"0\",le=\"+Inf\"} %v\n", name, float64(h.Count))
	fmt.Fprintf(b, "%s_count{engine=\"0\"} %v\n%s_sum{engine=\"0\"} %v\n", name, float64(h.Count), name, float64(h.Sum))
}

// address gives a pod an IP of its own; nobody dials it, see dialer.
func address(number int) string {
	return strings.Join([]string{"10", "42", fmt.Sprint(number / 250 % 250), fmt.Sprint(number%250 + 1)}, ".")
}
