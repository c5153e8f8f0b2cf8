//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// One saturated pool, three hosts: batch=-10, the Service's own, vip=20. No
// client says a priority. The higher is dispatched first though it came last;
// the negative is shed. A header that a client forges changes nothing.
func TestGatewayPriorities(t *testing.T) {
	t.Parallel()
	needGateway(t)
	s := standIn(t, namespaceFor(t), "ranked", annotations{"min-scale": "1", "max-scale": "1"}, "-seqs=1", "-token=300ms").
		behindGateway(map[string]string{"knative-inference.dev/objectives": "batch=-10,vip=20"}).start()
	own, vip, batch := question{host: s.host()}, question{host: "vip-" + s.host()}, question{host: "batch-" + s.host()}
	for _, q := range []question{own, vip, batch} {
		q.waitServed(t)
	}
	s.waitCondition("ObjectiveApplied", "True")
	high := nameOfObjective(t, s, 20)
	t.Run("no header", func(t *testing.T) { expectRanks(t, high, own, vip, batch) })
	forged := func(q question, objective string) question {
		q.header = http.Header{"X-Gateway-Inference-Objective": {objective}}
		return q
	}
	t.Run("forged header", func(t *testing.T) {
		expectRanks(t, high, forged(own, high), forged(vip, "nobody"), forged(batch, high))
	})
}

// nameOfObjective finds the InferenceObjective of a priority.
func nameOfObjective(t *testing.T, s *service, priority int64) string {
	t.Helper()
	for _, o := range list(t, objectives, s.namespace) {
		if spec, _ := o.Object["spec"].(map[string]any); spec["priority"] == priority {
			return o.GetName()
		}
	}
	t.Fatalf("no InferenceObjective of priority %d", priority)
	return ""
}

// expectRanks fills the only pod, then lets requests of all three wait in the
// picker: first the Service's own, then vip's, then batch's. What fills it takes
// 9 s, in which all of them come even while a gateway takes on a new listener.
// Only vip's bear the objective high.
func expectRanks(t *testing.T, high string, own, vip, batch question) {
	const filling, waiting = 30, 6
	var fill, first, second, last crowd
	fill.send(t, own, filling)
	time.Sleep(time.Second) // the picker sees the queue
	first.send(t, own, waiting)
	time.Sleep(500 * time.Millisecond)
	second.send(t, vip, waiting)
	last.send(t, batch, waiting)
	shed := 0
	for _, a := range last.answers() {
		if a.status == http.StatusTooManyRequests {
			shed++
		}
	}
	ownPlaces, vipPlaces := places(t, first.answers()), places(t, second.answers())
	places(t, fill.answers())
	for _, a := range slices.Concat(fill.answers(), first.answers(), second.answers()) {
		if isVIP := a.place > 0 && slices.Contains(vipPlaces, a.place); (a.objective == high) != isVIP {
			t.Errorf("place %d of vip %v: objective %q, want %q of vip's alone", a.place, isVIP, a.objective, high)
		}
	}
	figure(t, fmt.Sprintf("gateway: priorities on one saturated pod: vip ran in places %v, its own host %v, batch: %d of %d shed with 429", vipPlaces, ownPlaces, shed, waiting))
	if mean(vipPlaces) >= mean(ownPlaces) {
		t.Errorf("vip came later and must run first: places %v, own %v", vipPlaces, ownPlaces)
	}
	if shed == 0 {
		t.Errorf("nothing of batch was shed: %v", last.answers())
	}
}

func places(t *testing.T, all []answer) []int {
	t.Helper()
	var p []int
	for _, a := range all {
		if a.status != http.StatusOK {
			t.Errorf("not answered: %v", a)
		}
		p = append(p, a.place)
	}
	slices.Sort(p)
	return p
}

func mean(all []int) float64 {
	sum := 0
	for _, v := range all {
		sum += v
	}
	return float64(sum) / float64(max(len(all), 1))
}

// crowd is requests that are under way at once.
type crowd struct {
	wg  sync.WaitGroup
	mu  sync.Mutex
	all []answer
}

func (c *crowd) send(t *testing.T, q question, n int) {
	for range n {
		c.wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
			defer cancel()
			a, err := q.ask(ctx)
			if err != nil {
				a.body = strings.TrimSpace(a.body + " " + err.Error())
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.all = append(c.all, a)
		})
	}
}

// answers waits for all of them.
func (c *crowd) answers() []answer {
	c.wg.Wait()
	return c.all
}
