package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// latencies of one kind of request, in milliseconds.
type latencies struct {
	Count         int
	P50, P99, Max float64
	// Failed counts answers other than 200; Bytes is the mean size of an answer.
	Failed, Bytes int
	// PerSecond is the rate that was reached.
	PerSecond float64
	// LateP50 and LateP99 are how late the client asked; the latencies contain it.
	LateP50, LateP99 float64
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
