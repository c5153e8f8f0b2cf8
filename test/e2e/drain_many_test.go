//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

// streamsOfARound are opened for each scale-down, half of them before it, by each of two ways.
const streamsOfARound = 20

// scaleDowns is how many scale-downs there are, by SCALE_DOWNS: 10 in CI, 50 in make e2e-full.
func scaleDowns(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(testbed.Setting("SCALE_DOWNS", "10"))
	if err != nil || n < 1 {
		t.Fatalf("SCALE_DOWNS %q, want a number above 0", os.Getenv("SCALE_DOWNS"))
	}
	return n
}

// Scale-downs one after another while streams of 5 s and longer come by Kourier and by the
// inference gateway: from 4 pods to 1, 2 or 3, and back while pods drain; after every fifth
// only when they have gone. No stream is cut.
func TestDrainManyScaleDowns(t *testing.T) {
	t.Parallel()
	needGateway(t)
	s := drainableService(t, "many").behindGateway(nil)
	r := s.startDrainable()
	s.waitCondition("Ready", "True")
	question{host: s.host(), model: s.model}.waitServed(t)
	kourier, gateway := streams{from: 5 * time.Second}, streams{from: 5 * time.Second, byGateway: true}
	begin := func() {
		kourier.open(s, streamsOfARound/4)
		gateway.open(s, streamsOfARound/4)
	}
	began, downs := time.Now(), scaleDowns(t)
	for i := range downs {
		begin()
		time.Sleep(time.Second)
		left := 1 + i%3
		r.setMinScale(left)
		r.waitServing(left)
		begin()
		if i%5 == 4 {
			_, longest := drainStreams(t)
			r.waitReplicas(longest+2*settle, fmt.Sprintf("given back in round %d", i+1), exactly(int32(left)))
		} else {
			time.Sleep(time.Duration(1+i%4) * time.Second)
		}
		r.setMinScale(4)
		r.waitServing(4)
	}
	t.Logf("%d scale-downs in %v", downs, time.Since(began).Round(time.Second))
	kourier.expectWhole(t, downs*streamsOfARound/2)
	gateway.expectWhole(t, downs*streamsOfARound/2)
}

// waitServing waits until n pods are Ready and not given up.
func (r revision) waitServing(n int) {
	r.t.Helper()
	eventually(r.t, settle, fmt.Sprintf("%d pods of %s serve", n, r.revision), func() (bool, string) {
		got := len(r.servingPods())
		return got == n, fmt.Sprintf("%d serve; %s", got, r.state())
	})
}
