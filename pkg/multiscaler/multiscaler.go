package multiscaler

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

const (
	tick = decider.Tick
	// minDecisionInterval is the shortest: samples of several pods that arrive together are
	// decided on together.
	minDecisionInterval = 20 * time.Millisecond
	// spacing for each revision, at most longestSpacing, is the time between two
	// decisions between ticks: with many revisions, samples arrive all the time, and a
	// decision takes 50 to 160 µs of CPU. Together they take a tenth of a core.
	spacing        = time.Millisecond
	longestSpacing = time.Second
	// burstShare is the part of the spacing after which a burst is decided on. At 1,000
	// revisions the first decision and that on the second sample, which confirms the
	// burst, would each wait up to a second: 1.6 s (p50) and 3.6 s from the change to the
	// patch. With an eighth a tenant whose pages always show bursts costs 0.1 % of a core
	// for each of its revisions.
	burstShare = 8
	// quiet is the shortest time between two notices of a new reason alone.
	quiet = 10 * time.Second
	// refresh is the same for notices of new numbers alone.
	refresh = time.Minute
)

// Observer returns what is known about a revision, except its replicas.
type Observer interface {
	Observe(r collector.Key) (decider.Observation, bool)
}

// Scales returns the replicas of a revision's scale target now (spec.replicas);
// false when there is no such target yet.
type Scales interface {
	Replicas(r collector.Key) (int32, bool)
}

// Record is a decision with what it was made from.
type Record struct {
	Time time.Time
	// Observation has no Pods.
	Observation decider.Observation
	Decision    decider.Decision
	// ReadyAfter is the shortest time in which a pod became Ready, of this observation or else of the last one
	// with such a pod; 0 when not known.
	ReadyAfter time.Duration
	// Failure is the message of a panic in the decision, empty without one. After a panic the
	// count is that of the scale target, and the state that led to the panic is dropped.
	Failure string
}

// Recorder stores each decision with its inputs; discarded is true for a decision that was
// made and not used. It must not block for long.
type Recorder interface {
	Record(revision string, spec decider.Spec, before decider.State, obs decider.Observation, d decider.Decision,
		discarded bool)
	Forget(revision string)
}

// Options are the parts a MultiScaler is made of; all are required but Metrics, Recorder and Restore.
type Options struct {
	Observer Observer
	Scales   Scales
	Log      *slog.Logger
	Metrics  *Metrics
	Recorder Recorder
	// Restore returns the state that a revision's loop begins with.
	Restore func(collector.Key) decider.State
}

// MultiScaler decides for many revisions. It is safe for concurrent use.
type MultiScaler struct {
	Options
	ctx     context.Context
	changed func(collector.Key)

	mu      sync.RWMutex
	runners map[collector.Key]*runner
}

// New returns a MultiScaler whose loops end with ctx. changed is called
// whenever a revision's count or the reason for it changed; it must not block.
func New(ctx context.Context, o Options, changed func(collector.Key)) *MultiScaler {
	return &MultiScaler{Options: o, ctx: ctx, changed: changed, runners: map[collector.Key]*runner{}}
}

// Ensure starts or updates a revision's loop and returns the decision that
// holds under the spec. State is kept when the spec changes. A decision made
// from another count than the scale target's present one is made again, so
// that a count of old knowledge never undoes a newer one.
func (m *MultiScaler) Ensure(r collector.Key, spec decider.Spec, replicas int32) Record {
	run, ok := m.runner(r)
	record := run.ensure(time.Now(), spec, replicas)
	if !ok {
		go run.loop()
	}
	return record
}

// runner returns a revision's runner; it is false when it was made now.
func (m *MultiScaler) runner(r collector.Key) (*runner, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	run, ok := m.runners[r]
	if !ok {
		run = newRunner(m, r)
		m.runners[r] = run
	}
	return run, ok
}

// States calls yield with the present state of every revision.
func (m *MultiScaler) States(yield func(collector.Key, decider.State)) {
	m.mu.RLock()
	runners := slices.Collect(maps.Values(m.runners))
	m.mu.RUnlock()
	for _, run := range runners {
		yield(run.revision, run.present())
	}
}

// Restart gives every revision's loop the state that Restore returns now, where there is
// one: stored states that could not be read before the first decision replace what the
// loops learned since.
func (m *MultiScaler) Restart() {
	m.mu.RLock()
	runners := slices.Collect(maps.Values(m.runners))
	m.mu.RUnlock()
	for _, run := range runners {
		run.restart()
	}
}

// Stuck returns a revision whose loop has not come round for limit; false when every one has.
func (m *MultiScaler) Stuck(now time.Time, limit time.Duration) (collector.Key, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for rev, run := range m.runners {
		if now.Sub(*run.beat.Load()) > limit {
			return rev, true
		}
	}
	return collector.Key{}, false
}

// Forget ends a revision's loop.
func (m *MultiScaler) Forget(r collector.Key) {
	m.mu.Lock()
	run, ok := m.runners[r]
	delete(m.runners, r)
	m.mu.Unlock()
	if ok {
		run.cancel()
		m.Metrics.forget(r)
		if m.Recorder != nil {
			m.Recorder.Forget(r.Namespace + "/" + r.Name)
		}
	}
}

// recorded passes a decision on before the loop's state changes; r.mu is held.
func (m *MultiScaler) recorded(r *runner, obs decider.Observation, d decider.Decision, taken bool) {
	if m.Recorder != nil {
		m.Recorder.Record(r.revision.Namespace+"/"+r.revision.Name, r.spec, r.state, obs, d, !taken)
	}
}

// Poke asks for a decision soon, because a sample changed the picture; sooner when
// the sample shows a burst.
func (m *MultiScaler) Poke(r collector.Key, burst bool) {
	m.mu.RLock()
	run, ok := m.runners[r]
	m.mu.RUnlock()
	if ok {
		run.poke(burst)
	}
}

// untilDecision is how long after a poke to decide when the last decision was made so
// long ago.
func (m *MultiScaler) untilDecision(ago time.Duration, burst bool) time.Duration {
	m.mu.RLock()
	n := len(m.runners)
	m.mu.RUnlock()
	space := min(time.Duration(n)*spacing, longestSpacing)
	if burst {
		space /= burstShare
	}
	return max(minDecisionInterval, space-ago)
}

// Last returns the newest decision of a revision.
func (m *MultiScaler) Last(r collector.Key) (Record, bool) {
	m.mu.RLock()
	run, ok := m.runners[r]
	m.mu.RUnlock()
	if !ok {
		return Record{}, false
	}
	return run.last(), true
}
