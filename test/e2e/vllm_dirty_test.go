//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// completions sends a completion through the ingress. The caller closes the answer.
func (r revision) completions(ctx context.Context, ask map[string]any) (*http.Response, error) {
	ask["model"] = r.model
	body, err := json.Marshal(ask)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+cluster.ingress+"/v1/completions", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Host = r.host()
	req.Header.Set("Content-Type", "application/json")
	return http.DefaultClient.Do(req)
}

// expectPromptsLearned sends HTTP requests with four prompts each. vLLM counts four requests
// for each; the policy learns the ratio from both counters, mixed with the requests of one
// prompt that came before.
func expectPromptsLearned(t *testing.T, r revision, single int) {
	const prompts, during = 4, 20 * time.Second
	before, end := endedIn(r), time.Now().Add(during)
	var sent, broken atomic.Int64
	each(6, func() {
		for time.Now().Before(end) {
			sent.Add(1)
			if !r.answersAll(prompts) {
				broken.Add(1)
			}
		}
	})
	asked, engine := float64(sent.Load()), endedIn(r)-before
	if broken.Load() > 0 || engine != prompts*asked {
		t.Fatalf("%.0f HTTP requests, of which %d were not answered whole, became %.0f requests of vLLM", asked, broken.Load(), engine)
	}
	// Half of the weight is of the last 10 minutes: what was before weighs a little less.
	want := (float64(single) + engine) / (float64(single) + asked)
	var got float64
	// The ratio is known after six bins of 10 s, and the condition's numbers are a minute old at most.
	eventually(t, 2*settle, "the ratio is learned", func() (bool, string) {
		_, why := r.why()
		if found := learnedRatio.FindStringSubmatch(why); found != nil {
			got, _ = strconv.ParseFloat(found[1], 64)
		}
		return got > 1+(want-1)/2, fmt.Sprintf("want about %.2f: %s", want, why)
	})
	if got > 1.1*prompts {
		t.Errorf("%.2f engine requests for each HTTP request, which has %d prompts", got, prompts)
	}
	figure(t, fmt.Sprintf("real vLLM, four prompts in each HTTP request: %.0f HTTP requests became %.0f of vLLM, %d of one prompt before; learned ratio %.2f, %.2f by the counters", asked, engine, single, got, want))
}

var learnedRatio = regexp.MustCompile(`Demand is in engine requests, ([\d.]+) for each HTTP request`)

// answersAll sends one HTTP request of some prompts and reports whether each was answered.
func (r revision) answersAll(prompts int) bool {
	var list []string
	for i := range prompts {
		list = append(list, fmt.Sprintf("prompt %d of several", i))
	}
	res, err := r.completions(r.t.Context(), map[string]any{"prompt": list, "max_tokens": 16, "ignore_eos": true})
	if err != nil {
		return false
	}
	defer res.Body.Close()
	var a struct{ Choices []struct{} }
	return json.NewDecoder(res.Body).Decode(&a) == nil && len(a.Choices) == prompts
}

func each(n int, work func()) {
	var all sync.WaitGroup
	for range n {
		all.Go(work)
	}
	all.Wait()
}

// endedIn is the requests that the engines of a revision have ended.
func endedIn(r revision) (sum float64) {
	for _, pod := range r.readyPods() {
		sum += ended(r, pod.Name)
	}
	return sum
}

// expectAbortedWork has clients leave in the middle of their streams. What the engines did
// for them counts, nothing becomes unknown, and no request stays. vLLM's own counter of
// aborts is printed and not judged: what is scaled by does not need it.
func expectAbortedWork(t *testing.T, r revision) {
	const during = 15 * time.Second
	replicas, pod := r.watchReplicas(), r.readyPods()[0]
	begin, end := time.Now(), time.Now().Add(during)
	aborts := func() float64 { return sumOfLabel(r, `finished_reason="abort"`) }
	before := aborts()
	var left atomic.Int64
	unknown, reads := r.watchKnown(pod, func() {
		each(6, func() {
			for time.Now().Before(end) {
				if r.leavesStream(30) {
					left.Add(1)
				}
			}
		})
	})
	demand, work, generation := r.number("slo_demand_rps"), r.number("slo_work_seconds"), r.generation()
	eventually(t, settle, "no request stays", func() (bool, string) {
		running, waiting := r.podValue(pod, "num_requests_running"), r.podValue(pod, "num_requests_waiting")
		return running == 0 && waiting == 0, fmt.Sprintf("%v running, %v waiting", running, waiting)
	})
	counted := aborts() - before
	figure(t, fmt.Sprintf("real vLLM, aborted streams: %d clients left, vLLM counts %.0f aborts; demand %.1f requests/s of %.2f s each, %.0f tokens/s; %d of %d readings unknown; replicas %v",
		left.Load(), counted, demand, work, generation, unknown, reads, replicas))
	if left.Load() < 5 || !(demand > 0) || !(work > 0) || !(generation > 0) || unknown > 0 {
		t.Error("aborted streams did not count as work, or a signal became unknown")
	}
	for _, c := range replicas.since(begin) {
		if c.replicas < 1 {
			t.Errorf("%d replicas", c.replicas)
		}
	}
}

