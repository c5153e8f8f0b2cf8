//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// One saturated pool, three hosts: batch=-10, the Service's own, vip=20. No
// client says a priority. The higher is dispatched first though it came last;
// the negative is shed. A header that a client forges changes nothing.
func TestGatewayPriorities(t *testing.T) {
	t.Parallel()
	needGateway(t)
	s := standIn(t, namespaceFor(t), "ranked", annotations{"min-scale": "1", "max-scale": "1"}, "-seqs=1", "-token=30ms").
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

// expectRanks looks at a round in which requests of all three waited together:
// on a busy machine some come when the others are through, which proves nothing.
func expectRanks(t *testing.T, high string, own, vip, batch question) {
	t.Helper()
	for range 5 {
		r := newRound(t, own, vip, batch)
		if !r.together {
			t.Logf("vip's requests did not wait beside the others; once more")
			continue
		}
		r.expect(t, high)
		return
	}
	t.Error("in none of five rounds did the requests wait in the picker together")
}

// round is one time of filling the only pod and letting others wait.
type round struct {
	fill, own, vip, batch crowd
	together              bool
}

// The requests of a round. What fills the pod takes 9 s. The picker reads the
// pod's queue every 100 ms and lets a request go each millisecond until then, so
// the order of a few cannot be seen at the pod; vip's are as many as it lets go.
const filling, fillTokens, held, heldVIP = 30, 10, 6, 100

// newRound fills the only pod, then lets requests of all three wait in the
// picker: first the Service's own, then vip's, then batch's.
func newRound(t *testing.T, own, vip, batch question) *round {
	t.Helper()
	var r round
	picker := pickerPage(t, own)
	long := own
	long.tokens = fillTokens
	r.fill.send(t, long, filling)
	waitSaturated(t, picker)
	before := enqueued(picker(), "20")
	r.own.send(t, own, held)
	r.vip.send(t, vip, heldVIP)
	r.batch.send(t, batch, held)
	for began := time.Now(); !r.together && time.Since(began) < 5*time.Second; time.Sleep(50 * time.Millisecond) {
		page := picker()
		r.together = enqueued(page, "20")-before >= heldVIP-2 && queued(page, "20") >= heldVIP-2 && queued(page, "0") >= held-2
	}
	for _, c := range []*crowd{&r.fill, &r.own, &r.vip, &r.batch} {
		c.answers()
	}
	return &r
}

// waitSaturated waits until a picker lets nothing go any more.
func waitSaturated(t *testing.T, picker func() []byte) {
	t.Helper()
	eventually(t, 5*time.Second, "the picker finds its pool saturated", func() (bool, string) {
		n := sumOf(picker(), "inference_extension_flow_control_pool_saturation")
		return n >= 1, fmt.Sprint(n)
	})
}

// pickerPage reads the metrics of the Service's picker.
func pickerPage(t *testing.T, q question) func() []byte {
	t.Helper()
	namespace := strings.Split(q.host, ".")[1]
	pods, err := cluster.kube.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: inference.PickerPodKey})
	if err != nil || len(pods.Items) != 1 {
		t.Fatalf("pods of the picker in %s: %v, %v", namespace, pods, err)
	}
	name := pods.Items[0].Name
	return func() []byte { return metricsPage(t, namespace, name, 9090) }
}

// queued is how many requests of a priority wait in a picker. Those count that
// the picker has not yet put into a queue, too: see enqueued.
func queued(page []byte, priority string) float64 {
	return sumOf(ofPriority(page, priority), "inference_extension_flow_control_queue_size")
}

// enqueued is how many requests of a priority the picker has put into a queue
// since it began. On a busy machine requests wait before the queue, where the
// picker does not see their priority: it lets lower ones go meanwhile.
func enqueued(page []byte, priority string) float64 {
	return sumOf(ofPriority(page, priority), "inference_extension_flow_control_request_enqueue_duration_seconds_count")
}

// ofPriority is the lines of a page that name a priority.
func ofPriority(page []byte, priority string) (of []byte) {
	for line := range bytes.Lines(page) {
		if bytes.Contains(line, []byte(`priority="`+priority+`"`)) {
			of = append(of, line...)
		}
	}
	return of
}

// expect wants vip's first though they came last, some of batch's shed, and the
// objective high on vip's alone.
func (r *round) expect(t *testing.T, high string) {
	t.Helper()
	shed := 0
	for _, a := range r.batch.answers() {
		if a.status == http.StatusTooManyRequests {
			shed++
		}
	}
	ownPlaces, vipPlaces := places(t, r.own.answers()), places(t, r.vip.answers())
	places(t, r.fill.answers())
	for _, a := range slices.Concat(r.fill.answers(), r.own.answers(), r.vip.answers()) {
		if isVIP := a.place > 0 && slices.Contains(vipPlaces, a.place); (a.objective == high) != isVIP {
			t.Errorf("place %d of vip %v: objective %q, want %q of vip's alone", a.place, isVIP, a.objective, high)
		}
	}
	figure(t, fmt.Sprintf("gateway: priorities on one saturated pod: %d of vip ran in places %d to %d, mean %.0f, its own host in %v, batch: %d of %d shed with 429",
		heldVIP, vipPlaces[0], vipPlaces[len(vipPlaces)-1], mean(vipPlaces), ownPlaces, shed, held))
	if mean(ownPlaces)-mean(vipPlaces) < heldVIP/4 {
		t.Errorf("vip came later and must run first: places %v, own %v", vipPlaces, ownPlaces)
	}
	if shed == 0 {
		t.Errorf("nothing of batch was shed: %v", r.batch.answers())
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
