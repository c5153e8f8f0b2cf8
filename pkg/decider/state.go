package decider

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

// State is what earlier decisions left for the next one. The zero State is
// that of a revision never decided on. It is a value: Decide returns a new one
// and leaves its argument untouched, so a State may be copied, stored as JSON
// and continued apart (what-if, replay, restart).
type State struct {
	// Targets holds the memory of each target, in the order of the spec.
	Targets []TargetState `json:"targets,omitempty"`
	// Delay holds the counts of the past ScaleDownDelay.
	Delay window.Max `json:"delay,omitzero"`
	// EngineSeen is true once the running or waiting requests of a pod were known:
	// from then on an unknown engine is not an idle one.
	EngineSeen bool `json:"engineSeen,omitempty"`
	// IdleSince is the time since which no request was in flight; zero while one is
	// or may be.
	IdleSince time.Time `json:"idleSince,omitzero"`
	// QuietSince is the time since which no request has begun in a revision without a route,
	// and FirstTokens what its engines had counted by then; zero while one has begun or may have.
	QuietSince  time.Time `json:"quietSince,omitzero"`
	FirstTokens Reading   `json:"firstTokens,omitzero"`
	// Ready is the Ready pods of the last observation, and LostAt when one of them was
	// last lost; zero if none was.
	Ready  int32     `json:"ready,omitempty"`
	LostAt time.Time `json:"lostAt,omitzero"`
	// Missing is the largest number of replicas that were not Ready when pods were lost lately,
	// and MissingAt when that many were last.
	Missing   int32     `json:"missing,omitempty"`
	MissingAt time.Time `json:"missingAt,omitzero"`
	// BlindSince is since when it is not known whether a request waits for a revision at
	// zero; zero while it is known, or the revision has replicas.
	BlindSince time.Time `json:"blindSince,omitzero"`
	// SLO is the memory of the metric SLO, nil without that metric. It is not modified.
	SLO *slo.State `json:"slo,omitempty"`
}

// TargetState is the memory of one target.
type TargetState struct {
	Metric Metric `json:"metric"`
	// PanicSince is when the panic mode began or was last confirmed; zero when
	// it is off. PanicPods is the largest count since it began.
	PanicSince time.Time `json:"panicSince,omitzero"`
	PanicPods  int32     `json:"panicPods,omitempty"`
	// Recent has the wants of the past StableWindow; engine metrics only.
	Recent window.Max `json:"recent,omitzero"`
	// Backlog is the memory of Waiting.
	Backlog backlogState `json:"backlog,omitzero"`
	// Known is true once the metric was known. UnknownSince is the first decision with Ready
	// pods before that.
	Known        bool      `json:"known,omitempty"`
	UnknownSince time.Time `json:"unknownSince,omitzero"`
	// NoEngineSince is the first decision with Ready pods and without engine metrics, for SLO
	// as long as no engine was ever seen.
	NoEngineSince time.Time `json:"noEngineSince,omitzero"`
}

// forTargets returns the state with one TargetState per target of the spec, in a new
// slice. A metric that the state does not have starts from the present pods.
func (st State) forTargets(spec Spec, obs Observation) State {
	targets := make([]TargetState, len(spec.Targets))
	for i, t := range spec.Targets {
		targets[i] = st.target(t.Metric, obs)
	}
	st.Targets = targets
	return st
}

func (st State) target(m Metric, obs Observation) TargetState {
	for _, ts := range st.Targets {
		if ts.Metric == m {
			return ts
		}
	}
	return newTargetState(m, obs)
}

// newTargetState has no history. A demand target with more than one Ready pod starts
// in panic mode, as Knative's does, and so keeps the pods until it has a history. The
// count ordered before is taken to be the present replicas.
func newTargetState(m Metric, obs Observation) TargetState {
	ts := TargetState{Metric: m}
	switch m.kind() {
	case Backlog:
		ts.Backlog = newBacklog(obs)
	case Demand:
		ts.PanicPods = obs.Ready
		if obs.Ready > 1 {
			ts.PanicSince = obs.Time
		}
	case Level, Percentile, Planned: // nothing
	}
	return ts
}
