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

// keptBody is the largest page buffer in bytes that a scratch keeps. A page of
// real vLLM 0.32 has 73 KiB.
const keptBody = 1 << 20

// release gives the scratch back. After an exceptionally long page the scratch
// is made anew: its parsers keep slices of the page and buffers of its size, so
// that one pod would leave a page in each of the 128 scratches (1,636 MiB).
func (l lane) release(s *scratch) {
	if s.body.Cap() > keptBody {
		*s = scratch{parsers: map[string]*engine.Parser{}}
	}
	l <- s
}
