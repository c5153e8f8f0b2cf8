package trace

import (
	"container/heap"
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
				if !yield(heap.Pop(&later).(Request), nil) {
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
				heap.Push(&later, c)
			}
		}
		for len(later) > 0 {
			if !yield(heap.Pop(&later).(Request), nil) {
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

func (a arrivals) Len() int           { return len(a) }
func (a arrivals) Less(i, j int) bool { return a[i].Arrival < a[j].Arrival }
func (a arrivals) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *arrivals) Push(x any)        { *a = append(*a, x.(Request)) }
func (a *arrivals) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}
