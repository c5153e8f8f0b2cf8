//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/test/load"
)

// Real vLLM goes to zero after its last token and not before, and requests that come at zero
// wait for a cold start of a minute and more, and are answered whole.
func TestVLLMZero(t *testing.T) {
	onlyInFull(t)
	withActivatorMetrics(t)
	s := realVLLM(t, annotations{
		"max-scale": "1", "scale-to-zero-pod-retention-period": "0s",
		"knative-inference.dev/slo-ttft": "1s", "knative-inference.dev/slo-itl": "500ms",
	})
	r := s.current()
	clients := load.NewClients(t.Context(), r.sender(), load.Shape{Prompt: 40, Tokens: 200, Stream: true})
	defer clients.Abort()
	clients.Set(4)
	always(t, 30*time.Second, "a pod stays while streams run", func() (bool, string) { n := r.replicas(); return n == 1, fmt.Sprint(n, " replicas") })
	expectWhole(t, clients)
	began := time.Now()
	r.waitZero()
	asleep := time.Since(began)
	var open streams
	woken := r.wakeTime(&open, 6)
	open.expectWhole(t, 6)
	figure(t, fmt.Sprintf("real vLLM, zero: %d streams whole, at zero %v after the last; woken %v after the first of 6 requests, all answered %v later",
		clients.Report().Whole, asleep.Round(time.Second), woken.Round(time.Millisecond), time.Since(began.Add(asleep+woken)).Round(time.Second)))
}
