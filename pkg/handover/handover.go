// Package handover decides when a leader gives up leases. Values in, decision out.
//
// A leader that cannot reach the pods while another replica can gives up all of them (Judge): a
// leader whose node lost the pod network, but not the API server, would hold every count for good.
// A leader that leads more than its share of the buckets gives one after the other to replicas that
// lead fewer (Balance).
package handover

import "time"

const (
	// patience is how long the leader must see too little without a break: longer than a
	// rollout or a restart of the node's network.
	patience = 30 * time.Second
	// lowShare is the share of readable metrics endpoints below which a replica sees too little.
	lowShare = 0.5
	// advantage is how much larger the share of another replica must be: where both see
	// little, the pods are the reason, and a change of leader helps nobody.
	advantage = 0.25
	// MaxAge is the age from which what another replica published says nothing about now:
	// three times the interval of publishing.
	MaxAge = 30 * time.Second
)

// Replica is what one replica publishes of itself.
type Replica struct {
	View
	Election
}

// View is what one replica sees: the number of metrics endpoints that should be read, and of those
// that it can read.
type View struct {
	Endpoints int `json:"targets"`
	Readable  int `json:"readable"`
}

// share is the share of the metrics endpoints that can be read; 1 without any.
func (v View) share() float64 {
	if v.Endpoints <= 0 {
		return 1
	}
	return float64(v.Readable) / float64(v.Endpoints)
}

// Judge remembers since when this replica has seen too little. It is not safe for
// concurrent use. The zero value is ready.
type Judge struct {
	since time.Time
}

// GiveUp reports whether the leader should give up its lease at now, by its own view and
// those of the other replicas that are younger than MaxAge. now needs a monotonic reading.
// It is true once the leader has seen too little, and another replica clearly more, for
// patience without a break. A replica that does not lead never gives up.
func (j *Judge) GiveUp(now time.Time, leads bool, own View, others []Replica) bool {
	if !leads || own.share() >= lowShare || !better(own, others) {
		j.since = time.Time{}
		return false
	}
	if j.since.IsZero() {
		j.since = now
	}
	return now.Sub(j.since) >= patience
}

// better reports whether another replica clearly sees more of about the same pods.
func better(own View, others []Replica) bool {
	for _, v := range others {
		if v.Endpoints*2 >= own.Endpoints && v.share() >= own.share()+advantage && v.Readable > own.Readable {
			return true
		}
	}
	return false
}
