package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"time"
)

// listsRole is the argument of the process that lists: in the process that plays the pods its
// requests would wait for thousands of answers a second, and count that wait as ours.
const listsRole = "lists"

// listsOrder is what that process reads on stdin; it writes latencies to stdout.
type listsOrder struct {
	Rate       int
	Length     time.Duration
	Namespaces []string
}

func runLists() error {
	var order listsOrder
	if err := json.NewDecoder(os.Stdin).Decode(&order); err != nil {
		return fmt.Errorf("lists: %w", err)
	}
	c := newAPIClient()
	if _, err := c.get(context.Background(), ""); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(c.lists(context.Background(), order.Rate, order.Length, order.Namespaces))
}

// listsApart lists in a process of its own with that nice value.
func listsApart(ctx context.Context, nice int, order listsOrder) (l latencies, err error) {
	self, err := os.Executable()
	if err != nil {
		return l, err
	}
	in, err := json.Marshal(order)
	if err != nil {
		return l, err
	}
	cmd := exec.CommandContext(ctx, "nice", "-n", strconv.Itoa(nice), self, listsRole)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return l, fmt.Errorf("lists: %w", err)
	}
	return l, json.Unmarshal(out, &l)
}

// latencies of one kind of request, in milliseconds.
type latencies struct {
	Count         int
	P50, P99, Max float64
	// Failed counts answers other than 200; Bytes is the mean size of an answer.
	Failed, Bytes int
	// PerSecond is the rate that was reached.
	PerSecond float64
}

// apiClient asks the adapter as the API server's proxy does: HTTP/2 over TLS with
// connections that are kept.
type apiClient struct{ http *http.Client }

func newAPIClient() apiClient {
	return apiClient{&http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4,
	}}}
}

const apiRoot = "https://" + adapterIP + ":8443/apis/custom.metrics.k8s.io/v1beta2"

func (c apiClient) get(ctx context.Context, path string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, apiRoot+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+benchUser)
	res, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, res.Status)
	}
	return int(n), err
}

// lists asks rate times a second for a namespace's pods. The time of an answer
// counts from when its request was due, so that a wait behind others counts.
func (c apiClient) lists(ctx context.Context, rate int, length time.Duration, namespaces []string) latencies {
	type sample struct {
		took  time.Duration
		bytes int
		err   error
	}
	ctx, cancel := context.WithTimeout(ctx, length+10*time.Second) // what is not answered then failed
	defer cancel()
	due := make(chan time.Time, rate*int(length/time.Second+1))
	var mu sync.Mutex
	var all []sample
	var workers sync.WaitGroup
	for w := range 32 {
		workers.Go(func() {
			for i := w; ; i += 32 {
				at, ok := <-due
				if !ok {
					return
				}
				n, err := c.get(ctx, "/namespaces/"+namespaces[i%len(namespaces)]+"/pods/*/num_requests_running")
				mu.Lock()
				all = append(all, sample{time.Since(at), n, err})
				mu.Unlock()
			}
		})
	}
	begin := time.Now()
	for i := 0; ; i++ {
		at := begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if at.Sub(begin) > length || !sleep(ctx, time.Until(at)) {
			break
		}
		due <- at
	}
	close(due)
	workers.Wait()
	l := latencies{Count: len(all), PerSecond: float64(len(all)) / time.Since(begin).Seconds()}
	var took []time.Duration
	for _, s := range all {
		if s.err != nil {
			l.Failed++
			continue
		}
		took = append(took, s.took)
		l.Bytes += s.bytes
	}
	if len(took) > 0 {
		l.Bytes /= len(took)
	}
	l.summarize(took)
	return l
}

// discovery asks n times, a fifth of a second apart, for what metrics there are.
func (c apiClient) discovery(ctx context.Context, n int) (l latencies) {
	var took []time.Duration
	for range n {
		start := time.Now()
		size, err := c.get(ctx, "")
		if err != nil {
			l.Failed++
		} else {
			took = append(took, time.Since(start))
			l.Bytes = size
		}
		sleep(ctx, 200*time.Millisecond)
	}
	l.Count = n
	l.summarize(took)
	return l
}

func (l *latencies) summarize(took []time.Duration) {
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	at := func(share float64) float64 {
		return float64(took[min(int(share*float64(len(took))), len(took)-1)].Microseconds()) / 1000
	}
	l.P50, l.P99, l.Max = at(.5), at(.99), at(1)
}
