package engine

// gpu is what a data sheet says of a GPU, and what was measured of its kind.
type gpu struct {
	memory    float64 // bytes
	bandwidth float64 // of the memory, bytes a second
	peak      float64 // bf16 without sparsity, operations a second
	// exchange is what an all-reduce moves over NVLink, bytes a second and direction.
	exchange float64
	// attention is the share of peak that prompt attention reaches, as the profiles
	// of Llama-3.1-8B have it (A100 49 %, H100 65 %; the A40 has the A100's kernels).
	attention float64
	// sharesReads: prompt attention kernels read the KV cache once for a group of
	// query heads, as those of Hopper do (see mixedKV).
	sharesReads bool
}

const gib = 1 << 30

// On eight H100, Vidur's all-reduces of 16 to 67 MB move 340 to 360 GB/s; that is
// 78 % of what NVLink has, and the same share is taken for the A100.
var gpus = map[string]gpu{
	"a40":  {memory: 48 * gib, bandwidth: 696e9, peak: 149.7e12, attention: .5},
	"a100": {memory: 80 * gib, bandwidth: 2039e9, peak: 312e12, exchange: .78 * 300e9, attention: .5},
	"h100": {memory: 80 * gib, bandwidth: 3350e9, peak: 989.5e12, exchange: .78 * 450e9, attention: .65, sharesReads: true},
}

// model is a model's shape, of its config.json; weights and KV cache are in bf16
// unless weightBytes says otherwise.
type model struct {
	parameters                              float64
	layers, hidden, heads, kvHeads, headDim float64
	weightBytes                             float64
}

var models = map[string]model{
	"llama-2-7b":       {parameters: 6.74e9, layers: 32, hidden: 4096, heads: 32, kvHeads: 32, headDim: 128},
	"llama-3.1-8b":     {parameters: 8.03e9, layers: 32, hidden: 4096, heads: 32, kvHeads: 8, headDim: 128},
	"llama-3.1-8b-fp8": {parameters: 8.03e9, layers: 32, hidden: 4096, heads: 32, kvHeads: 8, headDim: 128, weightBytes: 1},
	"qwen2.5-7b":       {parameters: 7.62e9, layers: 28, hidden: 3584, heads: 28, kvHeads: 4, headDim: 128},
	"qwen3-14b":        {parameters: 14.77e9, layers: 40, hidden: 5120, heads: 40, kvHeads: 8, headDim: 128},
	"internlm-20b":     {parameters: 20.09e9, layers: 60, hidden: 5120, heads: 40, kvHeads: 40, headDim: 128},
	"qwen3-32b":        {parameters: 32.76e9, layers: 64, hidden: 5120, heads: 64, kvHeads: 8, headDim: 128},
	"codellama-34b":    {parameters: 33.74e9, layers: 48, hidden: 8192, heads: 64, kvHeads: 8, headDim: 128},
	"llama-2-70b":      {parameters: 68.98e9, layers: 80, hidden: 8192, heads: 64, kvHeads: 8, headDim: 128},
	"llama-3.3-70b":    {parameters: 70.55e9, layers: 80, hidden: 8192, heads: 64, kvHeads: 8, headDim: 128},
	"qwen-72b":         {parameters: 72.29e9, layers: 80, hidden: 8192, heads: 64, kvHeads: 64, headDim: 128},
}

// bf16 is the bytes of a weight, a hidden value and an element of the KV cache.
const bf16 = 2

func (m model) weights() float64 {
	if m.weightBytes > 0 {
		return m.parameters * m.weightBytes
	}
	return m.parameters * bf16
}

// kvBytes is one token's keys and values in all layers.
func (m model) kvBytes() float64 { return 2 * m.layers * m.kvHeads * m.headDim * bf16 }

// replica is a model on a number of GPUs.
type replica struct {
	gpu
	model
	tp float64
}

func replicaOf(p Profile) replica {
	return replica{gpu: gpus[p.GPU], model: models[p.Model], tp: float64(max(p.TensorParallel, 1))}
}

// micro turns a second's work into microseconds.
const micro = 1e6

// perKVToken (d) is reading one token's share of the KV cache at 89 % of the
// memory's bandwidth, which is what decode kernels were measured at.
func (r replica) perKVToken() float64 { return r.kvBytes() / (r.tp * .89 * r.bandwidth) * micro }

// perTokenPair (e) is 4 operations for each layer, head and dimension.
func (r replica) perTokenPair() float64 {
	return 4 * r.layers * r.heads * r.headDim / (r.tp * r.attention * r.peak) * micro
}

// perExchange is what two all-reduces a layer add to each token; a ring moves
// every byte 2*(tp-1)/tp times. Their latency is in the 32 us of a layer, which
// BLIS fitted on runs with exchanges, too.
func (r replica) perExchange() float64 {
	if r.tp == 1 {
		return 0
	}
	return 2 * r.layers * r.hidden * bf16 * 2 * (r.tp - 1) / r.tp / r.exchange * micro
}

// kvTokens is what vLLM's 90 % of the memory has left beside the weights, 5.5 GiB
// of activations, and 0.15 GiB, or with exchanges 0.6 GiB a GPU, of buffers: so
// BLIS reckons, whose published KV sizes come out of it. Real engines leave more.
func (r replica) kvTokens() int {
	buffers := .15
	if r.tp > 1 {
		buffers = .6 * r.tp
	}
	free := .9*r.memory*r.tp - r.weights() - (5.5+buffers)*gib
	return int(free/r.kvBytes()/1000) * 1000
}
