package decider

import "math"

// podSum is one metric over the pods of a revision.
type podSum struct {
	sum   float64
	known int // Ready pods whose reading is known
	// missing counts pods whose value is assumed: Ready ones with an unknown
	// reading, and starting ones that are expected to become Ready.
	missing int
}

// samples says which samples of a pod a reading is made of.
type samples int

const (
	lastSample samples = iota
	twoSamples         // the smaller of the last two
)

// survey sums a metric over the pods. Queued requests are part of Waiting: an endpoint
// picker queues requests itself when a few wait in each engine.
func survey(spec Spec, d *Description, obs Observation, of samples) podSum {
	var s podSum
	for i := range obs.Pods {
		p := &obs.Pods[i]
		r := d.reading(p)
		if of == twoSamples {
			r = d.confirmed(p)
		}
		switch {
		case p.Phase == Draining:
			if d.Over != Mean && r.Known() {
				s.sum += float64(r)
			}
		case p.Phase != Ready:
			if coming(spec, *p) {
				s.missing++
			}
		case r.Known():
			s.known++
			s.sum += float64(r)
		default:
			s.missing++
		}
	}
	if q := queued(obs); d.Kind == Backlog && q.Known() {
		s.sum += float64(q)
	}
	return s.withUnlisted(obs)
}

// reading is one pod's value of an engine metric, unknown if it is not believable.
func (d *Description) reading(p *Pod) Reading { return d.plausible(p.Last()) }

// confirmed is the smaller of a pod's last two values; unknown without two.
func (d *Description) confirmed(p *Pod) Reading {
	last := d.reading(p)
	if !p.Previous.Kept {
		return last
	}
	if before := d.plausible(p.Previous); before.Known() {
		return min(last, before) // unknown if the last one is
	}
	return Unknown()
}

// withUnlisted counts Ready pods that Kubernetes lists and the collector does not yet.
func (s podSum) withUnlisted(obs Observation) podSum {
	listed := 0
	for _, p := range obs.Pods {
		if p.Phase == Ready {
			listed++
		}
	}
	s.missing += max(0, int(obs.Ready)-listed)
	return s
}

// observed is the value for Want.Observed.
func (s podSum) observed(d Description) Reading {
	if d.Over == Mean {
		return Reading(s.sum / float64(s.known))
	}
	return Reading(s.sum)
}

// count is the number of replicas at which each would carry the target. KV
// cache usage needs no case of its own: the sum of percentages over the target
// is the number of pods times mean over target.
//
// Missing pods are assumed to be at their target on the way down and idle on the way
// up, and the assumption never reverses the direction: 3 pods at 20%, 20% and unknown
// with target 70 give (20+20+70)/70, so 2 replicas; the two known pods alone give 1.
func (s podSum) count(spec Spec, t Target, obs Observation) int32 {
	ratio := s.sum / (float64(s.known) * t.Value)
	if ratio <= 1 {
		s.sum += float64(s.missing) * t.Value
	}
	s.known += s.missing
	filled := s.sum / (float64(s.known) * t.Value)
	if math.Abs(filled-1) <= spec.Tolerance+epsilon || ratio > 1 && filled < 1 {
		return s.hold(obs)
	}
	n := toCount(math.Ceil(s.sum / t.Value * (1 - epsilon)))
	switch {
	case ratio > 1 && n < obs.Replicas: // more were ordered already
		return obs.Replicas
	case ratio < 1 && s.missing > 0 && n > obs.Replicas:
		return obs.Replicas
	}
	return n
}

// hold is the present count, and at least 1 while pods have load: 0 replicas may have
// been set before a rollback.
func (s podSum) hold(obs Observation) int32 {
	if s.sum > 0 {
		return max(1, obs.Replicas)
	}
	return obs.Replicas
}
