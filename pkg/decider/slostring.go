package decider

import (
	"math"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// sloSentences explain what the metric slo needs. Every number may be unknown.
func sloSentences(p slo.Parts, o Objective) []string {
	sentences := []string{demandSentence(p)}
	if s := skewSentence(p); s != "" {
		sentences = append(sentences, s)
	}
	if s := ratioSentence(p); s != "" {
		sentences = append(sentences, s)
	}
	if s := reserveSentence(p); s != "" {
		sentences = append(sentences, s)
	}
	if p.Limit != noEngineMetrics {
		sentences = append(sentences, attainmentSentence(p, o))
	}
	sentences = append(sentences, backlogSentence(p))
	if p.Unmet > 0 {
		sentences = append(sentences, "No node is found for "+replicas(p.Unmet)+".")
	}
	return sentences
}

// demandSentence compares what arrives with what one replica sustains.
func demandSentence(p slo.Parts) string {
	s := "Demand is unknown"
	if p.Demand.Known() {
		s = "Demand is " + rate(p.Demand)
	}
	switch {
	case p.Limit == noEngineMetrics:
		return s + "; no pod has engine metrics, so one replica is given " + number(float64(p.ConcurrencyTarget)) + " requests in flight."
	case !p.CapacityRPS.Known():
		return s + "; what one replica sustains is unknown."
	}
	s += "; one replica sustains " + number(float64(p.CapacityRPS)) + " requests/s within the objective"
	if p.Limit != "" {
		s += " (limited by " + limitText(p.Limit) + ")"
	}
	return s + "."
}

// mentionedSkew is the smallest skew of a pod's ranks that a sentence mentions.
const mentionedSkew = 1.1

// skewSentence says that a pod's fullest data-parallel rank is full before the others; empty where its ranks are
// equally loaded.
func skewSentence(p slo.Parts) string {
	if !(p.RankSkew >= mentionedSkew) || p.Limit == noEngineMetrics {
		return ""
	}
	return "The fullest data-parallel rank of a pod is given " + number(float64(p.RankSkew)) +
		" times the prompt tokens of the mean rank, and is full before the others."
}

// ratioSentence says in which unit the demand is, where engine requests are not HTTP
// requests or nobody knows yet; otherwise it is empty.
func ratioSentence(p slo.Parts) string {
	switch r := p.RequestRatio; {
	case !p.Demand.Known() || p.Limit == noEngineMetrics || r == 0 || r == 1:
		return ""
	case !r.Known():
		return "How many engine requests an HTTP request brings is not known yet; 1 is assumed."
	default:
		return "Demand is in engine requests, " + number(float64(r)) + " for each HTTP request."
	}
}

// reserveSentence says why more replicas are needed than the present demand
// fills: the load that may come, or the past hour; empty if they are not.
func reserveSentence(p slo.Parts) string {
	present := float64(p.Demand / p.CapacityRPS)
	if !(math.Ceil(float64(p.Need)-rounding) > math.Ceil(present-rounding)) {
		return ""
	}
	s := "To be ready for growth"
	if p.NeedPast > p.NeedLevel {
		s = "To serve the load of the past hour again"
	}
	return s + ", " + number(float64(p.Need)) + " replicas are needed."
}

func attainmentSentence(p slo.Parts, o Objective) string {
	objective := "TTFT <= " + o.TTFT.String()
	if o.TTFTPerToken > 0 {
		objective += " + " + o.TTFTPerToken.String() + " per prompt token"
	}
	objective += " and ITL <= " + o.ITL.String() + " (goal " + number(o.Goal*100) + " %)."
	if !p.Attainment.Known() {
		return "No recent request was measured against " + objective
	}
	return percent(p.Attainment) + " of recent requests met " + objective
}

const nothingWaits = "Nothing waits."

func backlogSentence(p slo.Parts) string {
	switch n := float64(p.Backlog); {
	case math.IsNaN(n):
		return "How many requests wait is unknown."
	case math.Round(n) == 0:
		return nothingWaits
	case math.Round(n) == 1:
		return "1 request waits."
	default:
		return count(n, "request") + " wait."
	}
}

// limitText names what limits a replica, see slo.Parts.Limit.
func limitText(limit string) string {
	switch limit {
	case "ITL", "ITL out of reach":
		return "the time between tokens"
	case "KV":
		return "KV-cache memory"
	case "sequences":
		return "concurrent requests"
	case "queue":
		return "a queue that persists"
	}
	return limit
}
