package decider

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

// fleet is a fluid model of engines, enough for stories of the metric SLO:
// a replica at load rho takes base/(1-rho) a step, serves 0.97/work requests a
// second at most, and lets the rest wait.
type fleet struct {
	// base and work are seconds, prompt and output tokens of a request.
	base, work, prompt, output float64
	lead                       time.Duration
	kv                         float64
	// stale is the number of Ready pods whose metrics cannot be read.
	stale int
	// frozen is the number of Ready pods whose counters stand still on the pages, and whose gauges do while
	// gauges is false.
	frozen int
	gauges bool
	// arrivals and rps say whether arrivals and their rate are known, concurrency
	// whether the queue-proxies report the requests in flight.
	arrivals, rps, concurrency bool
	// Without counters an engine reports only running and waiting requests; without
	// steps not the number of steps; without queued first tokens lack the time in the queue.
	counters, steps, queued bool
	// sequences limits the requests that run at once; slots is another limit, in
	// requests per second, that engines do not report; 0 is no limit.
	sequences, slots float64
	// healthy is the pods that ever become Ready, 0 any number.
	healthy int
	// gpus is the pods that find a node, 0 any number.
	gpus int

	pods     []*node
	made     int
	arrived  float64
	replicas int32
	now      time.Duration
	begun    bool
}

// ttftBounds are the buckets of the fleet's TTFT in seconds.
var ttftBounds = [...]float64{0.25, 0.5, 1, 2, 5, 10}

// node is one engine; counters are since it began.
type node struct {
	name                   string
	created, ready         time.Duration
	homeless               bool // no node was found yet
	broken                 bool // never becomes Ready
	waiting, running       float64
	firsts                 float64
	ttft                   [len(ttftBounds)]float64 // cumulative
	prompt, gen, gaps, sum float64
	steps                  float64
	firstTokens            window.Histogram
	old                    *Pod // the page of a frozen pod
}

func newFleet() fleet {
	return fleet{base: 0.011, work: 0.1, prompt: 1000, output: 200, lead: time.Minute, kv: 420_000, gauges: true, arrivals: true, counters: true, steps: true, queued: true, replicas: 1}
}

