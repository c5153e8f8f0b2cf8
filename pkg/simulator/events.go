package simulator

import (
	"container/heap"
	"time"
)

// kind is what happens to a pod from outside of its engine; answers is its metrics endpoint, late,
// and quiet the end of the time for which a draining one has to be without requests.
type kind int

const (
	becomesReady kind = iota
	fails
	answers
	quiet
)

// event is one change of one pod; it is void when the pod has gone meanwhile.
type event struct {
	at   time.Duration
	kind kind
	pod  *pod
}

// events is a heap by time, then by the pod's age.
type events []event

func (e events) first() time.Duration {
	if len(e) == 0 {
		return forever
	}
	return e[0].at
}

func (e *events) add(v event) { heap.Push(e, v) }

func (e *events) take() event { return heap.Pop(e).(event) }

func (e events) Len() int { return len(e) }

func (e events) Less(i, j int) bool {
	a, b := e[i], e[j]
	return a.at < b.at || a.at == b.at && (a.pod.number < b.pod.number || a.pod.number == b.pod.number && a.kind < b.kind)
}

func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }

// Push and Pop are container/heap's.
func (e *events) Push(x any) { *e = append(*e, x.(event)) }

// Pop takes the last element.
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	(*e)[len(*e)-1] = event{}
	*e = (*e)[:len(*e)-1]
	return last
}
