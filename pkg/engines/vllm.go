package engines

// VLLM is the name of the engine that a gateway assumes without any sign of another.
const VLLM = "vllm"

const vllmPrefix = "vllm:"

var _ = register(vllm())

// vllm reads vLLM's V1 engine (read from 0.32), the V0 engine of old images
// (0.4 to 0.10) and llm-d-inference-sim, which spells a few counters without
// _total and has no engine label. The label engine is the data-parallel rank, and dp_rank where
// something in front of several vLLMs names theirs; tensor-parallel ranks do not report.
func vllm() Engine {
	return Engine{
		Name: VLLM, Also: []string{"vllm-openai", "vllm-cpu"}, Prefix: vllmPrefix, Ranks: vllmRanks(),
		Signs:  []Sign{{"vllm"}},
		Picker: Picker{Scorers: []string{QueueScorer, KVCacheScorer, PrefixCacheScorer, LoRAScorer}},
		Rows: []Row{
			{Field: Running, Family: "vllm:num_requests_running", Fold: Sum},
			{Field: Waiting, Family: "vllm:num_requests_waiting", Fold: Sum},
			// For a KV transfer, a LoRA slot or a paused session. Old images and the simulator have no reasons.
			{Field: Deferred, Family: "vllm:num_requests_waiting_by_reason", Fold: Sum,
				Where: Filter{Label: "reason", Is: "deferred"}},
			// Triton with the vLLM backend of 2024 reports the queue by its own name only.
			{Field: Waiting, Family: tritonPending, Fold: Sum, Shared: true},
			// V0 moved preempted requests here; they wait for KV cache.
			{Field: Waiting, Family: "vllm:num_requests_swapped", Fold: Sum, Plus: true},
			{Field: KVUsage, Family: "vllm:kv_cache_usage_perc", Fold: Weighted},
			{Field: KVUsage, Family: "vllm:gpu_cache_usage_perc", Fold: Weighted},
			{Field: KVCapacity, Family: "vllm:cache_config_info", Kind: Info, Fold: Sum,
				Product: [][]string{{"kv_cache_size_tokens"}, {"num_gpu_blocks", "block_size"}}},
			{Field: PromptTokens, Family: "vllm:prompt_tokens", Kind: Counter, Fold: Sum},
			{Field: GenerationTokens, Family: "vllm:generation_tokens", Kind: Counter, Fold: Sum},
			// A histogram of tokens per engine step, despite its name.
			{Field: Steps, Family: "vllm:iteration_tokens_total", Kind: Count, Fold: Sum},
			{Field: Preemptions, Family: "vllm:num_preemptions", Kind: Counter, Fold: Sum},
			{Field: Finished, Family: "vllm:request_success", Kind: Counter, Fold: Sum,
				Where: Filter{Label: "finished_reason", Not: []string{"abort", "error"}}},
			{Field: PrefixQueries, Family: "vllm:prefix_cache_queries", Kind: Counter, Fold: Sum},
			{Field: PrefixQueries, Family: "vllm:gpu_prefix_cache_queries", Kind: Counter, Fold: Sum},
			{Field: PrefixHits, Family: "vllm:prefix_cache_hits", Kind: Counter, Fold: Sum},
			{Field: PrefixHits, Family: "vllm:gpu_prefix_cache_hits", Kind: Counter, Fold: Sum},
			{Field: Created, Family: "vllm:prompt_tokens_created", Fold: Largest},
			{Field: Created, Family: processStart, Fold: Largest, Shared: true},
			{Field: Awake, Family: "vllm:engine_sleep_state", Fold: Largest,
				Where: Filter{Label: "sleep_state", Is: "awake"}},
			{Field: TTFT, Family: "vllm:time_to_first_token_seconds", Kind: Histogram},
			{Field: ITL, Family: "vllm:inter_token_latency_seconds", Kind: Histogram},
			{Field: ITL, Family: "vllm:time_per_output_token_seconds", Kind: Histogram},
			{Field: E2E, Family: "vllm:e2e_request_latency_seconds", Kind: Histogram},
			{Field: QueueTime, Family: "vllm:request_queue_time_seconds", Kind: Histogram},
			{Field: PrefillTime, Family: "vllm:request_prefill_time_seconds", Kind: Histogram},
			{Field: PromptLengths, Family: "vllm:request_prompt_tokens", Kind: Histogram},
			{Field: Adapters, Family: "vllm:lora_requests_info", Kind: LoRA},
		},
	}
}

// vllmRanks are the labels of data-parallel ranks of vLLM and of what is built on it.
func vllmRanks() []string { return []string{"engine", "dp_rank"} }
