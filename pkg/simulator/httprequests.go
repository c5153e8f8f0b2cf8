package simulator

import (
	"math/rand/v2"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// httpRequests turns what the engines have into what queue-proxies and activator
// count: one HTTP request for several prompts, and requests that no engine sees.
type httpRequests struct {
	// prompts is how many prompts one HTTP request carries, at least 1. An HTTP
	// request is as long in flight as one of its prompts: of n prompts in flight a
	// queue-proxy counts n/prompts.
	prompts int
	// others is the requests that never reached an engine so far, the next at next, every second rate of
	// them. They come in the first burst of every BurstPeriod; 0 is always. come is for how long they came.
	others     int64
	rate       float64
	burst      time.Duration
	come, next time.Duration
	draw       *rand.Rand
}

// BurstPeriod is the time between the beginnings of two bursts of other requests.
const BurstPeriod = 5 * time.Minute

// otherTakes is how long a request takes that no engine sees: a list of models
// or a 404 is answered by the API server. Not measured; at 100 requests/s they
// are half a request in flight.
const otherTakes = 5 * time.Millisecond

func newHTTPRequests(cfg Config) httpRequests {
	h := httpRequests{prompts: max(cfg.PromptsPerRequest, 1), rate: cfg.OtherRequests, burst: cfg.OtherRequestsFor,
		next: forever, draw: trace.Stream(cfg.Seed, "other")}
	if h.rate > 0 {
		h.drawNext()
	}
	return h
}

// drawNext draws when the next of the other requests comes; forever is after every run.
func (h *httpRequests) drawNext() {
	gap := h.draw.ExpFloat64() / h.rate * float64(second)
	if gap > float64(Longest) {
		h.next = forever
		return
	}
	h.come += time.Duration(gap)
	switch {
	case h.burst == 0:
		h.next = h.come
	case h.come/h.burst > Longest/BurstPeriod: // the number of bursts before it
		h.next = forever
	default:
		h.next = h.come/h.burst*BurstPeriod + h.come%h.burst
	}
}

// until draws the other requests up to a time.
func (h *httpRequests) until(at time.Duration) {
	for h.next <= at {
		h.others++
		h.drawNext()
	}
}

// arrived is the HTTP requests of a number of prompts, the others included.
func (h *httpRequests) arrived(prompts int64) int64 { return h.of(prompts) + h.others }

// of is the HTTP requests with a number of prompts.
func (h *httpRequests) of(prompts int64) int64 {
	n := int64(h.prompts)
	return (prompts + n - 1) / n
}

// inFlight is the integral over requests in flight, by that over prompts.
func (h *httpRequests) inFlight(prompts float64) float64 {
	return prompts/float64(h.prompts) + float64(h.others)*otherTakes.Seconds()
}
