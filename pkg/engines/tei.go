package engines

var _ = register(textEmbeddings())

// textEmbeddings reads Hugging Face's Text Embeddings Inference, which embeds, ranks
// and classifies. Names are from its sources (core/src/queue.rs, infer.rs); no page
// of a real one was at hand. No metric exists before the first request.
func textEmbeddings() Engine {
	return Engine{
		Name: "text-embeddings-inference", Also: []string{"tei"}, Prefix: "te_",
		Signs:  []Sign{{"text-embeddings-inference"}, {"text-embeddings-router"}},
		Picker: Picker{Scorers: []string{QueueScorer}, Waiting: "te_queue_size"},
		Doc: Doc{Remarks: map[Field]string{
			Waiting:      "yes, after the first request",
			PromptTokens: "prompt tokens only",
		}},
		Rows: []Row{
			{Field: Waiting, Family: "te_queue_size", Fold: Sum},
			// Tokens of each batch: the sum is all tokens.
			{Field: PromptTokens, Family: "te_batch_next_tokens", Kind: HistogramTotal, Fold: Sum},
			{Field: Finished, Family: "te_request_success", Kind: Counter, Fold: Sum},
			// An answer comes as a whole: its end is its first token.
			{Field: TTFT, Family: "te_request_duration", Kind: Histogram},
			{Field: E2E, Family: "te_request_duration", Kind: Histogram},
		},
	}
}
