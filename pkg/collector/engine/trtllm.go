package engine

// trtllmServe reads trtllm-serve, TensorRT-LLM's own server. Its page is not
// where others have theirs: /metrics there is JSON. Names are from its
// documentation and the Inference Extension's table; no page of a real one was at hand.
func trtllmServe() table {
	return table{
		name: "trtllm-serve", prefix: "trtllm_", path: "/prometheus/metrics",
		rows: []row{
			{field: running, family: "trtllm_num_requests_running", fold: sum},
			{field: waiting, family: "trtllm_num_requests_waiting", fold: sum},
			{field: kvUsage, family: "trtllm_kv_cache_utilization", fold: mean},
			{field: kvBlocks, family: "trtllm_kv_cache_max_blocks", fold: sum},
			{field: kvBlockSize, family: "trtllm_kv_cache_tokens_per_block", fold: largest},
			{field: promptTokens, family: "trtllm_prompt_tokens", kind: counter, fold: sum},
			{field: generationTokens, family: "trtllm_generation_tokens", kind: counter, fold: sum},
			{field: finished, family: "trtllm_request_success", kind: counter, fold: sum,
				where: filter{label: "finished_reason", not: []string{"abort", "error", "cancelled"}}},
			{field: created, family: "process_start_time_seconds", fold: largest},
			{field: ttft, family: "trtllm_time_to_first_token_seconds", kind: histogram},
			{field: itl, family: "trtllm_time_per_output_token_seconds", kind: histogram},
			{field: e2e, family: "trtllm_e2e_request_latency_seconds", kind: histogram},
		},
	}
}
