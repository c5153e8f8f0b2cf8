//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/test/load"
)

const (
	bursts      = 10
	revisions   = 5 // of each class
	goalSlowest = 1600 * time.Millisecond
)

// From a burst at the pods until spec.replicas is what the burst needs: ours and
// Knative's own class, on the same cluster, in one run, by turns. Concurrency,
// target 2, max-scale 6, window 10 s; 12 clients of 4 s through the ingress; each
// burst begins at one Ready pod and a random moment, in step with no ticker.
//
// KPA's average over a panic window of one second is 0 unless a sample came in
// the same second of the wall clock as the decision (WindowAverage in
// knative.dev/serving/pkg/autoscaler/aggregation v0.50.0). Its scrape and decision
// tickers begin with the revision, so one revision answers in a second each time
// and the next in six. Hence five revisions of each class, taken in turn.
func TestBurstBeatsKPA(t *testing.T) {
	namespace := namespaceFor(t)
	ours, kpa := burstRevisions(t, namespace, "ours", class), burstRevisions(t, namespace, "kpa", "kpa.autoscaling.knative.dev")
	took := map[string][]time.Duration{}
	for i := range bursts {
		for _, r := range []bursting{ours[i%revisions], kpa[i%revisions]} {
			d := r.burst()
			took[r.class] = append(took[r.class], d)
			figure(t, fmt.Sprintf("burst %d %s: %.2f s", i+1, r.name, d.Seconds()))
		}
	}
	p50, worst := median(took["ours"]), slices.Max(took["ours"])
	ratio := p50.Seconds() / median(took["kpa"]).Seconds()
	figure(t, fmt.Sprintf("burst to spec.replicas, %d bursts each: ours p50 %.2f s, max %.2f s; KPA p50 %.2f s, max %.2f s; p50 ratio %.2f (goal 0.50)",
		bursts, p50.Seconds(), worst.Seconds(), median(took["kpa"]).Seconds(), slices.Max(took["kpa"]).Seconds(), ratio))
	if ratio > 0.5 {
		t.Errorf("our p50 is %.2f of KPA's, want at most 0.5", ratio)
	}
	if worst > goalSlowest {
		t.Errorf("our slowest burst took %v, want at most %v", worst, goalSlowest)
	}
}

// bursting is a revision with the history of its replicas.
type bursting struct {
	revision
	*history
	class string
}

func burstRevisions(t *testing.T, namespace, name, class string) []bursting {
	var services []*service
	for i := range revisions {
		services = append(services, simulator(t, namespace, fmt.Sprintf("%s%d", name, i+1), annotations{
			"class": class, "metric": "concurrency", "target": "2", "max-scale": "6", "min-scale": "1",
		}, "--inter-token-latency=100ms", "--max-num-seqs=32").create())
		time.Sleep(time.Duration(rand.Int64N(int64(time.Second)))) //nolint:gosec // no secret
	}
	var all []bursting
	for _, s := range services {
		s.waitReady(settle)
		all = append(all, bursting{s.current(), s.current().watchReplicas(), name})
	}
	return all
}

// burst waits for one idle pod, starts 12 clients of 4 s at once and returns
// how long spec.replicas took to be 6.
func (r bursting) burst() time.Duration {
	r.t.Helper()
	eventually(r.t, 3*time.Minute, r.name+" idle with one pod", func() (bool, string) {
		return r.replicas() == 1 && len(r.pods()) == 1 && len(r.readyPods()) == 1, r.state()
	})
	time.Sleep(2*time.Second + time.Duration(rand.Int64N(int64(2*time.Second)))) //nolint:gosec // no secret
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	sent := time.Now()
	clients := load.NewClients(ctx, r.sender(), load.Shape{Prompt: 4, Tokens: 40})
	defer clients.Abort()
	clients.Set(12)
	took, err := r.history.wait(ctx, sent, 6)
	if err != nil {
		r.t.Fatalf("%s: %v; %s", r.name, err, r.state())
	}
	if got := clients.Stop(); got.Failed > 0 {
		r.t.Errorf("%s: %v", r.name, got)
	}
	return took
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
