//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/test/load"
	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

const (
	// steadyReplicas is what the load of a fault run needs: 10 requests of 4 per replica.
	// A fifth of the requests may be missing for a moment (those on a pod that was
	// killed), or come on top, and the load still needs as many.
	steadyReplicas = 3
	steadyClients  = 10
	// recovery is how long the cluster may need after a fault until all is Ready again:
	// a lease of 10 s, the start of both replicas and of a pod, on two busy cores.
	recovery = 3 * time.Minute
)

// faultRun is a revision under steady load and what went wrong with it.
type faultRun struct {
	revision
	t        *testing.T
	random   *rand.Rand
	history  *history
	clients  *load.Clients
	injected map[string]int
	wrong    []string
	onKilled int // answers lost while a pod of the model was killed
	lost     int // all other answers lost
}

// TestFaultRun injects random faults, one at a time, while the load stays the same. The
// replicas must stay the same as well, and no answer may be lost but on a killed pod.
// Clients see no fault of the control plane at all. The same SEED gives the same faults.
// A node's clock is never changed: the cluster shares the clock of this machine.
func TestFaultRun(t *testing.T) {
	duration, err := time.ParseDuration(testbed.Setting("DURATION", "1h"))
	if err != nil {
		t.Fatalf("DURATION: %v", err)
	}
	seed, err := strconv.ParseUint(testbed.Setting("SEED", strconv.FormatInt(time.Now().Unix(), 10)), 10, 64)
	if err != nil {
		t.Fatalf("SEED: %v", err)
	}
	t.Logf("SEED=%d DURATION=%v", seed, duration)
	r := newFaultRun(t, rand.New(rand.NewPCG(seed, 0)))
	var queue []fault
	for end := time.Now().Add(duration); time.Now().Before(end) && !t.Failed(); {
		if len(queue) == 0 { // every kind once, in a new order
			queue = faultTable()
			r.random.Shuffle(len(queue), func(i, j int) { queue[i], queue[j] = queue[j], queue[i] })
		}
		r.play(queue[0])
		queue = queue[1:]
	}
	r.report()
}

func newFaultRun(t *testing.T, random *rand.Rand) *faultRun {
	s := standIn(t, namespaceFor(t), "steady", annotations{
		"metric": "concurrency=4,num_requests_waiting=4", "initial-scale": "3", "max-scale": "8", "target-utilization-percentage": "100",
	}, "--token=50ms").start()
	r := &faultRun{revision: s.current(), t: t, random: random, injected: map[string]int{}}
	// Before the third pod is Ready: without load the count would go down again meanwhile.
	r.clients = s.clients(load.Shape{Prompt: 4, Tokens: 20}, steadyClients)
	time.Sleep(15 * time.Second) // a stable window of this load
	r.waitReplicas(settle, "steady load needs three replicas", exactly(steadyReplicas))
	r.waitPods(settle, steadyReplicas)
	r.history = r.watchReplicas()
	return r
}

// play injects one fault, lets it last, heals it, waits for the recovery, and judges.
func (r *faultRun) play(f fault) {
	began, failedBefore := time.Now(), r.clients.Report().Failed
	r.t.Logf("fault: %s", f.name)
	r.injected[f.name]++
	heal := f.inject(r)
	time.Sleep(f.lasts)
	heal()
	waitBothReplicas(r.t)
	r.waitSteady()
	lost := r.clients.Report().Failed - failedBefore
	if f.killsPod {
		r.onKilled += lost
	} else if lost > 0 {
		r.lost += lost
		r.t.Logf("%d answers lost during %s: %v", lost, f.name, r.clients.Report())
	}
	for i, c := range r.history.since(began) {
		if i > 0 && !f.allows(c.replicas) {
			r.wrong = append(r.wrong, fmt.Sprintf("%s: to %d replicas after %v", f.name, c.replicas, c.at.Sub(began).Round(time.Second/10)))
		}
	}
}

// allows reports whether a fault may lead to a count.
func (f fault) allows(replicas int32) bool {
	return replicas >= steadyReplicas && replicas <= max(steadyReplicas, f.upTo)
}

// waitSteady waits until as many pods as needed are Ready, whoever answers in between.
func (r *faultRun) waitSteady() {
	eventually(r.t, recovery, "three Ready replicas again", func() (bool, string) {
		d, err := r.readDeployment()
		if err != nil {
			return false, err.Error()
		}
		return *d.Spec.Replicas == steadyReplicas && d.Status.ReadyReplicas == steadyReplicas,
			fmt.Sprintf("%d of %d Ready", d.Status.ReadyReplicas, *d.Spec.Replicas)
	})
}

func (r *faultRun) report() {
	answers := r.clients.Stop()
	var kinds []string
	for _, name := range slices.Sorted(maps.Keys(r.injected)) {
		kinds = append(kinds, fmt.Sprintf("%3d x %s", r.injected[name], name))
	}
	r.t.Logf("faults:\n%s\n%d wrong directions, %d answers lost, %d lost on killed pods, %v",
		strings.Join(kinds, "\n"), len(r.wrong), r.lost, r.onKilled, answers)
	for _, w := range r.wrong {
		r.t.Errorf("wrong direction under steady load: %s", w)
	}
	if r.lost > 0 {
		r.t.Errorf("%d answers were lost that were not on a killed pod", r.lost)
	}
}
