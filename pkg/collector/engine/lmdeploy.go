package engine

// lmdeploy reads LMDeploy served with metrics enabled. The label engine is the
// data-parallel rank. Names are from its loggers.py; no page of a real one was at hand.
func lmdeploy() table {
	return table{
		name: "lmdeploy", prefix: "lmdeploy:", path: "/metrics", rank: "engine",
		rows: []row{
			{field: running, family: "lmdeploy:num_requests_running", fold: sum},
			{field: waiting, family: "lmdeploy:num_requests_waiting", fold: sum},
			// Requests that wait for a handle have not reached the engine's queue yet.
			{field: waiting, family: "lmdeploy:num_api_requests_waiting", fold: sum, plus: true},
			{field: kvUsage, family: "lmdeploy:gpu_cache_usage_perc", fold: mean},
			{field: promptTokens, family: "lmdeploy:prompt_tokens", kind: counter, fold: sum},
			{field: generationTokens, family: "lmdeploy:generation_tokens", kind: counter, fold: sum},
			{field: finished, family: "lmdeploy:request_success", kind: counter, fold: sum,
				where: filter{label: "finished_reason", not: []string{"abort", "error"}}},
			{field: created, family: "lmdeploy:prompt_tokens_created", fold: largest},
			{field: created, family: "process_start_time_seconds", fold: largest},
			{field: ttft, family: "lmdeploy:time_to_first_token_seconds", kind: histogram},
			{field: itl, family: "lmdeploy:iter_token_latency", kind: histogram},
			{field: itl, family: "lmdeploy:time_per_output_token_seconds", kind: histogram},
			{field: e2e, family: "lmdeploy:e2e_request_latency_seconds", kind: histogram},
		},
	}
}
