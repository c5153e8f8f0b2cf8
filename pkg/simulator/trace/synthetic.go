package trace

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// kind is a load of our own making.
type kind struct {
	name, about string
	points      func(seed uint64) []point
	lengths     lengths
}

// The loads, in requests per second. Their rates suit a fleet of about two to
// ten 8B replicas; Options.Scale makes them larger.
func kinds() []kind {
	return []kind{
		{"diurnal", "a day with its low at 4:00 and its high, eight times as much, at 16:00", diurnal, chatLengths()},
		{"burst", "2 h at 4 requests per second, with bursts to 24 for 1 to 3 min at random", bursts, chatLengths()},
		{"step", "1 h: 20 min at 4 requests per second, 20 min at 16, 20 min at 4", steps, chatLengths()},
		{"ramp", "1 h: from 2 to 20 requests per second in 30 min, and back", ramp, chatLengths()},
		{"tenants", "1 h of code completion by 8 tenants that all work at the same random minutes", tenants, tenantLengths()},
		{"longprompt", "1 h of prompts of 12,000 tokens in the mean, 2 requests per second", longPrompts, longLengths()},
	}
}

// Synthetic returns a load of our own making: diurnal, burst, step, ramp,
// tenants, longprompt, or model1 to model20. Of the options From, To, Scale and Seed count.
func Synthetic(name string, o Options) (Requests, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Scale == 0 {
		o.Scale = 1
	}
	if rank, ok := modelRank(name); ok {
		return cut(modelDay(rank, o.Scale, o.Seed), o.From, o.To), nil
	}
	var names []string
	for _, k := range kinds() {
		if k.name == name {
			return cut(generate(curveOf(k.points(o.Seed)), k.lengths, o.Scale, o.Seed), o.From, o.To), nil
		}
		names = append(names, k.name)
	}
	return nil, fmt.Errorf("synthetic load %q; it must be one of %s, or %s1 to %s%d", name, strings.Join(names, ", "),
		modelPrefix, modelPrefix, Models)
}

// curveOf is a curve whose rows are at hand; their gaps are Poisson's unless they say more.
func curveOf(points []point) curve {
	return func(yield func(point, error) bool) {
		for _, p := range points {
			p.cv = max(p.cv, 1)
			if !yield(p, nil) {
				return
			}
		}
	}
}

const (
	minute = 60.0
	hour   = 60 * minute
	// edge is how long a jump of the rate takes.
	edge = 1.0
)

func diurnal(uint64) (points []point) {
	for m := 0.0; m <= 24*60; m += 10 {
		wave := (1 - math.Cos(2*math.Pi*(m/60-4)/24)) / 2
		points = append(points, point{at: m * minute, rate: 2.5 + 17.5*wave})
	}
	return points
}

// pulses is a base rate with jumps to a high one.
type pulses struct {
	base, high, length float64
	points             []point
}

// add makes a pulse, if it begins after the one before.
func (p *pulses) add(from, to float64) float64 {
	p.points = append(p.points, point{at: from, rate: p.base}, point{at: from + edge, rate: p.high},
		point{at: to, rate: p.high}, point{at: to + edge, rate: p.base})
	return to + edge
}

func (p *pulses) end() []point { return append(p.points, point{at: p.length, rate: p.base}) }

func bursts(seed uint64) []point {
	r := Stream(seed, "bursts")
	p := pulses{base: 4, high: 24, length: 2 * hour, points: []point{{rate: 4}}}
	for at := 5*minute + r.ExpFloat64()*10*minute; at < p.length-5*minute; at += 2*minute + r.ExpFloat64()*10*minute {
		at = p.add(at, at+(1+2*r.Float64())*minute)
	}
	return p.end()
}

func steps(uint64) []point {
	p := pulses{base: 4, high: 16, length: hour, points: []point{{rate: 4}}}
	p.add(20*minute, 40*minute)
	return p.end()
}

func ramp(uint64) []point {
	return []point{{at: 0, rate: 2}, {at: 30 * minute, rate: 20}, {at: hour, rate: 2}}
}

// tenants work for 20 to 60 s of every two minutes or so, all of them at once,
// as in Azure's code trace.
func tenants(seed uint64) []point {
	r := Stream(seed, "tenants")
	p := pulses{base: .5, high: 20, length: hour, points: []point{{rate: .5}}}
	for at := minute; at < p.length-2*minute; at += minute*.5 + r.ExpFloat64()*minute {
		at = p.add(at, at+20+40*r.Float64())
	}
	return p.end()
}

func tenantLengths() lengths {
	l := codeLengths()
	l.tenants = 8
	return l
}

func longPrompts(uint64) []point { return []point{{rate: 2}, {at: hour, rate: 2}} }

// Kinds describes the synthetic loads, one a line.
func Kinds() string {
	var b strings.Builder
	for _, k := range kinds() {
		fmt.Fprintf(&b, "%-10s %s (%v)\n", k.name, k.about, k.duration())
	}
	fmt.Fprintf(&b, "%s1 to %s%d: the same day of %d models, most idle most of the time: each its sessions (24h0m0s)\n",
		modelPrefix, modelPrefix, Models, Models)
	return b.String()
}

// KindNames are the names of the synthetic loads.
func KindNames() (names []string) {
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return append(names, modelNames()...)
}

func (k kind) duration() time.Duration {
	points := k.points(0)
	return time.Duration(points[len(points)-1].at) * time.Second
}
