//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// stage is a load of real vLLM. Each client sends its next request when its last
// one was answered; together, when all were and after as long a pause. Lengths
// are means in tokens, drawn from half to one and a half of them.
type stage struct {
	clients, prompt, answer int
	during                  time.Duration
	together                bool
}

// alike reports whether two stages are equal but for their length.
func (s stage) alike(o stage) bool {
	s.during = o.during
	return s == o
}

// request is one as it was sent: when, since the stage began, and its lengths.
type request struct {
	at             time.Duration
	prompt, answer int
}

// tokenLoad sends prompts of known length through the ingress: token ids, no words.
type tokenLoad struct {
	r      revision
	client *http.Client
	mu     sync.Mutex
	sent   []request
	failed []error
}

func newTokenLoad(r revision) *tokenLoad {
	return &tokenLoad{r: r, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}, Timeout: 2 * time.Minute}}
}

// run plays one stage to its last answer and returns what was sent, in order.
func (l *tokenLoad) run(st stage) []request {
	l.r.t.Helper()
	l.sent, l.failed = nil, nil
	began := time.Now()
	if st.together {
		for time.Since(began) < st.during {
			start := time.Now()
			l.eachClient(st, func() { l.send(began, st) })
			time.Sleep(time.Since(start))
		}
	} else {
		l.eachClient(st, func() {
			for time.Since(began) < st.during && l.send(began, st) { //nolint:revive sending is all
			}
		})
	}
	if len(l.failed) > 0 {
		l.r.t.Fatalf("%d of %d requests failed, such as: %v", len(l.failed), len(l.sent), l.failed[0])
	}
	slices.SortFunc(l.sent, func(a, b request) int { return int(a.at - b.at) })
	l.r.t.Logf("%+v: %d requests", st, len(l.sent))
	return l.sent
}

func (l *tokenLoad) eachClient(st stage, work func()) {
	var wg sync.WaitGroup
	for range st.clients {
		wg.Go(work)
	}
	wg.Wait()
}

// send sends one request and reports whether its answer was whole.
func (l *tokenLoad) send(began time.Time, st stage) bool {
	q := request{at: time.Since(began), prompt: around(st.prompt), answer: around(st.answer)}
	err := l.ask(q)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, q)
	if err != nil {
		l.failed = append(l.failed, err)
	}
	return err == nil
}

func around(mean int) int { return mean/2 + rand.IntN(mean+1) } //nolint:gosec // not a secret

func (l *tokenLoad) ask(q request) error {
	ids := make([]int, q.prompt)
	for i := range ids {
		ids[i] = 2 + rand.IntN(200) //nolint:gosec // not a secret
	}
	body, err := json.Marshal(map[string]any{"model": l.r.model, "prompt": ids, "max_tokens": q.answer, "ignore_eos": true})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(l.r.t.Context(), http.MethodPost, "http://"+cluster.ingress+"/v1/completions", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Host = l.r.host()
	req.Header.Set("Content-Type", "application/json")
	res, err := l.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var a struct {
		Usage struct {
			Prompt int `json:"prompt_tokens"`
			Answer int `json:"completion_tokens"`
		} `json:"usage"`
	}
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil || a.Usage.Prompt != q.prompt || a.Usage.Answer != q.answer {
		return fmt.Errorf("status %d, usage %+v of %+v, %v", res.StatusCode, a.Usage, q, err) //nolint:errorlint may be nil
	}
	return nil
}

// measure plays a stage on the only pod and returns the engine's own means.
func (l *tokenLoad) measure(st stage) (latencies, []request) {
	l.r.t.Helper()
	before := l.r.histograms()
	sent := slices.Clone(l.run(st))
	after := l.r.histograms()
	if n := after.count - before.count; n != float64(len(sent)) {
		l.r.t.Fatalf("the engine finished %.0f requests, %d were sent", n, len(sent))
	}
	return latencies{
		ttft: meanBetween(before.ttft, after.ttft), tpot: meanBetween(before.tpot, after.tpot), e2e: meanBetween(before.e2e, after.e2e),
	}, sent
}

// sumCount is a histogram's sum and count.
type sumCount [2]float64

func meanBetween(a, b sumCount) float64 { return (b[0] - a[0]) / (b[1] - a[1]) }

// histograms are vLLM's that give means of requests.
type histograms struct {
	ttft, tpot, e2e sumCount
	count           float64
}

func (r revision) histograms() histograms {
	r.t.Helper()
	pod := r.readyPods()[0]
	text := metricsPage(r.t, pod.Namespace, pod.Name, port)
	of := func(name string) sumCount { return sumCount{sumOf(text, name+"_sum"), sumOf(text, name+"_count")} }
	h := histograms{ttft: of("vllm:time_to_first_token_seconds"), tpot: of("vllm:request_time_per_output_token_seconds"), e2e: of("vllm:e2e_request_latency_seconds")}
	h.count = h.e2e[1]
	return h
}
