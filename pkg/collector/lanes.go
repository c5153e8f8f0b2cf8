package collector

import (
	"bytes"
	"context"

	asmetrics "knative.dev/serving/pkg/autoscaler/metrics"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
)

// scratch is what one scrape needs, handed from scrape to scrape. The number
// of scratches bounds the scrapes under way.
type scratch struct {
	body    bytes.Buffer
	kind    string
	parsers map[string]*engine.Parser
	stat    engine.Stat
	report  asmetrics.Stat
	// requests and engine are the decoded sample of the one or the other source.
	requests requestSample
	engine   engineSample
	// large is where the permit for a page beyond smallBody goes back to; nil without one.
	large largePages
}

// reset makes the scratch ready for another scrape. After a page beyond smallBody
// the scratch is made anew: buffer and parsers have grown to the size of the page,
// and one pod with such a page visits every scratch in turn.
func (s *scratch) reset() {
	large := s.large
	if s.body.Cap() > 2*smallBody+bytes.MinRead {
		*s = scratch{parsers: map[string]*engine.Parser{}}
	}
	s.body.Reset()
	if large != nil {
		s.large = nil
		large.release()
	}
}

type lane chan *scratch

// lanes keep targets whose last scrape failed apart from the others: one that
// hangs holds its scratch for a whole timeout.
type lanes struct{ healthy, failing lane }

func newLanes(parallelism int) lanes {
	failing := max(parallelism/4, 1)
	return lanes{newLane(parallelism - failing), newLane(failing)}
}

func newLane(n int) lane {
	l := make(lane, n)
	for range n {
		l <- &scratch{parsers: map[string]*engine.Parser{}}
	}
	return l
}

func (l lanes) of(t *target) lane {
	t.rev.mu.Lock()
	defer t.rev.mu.Unlock()
	if t.misses > 0 {
		return l.failing
	}
	return l.healthy
}

// acquire waits for a scratch; nil when ctx ended first.
func (l lane) acquire(ctx context.Context) *scratch {
	select {
	case <-ctx.Done():
		return nil
	case s := <-l:
		return s
	}
}

// release gives the scratch back.
func (l lane) release(s *scratch) {
	s.reset()
	l <- s
}