// generation is the tokens that all engines make in a second. A second replica that has just become
// Ready may have all of the streams or none.
func (r revision) generation() (sum float64) {
	for _, pod := range r.readyPods() {
		if of := r.podValue(pod, "generation_tokens_per_second"); of > 0 {
			sum += of
		}
	}
	return sum
}

// leavesStream reads some events of a stream that would go on, and leaves.
func (r revision) leavesStream(events int) bool {
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	res, err := r.completions(ctx, map[string]any{"prompt": "a long story", "max_tokens": 600, "ignore_eos": true, "stream": true})
	if err != nil {
		return false
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for events > 0 && lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data: {") {
			events--
		}
	}
	return events == 0 && lines.Err() == nil
}

// stall is the length of one pause of the engine's processes. The collector gives a page 1 s at
// first and 3 s after a timeout, so a pause of 1.5 s exceeds the first limit and not the second.
const stall = 1500 * time.Millisecond

// expectSlowPageRead makes the metrics endpoint slow: under load the engine's processes stand
// still again and again. Load and many readers alone made the page slow here, and in CI never
// slower than 0.3 s.
func expectSlowPageRead(t *testing.T, r revision) {
	if os.Getenv("IPA_CLUSTER") == "existing" {
		t.Skip("the engine's processes, which are stopped for a moment, are not on this machine")
	}
	pod := r.readyPods()[0]
	engine := podProcesses(t, pod, "python")
	defer engine.signal(t, syscall.SIGCONT)
	clients := overload(t, r)
	var slowest time.Duration
	slow := 0
	unknown, reads := r.watchKnown(pod, func() {
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(stall) {
			engine.signal(t, syscall.SIGSTOP)
			time.AfterFunc(stall, func() { engine.signal(t, syscall.SIGCONT) })
			took, err := pageTime(t.Context(), pod)
			if err != nil {
				t.Errorf("the page of %s: %v", pod.Name, err)
			}
			slowest = max(slowest, took)
			if took > time.Second {
				slow++
			}
		}
	})
	c := r.pa().Status.GetCondition("EngineReadable")
	figure(t, fmt.Sprintf("real vLLM, a slow metrics endpoint: %d pages above 1 s, the slowest %.1f s; %d of %d of our values unknown; %s",
		slow, slowest.Seconds(), unknown, reads, c.Message))
	if slow == 0 {
		t.Errorf("the page was never slow: %v at most", slowest)
	}
	if slowest < 4*time.Second && unknown > 0 || unknown > reads/10 {
		t.Errorf("%d of %d values were unknown", unknown, reads)
	}
	clients.Abort()
}

// processes are some of this machine.
type processes []int

func (p processes) signal(t *testing.T, s syscall.Signal) {
	for _, pid := range p {
		if err := syscall.Kill(pid, s); err != nil {
			t.Errorf("%v to process %d: %v", s, pid, err)
		}
	}
}

// podProcesses are a pod's processes whose program's name begins so; they are found by
// their cgroup, which kubelet names after the pod.
func podProcesses(t *testing.T, pod corev1.Pod, program string) processes {
	found, err := processesWhere(func(name, dir string) bool {
		cgroup, err := os.ReadFile(dir + "/cgroup")
		return err == nil && strings.HasPrefix(name, program) && strings.Contains(string(cgroup), "/pod"+string(pod.UID)+"/")
	})
	if err != nil {
		t.Fatalf("%s of pod %s: %v", program, pod.Name, err)
	}
	return found
}

// pageTime is how long a pod takes for its page; pods have no address on this machine, so
// the API server's proxy asks.
func pageTime(ctx context.Context, pod corev1.Pod) (time.Duration, error) {
	start := time.Now()
	_, err := cluster.kube.CoreV1().Pods(pod.Namespace).ProxyGet("http", pod.Name, strconv.Itoa(port), "metrics", nil).DoRaw(ctx)
	return time.Since(start), err
}

// watchKnown reads a pod's running requests of our API while work runs, and returns how
// many readings were unknown, of how many.
func (r revision) watchKnown(pod corev1.Pod, work func()) (unknown, reads int) {
	done := make(chan struct{})
	go func() { defer close(done); work() }()
	for tick := time.Tick(250 * time.Millisecond); ; <-tick {
		select {
		case <-done:
			return unknown, reads
		default:
		}
		reads++
		if math.IsNaN(r.podValue(pod, "num_requests_running")) {
			unknown++
		}
	}
}

// podValue reads a metric of a pod from our API; NaN is unknown.
func (r revision) podValue(pod corev1.Pod, metric string) float64 {
	r.t.Helper()
	v := values(r.t, metricPath(r.namespace, "pods", pod.Name, metric))
	if len(v) != 1 {
		return math.NaN()
	}
	return v[0].Value.AsApproximateFloat64()
}

// sumOfLabel is the requests that the engines of a revision have ended with a label.
func sumOfLabel(r revision, label string) (sum float64) {
	for _, pod := range r.readyPods() {
		for line := range strings.Lines(string(metricsPage(r.t, r.namespace, pod.Name, port))) {
			if strings.Contains(line, label) {
				sum += sumOf([]byte(line), "vllm:request_success_total")
			}
		}
	}
	return sum
}
