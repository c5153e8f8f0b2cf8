package engines

var (
	_ = register(tritonTensorRTLLM())
	_ = register(triton())
)

// tritonPort is where Triton serves its metrics.
const tritonPort = 8002

// tritonPending counts the requests that wait for a model on Triton.
const tritonPending = "nv_inference_pending_request_count"

// tritonTensorRTLLM reads Triton Inference Server with the TensorRT-LLM backend,
// whose gauges have their meaning in a label. It serves them on a port of its
// own. Names are those of the backend's custom metrics and of the Inference
// Extension's table; no page of a real one was at hand.
func tritonTensorRTLLM() Engine {
	requests := func(kind string) Filter { return Filter{Label: "request_type", Is: kind} }
	blocks := func(kind string) Filter { return Filter{Label: "kv_cache_block_type", Is: kind} }
	return Engine{
		Name: "triton-tensorrt-llm", Prefix: "nv_trt_llm_", Port: tritonPort, Protocol: KServeV2,
		Signs:  []Sign{{"tritonserver", "trtllm"}, {"tritonserver", "tensorrt_llm"}},
		Picker: Picker{Scorers: []string{QueueScorer, KVCacheScorer}},
		Doc: Doc{Remarks: map[Field]string{
			Running: "yes (scheduled)",
			Waiting: "yes; unknown with old backends",
		}},
		Rows: []Row{
			{Field: Running, Family: "nv_trt_llm_request_metrics", Fold: Sum, Where: requests("scheduled"), Fixed: true},
			// Old backends do not report waiting requests: unknown, not none.
			{Field: Waiting, Family: "nv_trt_llm_request_metrics", Fold: Sum, Where: requests("waiting"), Fixed: true},
			{Field: KVUsage, Family: "nv_trt_llm_kv_cache_block_metrics", Fold: Weighted, Where: blocks("fraction"), Fixed: true},
			{Field: KVUsed, Family: "nv_trt_llm_kv_cache_block_metrics", Fold: Sum, Where: blocks("used"), Fixed: true},
			{Field: KVBlocks, Family: "nv_trt_llm_kv_cache_block_metrics", Fold: Sum, Where: blocks("max"), Fixed: true},
			{Field: KVBlockSize, Family: "nv_trt_llm_kv_cache_block_metrics", Fold: Largest, Where: blocks("tokens_per"), Fixed: true},
			{Field: Steps, Family: "nv_trt_llm_general_metrics", Fold: Largest, Where: Filter{Label: "general_type", Is: "iteration_counter"}, Fixed: true},
			// Histograms of tokens per request: their sums are all tokens, their count all answers.
			{Field: PromptTokens, Family: "nv_llm_input_token_len", Kind: HistogramTotal, Fold: Sum},
			{Field: GenerationTokens, Family: "nv_llm_output_token_len", Kind: HistogramTotal, Fold: Sum},
			{Field: Finished, Family: "nv_llm_output_token_len", Kind: Count, Fold: Sum},
		},
	}
}

// triton reads any other model on Triton: the pending requests are all that Triton
// itself reports of the present. Its request and execution counts are since the start.
// With the vLLM backend (vllm_backend, src/utils/metrics.py) the page has metrics of
// vLLM too.
func triton() Engine {
	return Engine{
		Name: "triton", Prefix: "nv_inference_", Port: tritonPort, General: true, Protocol: KServeV2,
		Signs:  []Sign{{"tritonserver"}},
		Picker: Picker{Scorers: []string{QueueScorer}, Waiting: tritonPending},
		Doc: Doc{Remarks: map[Field]string{
			Running:      "with the vLLM backend",
			Waiting:      "yes (pending)",
			KVUsage:      "with the vLLM backend",
			PromptTokens: "with the vLLM backend",
		}},
		// vLLM's rows first: a page means the same whether the engine was named or recognised.
		Rows: append(renamed(vllm().Rows, vllmPrefix),
			Row{Field: Waiting, Family: tritonPending, Fold: Sum},
			Row{Field: Finished, Family: "nv_inference_request_success", Kind: Counter, Fold: Sum},
		),
	}
}
