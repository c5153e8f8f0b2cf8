package decider

import (
	"strings"
	"time"
)

// OutOfReach says in sentences what of the decision's objective no number of replicas
// reaches, with what was learned; it is empty while nothing is known to be out of reach. before
// is whether something was when it was asked last.
func (d Decision) OutOfReach(before bool) string {
	if d.SLO == nil || d.SLO.Limit == noEngineMetrics {
		return ""
	}
	reach := d.SLO.OutOfReach(d.Objective, before)
	var sentences []string
	if reach.TTFT {
		sentences = append(sentences, floorSentence("the first token of the mean request", d.SLO.FloorTTFT, d.Objective.TTFT))
	}
	if reach.ITL {
		sentences = append(sentences, floorSentence("a further token", d.SLO.FloorITL, d.Objective.ITL))
	}
	if reach.Misses && !reach.TTFT && !reach.ITL {
		sentences = append(sentences, "At any load about "+percent(d.SLO.Floor)+" of the requests miss the objective, and the goal allows "+percent(Reading(1-d.Objective.Goal))+": replicas are added only as far as they help.")
	}
	return strings.Join(sentences, " ")
}

// Unloaded says in a sentence which latencies the mean request has on an engine without
// load; it is empty until they are learned.
func (d Decision) Unloaded() string {
	if d.SLO == nil || !(d.SLO.FloorTTFT > 0 && d.SLO.FloorITL > 0) || d.SLO.Limit == noEngineMetrics {
		return ""
	}
	return "Without any load the first token of the mean request takes " + seconds(d.SLO.FloorTTFT) + ", and a further token " + seconds(d.SLO.FloorITL) + "."
}

// floorSentence compares a latency without load with its objective.
func floorSentence(what string, floor Reading, objective time.Duration) string {
	return "Without any load " + what + " takes " + seconds(floor) + " or more, and the objective is " + objective.String() + ": no number of replicas reaches the objective, and none is added for it."
}
