package decider

import "encoding/json"

// Explanation is a decision for programs: String in JSON, with units in the
// names. A number that is not known is null.
type Explanation struct {
	Replicas int32  `json:"replicas"`
	Reason   Reason `json:"reason"`
	// Metric is the one whose need is the largest; empty when none is known.
	Metric  Metric        `json:"metric,omitempty"`
	Metrics []MetricNeed  `json:"metrics"`
	SLO     *SLONeed      `json:"slo,omitempty"`
	Changes []CountChange `json:"changes,omitempty"`
	Text    string        `json:"text"`
}

// MetricNeed is what one metric asks for, in the metric's unit.
type MetricNeed struct {
	Metric   Metric  `json:"metric"`
	Observed Reading `json:"observed"`
	Target   float64 `json:"target"`
	// NeededReplicas is what the signal alone asks for, Replicas the same after
	// Changes; both are -1 while the signal is unknown.
	NeededReplicas int32         `json:"neededReplicas"`
	Replicas       int32         `json:"replicas"`
	Reason         Reason        `json:"reason"`
	Changes        []CountChange `json:"changes,omitempty"`
}

// CountChange is one rule's change of a count.
type CountChange struct {
	Rule   string `json:"rule"`
	From   int32  `json:"from"`
	To     int32  `json:"to"`
	Reason Reason `json:"reason"`
	Text   string `json:"text"`
}

// SLONeed is the numbers behind the need of the metric slo. JSON has each part under the
// name and the unit that Parts gives it.
type SLONeed struct {
	TTFTSeconds float64 `json:"ttftSeconds"`
	ITLSeconds  float64 `json:"itlSeconds"`
	GoalRatio   float64 `json:"goalRatio"`
	LimitedBy   string  `json:"limitedBy,omitempty"`

	Parts SLOParts `json:"-"`
}

// MarshalJSON writes the parts after the other fields, in one object.
func (n SLONeed) MarshalJSON() ([]byte, error) {
	type plain SLONeed
	out, err := json.Marshal(plain(n))
	if err != nil {
		return nil, err
	}
	out = out[:len(out)-1]
	for _, p := range Parts() {
		value, err := json.Marshal(p.Of(n.Parts))
		if err != nil {
			return nil, err
		}
		out = append(out, `,"`+p.jsonName()+`":`...)
		out = append(out, value...)
	}
	return append(out, '}'), nil
}

// Explain returns the decision for programs.
func (d Decision) Explain() Explanation {
	e := Explanation{Replicas: d.Replicas, Reason: d.Reason, Metric: d.Metric, Changes: changesOf(d.Trace),
		Text: d.String()}
	for _, w := range d.Wants {
		e.Metrics = append(e.Metrics, MetricNeed{
			Metric: w.Metric, Observed: w.Observed, Target: w.Target,
			NeededReplicas: w.Asked, Replicas: w.Replicas, Reason: w.Reason, Changes: changesOf(w.Trace),
		})
	}
	if p := d.SLO; p != nil {
		e.SLO = &SLONeed{
			TTFTSeconds: d.Objective.TTFT.Seconds(), ITLSeconds: d.Objective.ITL.Seconds(),
			GoalRatio: d.Objective.Goal, LimitedBy: p.Limit, Parts: *p,
		}
	}
	return e
}

func changesOf(trace []Step) (all []CountChange) {
	for _, s := range trace {
		all = append(all, CountChange{Rule: s.Rule, From: s.Before, To: s.After, Reason: s.Reason, Text: s.String()})
	}
	return all
}
