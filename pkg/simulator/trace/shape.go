package trace

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// ordered starts at 0 with the first request and refuses one that comes before
// the last. Sorting would need all of them in memory.
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
	if from == 0 && to == 0 {
		return requests
	}
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
			for later.due(q.Arrival) {
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
		for len(later.heap) > 0 {
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

// arrivals is a heap by time. It moves keys, and the requests stay in their places.
type arrivals struct {
	heap   []arrival
	places []Request
	free   []int32
}

type arrival struct {
	at    time.Duration
	place int32
}

// due reports whether one comes by a time.
func (a *arrivals) due(by time.Duration) bool { return len(a.heap) > 0 && a.heap[0].at <= by }

func (a *arrivals) push(q Request) {
	key := arrival{q.Arrival, a.put(q)}
	a.heap = append(a.heap, key)
	h := a.heap
	i := len(h) - 1
	for i > 0 && key.at < h[(i-1)/2].at {
		h[i] = h[(i-1)/2]
		i = (i - 1) / 2
	}
	h[i] = key
}

func (a *arrivals) put(q Request) (place int32) {
	if n := len(a.free); n > 0 {
		place, a.free = a.free[n-1], a.free[:n-1]
		a.places[place] = q
		return place
	}
	a.places = append(a.places, q)
	return int32(len(a.places) - 1)
}

func (a *arrivals) pop() Request {
	h := a.heap
	first, key := h[0].place, h[len(h)-1]
	h = h[:len(h)-1]
	a.heap = h
	i := 0
	for child := 1; child < len(h); child = 2*i + 1 {
		if child+1 < len(h) && h[child+1].at < h[child].at {
			child++
		}
		if key.at <= h[child].at {
			break
		}
		h[i] = h[child]
		i = child
	}
	if len(h) > 0 {
		h[i] = key
	}
	a.free = append(a.free, first)
	return a.places[first]
}
