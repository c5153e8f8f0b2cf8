package collector

import (
	"bytes"

	asmetrics "knative.dev/serving/pkg/autoscaler/metrics"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector/httpget"
)

// scratch is what one scrape needs, handed from scrape to scrape.
type scratch struct {
	response httpget.Response
	body     bytes.Buffer
	parsers  map[string]*engine.Parser
	stat     engine.Stat
	report   asmetrics.Stat
	// requests and engine are the decoded sample of the one or the other source.
	requests requestSample
	engine   engineSample
	// large is where the permit for a page beyond smallBody goes back to; nil without one.
	large largePages
}

func newScratch() *scratch { return &scratch{parsers: map[string]*engine.Parser{}} }

// reset makes the scratch ready for another scrape. After a page beyond smallBody
// the scratch is made anew: buffer and parsers have grown to the size of the page,
// and one pod with such a page visits every scratch in turn.
func (s *scratch) reset() {
	large := s.large
	if s.body.Cap() > 2*smallBody+bytes.MinRead {
		*s = *newScratch()
	}
	s.body.Reset()
	if large != nil {
		s.large = nil
		large.release()
	}
}

// scratches keeps scratches that are not in use, as many as it has room for.
type scratches chan *scratch

// keptScratches is the number of scratches that are kept: more than scrape at
// once on a machine with a few cores while no target is slow.
const keptScratches = 64

func (k scratches) get() *scratch {
	select {
	case s := <-k:
		return s
	default:
		return newScratch()
	}
}

func (k scratches) put(s *scratch) {
	s.reset()
	select {
	case k <- s:
	default:
	}
}

// lane bounds the scrapes under way and shares them fairly between namespaces: each
// gets its turn, and none may take more than twice what is left free. So one
// namespace has at most 2/3 of the slots, and n namespaces at most 2n/(2n+1): a
// slot is always free for a namespace that needs one now. Guarded by the
// scheduler's mutex.
type lane struct {
	slots, busy int
	namespaces  map[string]*namespaceQueue
	// turns are the namespaces with waiting targets; the first is next.
	turns []*namespaceQueue
}

// namespaceQueue is one namespace's part of a lane.
type namespaceQueue struct {
	waiting []*target
	busy    int
}

func newLane(slots int) *lane {
	return &lane{slots: slots, namespaces: map[string]*namespaceQueue{}}
}

func (l *lane) push(t *target) {
	name := t.rev.key.Namespace
	q := l.namespaces[name]
	if q == nil {
		q = &namespaceQueue{}
		l.namespaces[name] = q
	}
	if len(q.waiting) == 0 {
		l.turns = append(l.turns, q)
	}
	q.waiting = append(q.waiting, t)
}

// next takes a slot for the target whose turn it is; nil when none may begin.
func (l *lane) next() *target {
	for i := 0; i < len(l.turns) && l.busy < l.slots; {
		q := l.turns[i]
		if q.busy >= max(2*(l.slots-l.busy), 1) {
			i++
			continue
		}
		t := q.waiting[0]
		q.waiting = q.waiting[1:]
		l.turns = append(l.turns[:i], l.turns[i+1:]...)
		if len(q.waiting) > 0 {
			l.turns = append(l.turns, q)
		}
		if t.gone {
			i = 0
			continue
		}
		q.busy++
		l.busy++
		return t
	}
	return nil
}

// release gives the slot of a namespace back.
func (l *lane) release(namespace string) {
	l.busy--
	q := l.namespaces[namespace]
	if q.busy--; q.busy == 0 && len(q.waiting) == 0 {
		delete(l.namespaces, namespace)
	}
}
