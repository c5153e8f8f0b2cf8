//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/test/load"
)

// A plain and a streamed completion, each answered by the pod that the picker
// named; a GET finds no rule; of three pods with one saturated, nearly all
// requests go to the other two.
func TestGatewayPicksByLoad(t *testing.T) {
	t.Parallel()
	needGateway(t)
	s := standIn(t, namespaceFor(t), "qwen", annotations{"min-scale": "3", "max-scale": "3"}, "-token=20ms").behindGateway(nil).start()
	r := s.current()
	r.waitPods(settle, 3)
	s.waitCondition("Ready", "True")
	q := question{host: s.host()}
	q.waitServed(t)
	t.Run("plain", func(t *testing.T) { expectPicked(t, q) })
	t.Run("streamed", func(t *testing.T) {
		q.stream, q.tokens = true, 5
		a := expectPicked(t, q)
		if n := strings.Count(a.body, "data: "); n != 6 || !strings.HasSuffix(strings.TrimSpace(a.body), "data: [DONE]") {
			t.Errorf("%d events of 6: %s", n, a.body)
		}
	})
	t.Run("saturated", func(t *testing.T) { expectOthers(t, r) })
}

func expectPicked(t *testing.T, q question) answer {
	t.Helper()
	a, err := q.ask(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if a.status != 200 || !a.byPicked() {
		t.Errorf("want 200 by the pod that the picker named: %v", a)
	}
	return a
}

// expectOthers saturates one of three pods by what its page says. Not more than
// that: the picker takes the mean of queue/5 over all pods, unclamped, for the
// saturation of the pool, and holds everything while it is above 1.
func expectOthers(t *testing.T, r revision) {
	full := r.readyPods()[0]
	r.tell(full, page{Running: 8, Waiting: 10, KV: 0.97})
	time.Sleep(2 * time.Second) // the picker reads every 50 ms; our page is cached by nobody
	counts := askMany(t, question{host: r.host()}, 300, 4)
	var all, toFull int
	for pod, n := range counts {
		all += n
		if pod == full.Name {
			toFull = n
		}
	}
	figure(t, fmt.Sprintf("gateway: of %d requests %d went to the saturated pod of three: %v", all, toFull, counts))
	if len(counts) < 2 || toFull*20 > all {
		t.Errorf("%d of %d went to the saturated pod %s: %v", toFull, all, full.Name, counts)
	}
}

// askMany sends n questions by some clients and counts the answers by pod. Each
// must be 200 and by the pod that the picker named.
func askMany(t *testing.T, q question, n, clients int) map[string]int {
	t.Helper()
	counts := map[string]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var wrong []string
	questions := make(chan struct{}, n)
	for range n {
		questions <- struct{}{}
	}
	close(questions)
	for range clients {
		wg.Go(func() {
			for range questions {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				a, err := q.ask(ctx)
				cancel()
				mu.Lock()
				counts[a.pod]++
				if err != nil || a.status != 200 || !a.byPicked() {
					wrong = append(wrong, fmt.Sprintf("%v %v", a, err))
				}
				stop := len(wrong) > 5
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	wg.Wait()
	if len(wrong) > 0 {
		t.Errorf("%d of %d answers are not as the picker named, such as %s", len(wrong), n, wrong[0])
	}
	return counts
}

// What the picker holds back while the only pod is full counts as in flight: the
// pod's own requests alone would never ask for a second pod.
func TestGatewayHeldRequestsScale(t *testing.T) {
	onlyInFull(t)
	t.Parallel()
	needGateway(t)
	s := standIn(t, namespaceFor(t), "held", annotations{"min-scale": "1", "metric": "concurrency", "target": "40", "window": "10s", "max-scale": "3"}, "-seqs=1", "-token=500ms").behindGateway(nil).start()
	q := question{host: s.host()}
	q.waitServed(t)
	r, picker := s.current(), pickerPage(t, q)
	var fill, held crowd
	q.tokens = 2
	fill.send(t, q, 16) // 28 is what 40 stands for at 70 %
	waitSaturated(t, picker)
	q.tokens = 1
	held.send(t, q, 40)
	eventually(t, 5*time.Second, "the picker holds the others", func() (bool, string) {
		n := queued(picker(), "0")
		return n >= 35, fmt.Sprint(n)
	})
	in := values(t, metricPath(s.namespace, "pods", r.readyPods()[0].Name, "num_requests_waiting"))
	if len(in) != 1 || in[0].Value.Value() > 20 {
		t.Fatalf("waiting in the pod itself: %v, want one value of about 15, which asks for no second pod", in)
	}
	r.waitReplicas(8*time.Second, "scaled up by what is held", atLeast(2))
	waitEvent(t, s.namespace, "PodAutoscaler", r.revision, "concurrency is ", " (target 28 per replica) and needs ")
	all := events(t, s.namespace, "PodAutoscaler", r.revision)
	why := all[slices.IndexFunc(all, func(e string) bool { return strings.Contains(e, " (target 28 per replica) and needs ") })]
	places(t, slices.Concat(fill.answers(), held.answers()))
	figure(t, fmt.Sprintf("gateway: with %d requests waiting in the pod and 40 in the picker: %s", in[0].Value.Value(), why))
}

// The autoscaler counts what comes through the Gateway and scales on it, with our class.
func TestGatewayConcurrencyScales(t *testing.T) {
	onlyInFull(t)
	t.Parallel()
	needGateway(t)
	s := standIn(t, namespaceFor(t), "busy", annotations{"min-scale": "1", "metric": "concurrency", "target": "2", "max-scale": "4"}).behindGateway(nil).start()
	question{host: s.host()}.waitServed(t)
	r := s.current()
	c := load.NewClients(t.Context(), s.gatewaySender(), load.Shape{Prompt: 3, Tokens: 20})
	t.Cleanup(c.Abort)
	c.Set(8)
	r.waitReplicas(settle, "scaled up by requests through the Gateway", atLeast(3))
	report := c.Stop()
	if report.Failed > 0 {
		t.Errorf("load: %v", report)
	}
	figure(t, fmt.Sprintf("gateway: concurrency through the Gateway scaled 1 to %d, %v", r.replicas(), report))
	r.waitReplicas(2*time.Minute, "scaled down again", exactly(1))
}
