package cases

import (
	"math"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
)

// Every page is read as the engine that it is of, with the numbers that it has.
func TestPages(t *testing.T) {
	unknown := math.NaN()
	for _, tt := range []struct {
		page, named, engine     string
		running, waiting, kv    float64
		firstTokens, outputGaps float64
	}{
		{"unknown-engines/ray-serve-llm.prom.txt", "", "ray-serve-llm", 6, 40, 0.93, unknown, unknown},
		{"unknown-engines/llama-cpp.prom.txt", "", "llama.cpp", 4, 22, unknown, unknown, unknown},
		{"unknown-engines/tei.prom.txt", "", "text-embeddings-inference", unknown, 64, unknown, unknown, unknown},
		{"trtllm-serve-1.0/page.prom.txt", "trtllm-serve", "trtllm-serve", unknown, unknown, unknown, 44, 44},
		{"triton-vllm-backend/page.prom.txt", "", "vllm", unknown, 17, unknown, 30, 770},
		{"triton-vllm-backend/page.prom.txt", "triton", "triton", unknown, 17, unknown, 30, 770},
		{"sglang-context-parallel/cp8.prom.txt", "", "sglang", 12, 5, 0.61, unknown, unknown},
		{"sglang-context-parallel/dp8.prom.txt", "", "sglang", 22, 15, 1.8325 / 2.65, unknown, unknown},
	} {
		p, err := engine.NewTables().NewParser(tt.named, 64<<10)
		if err != nil {
			t.Fatal(err)
		}
		s := engine.NewStat("")
		if err := p.Parse(read(t, tt.page), &s); err != nil {
			t.Errorf("%s, engine %q: %v", tt.page, tt.named, err)
			continue
		}
		if s.Engine != tt.engine {
			t.Errorf("%s, engine %q: read as %s, want %s", tt.page, tt.named, s.Engine, tt.engine)
		}
		for name, v := range map[string][2]float64{
			"running": {s.Running, tt.running}, "waiting": {s.Waiting, tt.waiting}, "KV cache": {s.KVUsage, tt.kv},
			"first tokens": {s.TTFT.Count, tt.firstTokens}, "gaps": {s.ITL.Count, tt.outputGaps},
		} {
			if math.Abs(v[0]-v[1]) > 1e-9 || math.IsNaN(v[0]) != math.IsNaN(v[1]) {
				t.Errorf("%s, engine %q: %s is %v, want %v", tt.page, tt.named, name, v[0], v[1])
			}
		}
	}
}
