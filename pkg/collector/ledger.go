package collector

import (
	"math"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// ledger counts the requests of one revision that wait in front of its pods, in endpoint
// pickers and in Knative's activators, together with those that reach the pods, so that
// each request arrives once (ADR 7). It reads what waits once a second:
//
//	the queue grows     its growth has arrived now
//	the queue shrinks   its requests reach the pods within owedSeconds, and are not counted
//	                    again there; what has not reached them by then was given up
//
// It is guarded by the revision's mutex.
type ledger struct {
	queues []queueShare
	// began is the requests that began to wait in the last second, repeated those that
	// reached the pods in it after they had waited.
	began, repeated float64
	// arrived is the requests of all seconds before that of counted, with those that
	// began to wait; reached is what reached the pods in counted's second.
	arrived, reached float64
	counted          time.Time
	// owed are requests that have left the queues and not reached the pods. Those of the
	// last seconds are, by second, in left: the others have, or were given up.
	owed float64
	left [owedSeconds]float64
}

const (
	// owedSeconds is the seconds within which a request that a picker let go is in a
	// queue-proxy's report, which covers the last second, once a second.
	owedSeconds = 3
	// longestStandIn is the longest time for which the last reading of a picker that cannot be
	// read is used.
	longestStandIn = time.Minute
)

// queueSource is a picker, or the activators for one revision.
type queueSource interface {
	// waiting is the requests that wait there now; NaN when unknown.
	waiting(now time.Time) float64
}

// queueShare is a revision's part of what one picker holds, or what the activators hold of the
// revision; source is nil while nobody watches it.
type queueShare struct {
	source queueSource
	part   float64
	// last is what the source as a whole held at the time at, zero when that is too
	// long ago or was never known.
	last float64
	at   time.Time
}

// waiting is the requests that wait in the source as a whole; NaN when unknown.
func (q queueShare) waiting(now time.Time) float64 {
	if q.source == nil {
		return math.NaN()
	}
	return q.source.waiting(now)
}

// follow takes other queues, and keeps what is known of those that it had.
func (l *ledger) follow(queues []queueShare) {
	for i, q := range queues {
		for _, had := range l.queues {
			if q.source != nil && had.source == q.source {
				queues[i].last, queues[i].at = had.last, had.at
			}
		}
	}
	l.queues = queues
	if len(queues) == 0 {
		l.began, l.repeated = 0, 0
	}
}

// tick reads how many requests wait now; it is called once a second. Of a source that cannot
// be read the last reading is used, for the time of patience.
func (l *ledger) tick(now time.Time, patience time.Duration) {
	growth := l.read(now, patience)
	copy(l.left[:], l.left[1:])
	l.left[owedSeconds-1] = max(-growth, 0)
	recently := 0.0
	for _, n := range l.left {
		recently += n
	}
	l.owed = min(l.owed+max(-growth, 0), recently)
	l.arrived += max(growth, 0)
	l.repeated = min(l.owed, l.reached)
}

// read returns by how many requests of ours the queues grew since they were read last. A
// queue that is seen for the first time does not count as arrivals, nor does growth that
// only comes from this revision's share of the pool increasing. Growth while a source
// could not be read counts after that, but is none of the last second.
func (l *ledger) read(now time.Time, patience time.Duration) (growth float64) {
	lately := 0.0
	for i := range l.queues {
		q := &l.queues[i]
		v := q.waiting(now)
		if !known(v) {
			if now.Sub(q.at) > patience {
				q.last, q.at = 0, time.Time{}
			}
			continue
		}
		if !q.at.IsZero() {
			growth += q.part * (v - q.last)
			if now.Sub(q.at) <= recordGap {
				lately += q.part * (v - q.last)
			}
		}
		q.last, q.at = v, now
	}
	l.began = max(lately, 0)
	return growth
}

// count takes the requests that reached the pods in the second of now, and adds those of
// the second before to the arrivals. A gap is counted as if its last rate had gone on, at
// most for recordGap.
func (l *ledger) count(now time.Time, reached float64) {
	past := now.Truncate(bucketWidth).Sub(l.counted.Truncate(bucketWidth))
	if !l.counted.IsZero() && past > 0 {
		came := l.reached * min(past, recordGap).Seconds()
		repeated := min(l.owed, came)
		l.owed -= repeated
		l.arrived += came - repeated
	}
	l.reached = reached
	if now.After(l.counted) {
		l.counted = now
	}
}

// rps is the requests per second that arrive, given those that reach the pods. While
// requests wait, it is at least what reaches the pods: a queue that is worked off is no
// idle revision.
func (l *ledger) rps(reached float64) float64 {
	rps := max(reached-l.repeated, 0) + l.began
	if l.queued() > 0 {
		return max(rps, reached)
	}
	return rps
}

// inFlight is the requests that wait and that the pods do not report: a source that holds
// less than at the last tick has let requests go, which the pods report by now.
func (l *ledger) inFlight(now time.Time) (sum float64) {
	for _, q := range l.queues {
		v := q.last
		if live := q.waiting(now); known(live) {
			v = min(v, live)
		}
		sum += q.part * v
	}
	return sum
}

// queued is the requests that waited at the last tick; unknown while no source is known.
func (l *ledger) queued() decider.Reading {
	sum, some := 0.0, false
	for _, q := range l.queues {
		sum += q.part * q.last
		some = some || !q.at.IsZero()
	}
	if !some {
		return decider.Unknown()
	}
	return decider.Reading(sum)
}
