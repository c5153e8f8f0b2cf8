package engine

// tgi reads Hugging Face's Text Generation Inference, of which one router with
// one batch stands for the pod. It tells no time to the first token, and no share
// of the KV cache: that is the tokens which the batch may grow to, of those that
// fit. Names are from its documentation; no page of a real one was at hand.
func tgi() table {
	return table{
		name: "tgi", prefix: "tgi_", path: "/metrics",
		rows: []row{
			{field: running, family: "tgi_batch_current_size", fold: sum},
			{field: waiting, family: "tgi_queue_size", fold: sum},
			{field: kvUsed, family: "tgi_batch_current_max_tokens", fold: sum},
			{field: kvCapacity, family: "tgi_batch_max_total_tokens", fold: sum},
			{field: promptTokens, family: "tgi_request_input_length", kind: histogramTotal, fold: sum},
			{field: generationTokens, family: "tgi_request_generated_tokens", kind: histogramTotal, fold: sum},
			{field: finished, family: "tgi_request_success", kind: counter, fold: sum},
			// A mean over each request's tokens, not every gap.
			{field: itl, family: "tgi_request_mean_time_per_token_duration", kind: histogram},
			{field: e2e, family: "tgi_request_duration", kind: histogram},
		},
	}
}
