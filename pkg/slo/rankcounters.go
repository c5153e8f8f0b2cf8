package slo

import "math"

// rankCounters is what a pod's fullest data-parallel rank reported last, and what it was given lately.
type rankCounters struct {
	// id is the identity of the rank in its pod, tokens its counter of prompt tokens; running and waiting are requests.
	// All are unknownCount where the rank is not known.
	id, tokens, running, waiting float64
	// given and all are the prompt tokens of the rank and of the pod, requests those of the pod that began: faded
	// sums of the bins in which the rank was busy.
	given, all, requests float64
}

func unknownRank() rankCounters {
	return rankCounters{id: unknownCount, tokens: unknownCount, running: unknownCount, waiting: unknownCount}
}

// rankCounters reads the rank.
func (f FullestRank) rankCounters() rankCounters {
	if !(f.PromptTokens > 0) || !(f.ID >= 0 && f.ID <= MaxTotal) {
		return unknownRank()
	}
	return rankCounters{
		id: f.ID, tokens: total(f.PromptTokens), running: total(f.Running), waiting: total(f.Waiting),
	}
}

// same reports whether both are readings of one known rank.
func (r rankCounters) same(before rankCounters) bool {
	return r.tokens > 0 && r.id >= 0 && r.id == before.id
}

// since adds to the faded sums what the rank was given since the reading before; prompt and requests are what the pod
// was given in that time. A bin counts only if the rank was busy: a balancer that prefers the first idle rank
// gives nearly all requests to that rank while few come. The sums begin anew with another rank, and after a restart.
func (r rankCounters) since(before rankCounters, prompt, requests float64) rankCounters {
	gained := r.tokens - before.tokens
	if !r.same(before) || !(gained >= 0 && prompt >= gained && prompt <= maxGain && requests >= 0) {
		return r
	}
	r.given, r.all, r.requests = before.given, before.all, before.requests
	if r.busyness(before) < fewRunning {
		return r
	}
	r.given = r.given*shareFade + gained
	r.all = r.all*shareFade + prompt
	r.requests = min(r.requests*shareFade+requests, maxGain)
	return r
}

// busyness is the requests that the rank ran, the mean of two readings; 0 where that is not known.
func (r rankCounters) busyness(before rankCounters) float64 {
	if r.running < 0 || before.running < 0 || !r.same(before) {
		return 0
	}
	return (r.running + before.running) / 2
}

// share is the rank's share of the pod's prompt tokens, less what chance explains: where ranks are chosen by lot, one
// of them gets more than the others, too.
func (r rankCounters) share(ranks int) float64 {
	equal := 1 / float64(ranks)
	if ranks < 2 || !(r.all > 0 && r.requests > 0) {
		return equal
	}
	share := min(r.given/r.all, 1)
	chance := math.Sqrt(2 * math.Log(float64(ranks)) * tokenMoment * share * (1 - share) / r.requests)
	return max(share-chance, equal)
}
