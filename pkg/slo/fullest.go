package slo

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
