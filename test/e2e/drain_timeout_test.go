//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
)

// The old revision of a rollout gives up the pods that have ended their answers, while one long
// answer goes on. The pod of that answer stays, and the pod that serves, which may be another one.
func TestDrainRolloutOneByOne(t *testing.T) {
	t.Parallel()
	onlyInFull(t) // the answer has to outlast the switch and a stable window, on a slow machine, too
	s, old := drainable(t, "single")
	long := streams{from: 4 * time.Minute, to: 4 * time.Minute}
	var open streams
	long.open(s, 1)
	open.begin(s)
	time.Sleep(2 * time.Second)
	began := time.Now()
	s.update(func(svc *servingv1.Service) {
		svc.Spec.Template.Annotations["autoscaling.knative.dev/min-scale"] = "1"
		svc.Spec.Template.Annotations["knative-inference.dev/start-scale"] = "initial"
	})
	eventually(t, settle, "a second revision", func() (bool, string) { return s.latest() != old.revision, s.latest() })
	s.waitTraffic(s.latest())
	waitEvent(t, s.namespace, "PodAutoscaler", old.revision, "Normal Draining", "no request has begun for a stable window")
	old.waitReplicas(settle, "given back but for the pods that serve and answer", func(n int32) bool { return n <= 2 })
	freed, left := time.Since(began), old.replicas()
	if n := long.ended(); n != 0 {
		t.Errorf("the long answer ended before the pods of the others were given back, after %v", freed)
	}
	open.expectWhole(t, 40)
	long.expectWhole(t, 1)
	figure(t, fmt.Sprintf("%s: %d of four pods were left %v after the update, during an answer of 4 min", t.Name(), left, freed.Round(time.Second)))
	old.waitReplicas(2*settle, "given back after the long answer", exactly(0))
}

// A pod that is given up and still holds requests after drain-timeout is deleted with them: they
// are cut when its queue-proxy ends, about a minute later. Answers that end before the timeout
// are whole, and so are all of the pod that stays.
func TestDrainTimeout(t *testing.T) {
	onlyInFull(t)
	t.Parallel()
	s := drainableService(t, "timeout")
	s.annotations["knative-inference.dev/drain-timeout"] = "10s"
	r := s.startDrainable()
	const length = 4 * time.Minute // outlasts the decision, the timeout and queue-proxy's end on a slow machine, too
	long, short := streams{from: length, to: length}, streams{from: 5 * time.Second, to: 5 * time.Second}
	long.open(s, 20)
	time.Sleep(2 * time.Second)
	short.open(s, 20)
	time.Sleep(time.Second)
	r.setMinScale(1)
	r.waitThreeDraining()
	given := slices.MinFunc(slices.Collect(maps.Values(r.drainingPods())), time.Time.Compare)
	waitEvent(t, s.namespace, "PodAutoscaler", r.revision, "Warning DrainTimeout", "still hold requests", "10s after they were given up")
	if took := time.Since(given); took < 10*time.Second {
		t.Errorf("pods with requests were deleted %v after they were given up, want 10 s", took)
	}
	r.waitReplicas(settle, "given back with what the pods held", exactly(1))
	short.expectWhole(t, 20)
	long.wg.Wait()
	figure(t, fmt.Sprintf("%s: %d of 20 answers of %v whole, those of the pod that stayed; the others ended %s", t.Name(), long.whole, length, strings.Join(long.failed, "; ")))
	if long.whole == 0 || len(long.failed) == 0 {
		t.Errorf("%d answers of %v whole and %d ended by the timeout, want some of both", long.whole, length, len(long.failed))
	}
	if n := len(r.readyPods()); n != 1 {
		t.Errorf("%d Ready pods, want 1", n)
	}
}