// set reads the fields of the orders engine and fault.
func (f *fleet) set(fields []string) (err error) {
	for _, field := range fields {
		key, value, _ := strings.Cut(field, "=")
		number := func(p *float64) error { *p, err = strconv.ParseFloat(value, 64); return err }
		switch key {
		case "base":
			err = number(&f.base)
		case "work":
			err = number(&f.work)
		case "prompt":
			err = number(&f.prompt)
		case "output":
			err = number(&f.output)
		case "kv":
			err = number(&f.kv)
		case "lead":
			f.lead, err = time.ParseDuration(value)
		case "replicas":
			_, err = fmt.Sscan(value, &f.replicas)
		case "stale":
			f.stale, err = strconv.Atoi(value)
		case "counters":
			f.counters = value == "on"
		case "steps":
			f.steps = value == "on"
		case "queued":
			f.queued = value == "on"
		case "sequences":
			err = number(&f.sequences)
		case "slots":
			err = number(&f.slots)
		case "healthy":
			f.healthy, err = strconv.Atoi(value)
		case "gpus":
			f.gpus, err = strconv.Atoi(value)
		case "frozen":
			f.frozen, err = strconv.Atoi(value)
		case "gauges":
			f.gauges = value == "on"
		case "arrivals":
			f.arrivals = value == "on"
		case "rps":
			f.rps = value == "on"
		case "concurrency":
			f.concurrency = value == "on"
		case "reset": // every engine begins anew, and so does the counter of arrivals
			f.arrived = 0
			for _, n := range f.pods {
				*n = node{name: n.name, created: n.created, ready: n.ready}
			}
		default:
			err = fmt.Errorf("unknown field")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
	}
	return nil
}

// follow makes and takes away pods until there are as many as decided. A pod
// that begins the story is Ready at once.
func (f *fleet) follow(n int32) {
	for int32(len(f.pods)) < n {
		p := &node{name: fmt.Sprintf("pod-%d", f.made), created: f.now, ready: f.now + f.lead}
		if !f.begun {
			p.created, p.ready = f.now-time.Hour, f.now-time.Hour+f.lead
		}
		f.made++
		f.pods = append(f.pods, p)
	}
	f.pods = f.pods[:n]
	for i, p := range f.pods {
		p.broken = f.healthy > 0 && i >= f.healthy
		homeless := f.gpus > 0 && i >= f.gpus && (p.homeless || p.ready > f.now)
		if p.homeless && !homeless {
			p.ready = f.now + f.lead
		}
		p.homeless = homeless
	}
	f.replicas = n
}

func (f *fleet) isReady(p *node) bool { return !p.homeless && !p.broken && p.ready <= f.now }

// advance serves rate requests per second for dt.
func (f *fleet) advance(rate float64, dt time.Duration) {
	ready, seconds := 0.0, dt.Seconds()
	for _, p := range f.pods {
		if f.isReady(p) {
			ready++
		}
	}
	f.arrived += rate * seconds
	for _, p := range f.pods {
		if f.isReady(p) {
			f.serve(p, rate/ready, seconds)
		}
	}
	f.now += dt
}

// most is the requests per second that a replica serves at most.
func (f *fleet) most() float64 {
	most := 0.97 / f.work
	if f.sequences > 0 { // as many requests run as there are places
		most = min(most, f.sequences/(f.output*f.base+f.sequences*f.work))
	}
	if f.slots > 0 {
		most = min(most, f.slots)
	}
	return most
}

func (f *fleet) serve(p *node, rate, seconds float64) {
	most := f.most()
	served := min(rate+p.waiting/seconds, most)
	wait := p.waiting / most
	if !f.queued {
		wait = 0
	}
	p.waiting += (rate - served) * seconds
	step := f.base / (1 - served*f.work)
	p.running = served * f.output * step
	if f.sequences > 0 {
		p.running = min(p.running, f.sequences)
	}
	n := served * seconds
	p.firsts += n
	for i, bound := range ttftBounds {
		if wait+f.work <= bound {
			p.ttft[i] += n
		}
	}
	p.prompt += n * f.prompt
	p.gen += n * f.output
	p.gaps += n * f.output
	p.sum += n * f.output * step
	p.steps += seconds / step
}

// observe is what can be seen of the fleet.
func (f *fleet) observe(rate float64) Observation {
	unknown := Windowed{Unknown(), Unknown()}
	o := Observation{
		Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(f.now), Replicas: f.replicas,
		Concurrency: unknown, RPS: unknown, InFlight: Unknown(), Arrivals: Unknown(), Queued: Unknown(),
	}
	if f.arrivals {
		o.Arrivals = Reading(math.Floor(f.arrived))
	}
	if f.rps {
		o.RPS = Windowed{Reading(rate), Reading(rate)}
	}
	busy := 0.0
	var first window.Gains
	for _, p := range f.pods {
		pod := Pod{
			Name: p.name, Age: f.now - p.created, Running: Unknown(), Waiting: Unknown(), KVCache: Unknown(),
			PromptTokens: Unknown(), GenerationTokens: Unknown(),
		}
		if !f.isReady(p) {
			pod.Phase, pod.Unschedulable = Starting, p.homeless
		} else {
			o.Ready++
			busy += p.running + p.waiting
			pod.ReadyAfter = p.ready - p.created
			if int(o.Ready) > f.stale {
				f.page(p, &pod)
				f.freeze(p, &pod, int(o.Ready) <= f.frozen)
				o.TTFT.Known = o.TTFT.Known || f.follow95(p, pod.Totals.TTFT, o.Time, &first)
			}
		}
		o.Pods = append(o.Pods, pod)
	}
	if o.TTFT.Count = Reading(first.Count()); o.TTFT.Count > 0 {
		o.TTFT.P95 = Reading(1000 * first.Percentile(.95))
	}
	if f.concurrency {
		o.Concurrency = Windowed{Reading(busy), Reading(busy)}
	}
	return o
}

// follow95 adds what one pod's histogram gained within a minute; it is false without a histogram.
func (f *fleet) follow95(p *node, h Histogram, now time.Time, to *window.Gains) bool {
	p.firstTokens.Add(window.Sample{Time: now, Bounds: h.Bounds, Counts: h.Counts, Total: float64(h.Count)}, time.Minute)
	to.Add(&p.firstTokens)
	return p.firstTokens.IsKnown()
}

// page fills in what an engine reports.
func (f *fleet) page(p *node, pod *Pod) {
	whole := func(v float64) Reading { return Reading(math.Floor(v)) }
	pod.Running, pod.Waiting = whole(p.running), whole(p.waiting)
	pod.KVCache = Reading(min(100, 100*p.running*(f.prompt+f.output/2)/f.kv))
	if !f.counters {
		pod.Totals = unknownTotals()
		return
	}
	steps := Unknown()
	if f.steps {
		steps = whole(p.steps)
	}
	pod.Totals = Totals{
		Known: true, Steps: steps, Preemptions: 0, Finished: whole(p.firsts), PromptTokens: whole(p.prompt),
		GenerationTokens: whole(p.gen), KVCapacity: Reading(f.kv),
		TTFT: Histogram{Bounds: ttftBounds[:], Counts: slices.Clone(p.ttft[:]), Count: Reading(p.firsts), Sum: Unknown()},
		ITL:  Histogram{Count: whole(p.gaps), Sum: Reading(p.sum)},
		E2E:  unknownHistogram,
	}
}

// freeze shows the counters, or all, of the page that a pod had when it froze.
func (f *fleet) freeze(p *node, pod *Pod, frozen bool) {
	if !frozen {
		p.old = nil
		return
	}
	if p.old == nil {
		p.old = new(Pod)
		*p.old = *pod
	}
	pod.Totals = p.old.Totals
	if !f.gauges {
		pod.Running, pod.Waiting, pod.KVCache = p.old.Running, p.old.Waiting, p.old.KVCache
	}
}

// unknownTotals are those of an engine that reports only running and waiting requests.
func unknownTotals() Totals {
	return Totals{
		Known: true, Steps: Unknown(), Preemptions: Unknown(), Finished: Unknown(), PromptTokens: Unknown(),
		CachedTokens: Unknown(), GenerationTokens: Unknown(), KVCapacity: Unknown(), TTFT: unknownHistogram, ITL: unknownHistogram, E2E: unknownHistogram,
	}
}

// run decides every two seconds with the fleet, at a rate or along a line
// between two, as rate=8..40.
func (s *story) run(fields []string) ([]string, error) {
	f, from, to := &s.fleet, 0.0, 0.0
	var first, last time.Duration
	for _, field := range fields {
		key, value, _ := strings.Cut(field, "=")
		var err error
		switch key {
		case "t":
			first, last, _, err = span(strings.TrimSuffix(value, "/2s") + "/2s")
		case "rate":
			a, b, line := strings.Cut(value, "..")
			if from, err = strconv.ParseFloat(a, 64); err == nil && line {
				to, err = strconv.ParseFloat(b, 64)
			} else {
				to = from
			}
		default:
			err = fmt.Errorf("unknown field of a run")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", field, err)
		}
	}
	if f.now < first {
		f.now = first
	}
	f.follow(f.replicas)
	f.begun = true
	var changes changes
	for length := max(last-first, 1); f.now <= last; {
		rate := from + (to-from)*float64(f.now-first)/float64(length)
		f.advance(rate, 2*time.Second)
		changes.add(f.now, s.decide(f.observe(rate)))
		f.follow(s.last.Replicas)
	}
	return changes, nil
}

// changes lists outcomes, each with its time but the first.
type changes []string

func (c *changes) add(at time.Duration, now string) {
	if n := len(*c); n > 0 {
		if _, before, timed := strings.Cut((*c)[n-1], ": "); timed && before == now || !timed && (*c)[n-1] == now {
			return
		}
		now = fmt.Sprintf("%v: %s", at, now)
	}
	*c = append(*c, now)
}

// readObjective reads an objective as TTFT/ITL/goal.
func readObjective(o *Objective, s string) error {
	parts := strings.Split(s, "/")
	if len(parts) != 3 {
		return fmt.Errorf("write it as 2s/100ms/0.99")
	}
	var errs [3]error
	o.TTFT, errs[0] = time.ParseDuration(parts[0])
	o.ITL, errs[1] = time.ParseDuration(parts[1])
	o.Goal, errs[2] = strconv.ParseFloat(parts[2], 64)
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
