package recording

import (
	"fmt"
	"iter"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// Replayed is the result of making the decisions of a recording again.
type Replayed struct {
	Revisions, Decisions, Identical int
	// First describes the first decision that came out differently; empty when none did.
	First string
}

// Replay makes every decision of a recording again with this program's decider.
// It returns the first error of the sequence or of Decide.
func Replay(entries iter.Seq2[Entry, error]) (Replayed, error) {
	var out Replayed
	revisions := map[string]*replay{}
	for e, err := range entries {
		if err != nil {
			return out, err
		}
		r := revisions[e.Revision]
		if r == nil {
			if e.Spec == nil || e.State == nil {
				return out, fmt.Errorf("the first entry of %s carries no spec and state: the recording's beginning is missing", e.Revision)
			}
			r = &replay{}
			revisions[e.Revision] = r
			out.Revisions++
		}
		d, err := r.decide(e)
		if err != nil {
			return out, fmt.Errorf("%s at %s: %w", e.Revision, e.Observation.Time.Format("15:04:05.000"), err)
		}
		out.Decisions++
		if d.Replicas == e.Replicas && d.Reason == e.Reason {
			out.Identical++
		} else if out.First == "" {
			out.First = fmt.Sprintf("%s at %s: recorded %d (%s), now %s", e.Revision, e.Observation.Time.Format("15:04:05.000"), e.Replicas, e.Reason, d)
		}
	}
	return out, nil
}

// replay is one revision on its way through a recording.
type replay struct {
	spec  decider.Spec
	state decider.State
}

func (r *replay) decide(e Entry) (decider.Decision, error) {
	if e.Spec != nil {
		r.spec = *e.Spec
	}
	if e.State != nil {
		r.state = *e.State
	}
	d, next, err := decider.Decide(r.spec, r.state, e.Observation)
	if err == nil && !e.Discarded {
		r.state = next
	}
	return d, err
}
