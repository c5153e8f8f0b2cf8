package oracle

import (
	"fmt"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// limit is one of the things that a replica runs out of, as seconds of its
// time per token, and the share of its time that requests can have.
type limit struct {
	name                       string
	prompt, pair, decode, read float64
	share                      float64
}

// limits are those of an engine that decodes at itl seconds a token.
func limits(p engine.Profile, itl float64) ([]limit, error) {
	const micro = 1e-6
	a, c0, c := p.StepBase*micro, p.ComputeBase*micro, p.PerToken*micro
	empty := max(a+p.PerSequence*micro, c0+c) // a step of one request without context
	all := []limit{
		{name: "weights", pair: p.PerTokenPair * micro, decode: p.PerSequence * micro, read: p.PerKVToken * micro, share: 1 - a/itl},
		{name: "compute", prompt: c, pair: p.PerTokenPair * micro, decode: c, read: p.PerKVToken * micro, share: 1 - c0/itl},
		{name: "kv cache", read: empty / float64(p.KVTokens), share: 1},
		{name: "seqs", decode: empty / float64(p.MaxNumSeqs), share: 1},
	}
	for _, l := range all {
		if !(l.share > 0) {
			return nil, fmt.Errorf("engine %s: a step takes at least %.4g s, so no token can come every %.4g s; raise the SLO's ITL", p.Name, max(a, c0), itl)
		}
	}
	return all, nil
}

// over is the limit of a replica of several engines: work is in seconds of the replica, and each engine does a part.
func (l limit) over(engines float64) limit {
	l.prompt, l.pair, l.decode, l.read = l.prompt/engines, l.pair/engines, l.decode/engines, l.read/engines
	return l
}

// size is a request in tokens; cached is the part of the prompt that a prefix cache saves.
type size struct{ prompt, cached, output float64 }

// of returns the seconds of a replica that a request takes at least: those of its prompt and those of its decoding.
func (l limit) of(s size) (prompt, decode float64) {
	later := max(s.output-1, 0) // the first token comes with the prompt
	prompt = l.prompt*(s.prompt-s.cached) + l.pair*(s.prompt*s.prompt-s.cached*s.cached)/2
	return prompt / l.share, later * (l.decode + l.read*(s.prompt+s.output/2)) / l.share
}
