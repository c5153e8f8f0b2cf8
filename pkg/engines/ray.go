package engines

import "strings"

var _ = register(rayServeLLM())

// rayServeLLM reads Ray Serve LLM, whose engine is vLLM: Ray publishes vLLM's metrics
// under names of its own, with the labels ReplicaId and WorkerId, on the metrics port
// of the Ray node: each replica of the node has ranks of its own. Names follow vLLM's
// vllm/v1/metrics/ray_wrappers.py, which replaces the colon; Ray of 2025 kept it. No page of
// a real one was at hand.
func rayServeLLM() Engine {
	const prefix = "ray_vllm"
	return Engine{
		Name: "ray-serve-llm", Also: []string{"ray", "ray-serve", "ray-llm"}, Prefix: prefix, Port: 8080, Ranks: append(vllmRanks(), "ReplicaId", "WorkerId"),
		Signs: []Sign{{"ray-llm"}, {"ray.serve.llm"}},
		Picker: Picker{
			Scorers: []string{QueueScorer, KVCacheScorer, PrefixCacheScorer},
			Waiting: prefix + "_num_requests_waiting", Running: prefix + "_num_requests_running", KVUsage: prefix + "_kv_cache_usage_perc",
		},
		Doc:  Doc{Needs: "with `--metrics-export-port=8080`"},
		Rows: append(renamed(vllm().Rows, prefix+"_"), renamed(vllm().Rows, prefix+":")...),
	}
}

// renamed returns rows of vLLM's own metrics under another prefix.
func renamed(rows []Row, prefix string) (out []Row) {
	for _, r := range rows {
		if name, own := strings.CutPrefix(r.Family, vllmPrefix); own {
			r.Family = prefix + name
			out = append(out, r)
		}
	}
	return out
}
