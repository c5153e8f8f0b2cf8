// Package terminating keeps pods that Kubernetes deletes itself (eviction, node drain,
// preemption, a rollout of the Deployment) answering until their open requests have ended.
//
// Knative's queue-proxy ends such a pod 30 s after the last request that began, whatever is
// still open, and the engine with it. A request of any kind begins these 30 s anew. So while
// a pod that is being deleted holds requests, the Keeper sends its queue-proxy a small one
// every few seconds. Nothing is changed at the pod. Kubernetes kills the pod at the end of
// terminationGracePeriodSeconds in any case, which Knative sets to the revision's
// timeoutSeconds.
//
// Seen in knative.dev/pkg/network/handlers (Drainer) and knative.dev/serving/pkg/queue/sharedmain.
package terminating

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/wait"
	"knative.dev/serving/pkg/autoscaler/metrics"
	"knative.dev/serving/pkg/networking"
)

const (
	// every is the time between two requests to one pod. Six of them fit into the 30 s of
	// queue-proxy's drainer, and another leader takes over within 15 s.
	every = 5 * time.Second
	// timeout bounds one request. A request that waits behind the container's concurrency
	// has begun the 30 s anew when it is given up.
	timeout = 2 * time.Second
	// together is how many pods are asked at a time.
	together = 32
	// maxReport bounds the report of a queue-proxy in bytes; a real one has about 60.
	maxReport = 64 << 10

	userAgent = "autoscaler-adapter (keeps a pod that is being deleted until its requests end)"
	// path is asked of the engine: most have it, and it begins no work.
	path = "/health"
)

// otherPaths are those of engines without path: Triton and Ray Serve.
var otherPaths = [...]string{"/v2/health/live", "/-/healthz"}

// Pod is a pod that is being deleted.
type Pod struct {
	Namespace, Name, IP string
	// Orphan is set where no PodAutoscaler of our class is there for the pod's revision: it or
	// its Service was deleted, or has another class. Such a pod is kept only if its container
	// answers the path of an inference engine. Another server, such as one whose clients keep a
	// WebSocket for ever, ends as with Knative alone.
	Orphan bool
}

// Keeper keeps pods. The zero value asks queue-proxies at their own ports.
type Keeper struct {
	// Log gets one line for each pod that is kept; nil logs nothing.
	Log *slog.Logger
	// Client sends the requests; nil is one that follows no redirect.
	Client *http.Client

	kept map[Pod]bool
	// strangers are the orphans whose container is no inference engine.
	strangers map[Pod]bool
}

// Run keeps the pods that list returns, until ctx ends. It runs once for a Keeper.
func (k *Keeper) Run(ctx context.Context, list func() []Pod) {
	wait.NonSlidingUntilWithContext(ctx, func(ctx context.Context) { k.turn(ctx, list()) }, every)
}

// turn sends a request to each pod that has open requests, and to each pod that cannot be read.
func (k *Keeper) turn(ctx context.Context, pods []Pod) {
	var mu sync.Mutex
	keeps, strangers := map[Pod]bool{}, map[Pod]bool{}
	var group errgroup.Group
	group.SetLimit(together)
	for _, p := range pods {
		group.Go(func() error {
			open, err := k.open(ctx, p)
			if err == nil && open == 0 {
				return nil
			}
			isStranger := k.strangers[p]
			if !isStranger {
				status, err := k.touch(ctx, p, path)
				if err != nil {
					return nil // it is gone, or nobody can reach it
				}
				isStranger = p.Orphan && unlikeEngine(status) && !k.answersOther(ctx, p)
			}
			mu.Lock()
			defer mu.Unlock()
			if isStranger {
				strangers[p] = true
				return nil
			}
			k.report(p, open, err)
			keeps[p] = true
			return nil
		})
	}
	_ = group.Wait() // no function fails
	k.kept, k.strangers = keeps, strangers
}

// answersOther reports whether the container answers another engine's path.
func (k *Keeper) answersOther(ctx context.Context, p Pod) bool {
	return slices.ContainsFunc(otherPaths[:], func(path string) bool {
		status, err := k.touch(ctx, p, path)
		return err == nil && !unlikeEngine(status)
	})
}

// unlikeEngine reports a status that an inference engine does not give for its path. It may be too
// busy, starting, or ask for a token; 0 is no answer in time.
func unlikeEngine(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusNotFound || status == http.StatusMethodNotAllowed ||
		status == http.StatusUpgradeRequired || status == http.StatusNotImplemented
}

// report logs that a pod is kept, when it was not before.
func (k *Keeper) report(p Pod, open float64, err error) {
	if k.Log == nil || k.kept[p] {
		return
	}
	k.Log.Info("a pod that Kubernetes deletes holds requests: keeping it until they end", "namespace", p.Namespace, "pod", p.Name, "open", open, "error", err)
}

// open is the requests that the pod's queue-proxy had open in the last second, on average.
func (k *Keeper) open(ctx context.Context, p Pod) (float64, error) {
	body, err := k.get(ctx, p, networking.AutoscalingQueueMetricsPort, "/metrics")
	if err != nil {
		return 0, err
	}
	var report metrics.Stat
	if err := report.Unmarshal(body); err != nil {
		return 0, fmt.Errorf("the report of pod %s/%s: %w", p.Namespace, p.Name, err)
	}
	if report.PodName != "" && report.PodName != p.Name {
		return 0, nil // the address was given to another pod
	}
	if !(report.AverageConcurrentRequests >= 0) { // NaN as well
		return 0, fmt.Errorf("the report of pod %s/%s has the value %v", p.Namespace, p.Name, report.AverageConcurrentRequests)
	}
	return report.AverageConcurrentRequests, nil
}

// touch begins a request at the pod's queue-proxy, and returns the status that it is answered
// with, 0 when it is not answered in time.
func (k *Keeper) touch(ctx context.Context, p Pod, path string) (status int, err error) {
	_, err = k.get(ctx, p, networking.BackendHTTPPort, path)
	if errors.Is(err, syscall.ECONNREFUSED) {
		_, err = k.get(ctx, p, networking.BackendHTTP2Port, path)
	}
	var other statusError
	var late net.Error
	switch {
	case err == nil:
		return http.StatusOK, nil
	case errors.As(err, &other):
		return int(other), nil
	case errors.As(err, &late) && late.Timeout():
		return 0, nil
	}
	return 0, err
}

// statusError is an answer other than 200.
type statusError int

func (s statusError) Error() string { return "HTTP status " + strconv.Itoa(int(s)) }

func (k *Keeper) get(ctx context.Context, p Pod, port int, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	url := "http://" + net.JoinHostPort(p.IP, strconv.Itoa(port)) + path
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", userAgent)
	request.Header.Set("Accept", "application/protobuf")
	response, err := cmp.Or(k.Client, plain).Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, statusError(response.StatusCode)
	}
	return io.ReadAll(io.LimitReader(response.Body, maxReport))
}

// plain follows no redirect and keeps no connection: a pod that goes is asked a few times.
var plain = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: maxReport},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}
