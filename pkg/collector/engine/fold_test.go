package engine

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// A pod's KV cache is as full as the caches of its ranks are for the requests in them.
func TestParse_unequalRanks(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		ranks []float64
		want  float64
	}{
		{[]float64{.4}, .4},
		{[]float64{.4, .4}, .4},
		{[]float64{.95, .05}, .905},
		{[]float64{1, 0, 0, 0, 0, 0, 0, 0}, 1},
		{[]float64{0, 0}, 0},
		{[]float64{.9, nan}, nan},
		{[]float64{.9, -.1}, nan},
		{[]float64{.9, math.Inf(1)}, nan},
	}
	for _, engine := range []string{"vllm:num_requests_running 0 vllm:kv_cache_usage_perc engine", "sglang:num_running_reqs 0 sglang:token_usage dp_rank"} {
		name := strings.Fields(engine)
		for _, tt := range tests {
			t.Run(fmt.Sprint(name[2], tt.ranks), func(t *testing.T) {
				page := "# TYPE " + name[0] + " gauge\n# TYPE " + name[2] + " gauge\n"
				for rank, v := range tt.ranks {
					page += fmt.Sprintf("%s{%s=\"%d\"} 1\n%s{%s=\"%d\"} %v\n", name[0], name[3], rank, name[2], name[3], rank, v)
				}
				got, err := parse(t, "", []byte(page))
				if err != nil {
					t.Fatal(err)
				}
				if math.Abs(got.KVUsage-tt.want) > 1e-9 || math.IsNaN(got.KVUsage) != math.IsNaN(tt.want) {
					t.Errorf("KV cache %v, want %v", got.KVUsage, tt.want)
				}
			})
		}
	}
}
