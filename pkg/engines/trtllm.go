package engines

var _ = register(trtllmServe())

// trtllmServe reads trtllm-serve, TensorRT-LLM's own server. Its page is not
// where others have theirs: /metrics there is JSON. Names are from its
// documentation (tensorrt_llm/metrics/collector.py) and the Inference Extension's table; no page of
// a real one was at hand.
func trtllmServe() Engine {
	succeeded := Filter{Label: "finished_reason", Not: []string{"abort", "error", "cancelled"}}
	return Engine{
		Name: "trtllm-serve", Also: []string{"tensorrt-llm", "trt-llm", "trtllm"}, Prefix: "trtllm_", Path: "/prometheus/metrics",
		Signs:  []Sign{{"trtllm-serve"}},
		Picker: Picker{Scorers: []string{QueueScorer, KVCacheScorer, PrefixCacheScorer}},
		Doc:    Doc{Remarks: map[Field]string{Running: "1.3 or newer", Waiting: "1.3 or newer", KVUsage: "1.3 or newer", PromptTokens: "where its version has the counters"}},
		Rows: []Row{
			{Field: Running, Family: "trtllm_num_requests_running", Fold: Sum},
			{Field: Waiting, Family: "trtllm_num_requests_waiting", Fold: Sum},
			{Field: KVUsage, Family: "trtllm_kv_cache_utilization", Fold: Weighted},
			{Field: KVBlocks, Family: "trtllm_kv_cache_max_blocks", Fold: Sum},
			{Field: KVBlockSize, Family: "trtllm_kv_cache_tokens_per_block", Fold: Largest},
			{Field: PromptTokens, Family: "trtllm_prompt_tokens", Kind: Counter, Fold: Sum},
			{Field: GenerationTokens, Family: "trtllm_generation_tokens", Kind: Counter, Fold: Sum},
			{Field: Finished, Family: "trtllm_request_success", Kind: Counter, Fold: Sum,
				Where: succeeded},
			{Field: Created, Family: processStart, Fold: Largest, Shared: true},
			{Field: TTFT, Family: "trtllm_time_to_first_token_seconds", Kind: Histogram},
			{Field: ITL, Family: "trtllm_time_per_output_token_seconds", Kind: Histogram},
			{Field: E2E, Family: "trtllm_e2e_request_latency_seconds", Kind: Histogram},
			// Before 1.3 the names had no prefix, and there were no gauges: such a page is
			// read where the annotation names the engine.
			{Field: Finished, Family: "request_success", Kind: Counter, Fold: Sum, Where: succeeded},
			{Field: TTFT, Family: "time_to_first_token_seconds", Kind: Histogram},
			{Field: ITL, Family: "time_per_output_token_seconds", Kind: Histogram},
			{Field: E2E, Family: "e2e_request_latency_seconds", Kind: Histogram},
		},
	}
}
