package simulator

import (
	"fmt"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

// scrapes is the order in which pods are read: each at its own phase of the
// same interval, so that the first is always the next.
type scrapes struct {
	every   time.Duration
	entries []scrapeEntry
	head    int
}

type scrapeEntry struct {
	at  time.Duration
	pod *pod
}

func (s *scrapes) first() time.Duration {
	if s.head == len(s.entries) {
		return forever
	}
	return s.entries[s.head].at
}

// add lets a pod be read from a time on, which is not before that of any other.
func (s *scrapes) add(p *pod, at time.Duration) {
	if s.head > 64 && 2*s.head > len(s.entries) {
		n := copy(s.entries, s.entries[s.head:])
		clear(s.entries[n:])
		s.entries, s.head = s.entries[:n], 0
	}
	s.entries = append(s.entries, scrapeEntry{at, p})
}

func (s *scrapes) take() scrapeEntry {
	e := s.entries[s.head]
	s.entries[s.head] = scrapeEntry{}
	s.head++
	return e
}

// samples is what scrapes have left of one pod.
type samples struct {
	// some is set when last holds a page, which was read at.
	some bool
	at   time.Duration
	last engine.Counters
	// before is the requests in flight of the page before, -1 without one, and previous
	// what a policy sees of that page.
	before   int
	previous decider.PreviousSample
	points   []ratePoint
	// totals is last as a policy sees it, once it was asked for.
	totals     decider.Totals
	totalsAt   time.Duration
	ttft, itl  window.Histogram
	readyAfter time.Duration
	// late is a page that is still on its way; busy is until when the endpoint answers nobody else.
	late *late
	busy time.Duration
	// limit is how long the collector waits for the next page; 0 is firstTimeLimit.
	limit time.Duration
}

// late is a page as it was when it was asked for.
type late struct {
	at   time.Duration
	page engine.Counters
}

type ratePoint struct {
	at                 time.Duration
	prompt, generation int64
}

// scrape reads a pod's page, unless it is lost, and checks what must always hold.
func (f *Fleet) scrape(e scrapeEntry) error {
	p := e.pod
	if !f.reads(p) {
		return nil // and it is not read again
	}
	f.scrapes.add(p, e.at+f.scrapes.every)
	if f.now < p.samples.busy {
		return nil // the collector has one request open at a time
	}
	if f.cfg.ScrapeLoss > 0 && f.losses.Float64() < f.cfg.ScrapeLoss {
		return nil
	}
	c := p.engine.Counters(f.now)
	p.due = p.engine.Next()
	f.due.fix(p)
	if c.Running+c.Waiting > p.inFlight || c.KVUsage < 0 || c.KVUsage > 1 {
		return fmt.Errorf("%s at %v: %d running, %d waiting of %d requests, KV cache at %v; this is a bug of the simulator", p.name, f.now, c.Running, c.Waiting, p.inFlight, c.KVUsage)
	}
	if f.cfg.MetricsDelay > 0 && c.Waiting > 0 {
		f.delay(p, c)
		return nil
	}
	p.samples.add(f.now, c, f.cfg)
	return nil
}

// A page that is cut off is asked for again with three times the time, as in pkg/collector.
const firstTimeLimit, longestTimeLimit, moreTime = second, 5 * second, 3

// delay lets a page come late, or not at all where a collector has given up before.
func (f *Fleet) delay(p *pod, c engine.Counters) {
	d, limit := f.cfg.MetricsDelay, max(p.samples.limit, firstTimeLimit)
	p.samples.busy = f.now + min(d, limit)
	if d > limit {
		p.samples.limit = min(moreTime*limit, longestTimeLimit)
		return
	}
	p.samples.late = &late{f.now, c}
	f.events.add(event{f.now + d, answers, p})
}

// answer is a late page that comes: it is as old as its request.
func (f *Fleet) answer(p *pod) {
	if f.reads(p) {
		p.samples.add(p.samples.late.at, p.samples.late.page, f.cfg)
	}
}

func (s *samples) add(at time.Duration, c engine.Counters, cfg Config) {
	if !s.fresh(at, cfg) {
		s.points, s.some = s.points[:0], false
	}
	s.before = -1
	none := decider.Unknown()
	s.previous = decider.PreviousSample{Kept: true, Running: none, Waiting: none, KVCache: none}
	if s.some {
		s.before = s.last.Running + s.last.Waiting
		s.previous.Running, s.previous.Waiting = decider.Reading(s.last.Running), decider.Reading(s.last.Waiting)
		s.previous.KVCache = decider.Reading(100 * s.last.KVUsage)
	}
	s.previous.PromptTokens, s.previous.GenerationTokens = s.perSecond()
	s.some, s.at, s.last = true, at, c
	s.points = append(s.points, ratePoint{at, c.PromptTokens, c.GenerationTokens})
	drop := 0
	for len(s.points)-drop > 2 && s.points[drop].at < at-cfg.PanicWindow {
		drop++
	}
	s.points = append(s.points[:0], s.points[drop:]...)
}

// fresh reports whether the page is not older than three scrapes, and the time that one may take to come.
func (s *samples) fresh(at time.Duration, cfg Config) bool {
	return s.some && at-s.at <= 3*cfg.Scrape+min(cfg.MetricsDelay, longestTimeLimit)
}

// perSecond is the token rates over the panic window; unknown with one page.
func (s *samples) perSecond() (prompt, generation decider.Reading) {
	n := len(s.points)
	if n < 2 {
		return decider.Unknown(), decider.Unknown()
	}
	a, b := s.points[0], s.points[n-1]
	seconds := (b.at - a.at).Seconds()
	return decider.Reading(float64(b.prompt-a.prompt) / seconds),
		decider.Reading(float64(b.generation-a.generation) / seconds)
}
