package engines

var _ = register(lmdeploy())

// lmdeploy reads LMDeploy served with metrics enabled. The label engine is the
// data-parallel rank. Names are from its loggers.py; no page of a real one was at hand.
func lmdeploy() Engine {
	return Engine{
		Name: "lmdeploy", Prefix: "lmdeploy:", Ranks: []string{"engine"},
		Signs: []Sign{{"lmdeploy"}},
		Picker: Picker{
			Scorers: []string{QueueScorer, KVCacheScorer},
			Waiting: "lmdeploy:num_requests_waiting", Running: "lmdeploy:num_requests_running", KVUsage: "lmdeploy:gpu_cache_usage_perc",
		},
		Doc: Doc{Needs: "with metrics enabled"},
		Rows: []Row{
			{Field: Running, Family: "lmdeploy:num_requests_running", Fold: Sum},
			{Field: Waiting, Family: "lmdeploy:num_requests_waiting", Fold: Sum},
			// Requests that wait for a handle have not reached the engine's queue yet.
			{Field: Waiting, Family: "lmdeploy:num_api_requests_waiting", Fold: Sum, Plus: true},
			{Field: KVUsage, Family: "lmdeploy:gpu_cache_usage_perc", Fold: Weighted},
			{Field: PromptTokens, Family: "lmdeploy:prompt_tokens", Kind: Counter, Fold: Sum},
			{Field: GenerationTokens, Family: "lmdeploy:generation_tokens", Kind: Counter, Fold: Sum},
			{Field: Finished, Family: "lmdeploy:request_success", Kind: Counter, Fold: Sum,
				Where: Filter{Label: "finished_reason", Not: []string{"abort", "error"}}},
			{Field: Created, Family: "lmdeploy:prompt_tokens_created", Fold: Largest},
			{Field: Created, Family: processStart, Fold: Largest, Shared: true},
			{Field: TTFT, Family: "lmdeploy:time_to_first_token_seconds", Kind: Histogram},
			{Field: ITL, Family: "lmdeploy:iter_token_latency", Kind: Histogram},
			{Field: ITL, Family: "lmdeploy:time_per_output_token_seconds", Kind: Histogram},
			{Field: E2E, Family: "lmdeploy:e2e_request_latency_seconds", Kind: Histogram},
		},
	}
}
