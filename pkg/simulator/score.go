package simulator

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// score judges every request and remembers no more than distributions.
type score struct {
	slo SLO
	// from is the arrival of the first request that counts.
	from time.Duration
	all  tally
	// ttft and itl are of requests that count, pointTTFT and pointITL of those that ended since the last Point.
	ttft, itl           sketch
	pointTTFT, pointITL sketch
	point               tally
	// itlSum is over requests with more than one token, in seconds.
	itlSum  float64
	minutes []minute
	// ended is all that came to any end, counted or not.
	ended int64
}

// tally counts requests. arrived is met + missed + those still on their way;
// refused and lost are among the missed. aborted were judged by what their clients had until they hung up.
type tally struct{ arrived, ended, met, refused, lost, aborted int64 }

// minute is the requests that arrived in one minute, and those of them that met the SLO.
type minute struct{ arrived, met int32 }

func newScore(cfg Config) score {
	return score{slo: cfg.SLO, ttft: newSketch(), itl: newSketch(), pointTTFT: newSketch(), pointITL: newSketch()}
}

// restart forgets everything but the requests that are on their way, which do not count either.
func (s *score) restart(at time.Duration) {
	s.from, s.all, s.itlSum = at, tally{}, 0
	s.ttft.reset()
	s.itl.reset()
	clear(s.minutes)
}

func (s *score) arrive(at time.Duration) {
	s.all.arrived++
	s.minute(at).arrived++
}

func (s *score) minute(at time.Duration) *minute {
	i := int(at / time.Minute)
	for len(s.minutes) <= i {
		s.minutes = append(s.minutes, minute{})
	}
	return &s.minutes[i]
}

func (s *score) complete(c engine.Completion) {
	ttft, itl := c.TTFT(), c.TPOT()
	met := ttft <= s.slo.TTFT+s.slo.TTFTPerToken*time.Duration(c.Prompt) && itl <= s.slo.ITL
	s.ended++
	s.point.count(met)
	s.pointTTFT.add(ttft)
	if c.Output > 1 {
		s.pointITL.add(itl)
	}
	if c.Arrival < s.from {
		return
	}
	s.all.count(met)
	if c.HangsUp {
		s.all.aborted++
	}
	s.ttft.add(ttft)
	if c.Output > 1 {
		s.itl.add(itl)
		s.itlSum += itl.Seconds()
	}
	if met {
		s.minute(c.Arrival).met++
	}
}

func (t *tally) count(met bool) {
	t.ended++
	if met {
		t.met++
	}
}

// refuse counts a request that no pod took.
func (s *score) refuse(arrival time.Duration) { s.fail(arrival, &s.all.refused) }

// lose counts a request that went down with its pod.
func (s *score) lose(arrival time.Duration) { s.fail(arrival, &s.all.lost) }

// fail counts a request that ended without an answer, and why if it counts at all.
func (s *score) fail(arrival time.Duration, why *int64) {
	s.ended++
	s.point.ended++
	if arrival >= s.from {
		s.all.ended++
		*why++
	}
}

// recovery is the longest time from the first minute below the goal to the
// first that is at it again, by the arrival of the requests. Minutes without a
// request neither begin nor end it.
func (s *score) recovery() time.Duration {
	longest, begin := 0, -1
	for i, m := range s.minutes {
		switch {
		case m.arrived == 0:
		case float64(m.met) < s.slo.Goal*float64(m.arrived):
			if begin < 0 {
				begin = i
			}
			longest = max(longest, i+1-begin)
		default:
			if begin >= 0 {
				longest = max(longest, i-begin)
			}
			begin = -1
		}
	}
	return time.Duration(longest) * time.Minute
}
