//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/recording"
	"github.com/knative-inference/autoscaler-adapter/test/load"
)

// A revision that names no metric holds its latencies: more requests than one
// replica can begin in time make it grow, and the decision says what it knows. The
// load comes when arrivals have been counted for a while, for until then the plan
// has no say. This engine's page leaves the time in its queue out of first tokens.
func TestSLOScalesOnLatency(t *testing.T) {
	t.Parallel()
	s := simulator(t, namespaceFor(t), "slo", annotations{
		"max-scale": "4", "knative-inference.dev/slo-ttft": "1s", "knative-inference.dev/slo-itl": "200ms",
	}, "--time-to-first-token=100ms", "--inter-token-latency=20ms", "--max-num-seqs=4").start()
	r := s.current()
	r.waitRest()
	clients := s.clients(load.Shape{Prompt: 20, Tokens: 60}, 24)
	defer clients.Abort()
	r.waitReplicas(3*settle, "scaled up on its latency", atLeast(2))
	r.waitWhy("one replica sustains ", "TTFT <= 1s and ITL <= 200ms")
	for _, metric := range []string{"slo_capacity_rps", "slo_demand_rps", "slo_startup_time_seconds", "slo_concurrency_target", "ttft_p95_ms", "itl_p95_ms"} {
		eventually(t, settle, metric+" is served", func() (bool, string) {
			v := r.number(metric)
			return !math.IsNaN(v), fmt.Sprint(v)
		})
	}
	if report := clients.Stop(); report.Failed > 0 {
		t.Errorf("load: %v", report)
	}
}

// number is a metric of the revision in our API; NaN when it is not served.
func (r revision) number(metric string) float64 {
	v := values(r.t, metricPath(r.namespace, "revisions.serving.knative.dev", r.revision, metric))
	if len(v) != 1 {
		return math.NaN()
	}
	return v[0].Value.AsApproximateFloat64()
}

// waitRest waits until it is known that nothing arrives.
func (r revision) waitRest() {
	r.t.Helper()
	eventually(r.t, settle, "no demand is known", func() (bool, string) {
		demand := r.number("slo_demand_rps")
		return demand == 0, fmt.Sprint(demand)
	})
}

// recordings is the file of one replica of the product, as a user fetches it.
func recordings(t *testing.T) map[string][]byte {
	t.Helper()
	const path = "/apis/custom.metrics.k8s.io/v1beta2/recording"
	b, err := raw(t, path)
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return map[string][]byte{"one replica": b}
}

// What the adapter recorded on this cluster, decided again by the same code,
// comes out the same, decision by decision; and the requests that are made from
// its samples are as many as were sent.
func TestRecordingDecidesTheSame(t *testing.T) {
	t.Parallel()
	s := simulator(t, namespaceFor(t), "recorded", annotations{"metric": "slo,concurrency=3", "max-scale": "4"},
		"--time-to-first-token=50ms", "--inter-token-latency=10ms", "--max-num-seqs=16").start()
	r := s.current()
	clients := s.clients(load.Shape{Prompt: 20, Tokens: 40}, 8)
	r.waitReplicas(settle, "scaled up", atLeast(2))
	time.Sleep(20 * time.Second)
	report := clients.Stop()
	time.Sleep(4 * time.Second) // the last report is up to 2 s old
	for pod, file := range recordings(t) {
		got, err := recording.Replay(recording.Read(bytes.NewReader(file), pod))
		if err != nil {
			t.Fatalf("replaying the recording of %s: %v", pod, err)
		}
		if got.Decisions == 0 || got.Identical != got.Decisions {
			t.Errorf("%s: %d of %d decisions are the same; %s", pod, got.Identical, got.Decisions, got.First)
		}
		a, err := recording.ArrivalsOf(recording.Read(bytes.NewReader(file), pod), r.namespace+"/"+r.revision, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d decisions of %d revisions in %d KiB; %d requests from samples, %d answered", pod, got.Decisions, got.Revisions, len(file)>>10, len(a.Requests), report.Whole)
		if off := math.Abs(float64(len(a.Requests))/float64(report.Whole) - 1); off > .15 {
			t.Errorf("%s: %d requests from samples, %d were answered", pod, len(a.Requests), report.Whole)
		}
	}
}

// The state of a revision is kept in an object of ours and deleted with it.
func TestStateIsStoredAndGoes(t *testing.T) {
	t.Parallel()
	s := simulator(t, namespaceFor(t), "stored", annotations{"max-scale": "2"}, "--inter-token-latency=20ms").start()
	r := s.current()
	stored := func() (string, bool) {
		list, err := cluster.kube.CoreV1().ConfigMaps(ownNamespace).List(t.Context(), metav1.ListOptions{LabelSelector: "knative-inference.dev/checkpoint=true"})
		if err != nil {
			return err.Error(), false
		}
		for _, cm := range list.Items {
			if cm.Annotations["knative-inference.dev/checkpoint-revision"] == r.revision && cm.Annotations["knative-inference.dev/checkpoint-namespace"] == r.namespace {
				return cm.Data["state.json"], true
			}
		}
		return "", false
	}
	eventually(t, 2*settle, "the state is stored", func() (bool, string) {
		text, ok := stored()
		return ok && strings.Contains(text, `"version":1`), text
	})
	if err := cluster.knative.ServingV1().Services(s.namespace).Delete(t.Context(), s.name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 3*settle, "the state is deleted with its revision", func() (bool, string) {
		text, ok := stored()
		return !ok, text
	})
}
