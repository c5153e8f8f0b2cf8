package engines

var _ = register(tgi())

// tgi reads Hugging Face's Text Generation Inference, one router with
// one batch in the pod. It reports no time to first token, and no share of the
// KV cache: that is the tokens which the batch may grow to, of those that
// fit. Names are from its documentation; no page of a real one was at hand.
func tgi() Engine {
	return Engine{
		Name: "tgi", Also: []string{"text-generation-inference", "huggingface-tgi"}, Prefix: "tgi_",
		Signs:  []Sign{{"text-generation-inference"}, {"text-generation-launcher"}},
		Picker: Picker{Scorers: []string{QueueScorer}, Waiting: "tgi_queue_size", Running: "tgi_batch_current_size"},
		Doc: Doc{Remarks: map[Field]string{
			KVUsage:      "tokens the batch may grow to, of those that fit",
			PromptTokens: "yes, as requests end",
		}},
		Rows: []Row{
			{Field: Running, Family: "tgi_batch_current_size", Fold: Sum},
			{Field: Waiting, Family: "tgi_queue_size", Fold: Sum},
			{Field: KVUsed, Family: "tgi_batch_current_max_tokens", Fold: Sum},
			{Field: KVCapacity, Family: "tgi_batch_max_total_tokens", Fold: Sum},
			{Field: PromptTokens, Family: "tgi_request_input_length", Kind: HistogramTotal, Fold: Sum},
			{Field: GenerationTokens, Family: "tgi_request_generated_tokens", Kind: HistogramTotal, Fold: Sum},
			{Field: Finished, Family: "tgi_request_success", Kind: Counter, Fold: Sum},
			// A mean over each request's tokens, not every gap.
			{Field: ITL, Family: "tgi_request_mean_time_per_token_duration", Kind: Histogram},
			{Field: E2E, Family: "tgi_request_duration", Kind: Histogram},
		},
	}
}
