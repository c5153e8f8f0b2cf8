package fit

import "github.com/knative-inference/autoscaler-adapter/pkg/decider"

// ofOneRank returns what one of a pod's data-parallel ranks did in the mean: each is an engine
// of its own, with a queue and a KV cache, and the pod's counters and gauges are sums over
// them. A profile is that of one rank.
func ofOneRank(p decider.Pod) decider.Pod {
	ranks := decider.Reading(p.Totals.Ranks)
	if ranks <= 1 {
		return p
	}
	t := p.Totals
	for _, sum := range []*decider.Reading{
		&p.Running, &p.Waiting, &t.Steps, &t.PromptTokens, &t.CachedTokens, &t.KVCapacity,
		&t.ITL.Count, &t.ITL.Sum, &t.TTFT.Count, &t.TTFT.Sum,
	} {
		*sum /= ranks // unknown stays unknown
	}
	p.Totals = t
	return p
}
