package simulator

import "time"

// due is a heap of Ready and draining pods by the time at which their engines
// have something to do.
type due []*pod

// first is the time of the earliest pod, or later than any time of a run.
func (d due) first() time.Duration {
	if len(d) == 0 {
		return forever
	}
	return d[0].due
}

func (d *due) add(p *pod) {
	p.place = len(*d)
	*d = append(*d, p)
	d.up(p.place)
}

func (d *due) remove(p *pod) {
	h := *d
	last := h[len(h)-1]
	*d = h[:len(h)-1]
	if last != p {
		h[p.place], last.place = last, p.place
		d.fix(last)
	}
	p.place = -1
}

// fix puts a pod where its time belongs.
func (d due) fix(p *pod) {
	if !d.up(p.place) {
		d.down(p.place)
	}
}

func (d due) up(i int) (moved bool) {
	p := d[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !p.before(d[parent]) {
			break
		}
		d[i], d[parent].place = d[parent], i
		i, moved = parent, true
	}
	d[i], p.place = p, i
	return moved
}

func (d due) down(i int) {
	p := d[i]
	for {
		child := 2*i + 1
		if child >= len(d) {
			break
		}
		if child+1 < len(d) && d[child+1].before(d[child]) {
			child++
		}
		if !d[child].before(p) {
			break
		}
		d[i], d[child].place = d[child], i
		i = child
	}
	d[i], p.place = p, i
}

// before orders by time, then by age, so that a run is repeatable.
func (p *pod) before(q *pod) bool {
	return p.due < q.due || p.due == q.due && p.number < q.number
}
