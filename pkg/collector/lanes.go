package collector

import (
	"bytes"

	asmetrics "knative.dev/serving/pkg/autoscaler/metrics"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector/httpget"
)

// scratch is what one scrape needs, handed from scrape to scrape. The room for the page
// is taken when its response begins: most of the time of a scrape is that of the pod.
type scratch struct {
	response httpget.Response
	*room
}

// room is what reading and decoding one page needs.
type room struct {
	body bytes.Buffer
	// passedOver is how many bytes of a picker's page were read and not kept.
	passedOver int
	parsers    map[string]*engine.Parser
	stat       engine.Stat
	report     asmetrics.Stat
	// requests and engine are the decoded sample of the one or the other source.
	requests requestSample
	engine   engineSample
	// giveBack gives the permit for a page beyond smallBody back; nil without one.
	giveBack func()
}

func newRoom() *room { return &room{parsers: map[string]*engine.Parser{}} }

// size is that of the page in bytes, as far as it was kept.
func (s *scratch) size() int {
	if s.room == nil {
		return 0
	}
	return s.body.Len()
}

// cost is the size of a page that takes as long to read: bytes that are passed over take a
// quarter of the time of those that are parsed.
func (s *scratch) cost() int {
	if s.room == nil {
		return 0
	}
	return s.body.Len() + s.passedOver/4
}

// reset makes the room ready for another page. After a page beyond smallBody it is made
// anew: buffer and parsers have grown to the size of the page, and one pod with such a
// page visits every room in turn.
func (r *room) reset() {
	giveBack := r.giveBack
	if r.body.Cap() > 2*smallBody+bytes.MinRead {
		*r = *newRoom()
	}
	r.body.Reset()
	r.passedOver = 0
	if giveBack != nil {
		r.giveBack = nil
		giveBack()
	}
}

// kept keeps what is not in use, as many as it has room for.
type kept[T any] chan *T

func (k kept[T]) get(fresh func() *T) *T {
	select {
	case v := <-k:
		return v
	default:
		return fresh()
	}
}

func (k kept[T]) put(v *T) {
	select {
	case k <- v:
	default:
	}
}

// keptRooms is the number of rooms that are kept: more than pages are decoded at once
// on a machine with a few cores.
const keptRooms = 64

// takeScratch returns a scratch without a room.
func (c *Collector) takeScratch() *scratch {
	return c.scratches.get(func() *scratch { return &scratch{} })
}

// giveScratch takes it back with its room.
func (c *Collector) giveScratch(s *scratch) {
	if s.room != nil {
		s.room.reset()
		c.rooms.put(s.room)
		s.room = nil
	}
	c.scratches.put(s)
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
