//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"
)

// Four Ready pods with 40 streams through the inference gateway are to be one, requests go
// on, and one of the pods is wanted back before it has gone: every stream ends whole.
func TestGatewayDrain(t *testing.T) {
	t.Parallel()
	needGateway(t)
	s := drainableService(t, "drain").behindGateway(nil)
	r := s.startDrainable()
	s.waitCondition("Ready", "True")
	question{host: s.host(), model: s.model}.waitServed(t)
	old := streams{byGateway: true}
	old.begin(s)
	time.Sleep(5 * time.Second)
	stop := r.staysReady()
	defer stop()
	r.setMinScale(1)
	r.waitThreeDraining()
	time.Sleep(2 * time.Second)
	old.open(s, 10)
	r.setMinScale(2)
	eventually(t, settle, "one pod serves again", func() (bool, string) { n := len(r.servingPods()); return n == 2, fmt.Sprint(n, " serve") })
	old.open(s, 10)
	old.expectWhole(t, 60)
	r.waitReplicas(settle, "given back when the streams had ended", exactly(2))
}

// servingPods are the names of the pods that are not given up.
func (r revision) servingPods() map[string]bool {
	r.t.Helper()
	draining, serving := r.drainingPods(), map[string]bool{}
	for _, p := range r.readyPods() {
		if _, given := draining[p.Name]; !given {
			serving[p.Name] = true
		}
	}
	return serving
}
