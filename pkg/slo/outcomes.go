package slo

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// outcome is how many first tokens came while one replica had so much to do, and how many
// of them missed the objective. It is stored as a short list.
type outcome struct {
	// share is the mean rate of one replica (what arrived and what waited before it) by the
	// rate that the model of a step promised then, whatever limits were known.
	share float64
	// seen and missed are requests. Both fade.
	seen, missed float64
}

// outcomes are ordered by share; two of them differ by about outcomeStep.
type outcomes []outcome

// bucketOf numbers shares so that each number's are within outcomeStep.
func bucketOf(share float64) int {
	return int(math.Floor(math.Log(max(share, minOutcomeShare)) / math.Log1p(outcomeStep)))
}

// add counts requests, if there are any.
func (t *outcomes) add(share, seen, missed float64) bool {
	if !(seen > 0 && share >= 0 && share < MaxTotal) {
		return false
	}
	missed = min(max(missed, 0), seen)
	i, same := slices.BinarySearchFunc(*t, bucketOf(share),
		func(o outcome, bucket int) int { return bucketOf(o.share) - bucket })
	if !same {
		*t = slices.Insert(*t, i, outcome{share, seen, missed})
		if len(*t) > maxOutcomes {
			*t = slices.Delete(*t, 0, 1) // the lowest says least
		}
		return true
	}
	o := &(*t)[i]
	o.seen += seen
	o.missed += missed
	o.share += seen / o.seen * (share - o.share)
	return true
}

// byLoad is first tokens, and those that missed, by step of load.
type byLoad struct{ seen, missed [loadSteps]float64 }

// byLoad converts shares to loads: a replica's rate is the promised one divided by k.
func (t outcomes) byLoad(k float64) (l byLoad) {
	for _, o := range t {
		i := stepOf(o.share * k)
		l.seen[i] += o.seen
		l.missed[i] += o.missed
	}
	return l
}

func stepOf(load float64) int { return int(min(load/loadStep, loadSteps-1)) }

func (t outcomes) valid() bool {
	for i, o := range t {
		if !(o.share >= 0 && o.share < MaxTotal && o.seen >= 0 && o.seen < MaxTotal && o.missed >= 0 && o.missed <= o.seen) {
			return false
		}
		if i > 0 && !(o.share >= t[i-1].share) {
			return false
		}
	}
	return len(t) <= maxOutcomes
}

// MarshalJSON writes a list of the fields.
func (o outcome) MarshalJSON() ([]byte, error) {
	return json.Marshal([...]float64{o.share, o.seen, o.missed})
}

// UnmarshalJSON reads such a list; one of another length is an error.
func (o *outcome) UnmarshalJSON(b []byte) error {
	var list []float64
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	if len(list) != 3 {
		return fmt.Errorf("outcome: %d numbers, want 3", len(list))
	}
	*o = outcome{list[0], list[1], min(list[2], list[1])}
	return nil
}
