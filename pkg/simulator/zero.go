package simulator

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/drain"
)

// This file is what a fleet that may have no replica does otherwise than others.

// surround gives the fleet what the policy brings with it.
func (f *Fleet) surround(p Policy) {
	if s, ok := p.(Surrounded); ok && f.cfg.Min == 0 {
		f.around = s.Surroundings()
	}
}

// asleep reports whether no replica is wanted.
func (f *Fleet) asleep() bool { return f.wanted == 0 }

// open is the requests that are open anywhere; unknown while a page of a pod that was read
// before is missing.
func (f *Fleet) open() decider.Reading {
	for _, p := range f.pods {
		if f.reads(p) && p.samples.some && !p.samples.fresh(f.now, f.cfg) {
			return decider.Unknown()
		}
	}
	return decider.Reading(f.http.of(f.inFlight.value))
}

// reads reports whether a pod's metrics endpoint is read.
func (f *Fleet) reads(p *pod) bool {
	return p.phase == Ready || p.phase == Draining && f.around.Drains
}

// drained ends a draining pod whose last request ended at a time: at once, or when it has
// been quiet.
func (f *Fleet) drained(p *pod, at time.Duration) {
	if !f.around.Drains {
		f.delete(p, at)
		return
	}
	f.events.add(event{max(at, f.now) + drain.QuietTime, quiet, p})
	f.plan()
}

// release deletes a pod that has been quiet for long enough; one that came back meanwhile
// stays.
func (f *Fleet) release(p *pod) {
	if p.phase == Draining && p.inFlight == 0 && f.now-p.ended >= drain.QuietTime {
		f.delete(p, f.now)
	}
}

// rescue lets up to n draining pods serve again, those with the most requests first, and
// returns how many there were.
func (f *Fleet) rescue(n int32) (rescued int32, err error) {
	if !f.around.Drains {
		return 0, nil
	}
	for ; rescued < n; rescued++ {
		var best *pod
		for _, p := range f.pods {
			if p.phase == Draining && (best == nil || p.inFlight > best.inFlight) {
				best = p
			}
		}
		if best == nil {
			break
		}
		best.phase = Ready
		f.router.add(best)
	}
	return rescued, f.dispatch()
}

// lastReady is the pod that has been Ready for the shortest time, which Kubernetes deletes
// first.
func (f *Fleet) lastReady() *pod {
	var last *pod
	for _, p := range f.pods {
		if p.phase == Ready && (last == nil || p.ready >= last.ready) {
			last = p
		}
	}
	return last
}
