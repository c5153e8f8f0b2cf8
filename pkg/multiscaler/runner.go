package multiscaler

import (
	"cmp"
	"context"
	"math"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// runner decides for one revision. mu guards everything below it and is held
// over a whole step, so that no step on older knowledge overwrites a newer one.
type runner struct {
	m        *MultiScaler
	revision collector.Key
	// firstTick is the time to the first tick; the next come a tick apart.
	firstTick time.Duration
	ctx       context.Context
	cancel    context.CancelFunc
	// pokes and bursts have room for one: what comes before the decision folds into it.
	pokes, bursts chan struct{}
	// beat is when the loop last came round; its monotonic reading ignores steps of the clock.
	beat atomic.Pointer[time.Time]

	mu     sync.Mutex
	spec   decider.Spec
	state  decider.State
	record Record
	// notified is the reason that changed was last called with, at notifiedAt, and
	// notifiedText the text of that decision.
	notified     decider.Reason
	notifiedAt   time.Time
	notifiedText string
}

func newRunner(m *MultiScaler, r collector.Key) *runner {
	ctx, cancel := context.WithCancel(m.ctx)
	run := &runner{m: m, revision: r, firstTick: spread(len(m.runners)), ctx: ctx, cancel: cancel,
		pokes: make(chan struct{}, 1), bursts: make(chan struct{}, 1)}
	run.alive()
	run.state = run.restored()
	return run
}

// spread is the time to the first tick of the loop that n others preceded: a whole tick
// without others, and spread evenly over a tick with any number of them, so that loops
// that begin together (at a start) do not all take the CPU at the same moment ever after.
func spread(n int) time.Duration {
	const golden = 0.6180339887 // the fractional parts of its multiples fill the unit evenly
	_, part := math.Modf(float64(n) * golden)
	return tick - time.Duration(part*float64(tick))
}

func (r *runner) alive() {
	now := time.Now()
	r.beat.Store(&now)
}

// restored is the stored state of the revision, the zero state when there is none.
func (r *runner) restored() (state decider.State) {
	if r.m.Restore == nil {
		return decider.State{}
	}
	defer r.m.contain(r.revision, "restore", func(string) { state = decider.State{} })
	return r.m.Restore(r.revision)
}

func (r *runner) restart() {
	state := r.restored()
	if reflect.ValueOf(state).IsZero() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = state
}

func (r *runner) present() decider.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

func (r *runner) last() Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.record
}

func (r *runner) poke(burst bool) {
	to := r.pokes
	if burst {
		to = r.bursts
	}
	select {
	case to <- struct{}{}:
	default:
	}
}

// loop decides on every tick, where the count may fall, and shortly after
// every poke, where it may only rise: the rates of Knative's class are per
// tick, and a sample more must not halve a revision once more.
func (r *runner) loop() {
	ticker := time.NewTicker(r.firstTick)
	defer ticker.Stop()
	begun := sync.OnceFunc(func() { ticker.Reset(tick) })
	decided := time.Now()
	for {
		mayFall := false
		select {
		case <-r.ctx.Done():
			return
		case <-ticker.C:
			mayFall = true
		case <-r.pokes:
			mayFall = r.wait(ticker.C, decided, false)
		case <-r.bursts:
			mayFall = r.wait(ticker.C, decided, true)
		}
		if r.ctx.Err() != nil {
			return
		}
		if mayFall {
			begun()
		}
		decided = time.Now()
		if r.step(time.Now(), mayFall) {
			r.m.changed(r.revision)
		}
		r.alive()
	}
}

// wait sleeps until the next decision is due, or until the loop ends or a tick comes,
// which it reports. A burst meanwhile makes the decision due sooner.
func (r *runner) wait(ticks <-chan time.Time, decided time.Time, burst bool) (ticked bool) {
	timer := time.NewTimer(r.m.untilDecision(time.Since(decided), burst))
	defer timer.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return false
		case <-timer.C:
			return false
		case <-ticks:
			return true
		case <-r.bursts:
			timer.Reset(r.m.untilDecision(time.Since(decided), true))
		}
	}
}

// ensure takes the spec and decides at once when the last decision was made
// under another one, or from another count than the scale target's present one.
func (r *runner) ensure(now time.Time, spec decider.Spec, replicas int32) Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	edited := !reflect.DeepEqual(spec, r.spec)
	r.spec = spec
	if edited || r.record.Observation.Replicas != replicas {
		r.decide(now, edited)
	}
	return r.record
}

