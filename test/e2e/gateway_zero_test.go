//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Behind the inference gateway at zero: a POST waits in the picker, a GET in Knative's
// activator, and each of them, or both at once, wakes the revision. Streams that begin
// while the pod starts and after end whole. It is a part of TestZero, which switches the
// activator's metrics on.
func zeroBehindGateway(t *testing.T) {
	needGateway(t)
	s := sleeperService(t, namespaceFor(t), "asleep", nil).behindGateway(nil).start()
	s.waitCondition("Ready", "True")
	models := question{host: s.host(), model: s.model, method: http.MethodGet, path: "/v1/models"}
	question{host: s.host(), model: s.model}.waitServed(t)
	r := s.current()

	r.waitZero()
	posts := streams{byGateway: true}
	took := r.wakeTime(&posts, 3)
	figure(t, fmt.Sprintf("%s: woken %v after the first POST", t.Name(), took.Round(time.Millisecond)))
	for range 3 { // while the pod starts, is hidden from the picker, and serves
		time.Sleep(1500 * time.Millisecond)
		posts.open(s, 2)
	}
	posts.expectWhole(t, 9)

	r.waitZero()
	began := time.Now()
	models.expectWoken(t)
	figure(t, fmt.Sprintf("%s: GET /v1/models answered %v after it came", t.Name(), time.Since(began).Round(time.Millisecond)))

	r.waitZero()
	var both sync.WaitGroup
	both.Go(func() { models.expectWoken(t) })
	posts.open(s, 2)
	both.Wait()
	posts.expectWhole(t, 11)
}

// expectWoken is answered although there is no pod when it comes.
func (q question) expectWoken(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if a, err := q.ask(ctx); err != nil || a.status != http.StatusOK {
		t.Errorf("want 200 through the activator: %v %v", a, err)
	}
}
