package engines

var _ = register(sglang())

// sglang reads SGLang served with --enable-metrics. The scheduler's gauges
// carry tp_rank and pp_rank, whose ranks report the same requests and are never
// added, and dp_rank, whose ranks each have their own requests and KV cache.
// Counters and histograms come from the tokenizer, once per request. The queues
// of prefill/decode disaggregation are not read.
func sglang() Engine {
	return Engine{
		Name: "sglang", Prefix: "sglang:", Ranks: []string{"dp_rank"},
		Signs:  []Sign{{"sglang"}},
		Picker: Picker{Scorers: []string{QueueScorer, KVCacheScorer, PrefixCacheScorer}},
		Doc:    Doc{Needs: "with `--enable-metrics`"},
		Rows: []Row{
			{Field: Running, Family: "sglang:num_running_reqs", Fold: SumRanks},
			{Field: Waiting, Family: "sglang:num_queue_reqs", Fold: SumRanks},
			// Requests whose grammar is being compiled stand in a queue of their own.
			{Field: Waiting, Family: "sglang:num_grammar_queue_reqs", Fold: SumRanks, Plus: true},
			{Field: Deferred, Family: "sglang:num_grammar_queue_reqs", Fold: SumRanks},
			{Field: KVUsage, Family: "sglang:token_usage", Fold: WeightedRanks},
			{Field: KVCapacity, Family: "sglang:max_total_num_tokens", Fold: SumRanks},
			{Field: PromptTokens, Family: "sglang:prompt_tokens", Kind: Counter, Fold: Sum},
			{Field: GenerationTokens, Family: "sglang:generation_tokens", Kind: Counter, Fold: Sum},
			{Field: Preemptions, Family: "sglang:num_retracted_requests", Kind: Counter, Fold: SumRanks},
			{Field: Finished, Family: "sglang:num_requests", Kind: Counter, Fold: Sum},
			// Every prompt token is looked up in the radix cache.
			{Field: PrefixQueries, Family: "sglang:prompt_tokens", Kind: Counter, Fold: Sum},
			{Field: PrefixHits, Family: "sglang:cached_tokens", Kind: Counter, Fold: Sum},
			{Field: Created, Family: "sglang:prompt_tokens_created", Fold: Largest},
			{Field: Created, Family: processStart, Fold: Largest, Shared: true},
			{Field: TTFT, Family: "sglang:time_to_first_token_seconds", Kind: Histogram},
			{Field: ITL, Family: "sglang:inter_token_latency_seconds", Kind: Histogram},
			{Field: ITL, Family: "sglang:time_per_output_token_seconds", Kind: Histogram},
			{Field: E2E, Family: "sglang:e2e_request_latency_seconds", Kind: Histogram},
		},
	}
}
