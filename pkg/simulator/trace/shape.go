package trace

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// ordered starts at 0 with the first request and refuses one that comes before
// the last. To sort, all of them would have to be held.
func ordered(requests Requests) Requests {
	return func(yield func(Request, error) bool) {
		var first, last time.Duration
		n := 0
		for q, err := range requests {
			if n++; err != nil {
				yield(q, err)
				return
			}
			if n == 1 {
				first, last = q.Arrival, q.Arrival
			}
			switch {
			case q.Arrival < last:
				yield(Request{}, fmt.Errorf("request %d comes %v before the one above it; sort the file by time", n, last-q.Arrival))
				return
			case q.Arrival-first > longest*time.Second:
				yield(Request{}, errors.New("the trace is longer than 10 years; is the time in seconds?"))
				return
			}
			last = q.Arrival
			if q.Arrival -= first; !yield(q, nil) {
				return
			}
		}
	}
}

// cut takes the requests of a part of the trace.
func cut(requests Requests, from, to time.Duration) Requests {
	return func(yield func(Request, error) bool) {
		for q, err := range requests {
			if err == nil && q.Arrival < from {
				continue
			}
			if err == nil && to > 0 && q.Arrival >= to {
				return
			}
			if q.Arrival -= from; !yield(q, err) || err != nil {
				return
			}
		}
	}
}

// spread is the time within which the copies of a request come.
const spread = 2 * time.Second

// multiply repeats each request, on average, scale times. The first stays in
// its place; the copies wait in a heap that holds 2 s of them.
func multiply(requests Requests, scale float64, r *rand.Rand) Requests {
	if scale == 1 {
		return requests
	}
	return func(yield func(Request, error) bool) {
		var later arrivals
		for q, err := range requests {
			if err != nil {
				yield(q, err)
				return
			}
			for len(later) > 0 && later[0].Arrival <= q.Arrival {
				if !yield(later.pop(), nil) {
					return
				}
			}
			times := int(scale + r.Float64())
			if times > 0 && !yield(q, nil) {
				return
			}
			for copied := range times - 1 {
				c := q
				c.Blocks = ofCopy(q.Blocks, copied)
				c.Arrival += time.Duration(r.Int64N(int64(spread)))
				later.push(c)
			}
		}
		for len(later) > 0 {
			if !yield(later.pop(), nil) {
				return
			}
		}
	}
}

// ofCopy makes the blocks of a copy's prompt its own: they are found again in
// the same copy of later requests, and not in other copies of the same request.
func ofCopy(blocks []int64, copied int) []int64 {
	if blocks == nil {
		return nil
	}
	own := make([]int64, len(blocks))
	for i, b := range blocks {
		own[i] = b ^ int64(copied+1)<<48
	}
	return own
}

// arrivals is a heap by time.
type arrivals []Request

func (a *arrivals) push(q Request) {
	*a = append(*a, q)
	h := *a
	i := len(h) - 1
	for i > 0 && q.Arrival < h[(i-1)/2].Arrival {
		h[i] = h[(i-1)/2]
		i = (i - 1) / 2
	}
	h[i] = q
}

func (a *arrivals) pop() Request {
	h := *a
	first, q := h[0], h[len(h)-1]
	h[len(h)-1] = Request{}
	h = h[:len(h)-1]
	*a = h
	i := 0
	for child := 1; child < len(h); child = 2*i + 1 {
		if child+1 < len(h) && h[child+1].Arrival < h[child].Arrival {
			child++
		}
		if q.Arrival <= h[child].Arrival {
			break
		}
		h[i] = h[child]
		i = child
	}
	if len(h) > 0 {
		h[i] = q
	}
	return first
}
