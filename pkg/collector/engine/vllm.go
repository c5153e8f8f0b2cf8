package engine

// vllm reads vLLM's V1 engine (read from 0.32), the V0 engine of old images
// (0.4 to 0.10) and llm-d-inference-sim, which spells a few counters without
// _total and has no engine label. The label engine is the data-parallel rank;
// tensor-parallel ranks do not report.
func vllm() table {
	return table{
		name: "vllm", prefix: "vllm:", path: "/metrics", rank: "engine",
		rows: []row{
			{field: running, family: "vllm:num_requests_running", fold: sum},
			// All waiting requests, not only num_requests_waiting_by_reason{reason="capacity"}:
			// deferred ones are demand too, and old images and the simulator have no reasons.
			{field: waiting, family: "vllm:num_requests_waiting", fold: sum},
			// V0 moved preempted requests here; they wait for KV cache.
			{field: waiting, family: "vllm:num_requests_swapped", fold: sum, plus: true},
			{field: kvUsage, family: "vllm:kv_cache_usage_perc", fold: mean},
			{field: kvUsage, family: "vllm:gpu_cache_usage_perc", fold: mean},
			{field: kvCapacity, family: "vllm:cache_config_info", kind: info, fold: sum,
				product: [][]string{{"kv_cache_size_tokens"}, {"num_gpu_blocks", "block_size"}}},
			{field: promptTokens, family: "vllm:prompt_tokens", kind: counter, fold: sum},
			{field: generationTokens, family: "vllm:generation_tokens", kind: counter, fold: sum},
			// A histogram of tokens per engine step, despite its name.
			{field: steps, family: "vllm:iteration_tokens_total", kind: count, fold: sum},
			{field: preemptions, family: "vllm:num_preemptions", kind: counter, fold: sum},
			{field: finished, family: "vllm:request_success", kind: counter, fold: sum,
				where: filter{label: "finished_reason", not: []string{"abort", "error"}}},
			{field: prefixQueries, family: "vllm:prefix_cache_queries", kind: counter, fold: sum},
			{field: prefixQueries, family: "vllm:gpu_prefix_cache_queries", kind: counter, fold: sum},
			{field: prefixHits, family: "vllm:prefix_cache_hits", kind: counter, fold: sum},
			{field: prefixHits, family: "vllm:gpu_prefix_cache_hits", kind: counter, fold: sum},
			{field: created, family: "vllm:prompt_tokens_created", fold: largest},
			{field: created, family: "process_start_time_seconds", fold: largest},
			{field: awake, family: "vllm:engine_sleep_state", fold: largest,
				where: filter{label: "sleep_state", is: "awake"}},
			{field: ttft, family: "vllm:time_to_first_token_seconds", kind: histogram},
			{field: itl, family: "vllm:inter_token_latency_seconds", kind: histogram},
			{field: itl, family: "vllm:time_per_output_token_seconds", kind: histogram},
			{field: e2e, family: "vllm:e2e_request_latency_seconds", kind: histogram},
			{field: adapters, family: "vllm:lora_requests_info", kind: lora},
		},
	}
}
