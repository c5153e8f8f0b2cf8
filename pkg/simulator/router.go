package simulator

// router spreads requests over Ready pods by the requests they have in flight:
// pods of the same number form a list, so that a choice, a new request and an
// ended one cost the same for any fleet. Equal pods take turns.
type router struct {
	levels []level
	// least is a level below which no pod is.
	least int
	ready int32
}

// level lists the pods of one number of requests, the next to serve first.
type level struct{ head, tail *pod }

func (r *router) add(p *pod) {
	r.ready++
	p.routed = true
	r.link(p)
}

func (r *router) remove(p *pod) {
	if !p.routed {
		return
	}
	r.ready--
	p.routed = false
	r.unlink(p)
}

// change sets a pod's requests in flight.
func (r *router) change(p *pod, inFlight int) {
	if !p.routed {
		p.inFlight = inFlight
		return
	}
	r.unlink(p)
	p.inFlight = inFlight
	r.link(p)
}

// idlest is the pod with the fewest requests in flight, nil without a Ready one.
func (r *router) idlest() *pod {
	if r.ready == 0 {
		return nil
	}
	for r.levels[r.least].head == nil {
		r.least++
	}
	return r.levels[r.least].head
}

// link appends a pod to the list of its level.
func (r *router) link(p *pod) {
	for len(r.levels) <= p.inFlight {
		r.levels = append(r.levels, level{})
	}
	l := &r.levels[p.inFlight]
	p.previous, p.next = l.tail, nil
	if l.tail != nil {
		l.tail.next = p
	} else {
		l.head = p
	}
	l.tail = p
	r.least = min(r.least, p.inFlight)
}

func (r *router) unlink(p *pod) {
	l := &r.levels[p.inFlight]
	if p.previous != nil {
		p.previous.next = p.next
	} else {
		l.head = p.next
	}
	if p.next != nil {
		p.next.previous = p.previous
	} else {
		l.tail = p.previous
	}
	p.previous, p.next = nil, nil
}
