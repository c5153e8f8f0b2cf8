package engine

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func pages(tb testing.TB) map[string][]byte {
	tb.Helper()
	files, err := filepath.Glob("testdata/*.prom.txt")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no pages in testdata: %v", err)
	}
	all := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		all[filepath.Base(f)] = b
	}
	return all
}

// oddPages are small pages at the edges of the format.
var oddPages = []string{
	"",
	"\n\n",
	"vllm:num_requests_running 1\n",
	"vllm:num_requests_running 1",
	"vllm:num_requests_running{} 1 1700000000000\n",
	" \tvllm:num_requests_running \t { engine = \"0\" , } \t +1e1 \n",
	"vllm:num_requests_running{engine=\"a\\\\\\\"\\n}b\"} 2\n",
	"vllm:num_requests_running{engine=\"0\"}3\nvllm:num_requests_running{engine=\"1\"} NaN\n",
	"vllm:num_requests_running 1\nvllm:num_requests_running 1\n",
	"vllm:num_requests_running{a=\"1\",b=\"2\"} 1\nvllm:num_requests_running{b=\"2\",a=\"1\"} 1\n",
	"{\"vllm:num_requests_running\"} 1\n",
	"vllm:num\"_requests_running\" 1\n",
	"vllm:prompt_tokens 5\nvllm:prompt_tokens_total 6\n",
	"vllm:num_requests_running +Inf\nvllm:num_requests_waiting -Inf\n",
	"vllm:num_requests_running 0x1p4\n",
	"vllm:num_requests_running 1e999\n",
	"# TYPE vllm:e2e_request_latency_seconds histogram\nvllm:e2e_request_latency_seconds_bucket{le=\"0.5\"} 1\nvllm:e2e_request_latency_seconds_bucket{le=\"+Inf\"} 2\nvllm:e2e_request_latency_seconds_sum 3.5\nvllm:e2e_request_latency_seconds_count 2\n",
	"vllm:e2e_request_latency_seconds_bucket{le=\"2\"} 1\nvllm:e2e_request_latency_seconds_bucket{le=\"1\"} 2\n",
	"# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{engine=\"0\"} 7 # {trace=\"x\"} 1 2\n# EOF\n",
	"vllm:cache_config_info{kv_cache_size_tokens=\"None\",num_gpu_blocks=\"40\",block_size=\"128\"} 1\n",
	"vllm:lora_requests_info{running_lora_adapters=\"a,b\",waiting_lora_adapters=\"c, a\"} 17\nvllm:lora_requests_info{running_lora_adapters=\"old\",waiting_lora_adapters=\"\"} 16\n",
	"vllm:engine_sleep_state{sleep_state=\"awake\"} 0\nvllm:engine_sleep_state{sleep_state=\"weights_offloaded\"} 1\n",
	"sglang:token_usage{dp_rank=\"0\",tp_rank=\"0\"} 0.5\nsglang:token_usage{dp_rank=\"0\",tp_rank=\"1\"} 0.5\nsglang:token_usage{dp_rank=\"1\",tp_rank=\"2\"} 0.1\n",
	"vllm:num_requests_running 1\r\nvllm:num_requests_waiting 2\r\n",
	"vllm:num_requests_running{engine=\"0\",dp_rank=\"0\"} 1\nvllm:num_requests_running{engine=\"0\",dp_rank=\"1\"} 2\nvllm:num_requests_running{dp_rank=\"1\",engine=\"0\",m=\"b\"} 2\n",
	"# TYPE vllm:e2e_request_latency_seconds histogram\nvllm:e2e_request_latency_seconds_bucket{e=\"0\",le=\"1\"} 1\nvllm:e2e_request_latency_seconds_bucket{e=\"0\",le=\"2\"} 2\nvllm:e2e_request_latency_seconds_count{e=\"0\"} 3\nvllm:e2e_request_latency_seconds_bucket{e=\"1\",le=\"2\"} 4\nvllm:e2e_request_latency_seconds_count{e=\"1\"} 5\n",
	"vllm:e2e_request_latency_seconds_bucket{le=\"1\"} 1\nvllm:e2e_request_latency_seconds_bucket{le=\"+Inf\"} 2\n",
	"<html><body>502</body></html>\n",
	"python_info 1\n",
}

// FuzzParse holds that no page panics, and that on every page which both this
// parser and Prometheus' own accept, the values are the same.
func FuzzParse(f *testing.F) {
	for _, page := range pages(f) {
		f.Add(page)
	}
	for _, page := range oddPages {
		f.Add([]byte(page))
	}
	f.Fuzz(func(t *testing.T, page []byte) { checkAgainstExpfmt(t, page) })
}

func checkAgainstExpfmt(t *testing.T, page []byte) {
	t.Helper()
	p, err := NewTables().NewParser("", 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	var got Stat
	if p.Parse(page, &got) != nil {
		return
	}
	byName, ok := readByExpfmt(page, p.current)
	if !ok {
		return
	}
	p.fill(&got) // as the page has it, before absent counters become zero
	want := oracle(p.current, byName)
	equal := cmp.Comparer(func(a, b float64) bool {
		return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b))
	})
	if diff := cmp.Diff(want, got, equal, cmpopts.EquateEmpty(), anyRank()); diff != "" {
		t.Errorf("expfmt and this parser disagree (-expfmt +this):\n%s\npage:\n%q", diff, page)
	}
}
