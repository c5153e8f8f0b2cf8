package simulator

import (
	"slices"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// affinity remembers which pods were sent which beginnings of prompts, as a
// router does that sees requests and not the engines' caches. It forgets by
// halves: a full generation becomes the older one, and that one is dropped.
type affinity struct {
	recent, older map[uint64][]*pod
	// candidates and keys are lists used again.
	candidates []*pod
	keys       []uint64
}

// slack is how many more requests than the idlest pod a pod with the right
// prefix may have: this many, or a quarter more if that is more.
const slack = 4

// choose is the pod that was sent most of a prompt before, the idlest of
// several, unless it is too busy; nil without such a pod.
func (a *affinity) choose(p *engine.Prefix, idlest *pod) *pod {
	a.keys = a.keys[:0]
	if p == nil {
		return nil
	}
	a.keys = p.Keys(a.keys)
	a.candidates = a.candidates[:0]
	for i, key := range a.keys {
		if !a.narrow(a.lookup(key), i == 0) {
			break
		}
	}
	var best *pod
	for _, c := range a.candidates {
		if best == nil || c.inFlight < best.inFlight {
			best = c
		}
	}
	if best == nil || best.inFlight > idlest.inFlight+max(slack, idlest.inFlight/4) {
		return nil
	}
	return best
}

// narrow keeps the candidates that hold one more block; false if none does.
func (a *affinity) narrow(holders []*pod, first bool) bool {
	if first {
		for _, h := range holders {
			if h.routed {
				a.candidates = append(a.candidates, h)
			}
		}
		return len(a.candidates) > 0
	}
	kept := 0
	for i, c := range a.candidates {
		if slices.Contains(holders, c) {
			a.candidates[kept], a.candidates[i] = c, a.candidates[kept]
			kept++
		}
	}
	if kept == 0 {
		return false
	}
	a.candidates = a.candidates[:kept]
	return true
}

func (a *affinity) lookup(key uint64) []*pod {
	if holders, ok := a.recent[key]; ok {
		return holders
	}
	return a.older[key]
}

// remember notes that a pod is sent the prompt that choose was asked about;
// most is the blocks that one generation holds.
func (a *affinity) remember(p *pod, most int) {
	if len(a.recent)+len(a.keys) > most || a.recent == nil {
		a.recent, a.older = make(map[uint64][]*pod), a.recent
	}
	for _, key := range a.keys {
		a.recent[key] = withPod(a.lookup(key), p)
	}
}

// withPod adds a pod to holders and drops those that take no requests any more.
func withPod(holders []*pod, p *pod) []*pod {
	if slices.Contains(holders, p) {
		return holders
	}
	kept := make([]*pod, 0, len(holders)+1)
	for _, h := range holders {
		if h.routed {
			kept = append(kept, h)
		}
	}
	return append(kept, p)
}
