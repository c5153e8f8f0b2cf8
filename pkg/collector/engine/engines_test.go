package engine

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
)

// stat is a Stat in which only what set changes is known.
func stat(name string, set func(*Stat)) Stat {
	s := NewStat(name)
	set(&s)
	return s
}

// Pages of engines that were rebuilt from public reports and documentation.
func TestParse_reportedPages(t *testing.T) {
	first := Histogram{Bounds: []float64{0.1, 1}, Counts: []float64{12, 30}, Count: 30, Sum: 4.2}
	between := Histogram{Bounds: []float64{0.05}, Counts: []float64{700}, Count: 770, Sum: 20}
	embedding := Histogram{Bounds: []float64{0.01, 0.5}, Counts: []float64{400, 1000}, Count: 1005, Sum: 120.5}
	tests := []struct {
		page, engine string
		want         Stat
	}{
		{"llama-cpp-synthetic.prom.txt", "", stat("llama.cpp", func(s *Stat) {
			s.Running, s.Waiting, s.PromptTokens, s.GenerationTokens, s.Steps = 4, 22, 143, 950, 310
		})},
		{"llama-cpp-gauges-synthetic.prom.txt", "", stat("llama.cpp", func(s *Stat) { s.Running, s.Waiting, s.PromptTokens = 4, 22, 143 })},
		{"ray-serve-llm-gauges-synthetic.prom.txt", "", stat("ray-serve-llm", func(s *Stat) { s.Running, s.Waiting, s.KVUsage = 6, 40, 0.93 })},
		{"ray-serve-llm-synthetic.prom.txt", "", stat("ray-serve-llm", func(s *Stat) {
			s.Ranks, s.Running, s.Waiting, s.KVUsage, s.PromptTokens, s.GenerationTokens = 2, 8, 40, 0.75, 700, 900
			s.TTFT = Histogram{Bounds: []float64{0.1}, Counts: []float64{1}, Count: 3, Sum: 1.5}
		})},
		{"tei-queue-synthetic.prom.txt", "", stat("text-embeddings-inference", func(s *Stat) { s.Waiting = 64 })},
		{"tei-synthetic.prom.txt", "", stat("text-embeddings-inference", func(s *Stat) {
			s.Waiting, s.PromptTokens, s.Finished, s.TTFT, s.E2E = 64, 655360, 1005, embedding, embedding
		})},
		{"triton-vllm-synthetic.prom.txt", "", stat("vllm", func(s *Stat) {
			s.Waiting, s.PromptTokens, s.GenerationTokens, s.TTFT, s.ITL = 17, 5000, 800, first, between
		})},
		{"triton-vllm-synthetic.prom.txt", "triton", stat("triton", func(s *Stat) {
			s.Waiting, s.PromptTokens, s.GenerationTokens, s.Finished, s.TTFT, s.ITL = 17, 5000, 800, 30, first, between
		})},
		{"trtllm-serve-1.0-synthetic.named.txt", "trtllm-serve", stat("trtllm-serve", func(s *Stat) {
			s.Finished = 40
			s.TTFT = Histogram{Bounds: []float64{0.1, 0.5, 1, 2.5}, Counts: []float64{10, 20, 30, 40}, Count: 44, Sum: 20}
			s.ITL = Histogram{Bounds: []float64{0.01, 0.05, 0.1}, Counts: []float64{10, 20, 30}, Count: 44, Sum: 1.5}
			s.E2E = Histogram{Bounds: []float64{1, 5, 10}, Counts: []float64{10, 20, 30}, Count: 40, Sum: 130}
		})},
	}
	for _, tt := range tests {
		page, err := os.ReadFile("testdata/" + tt.page)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parse(t, tt.engine, page)
		if err != nil {
			t.Errorf("%s, engine %q: %v", tt.page, tt.engine, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateNaNs(), cmpopts.EquateEmpty(), cmpopts.EquateApprox(1e-12, 0)); diff != "" {
			t.Errorf("%s, engine %q (-want +got):\n%s", tt.page, tt.engine, diff)
		}
	}
}

// Eight ranks of context parallelism report the same requests, eight data-parallel
// ranks each their own.
func TestParse_sglangRanks(t *testing.T) {
	all := pages(t)
	for page, want := range map[string][2]float64{"sglang-cp8-synthetic.prom.txt": {12, 5}, "sglang-dp8-synthetic.prom.txt": {22, 15}} {
		if s, err := parse(t, "", all[page]); err != nil || s.Running != want[0] || s.Waiting != want[1] {
			t.Errorf("%s: running %v, waiting %v, %v; want %v", page, s.Running, s.Waiting, err, want)
		}
	}
}

// A page that only has what many programs have is nobody's, also where an engine is named.
func TestParse_sharedMetricsAreNoEngine(t *testing.T) {
	for _, name := range engines.Names() {
		if s, err := parse(t, name, []byte("process_start_time_seconds 1.7e9\nhttp_requests_total 3\n")); err == nil {
			t.Errorf("engine %s reads a page of another program: %+v", name, s)
		}
	}
}

// Every engine has a page in testdata.
func TestEngines_haveAPage(t *testing.T) {
	read := map[string]bool{}
	for _, page := range pages(t) {
		if s, err := parse(t, "", page); err == nil {
			read[s.Engine] = true
		}
	}
	var missing []string
	for _, name := range engines.Names() {
		if !read[name] {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		t.Errorf("no page in testdata is of %s", strings.Join(missing, ", "))
	}
}
