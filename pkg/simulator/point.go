package simulator

import (
	"fmt"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// Point advances to a time and returns the fleet then, and its requests since
// the last call. Wanted is what Scale asked for; Why is left to the caller.
func (f *Fleet) Point(at time.Duration) (Point, error) {
	before, arrivedBefore := f.pointAt, f.pointArrived
	if err := f.Advance(at); err != nil {
		return Point{}, err
	}
	f.pointAt, f.pointArrived = f.now, f.arrived
	s := &f.score
	p := Point{
		At: f.now, Wanted: f.wanted, Ready: f.router.ready, Pods: int32(f.billed.value), Queued: f.queue.size,
		TTFTP50: s.pointTTFT.percentile(.5), TTFTP95: s.pointTTFT.percentile(.95), ITLP95: s.pointITL.percentile(.95),
		Met: s.point.met, Requests: s.point.ended,
	}
	if f.now > before {
		p.ArrivalsPerSecond = float64(f.arrived-arrivedBefore) / (f.now - before).Seconds()
	}
	s.point = tally{}
	s.pointTTFT.reset()
	s.pointITL.reset()
	f.addLoad(&p)
	return p, nil
}

// addLoad adds what the engines have in them.
func (f *Fleet) addLoad(p *Point) {
	for _, pod := range f.pods {
		if pod.phase != Ready && pod.phase != Draining {
			continue
		}
		l := pod.engine.Load()
		p.Running, p.Waiting = p.Running+l.Running, p.Waiting+l.Waiting
		if pod.phase == Ready {
			p.KV += l.KVUsage / float64(f.router.ready)
		}
	}
}

// PodState is one pod with what its engine's page shows.
type PodState struct {
	Name  string
	Phase Phase
	// Age is the time since its creation.
	Age      time.Duration
	Counters engine.Counters
}

// Pods advances to a time and returns every pod that exists, draining ones included, oldest first.
func (f *Fleet) Pods(at time.Duration) ([]PodState, error) {
	if err := f.Advance(at); err != nil {
		return nil, err
	}
	var states []PodState
	for _, p := range f.pods {
		s := PodState{Name: p.name, Phase: p.phase, Age: f.now - p.created}
		if p.phase == Ready || p.phase == Draining {
			s.Counters = p.engine.Counters(f.now)
			p.due = p.engine.Next()
			f.due.fix(p)
		}
		states = append(states, s)
	}
	return states, nil
}

// work is that of all pods that there were.
func (f *Fleet) work() engine.Work {
	w := f.retired
	for _, p := range f.pods {
		w.Add(p.engine.Work(), 1)
	}
	return w
}

// conserved checks that every request is somewhere: ended, in a pod, or in the queue.
func (f *Fleet) conserved() error {
	inPods := int64(0)
	for _, p := range f.pods {
		if p.engine.InFlight() != p.inFlight {
			return fmt.Errorf("%s has %d requests and not %d: %w", p.name, p.engine.InFlight(), p.inFlight, errConservation)
		}
		inPods += int64(p.inFlight)
	}
	if inside := inPods + int64(f.queue.size); inside != f.inFlight.value || f.score.ended+inside != f.arrived {
		return fmt.Errorf("%d arrived, %d ended, %d in pods, %d queued: %w", f.arrived, f.score.ended, inPods, f.queue.size, errConservation)
	}
	return nil
}
