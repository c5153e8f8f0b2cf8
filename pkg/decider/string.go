package decider

import (
	"math"
	"strconv"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// String says the decision in one line, for events, conditions and tables:
//
//	3 replicas: kv_cache_usage_percent=91.2 of 70 wants 6, concurrency=1.5 of 8 wants 1; bounds 6->3 TooManyReplicas
//
// A signal is "observed of target"; "wants ?" is an unknown one. A want that one
// rule changed is written "asks 9 wants 4 ScaleUpLimit"; of several rules each
// step is shown: "asks 9 wants 6 (scale-up limit 9->4 ScaleUpLimit, stabilization
// 4->6 ScaleDownStabilized)".
func (d Decision) String() string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(int(d.Replicas)))
	b.WriteString(" replica")
	if d.Replicas != 1 {
		b.WriteByte('s')
	}
	for i, w := range d.Wants {
		b.WriteString([]string{": ", ", "}[min(i, 1)])
		b.WriteString(w.String())
	}
	if d.SLO != nil {
		b.WriteString("; slo " + partsString(d.SLO))
	}
	if d.Reason == NoData {
		b.WriteString("; held, no signal is known")
	}
	for _, s := range d.Trace {
		b.WriteString("; " + s.String())
	}
	return b.String()
}

// String says the want as Decision.String shows it.
func (w Want) String() string {
	s := string(w.Metric) + "=" + number(float64(w.Observed)) + " of " + number(w.Target)
	if w.Replicas < 0 {
		return s + " wants ?"
	}
	if w.Asked != w.Replicas {
		s += " asks " + strconv.Itoa(int(w.Asked))
	}
	s += " wants " + strconv.Itoa(int(w.Replicas))
	if len(w.Trace) > 1 {
		return s + " (" + steps(w.Trace) + ")"
	}
	if w.Reason != DesiredWithinRange {
		s += " " + string(w.Reason)
	}
	return s
}

// steps lists the rules that moved a want, in order.
func steps(trace []Step) string {
	all := make([]string, len(trace))
	for i, s := range trace {
		all[i] = s.String()
	}
	return strings.Join(all, ", ")
}

// String says the step as "rule before->after reason".
func (s Step) String() string {
	if s.Before == s.After {
		return s.Rule + " keeps " + strconv.Itoa(int(s.After)) + " " + string(s.Reason)
	}
	return s.Rule + " " + strconv.Itoa(int(s.Before)) + "->" + strconv.Itoa(int(s.After)) + " " + string(s.Reason)
}

// partsString says the parts of a want of slo.
func partsString(p *slo.Parts) string {
	s := number(float64(p.Demand)) + "/s at " + number(float64(p.CapacityRPS)) + " each (" + p.Limit + ", trim " + number(float64(p.TargetLoad)) +
		"), envelope " + number(float64(p.GrowthFactor)) + ", past needs " + number(float64(p.NeedPast)) + ", " + number(float64(p.Backlog)) + " waiting"
	if p.Unmet > 0 {
		s += ", " + strconv.Itoa(int(p.Unmet)) + " without a node"
	}
	return s
}

// number writes at most two decimals, and ? for unknown.
func number(f float64) string {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return "?"
	case math.Abs(f) >= 1e9 || f != 0 && math.Abs(f) < 0.01:
		return strconv.FormatFloat(f, 'g', 3, 64)
	}
	return strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64)
}
