package engines

var _ = register(llamaCPP())

// llamaCPP reads llama.cpp's llama-server. Names are from its README (tools/server)
// and, for the KV cache, from that of builds before August 2025; no page of a real
// one was at hand. It has no histograms: latencies are unknown.
func llamaCPP() Engine {
	return Engine{
		Name: "llama.cpp", Also: []string{"llama-server", "llama-cpp-server"}, Prefix: "llamacpp:",
		Signs:  []Sign{{"llama-server"}, {"llama.cpp"}},
		Picker: Picker{Scorers: []string{QueueScorer}, Waiting: "llamacpp:requests_deferred", Running: "llamacpp:requests_processing"},
		Doc: Doc{
			Needs:   "with `--metrics`",
			Remarks: map[Field]string{KVUsage: "old builds only"},
		},
		Rows: []Row{
			{Field: Running, Family: "llamacpp:requests_processing", Fold: Sum},
			// Requests that wait for a slot.
			{Field: Waiting, Family: "llamacpp:requests_deferred", Fold: Sum},
			{Field: KVUsage, Family: "llamacpp:kv_cache_usage_ratio", Fold: Weighted},
			{Field: PromptTokens, Family: "llamacpp:prompt_tokens", Kind: Counter, Fold: Sum},
			{Field: GenerationTokens, Family: "llamacpp:tokens_predicted", Kind: Counter, Fold: Sum},
			// Calls of llama_decode.
			{Field: Steps, Family: "llamacpp:n_decode", Kind: Counter, Fold: Sum},
		},
	}
}
