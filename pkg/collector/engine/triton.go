package engine

// tritonTensorRTLLM reads Triton Inference Server with the TensorRT-LLM backend,
// whose gauges tell their meaning in a label. It serves them on a port of its
// own. Names are those of the backend's custom metrics and of the Inference
// Extension's table; no page of a real one was at hand.
func tritonTensorRTLLM() table {
	requests := func(kind string) filter { return filter{label: "request_type", is: kind} }
	blocks := func(kind string) filter { return filter{label: "kv_cache_block_type", is: kind} }
	return table{
		name: "triton-tensorrt-llm", prefix: "nv_trt_llm_", path: "/metrics", port: 8002,
		rows: []row{
			{field: running, family: "nv_trt_llm_request_metrics", fold: sum, where: requests("scheduled"), fixed: true},
			// Old backends do not tell who waits: unknown, not none.
			{field: waiting, family: "nv_trt_llm_request_metrics", fold: sum, where: requests("waiting"), fixed: true},
			{field: kvUsage, family: "nv_trt_llm_kv_cache_block_metrics", fold: mean, where: blocks("fraction"), fixed: true},
			{field: kvUsed, family: "nv_trt_llm_kv_cache_block_metrics", fold: sum, where: blocks("used"), fixed: true},
			{field: kvBlocks, family: "nv_trt_llm_kv_cache_block_metrics", fold: sum, where: blocks("max"), fixed: true},
			{field: kvBlockSize, family: "nv_trt_llm_kv_cache_block_metrics", fold: largest, where: blocks("tokens_per"), fixed: true},
			{field: steps, family: "nv_trt_llm_general_metrics", fold: largest, where: filter{label: "general_type", is: "iteration_counter"}, fixed: true},
			// Histograms of tokens per request: their sums are all tokens, their count all answers.
			{field: promptTokens, family: "nv_llm_input_token_len", kind: histogramTotal, fold: sum},
			{field: generationTokens, family: "nv_llm_output_token_len", kind: histogramTotal, fold: sum},
			{field: finished, family: "nv_llm_output_token_len", kind: count, fold: sum},
		},
	}
}

// triton reads any other model on Triton: what is pending is all that it tells
// of the present. Its request and execution counts are since the start.
func triton() table {
	return table{
		name: "triton", prefix: "nv_inference_", path: "/metrics", port: 8002, general: true,
		rows: []row{
			{field: waiting, family: "nv_inference_pending_request_count", fold: sum},
			{field: finished, family: "nv_inference_request_success", kind: counter, fold: sum},
		},
	}
}
