package slo

import "math"

// curve is the expected share of misses by load, in the middle of each step,
// and floor the part of the misses that no number of replicas would help.
type curve struct {
	miss  [loadSteps]float64
	floor float64
}

func widthOf(i int) float64 { return [widths]float64{steepWidth, middleWidth, flatWidth}[i] }

func floorOf(i int) float64 { return [floors]float64{floorA, floorB, floorC, floorD, floorE}[i] }

// shape is one curve of the family by the distance from its centre in steps,
// with the logarithms of its two outcomes.
type shape struct {
	miss, logMiss, logMeet [reach + loadSteps]float64
}

// family is the shapes by width and floor. It is never changed.
type family [widths][floors]shape

func newFamily() *family {
	var all family
	for w := range all {
		r := ramp(widthOf(w))
		for f := range all[w] {
			all[w][f].lift(&r, floorOf(f))
		}
	}
	return &all
}

// ramp is a logistic of that width by the distance from its centre.
func ramp(width float64) (r [reach + loadSteps]float64) {
	for i := range r {
		r[i] = 1 / (1 + math.Exp(-loadStep*float64(i-reach)/width))
	}
	return r
}

// lift adds a floor to a ramp.
func (s *shape) lift(r *[reach + loadSteps]float64, floor float64) {
	for i := range s.miss {
		s.miss[i] = min(floor+(1-floor)*r[i], maxMiss)
		s.logMiss[i], s.logMeet[i] = math.Log(s.miss[i]), math.Log(1-s.miss[i])
	}
}

// tally is what was seen under one step of load.
type tally struct {
	step        int
	missed, met float64
}

// mean is the mean of the family's posterior, given what was seen.
func (all *family) mean(seen []tally) curve {
	p := posterior{best: math.Inf(-1)}
	for w := range all {
		for f := range all[w] {
			s := &all[w][f]
			for centre := firstCentre; centre < firstCentre+centres; centre++ {
				logLikelihood := s.logLikelihood(seen, centre) - floorPenalty*float64(f) - widthPenalty*float64(w)
				p.add(logLikelihood, s, centre, floorOf(f))
			}
		}
	}
	p.mean.scale(1 / p.sum)
	return p.mean
}

// posterior sums up curves by how likely they are, relative to the best before.
type posterior struct {
	mean      curve
	best, sum float64
}

func (p *posterior) add(logLikelihood float64, s *shape, centre int, floor float64) {
	if logLikelihood > p.best {
		fade := math.Exp(p.best - logLikelihood)
		p.sum *= fade
		p.mean.scale(fade)
		p.best = logLikelihood
	}
	if logLikelihood-p.best < minLogWeight {
		return
	}
	weight := math.Exp(logLikelihood - p.best)
	p.sum += weight
	p.mean.floor += weight * floor
	for i := range p.mean.miss {
		p.mean.miss[i] += weight * s.miss[i-centre+reach]
	}
}

func (c *curve) scale(k float64) {
	c.floor *= k
	for i := range c.miss {
		c.miss[i] *= k
	}
}

// logLikelihood is the logarithm of how likely a centre is.
func (s *shape) logLikelihood(seen []tally, centre int) float64 {
	off := ((float64(centre)+0.5)*loadStep - priorCentre) / priorSpread
	sum := -off * off / 2
	for _, t := range seen {
		at := t.step - centre + reach
		sum += likelihoodWeight * (t.missed*s.logMiss[at] + t.met*s.logMeet[at])
	}
	return sum
}

// at is the expected share of misses under a load.
func (c *curve) at(load float64) float64 {
	x := load/loadStep - 0.5
	switch {
	case !(x > 0):
		return c.miss[0]
	case x >= loadSteps-1:
		return c.miss[loadSteps-1]
	}
	i := int(x)
	return c.miss[i] + (x-float64(i))*(c.miss[i+1]-c.miss[i])
}

// allowed is the share of misses to plan for, besides the hopeless ones that the curve does not
// have. Where replicas cannot reach the goal, a part of what the goal allows is added to
// what they cannot help.
func (c *curve) allowed(goal, hopeless float64) float64 {
	share := plannedShare * (1 - goal)
	return max(share-hopeless, c.floor+shareAboveFloor*share)
}

// sustained is the largest steady load with at most that share of misses.
func (c *curve) sustained(share float64) float64 {
	for i := loadSteps - 1; i > 0; i-- {
		if c.miss[i-1] > share {
			continue
		}
		within := min((share-c.miss[i-1])/max(c.miss[i]-c.miss[i-1], 1e-12), 1)
		return max((float64(i)-0.5+within)*loadStep, minTargetLoad)
	}
	return minTargetLoad
}
