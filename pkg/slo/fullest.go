package slo

import "math"

// fullest is what the fullest of several data-parallel ranks has of a pod.
type fullest struct {
	// share is the share of the pod's requests that it is given, running that of those that run.
	share, running float64
	// requests is those that it ran at the second reading.
	requests float64
}

// withFullest adds what the fullest rank had, where it is given so many requests that chance does not explain them.
func (d sample) withFullest(p Pod, before, now podCounters) sample {
	share := p.Totals.Fullest.fair(p.ranks(), max(total(p.Totals.TTFT.Count), total(p.Totals.Finished), 1))
	if share*d.ranks <= equalRanks || before.fullestRunning < 0 || now.fullestRunning < 0 || d.running < 0 || d.runningBefore < 0 {
		return d
	}
	all := (d.runningBefore + d.running) / 2 * d.ranks
	some := fewRunning * d.ranks
	running := min((before.fullestRunning+now.fullestRunning)/2, all)
	d.fullest = fullest{share, (running + share*some) / (all + some), now.fullestRunning}
	return d
}

// mostRunning is the requests that the fullest rank ran at the second reading.
func (d sample) mostRunning() float64 { return max(d.fullest.requests, d.running) }

// fair is the share of n requests that the fullest of some ranks is given, less what is chance: of
// equal ranks that are chosen by lot one has more than the others, too.
func (f FullestRank) fair(ranks int, n float64) float64 {
	equal, share := 1/float64(ranks), float64(f.Share.Within(1))
	if ranks < 2 || !(share > equal) {
		return equal
	}
	chance := math.Sqrt(2 * math.Log(float64(ranks)) * requestVariance * share * (1 - share) / n)
	return max(share-chance, equal)
}

// rankGroup is ranks of one pod with the same load.
type rankGroup struct {
	// requests is the share of the pod's requests that these ranks are given, running that of those that run.
	requests, running float64
	// load is the requests that each of them is given, as a multiple of what the mean rank is given, and
	// gap the time between two tokens, as a multiple of the mean time.
	load, gap float64
}

// groups are the ranks of the pod: all in one group, or the fullest one apart from the others. By Little's law
// a request takes a time in proportion to those that run by those that are given.
func (d sample) groups() []rankGroup {
	f := d.fullest
	if f.share == 0 || f.share >= 1 {
		return []rankGroup{{1, 1, max(f.share*d.ranks, 1), 1}}
	}
	return []rankGroup{
		{f.share, f.running, f.share * d.ranks, f.running / f.share},
		{1 - f.share, 1 - f.running, (1 - f.share) * d.ranks / (d.ranks - 1), (1 - f.running) / (1 - f.share)},
	}
}

// rankSkew learns how many times the requests of the mean rank the fullest one is given.
type rankSkew struct {
	// Excess is by how much that is above 1.
	Excess float64 `json:"excess,omitempty"`
}

func (s *rankSkew) observe(b *bin) {
	if len(b.samples) == 0 || !b.learns() {
		return
	}
	sum := 0.0
	for _, d := range b.samples {
		sum += max(d.fullest.share*d.ranks-1, 0)
	}
	s.Excess += (sum/float64(len(b.samples)) - s.Excess) * skewWeight
}

// estimate is how many times the requests of the mean rank the fullest one is given, at least 1.
func (s *rankSkew) estimate() float64 { return 1 + s.Excess }

func (s *rankSkew) valid() bool { return s.Excess >= 0 && s.Excess <= maxRanks }
