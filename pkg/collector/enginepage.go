package collector

import (
	"errors"
	"math"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// What one pod's engine may say and be believed. A value beyond is unknown.
const (
	maxEngineRequests = 1e5
	maxKVUsage        = 1.005
	maxTokens         = 1e18
)

// engineSample is what is kept of one page; NaN is unknown.
type engineSample struct {
	// at is when the page came; zero when there is no sample.
	at                             time.Time
	running, waiting, kvUsage      float64
	promptTokens, generationTokens float64
	created                        float64
	// waitingNegative is those of waiting that have a negative priority, of a picker.
	waitingNegative float64
	// deferred is those of waiting that wait for something else than capacity; 0 where the
	// engine gives no reason.
	deferred float64
	totals   decider.Totals
	// implausible is true when a value was not believed.
	implausible bool
}

// earlierSample is what is kept of a page when the next one has come.
type earlierSample struct {
	at                                  time.Time
	running, waiting, deferred, kvUsage float64
}

// inFlight is the number of requests inside the engine.
func (e earlierSample) inFlight() float64 { return e.running + e.waiting }

// inFlight is the number of requests inside the engine.
func (e engineSample) inFlight() float64 { return e.running + e.waiting }

// equal compares what decisions are made from; two unknowns are equal.
func (e engineSample) equal(o engineSample) bool {
	return same(e.running, o.running) && same(e.waiting, o.waiting) &&
		same(e.waitingNegative, o.waitingNegative) && same(e.deferred, o.deferred) && same(e.kvUsage, o.kvUsage) &&
		same(e.promptTokens, o.promptTokens) && same(e.generationTokens, o.generationTokens)
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// decodeEngine parses the page in s.body until the turn is over.
func (c *Collector) decodeEngine(within turn, t *target, s *scratch) error {
	p, ok := s.parsers[t.engine]
	if !ok {
		var err error
		if p, err = c.tables.NewParser(t.engine, c.o.MaxLine); err != nil {
			return failure{cause: "config", err: err}
		}
		s.parsers[t.engine] = p
	}
	s.endLine()
	if err := p.ParseLike(&t.rev.layout, within.over, s.body.Bytes(), &s.stat); err != nil {
		return parseFailure(err)
	}
	s.engine = plausible(&s.stat)
	return nil
}

// endLine ends the last line of a page that came whole: Prometheus reads such pages, too.
func (s *scratch) endLine() {
	if page := s.body.Bytes(); len(page) > 0 && page[len(page)-1] != '\n' && s.response.IsWhole() {
		s.body.WriteByte('\n')
	}
}

// parseFailure names the cause of a parser's error.
func parseFailure(err error) error {
	switch {
	case errors.Is(err, engine.ErrStopped):
		return err
	case errors.Is(err, engine.ErrTooLarge):
		return failure{cause: causeTooLarge, err: err}
	case errors.Is(err, engine.ErrNotEngine):
		return failure{cause: "not_engine", err: err}
	default:
		return failure{cause: "parse", err: err}
	}
}

// plausible keeps what can be believed of a page that could be parsed.
func plausible(st *engine.Stat) engineSample {
	e := engineSample{created: st.Created}
	e.running = e.within(st.Running, maxEngineRequests)
	e.waiting = e.within(st.Waiting, maxEngineRequests)
	e.waitingNegative = e.within(st.WaitingNegative, maxEngineRequests)
	if e.deferred = e.within(st.Deferred, maxEngineRequests); !known(e.deferred) {
		e.deferred = 0
	}
	e.kvUsage = math.Min(e.within(st.KVUsage, maxKVUsage), 1)
	e.promptTokens = e.within(st.PromptTokens, maxTokens)
	e.generationTokens = e.within(st.GenerationTokens, maxTokens)
	return e
}

// within returns v when it lies in [0,largest], otherwise NaN.
func (e *engineSample) within(v, largest float64) float64 {
	if v >= 0 && v <= largest {
		return v
	}
	if !math.IsNaN(v) {
		e.implausible = true
	}
	return math.NaN()
}
