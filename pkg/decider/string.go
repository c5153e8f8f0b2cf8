package decider

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// String explains the decision in sentences, for conditions and tables:
//
//	3 replicas. Demand is 6.0 requests/s; one replica sustains 2.14 requests/s within the objective (limited by
//	concurrent requests). 99.4 % of recent requests met TTFT <= 2s and ITL <= 100ms (goal 99 %). Nothing waits.
//	min-scale and max-scale did not change the count.
//
// Explain returns the same for programs.
func (d Decision) String() string {
	s := replicas(d.Replicas) + ". " + d.Why()
	if !d.bounded() {
		s += " min-scale and max-scale did not change the count."
	}
	return s
}

// Why is the reasons of String alone, for events:
//
//	kv_cache_usage_percent is 91.2 (target 70) and needs 6 replicas. concurrency is 1.5 (target 8 per replica) and
//	needs 1 replica. The count was lowered from 6 to 3 (max-scale).
func (d Decision) Why() string {
	var sentences []string
	for _, w := range d.Wants {
		if w.Metric == SLO && d.SLO != nil {
			sentences = append(sentences, sloSentences(*d.SLO, d.Objective)...)
			if d.movedBy(RequestsWait) { // seen now, and not by the engines
				sentences = slices.DeleteFunc(sentences, func(s string) bool { return s == nothingWaits })
			}
			if text := d.OutOfReach(false); text != "" {
				sentences = append(sentences, text)
			}
			if len(d.Wants) == 1 && w.Asked >= 0 && w.explanation() == "" {
				continue // the count says the rest
			}
		}
		sentences = append(sentences, w.String())
	}
	if d.Reason == NoData {
		sentences = append(sentences, "The count stays, because no metric has a value.")
	}
	for _, s := range d.Trace {
		sentences = append(sentences, "The count was "+s.String()+".")
	}
	return strings.Join(sentences, " ")
}

// bounded reports whether min-scale or max-scale changed the count.
func (d Decision) bounded() bool { return d.movedBy(TooFewReplicas) || d.movedBy(TooManyReplicas) }

// movedBy reports whether a rule changed or kept the count for this reason.
func (d Decision) movedBy(why Reason) bool {
	return slices.ContainsFunc(d.Trace, func(s Step) bool { return s.Reason == why })
}

// String is the want as one sentence: "num_requests_waiting is 1 (target 4 per
// replica) and needs 1 replica, raised from 1 to 2 (the largest need of the
// hold-down time counts)."
func (w Want) String() string {
	target := " (target " + number(w.Target) + w.Metric.perReplica() + ")"
	switch {
	case w.Reason == NeverKnown:
		return string(w.Metric) + " was never known and does not count" + target + "."
	case math.IsNaN(float64(w.Observed)) && w.Replicas >= 0 && w.Reason == NoEngineMetrics:
		return string(w.Metric) + " was never known" + target + "; by the requests in flight the revision needs " + replicas(w.Asked) + "."
	case w.Replicas < 0 && w.Metric == SLO:
		return "slo cannot say yet how many replicas it needs."
	case w.Replicas < 0:
		return string(w.Metric) + " is unknown" + target + "."
	case w.Metric == SLO:
		return "slo needs " + replicas(w.Asked) + w.explanation() + "."
	}
	return string(w.Metric) + " is " + number(float64(w.Observed)) + target + " and needs " + replicas(w.Asked) + w.explanation() + "."
}

// explanation is what the rules did to the want; empty if nothing.
func (w Want) explanation() (s string) {
	for _, step := range w.Trace {
		s += ", " + step.String()
	}
	if s == "" && w.Reason != DesiredWithinRange {
		return " (" + w.Reason.text() + ")"
	}
	return s
}

// String says the step as "lowered from 6 to 3 (max-scale)".
func (s Step) String() string {
	before, after := strconv.Itoa(int(s.Before)), strconv.Itoa(int(s.After))
	move := "lowered from " + before + " to " + after
	switch {
	case s.After == s.Before:
		move = "kept at " + after
	case s.After > s.Before:
		move = "raised from " + before + " to " + after
	}
	return move + " (" + s.Reason.text() + ")"
}

// perReplica ends the target of a metric that is summed over the replicas.
func (m Metric) perReplica() string {
	if d, _ := m.Describe(); d.Over == Sum {
		return " per replica"
	}
	return ""
}

// text says the reason in words that need no documentation.
func (r Reason) text() string {
	switch r {
	case PartialData:
		return "part of the data is missing, so the count does not fall"
	case PodLost:
		return "a Ready pod was lost and its requests were not measured"
	case Panicking:
		return "panic mode: the largest count since it began"
	case ScaleUpLimit:
		return "max-scale-up-rate"
	case NeverKnown:
		return "the metric was never known"
	case NoEngineMetrics:
		return "no metric of the engines was ever known: requests in flight decide"
	case UnconfirmedJump:
		return "only the last sample asks for more"
	case JumpLimit:
		return "at most 2 x Ready pods + 4 until requests outside of the engines confirm the need"
	case BetweenTicks:
		return "a count falls every 2 s only"
	case ScaleDownLimit:
		return "max-scale-down-rate"
	case ScaleDownStabilized:
		return "the largest need of the hold-down time counts"
	case ScaleDownDelayed:
		return "scale-down-delay"
	case ActivationScale:
		return "activation-scale"
	case GivenBackSlowly:
		return "a tenth of the replicas per stable window: an empty queue does not show how many are too many"
	case InFlightRequests:
		return "requests are or may be in flight"
	case NoNewRequests:
		return "no route leads to the revision and no request has begun for a stable window: each pod goes when its own requests have ended, and one stays until all have"
	case NoReadinessGate:
		return "no route leads to the revision; pods without the readiness gate stay until no request is in flight, because Kubernetes would cut their answers"
	case Idle:
		return "nothing was open anywhere for a stable window"
	case OpenUnknown:
		return "it is not known whether a request is open in the activator, a picker or a pod"
	case RequestsWait:
		return "requests wait for the first pod"
	case StartFails:
		return "pods do not become Ready, and more would not either"
	case Unreachable:
		return "no route leads to the revision and no request is in flight"
	case Unschedulable:
		return "pods find no node, and more would not either"
	case TooFewReplicas:
		return "min-scale"
	case TooManyReplicas:
		return "max-scale"
	default:
		return string(r)
	}
}