// step makes one decision and reports whether somebody has to act on it.
func (r *runner) step(now time.Time, mayFall bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.record
	return r.decide(now, mayFall) && r.worthNotice(before)
}

// decide makes one decision; r.mu is held. After a panic the count stays as it is, and
// the next decision begins without history: what is stored may be the reason.
func (r *runner) decide(now time.Time, mayFall bool) (decided bool) {
	defer r.m.contain(r.revision, "decide", func(why string) {
		r.state = decider.State{}
		decided = r.hold(now, why)
	})
	return r.decideFrom(now, mayFall)
}

// InternalError is the reason of a count that is kept because the decision panicked.
const InternalError decider.Reason = "InternalError"

// hold keeps the count of the scale target because of a panic; r.mu is held.
func (r *runner) hold(now time.Time, why string) bool {
	replicas, ok := r.m.Scales.Replicas(r.revision)
	if !ok {
		return false
	}
	before := r.record
	r.record = Record{
		Time: now, Failure: why, ReadyAfter: before.ReadyAfter,
		Observation: decider.Observation{Time: now, Replicas: replicas},
		Decision:    decider.Decision{Replicas: replicas, Reason: InternalError},
	}
	r.m.Metrics.decided(r.revision, before, r.record)
	return true
}

// decideFrom makes one decision. A revision that is not observed, or has no scale
// target, gets none.
func (r *runner) decideFrom(now time.Time, mayFall bool) bool {
	obs, ok := r.m.Observer.Observe(r.revision)
	if !ok || r.ctx.Err() != nil {
		return false
	}
	if obs.Replicas, ok = r.m.Scales.Replicas(r.revision); !ok {
		return false
	}
	decision, state, err := decider.Decide(r.spec, r.state, obs)
	if err != nil {
		r.m.Log.Error("decision failed", "namespace", r.revision.Namespace, "revision", r.revision.Name, "error", err)
		r.m.Metrics.failed()
		return false
	}
	taken := mayFall || decision.Replicas >= obs.Replicas
	r.m.recorded(r, obs, decision, taken)
	if taken {
		r.state = state
	} else { // as if this sample had not been decided on
		decision = untilTick(decision, obs.Replicas)
	}
	before := r.record
	r.record = Record{Time: now, Observation: obs, Decision: decision}
	r.record.ReadyAfter = cmp.Or(decider.ReadyAfter(obs), before.ReadyAfter)
	r.m.Metrics.decided(r.revision, before, r.record)
	r.record.Observation.Pods = nil // nobody reads them again, and they hold the pods' histograms
	return true
}

// untilTick holds a count that would fall between two ticks.
func untilTick(d decider.Decision, replicas int32) decider.Decision {
	d.Trace = append(d.Trace, decider.Step{Rule: "tick", Before: d.Replicas, After: replicas, Reason: decider.BetweenTicks})
	d.Replicas, d.Reason = replicas, decider.BetweenTicks
	return d
}

// worthNotice reports whether the new record differs from the scale target,
// from the record before it, or in its reason from the last notice. A new reason
// alone is worth a notice at most every quiet period, new numbers at most every refresh
// period, and the first known metrics at once.
func (r *runner) worthNotice(before Record) bool {
	now, d := r.record.Time, r.record.Decision
	moved := before.Time.IsZero() || d.Replicas != before.Decision.Replicas
	if moved {
		r.m.Log.Info("decided", "namespace", r.revision.Namespace, "revision", r.revision.Name,
			"replicas", r.record.Observation.Replicas, "decision", d.Explain())
	}
	reason := d.Reason != r.notified && (r.notified == decider.NoData || now.Sub(r.notifiedAt) >= quiet)
	numbers := now.Sub(r.notifiedAt) >= refresh && d.String() != r.notifiedText
	before.Decision.ExcessBurst, d.ExcessBurst = known(before.Decision.ExcessBurst), known(d.ExcessBurst)
	path := (before.Decision.ExcessBurst < 0) != (d.ExcessBurst < 0) // the activator comes into the path, or leaves it
	if !moved && !reason && !numbers && !path && d.Replicas == r.record.Observation.Replicas {
		return false
	}
	r.notified, r.notifiedAt, r.notifiedText = d.Reason, now, d.String()
	return true
}

// known is a reading, 0 where it is unknown.
func known(r decider.Reading) decider.Reading {
	if !r.Known() {
		return 0
	}
	return r
}
