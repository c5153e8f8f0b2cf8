package handover

import (
	"maps"
	"slices"
	"time"
)

const (
	// balancePatience is how long another replica must be eligible without a break before it gets a
	// bucket, and so the shortest time after the start of either replica. It is longer than a dead replica
	// counts as alive: MaxAge and an interval of publishing, 40 s.
	balancePatience = time.Minute
	// refusalPause is how long a replica that did not take a bucket gets none.
	refusalPause = 10 * time.Minute
	// minDifference is how many buckets more than the other this replica must lead: with 1, a move would
	// only exchange the two, and the next one would go back.
	minDifference = 2
	// maxShareLoss is how much smaller the successor's share of readable metrics endpoints may be. It is
	// less than advantage, so that no replica gets a bucket that Judge has it give up.
	maxShareLoss = 0.1
)

// Election is the part of a replica in the election of the leaders of buckets. It is zero in replicas
// that have one bucket and in versions that do not balance.
type Election struct {
	// Identity names the process in the Leases.
	Identity string `json:"identity,omitempty"`
	// Buckets is the number of buckets in whose election the replica takes part.
	Buckets int `json:"buckets,omitempty"`
	// Ready is true once the replica has numbers to serve.
	Ready bool `json:"ready,omitempty"`
}

// Situation is what a replica knows about the leaders of the buckets.
type Situation struct {
	Own Replica
	// Holders are the identities of the leaders, one for each bucket; "" is unknown.
	Holders []string
	// Others are the other replicas that are alive.
	Others []Replica
}

// FairShare is the largest number of buckets that each replica leads when the buckets are balanced.
func (s Situation) FairShare() int {
	replicas := len(s.Others) + 1
	return (len(s.Holders) + replicas - 1) / replicas
}

// led counts the buckets of each leader.
func (s Situation) led() map[string]int {
	led := map[string]int{}
	for _, holder := range s.Holders {
		led[holder]++
	}
	return led
}

// eligible reports whether the other replica may get a bucket of ours: this replica leads more than its
// share and clearly more than the other, and the other can act for the bucket. Without the share, of
// five replicas that lead 3, 3, 2, 2 and 0 buckets four would give one to the last at the same time.
func (s Situation) eligible(other Replica, led map[string]int) bool {
	ours := led[s.Own.Identity]
	return s.Own.Ready && ours > s.FairShare() && ours-led[other.Identity] >= minDifference &&
		other.Ready && other.Buckets == s.Own.Buckets && s.sees(other)
}

// sees reports whether the other replica reads about as much of the same pods as we do.
func (s Situation) sees(other Replica) bool {
	return other.Endpoints*2 >= s.Own.Endpoints && other.share() >= s.Own.share()-maxShareLoss
}

// Balance decides when this replica gives a bucket to another one. It is not safe for concurrent use.
type Balance struct {
	// Pause is the shortest time between two buckets that this replica gives up. It is longer than a
	// handover takes, also to a replica that does not take the bucket.
	Pause time.Duration
	// since is from when on each replica, by identity, was eligible without a break.
	since map[string]time.Time
	// refused is until when a replica gets no bucket.
	refused map[string]time.Time
	// last is the last move until its outcome is judged, then zero.
	last move
}

// move is the last bucket that was given up.
type move struct {
	at time.Time
	to string
	// led is how many buckets the successor led before.
	led int
}

// Successor returns the identity of the replica that gets one bucket of ours at now; "" is none. now
// needs a monotonic reading. The caller gives the bucket up.
func (b *Balance) Successor(now time.Time, s Situation) string {
	led := s.led()
	b.observe(now, s, led)
	if b.last.to != "" && now.Sub(b.last.at) < b.Pause || led[""] > 0 {
		return ""
	}
	b.judgeLast(now, led)
	to := b.fewest(now, led)
	if to != "" {
		b.last = move{at: now, to: to, led: led[to]}
	}
	return to
}

// observe remembers since when the others are eligible, and forgets those that are not.
func (b *Balance) observe(now time.Time, s Situation, led map[string]int) {
	since := map[string]time.Time{}
	for _, other := range s.Others {
		if !s.eligible(other, led) {
			continue
		}
		since[other.Identity] = now
		if before, known := b.since[other.Identity]; known {
			since[other.Identity] = before
		}
	}
	b.since = since
	maps.DeleteFunc(b.refused, func(_ string, until time.Time) bool { return !now.Before(until) })
}

// judgeLast refuses a successor that did not take the last bucket: each attempt leaves a bucket without
// a leader for the lease duration.
func (b *Balance) judgeLast(now time.Time, led map[string]int) {
	if b.last.to != "" && led[b.last.to] <= b.last.led {
		if b.refused == nil {
			b.refused = map[string]time.Time{}
		}
		b.refused[b.last.to] = now.Add(refusalPause)
	}
	b.last = move{}
}

// fewest returns the replica that leads the fewest buckets of those that were eligible for long enough.
func (b *Balance) fewest(now time.Time, led map[string]int) (to string) {
	for _, id := range slices.Sorted(maps.Keys(b.since)) {
		if _, refused := b.refused[id]; refused || now.Sub(b.since[id]) < balancePatience {
			continue
		}
		if to == "" || led[id] < led[to] {
			to = id
		}
	}
	return to
}
