package engine

// sglang reads SGLang served with --enable-metrics. The scheduler's gauges
// carry tp_rank and pp_rank, whose ranks report the same requests and are never
// added, and dp_rank, whose ranks each have their own requests and KV cache.
// Counters and histograms come from the tokenizer, once per request. The queues
// of prefill/decode disaggregation are not read.
func sglang() table {
	return table{
		name: "sglang", prefix: "sglang:", path: "/metrics", rank: "dp_rank",
		rows: []row{
			{field: running, family: "sglang:num_running_reqs", fold: sumRanks},
			{field: waiting, family: "sglang:num_queue_reqs", fold: sumRanks},
			// Requests whose grammar is being compiled stand in a queue of their own.
			{field: waiting, family: "sglang:num_grammar_queue_reqs", fold: sumRanks, plus: true},
			{field: kvUsage, family: "sglang:token_usage", fold: meanRanks},
			{field: kvCapacity, family: "sglang:max_total_num_tokens", fold: sumRanks},
			{field: promptTokens, family: "sglang:prompt_tokens", kind: counter, fold: sum},
			{field: generationTokens, family: "sglang:generation_tokens", kind: counter, fold: sum},
			{field: preemptions, family: "sglang:num_retracted_requests", kind: counter, fold: sumRanks},
			{field: finished, family: "sglang:num_requests", kind: counter, fold: sum},
			// Every prompt token is looked up in the radix cache.
			{field: prefixQueries, family: "sglang:prompt_tokens", kind: counter, fold: sum},
			{field: prefixHits, family: "sglang:cached_tokens", kind: counter, fold: sum},
			{field: created, family: "sglang:prompt_tokens_created", fold: largest},
			{field: created, family: "process_start_time_seconds", fold: largest},
			{field: ttft, family: "sglang:time_to_first_token_seconds", kind: histogram},
			{field: itl, family: "sglang:inter_token_latency_seconds", kind: histogram},
			{field: itl, family: "sglang:time_per_output_token_seconds", kind: histogram},
			{field: e2e, family: "sglang:e2e_request_latency_seconds", kind: histogram},
		},
	}
}
