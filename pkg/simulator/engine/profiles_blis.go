package engine

// blis are further engines of BLIS's published set. It also has the A100 with
// Llama-3.1-8B and, four of them, with Llama-3.3-70B; those are Vidur's here, whose
// layers were measured (a test compares the two).
func blis() []Profile {
	all := []Profile{
		{GPU: "h100", Model: "llama-3.1-8b-fp8", StepBase: 3992, PerToken: 10.9, PerKVToken: .0762, KVTokens: 482_000},
		{GPU: "h100", Model: "qwen2.5-7b", StepBase: 6333, PerToken: 20.3, PerKVToken: .0333, KVTokens: 977_000},
		{GPU: "a100", Model: "qwen2.5-7b", StepBase: 9746, PerToken: 64.3, PerKVToken: .0548, KVTokens: 977_000},
		{GPU: "h100", Model: "qwen3-14b", StepBase: 12157, PerToken: 41, PerKVToken: .0952, KVTokens: 254_000},
		{GPU: "a100", Model: "qwen3-14b", StepBase: 19067, PerToken: 130, PerKVToken: .1565, KVTokens: 254_000},
		{GPU: "h100", Model: "qwen3-32b", TensorParallel: 2, StepBase: 14053, PerToken: 45, PerKVToken: .0762, KVTokens: 312_000},
		{GPU: "a100", Model: "qwen3-32b", TensorParallel: 2, StepBase: 21687, PerToken: 144, PerKVToken: .1252, KVTokens: 312_000},
		{GPU: "h100", Model: "llama-3.3-70b", TensorParallel: 8, StepBase: 9654, PerToken: 27, PerKVToken: .0238, KVTokens: 1_420_000},
	}
	for i := range all {
		p := &all[i]
		p.PerSequence, p.PerTokenPair = sampledSequence, replicaOf(*p).perTokenPair()
		p.Source = fromBLIS + "; attention derived from the model's heads"
		complete(p)
	}
	return all
}
