package slo

import "math"

// rankCounters is what a pod's fullest data-parallel rank reported last, and what it was given lately.
type rankCounters struct {
	// id tells the rank from the others; tokens is its counter of prompt tokens, running and waiting are requests.
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

// since adds what was given since before, where the pod's prompt tokens grew by prompt in requests. Bins in
// which little ran say nothing: a balancer that gives each of few requests to the first idle rank loads that rank only.
// Nothing is kept of another rank, or from before a restart.
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

// share is the share of the pod's prompt tokens that the rank is given, less what is chance: of equal ranks
// that are chosen by lot one has more than the others, too.
func (r rankCounters) share(ranks int) float64 {
	equal := 1 / float64(ranks)
	if ranks < 2 || !(r.all > 0 && r.requests > 0) {
		return equal
	}
	share := min(r.given/r.all, 1)
	chance := math.Sqrt(2 * math.Log(float64(ranks)) * tokenMoment * share * (1 - share) / r.requests)
	return max(share-chance, equal)
}

// fullest is what the fullest of several ranks has of a pod.
type fullest struct {
	// share is the share of the pod's requests that the rank is given, running that of those that run.
	share, running float64
	// requests is how many the rank ran at the second reading.
	requests float64
}

// withFullest adds what the fullest rank had, where it was busy.
func (d sample) withFullest(before, now rankCounters) sample {
	busyness, all := now.busyness(before), (d.runningBefore+d.running)/2*d.ranks
	if d.ranks == 1 || busyness < fewRunning || d.running < 0 || d.runningBefore < 0 || now.requests == 0 {
		return d
	}
	share := now.share(int(d.ranks))
	d.skew, d.skewWeight = share*d.ranks, now.requests
	if d.skew <= equalRanks {
		return d
	}
	some := fewRunning * d.ranks
	d.fullest = fullest{share, (min(busyness, all) + share*some) / (all + some), min(now.running, d.running*d.ranks)}
	return d
}

// mostRunning is the requests that the fullest rank ran at the second reading.
func (d sample) mostRunning() float64 { return max(d.fullest.requests, d.running) }

// rankGroup is ranks of one pod with the same load.
type rankGroup struct {
	// requests is the share of the pod's requests that these ranks are given.
	requests float64
	// load is the requests that each of them is given, as a multiple of what the mean rank is given, and
	// gap the time between two tokens, as a multiple of the mean time.
	load, gap float64
}

// groups are the ranks of the pod: all in one group, or the fullest one apart from the others. By Little's law
// a group's time between tokens is the pod's mean, times its share of the running requests, divided by its
// share of the given ones.
func (d sample) groups() []rankGroup {
	f := d.fullest
	if f.share == 0 || f.share >= 1 {
		return []rankGroup{{1, max(f.share*d.ranks, 1), 1}}
	}
	return []rankGroup{
		{f.share, f.share * d.ranks, f.running / f.share},
		{1 - f.share, (1 - f.share) * d.ranks / (d.ranks - 1), (1 - f.running) / (1 - f.share)},
	}
}

// rankSkew learns how many times the requests of the mean rank the fullest one is given.
type rankSkew struct {
	// Excess is by how much that is above 1.
	Excess float64 `json:"excess,omitempty"`
}

// observe takes the mean of the pods whose fullest rank is busy, by their requests. Without such a pod what was
// learned under load stays.
func (s *rankSkew) observe(b *bin) {
	excess, weight := 0.0, 0.0
	for _, d := range b.samples {
		excess += d.skewWeight * (d.skew - 1)
		weight += d.skewWeight
	}
	if weight > 0 && b.learns() {
		s.Excess = max(excess/weight, 0)
	}
}

// estimate is how many times the requests of the mean rank the fullest one is given, at least 1.
func (s *rankSkew) estimate() float64 { return 1 + s.Excess }

func (s *rankSkew) valid() bool { return s.Excess >= 0 && s.Excess <= maxRanks }

// effectiveRanks is the ranks that a pod's capacity is worth: all, or fewer where one is full before the others.
func (s *State) effectiveRanks() float64 {
	return max(float64(max(s.Ranks, 1))/s.Skew.estimate(), 1)
}
