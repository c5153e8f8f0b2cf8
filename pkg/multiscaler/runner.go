package multiscaler

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// runner decides for one revision. mu guards everything below it; the decider
// itself is pure, so one lock around a step is all there is.
type runner struct {
	m        *MultiScaler
	revision collector.Revision
	ctx      context.Context
	cancel   context.CancelFunc
	pokes    chan struct{}

	mu       sync.Mutex
	spec     decider.Spec
	state    decider.State
	record   Record
	notified time.Time
}

func newRunner(m *MultiScaler, r collector.Revision) *runner {
	ctx, cancel := context.WithCancel(m.ctx)
	return &runner{m: m, revision: r, ctx: ctx, cancel: cancel, pokes: make(chan struct{}, 1)}
}

// outdated takes the spec and reports whether the last decision was made under
// another one, or from another count.
func (r *runner) outdated(spec decider.Spec, replicas int32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if reflect.DeepEqual(spec, r.spec) && r.record.Observation.Replicas == replicas {
		return false
	}
	r.spec = spec
	return true
}

func (r *runner) last() Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.record
}

func (r *runner) poke() {
	select {
	case r.pokes <- struct{}{}:
	default:
	}
}

// loop decides on every tick and shortly after every poke.
func (r *runner) loop() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-ticker.C:
		case <-r.pokes:
			if !r.wait(settle) {
				return
			}
		}
		if r.decide(time.Now()) {
			r.m.changed(r.revision)
		}
	}
}

// wait sleeps for d and reports false when the loop has ended meanwhile.
func (r *runner) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-r.ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// decide makes one decision and reports whether somebody has to act on it. A
// revision that is not observed, or has no scale target, gets no decision.
func (r *runner) decide(now time.Time) bool {
	obs, ok := r.m.Observer.Observe(r.revision, now)
	if !ok {
		return false
	}
	if obs.Replicas, ok = r.m.Scales.Replicas(r.revision); !ok {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	decision, state, err := decider.Decide(r.spec, r.state, obs)
	if err != nil {
		r.m.Log.Error("decision failed", "namespace", r.revision.Namespace, "revision", r.revision.Name, "error", err)
		r.m.Metrics.failed()
		return false
	}
	before := r.record
	r.state = state
	r.record = Record{Time: now, Spec: r.spec, Observation: obs, Decision: decision}
	r.m.Metrics.decided(r.revision, r.record)
	return r.worthTelling(before)
}

// worthTelling reports whether the new record differs from the scale target or
// from the record before it; a mere change of reason is told at most every
// quiet period.
func (r *runner) worthTelling(before Record) bool {
	now, d := r.record.Time, r.record.Decision
	moved := before.Time.IsZero() || d.Replicas != before.Decision.Replicas
	if moved {
		r.m.Log.Info("decided", "namespace", r.revision.Namespace, "revision", r.revision.Name,
			"replicas", r.record.Observation.Replicas, "decision", d.String())
	}
	reason := d.Reason != before.Decision.Reason && now.Sub(r.notified) >= quiet
	if !moved && !reason && d.Replicas == r.record.Observation.Replicas {
		return false
	}
	r.notified = now
	return true
}
