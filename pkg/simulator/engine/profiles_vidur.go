package engine

import "fmt"

// sampledSequence is what a decoding request adds to a step with its sampling
// and its share of the CPU's work; kernel sums have neither.
const sampledSequence = 24.5

// linear is Vidur's measured sum of a model's linear layers: milliseconds of a
// step with one token and with 64, microseconds of each token of long prompts.
type linear struct {
	gpu, model string
	tp         int
	one, many  float64
	token      float64
}

// vidurLinear are sums of microsoft/vidur@7d475133. Llama-3-8B and Llama-3-70B
// have the layers of their successors, whose names they stand under. Llama-3-8B
// on one A100 is the default profile.
var vidurLinear = []linear{
	{"a100", "llama-3.1-8b", 2, 5.7, 6.0, 35.0},
	{"a100", "llama-3.3-70b", 4, 25.0, 27.1, 160},
	{"a100", "llama-3.3-70b", 8, 14.4, 15.8, 86},
	{"a100", "llama-2-7b", 1, 9.3, 9.8, 63.2},
	{"a100", "internlm-20b", 1, 26.3, 28.2, 164},
	{"a100", "internlm-20b", 2, 14.2, 15.3, 86},
	{"a100", "codellama-34b", 2, 22.4, 24.2, 150},
	{"h100", "llama-2-7b", 1, 5.6, 5.9, 20.2},
	{"h100", "internlm-20b", 1, 15.4, 15.6, 59.2},
	{"h100", "internlm-20b", 2, 8.2, 9.1, 29.9},
	{"h100", "codellama-34b", 2, 12.9, 14.0, 51.9},
	{"h100", "llama-2-70b", 4, 14.5, 15.4, 55.0},
	{"h100", "llama-2-70b", 8, 8.4, 9.1, 30.3},
	{"h100", "qwen-72b", 4, 14.7, 15.4, 54.9},
	{"h100", "qwen-72b", 8, 8.9, 9.3, 29.4},
	{"a40", "llama-2-7b", 1, 24.0, 30.1, 127},
}

func vidur() []Profile {
	var all []Profile
	for _, l := range vidurLinear {
		all = append(all, l.profile())
	}
	return all
}

// profile adds to the linear layers what Vidur's sums leave out: attention, the
// exchange between GPUs, sampling and the CPU.
func (l linear) profile() Profile {
	p := Profile{GPU: l.gpu, Model: l.model, TensorParallel: l.tp}
	r := replicaOf(p)
	p.StepBase = 1000*l.one + 32*r.layers + 126 // of a layer and of a step, as BLIS fitted them
	p.PerSequence = max((l.many-l.one)*1000/63, sampledSequence) + r.perExchange()
	p.PerToken = l.token + r.perExchange()
	p.PerKVToken, p.PerTokenPair, p.KVTokens = kvSkew*r.perKVToken(), r.perTokenPair(), r.kvTokens()
	if r.heads > r.kvHeads && !r.sharesReads {
		p.MixedKV = mixedKV
	}
	p.Source = fmt.Sprintf("Vidur's profile of the linear layers; derived: the KV cache, %.0f bytes a token, read at 89 %% of %.3f TB/s, attention at %.0f %% of the peak",
		r.kvBytes(), r.bandwidth/1e12, 100*r.attention)
	if l.tp > 1 {
		p.Source += fmt.Sprintf(", exchanges at %.0f GB/s", r.exchange/1e9)
	}
	complete(&p)
	return p
}
