// Package livenesstest has what tests of loops that a liveness.Monitor watches share.
package livenesstest

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/liveness"
)

// SilentServer is a server that keeps the connection and never answers, as an http.RoundTripper. It is
// safe for concurrent use.
type SilentServer struct {
	// Asked is the number of requests.
	Asked atomic.Int32
}

// RoundTrip implements http.RoundTripper: it returns the error of the request's context when that ends.
func (s *SilentServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.Asked.Add(1)
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// Probe checks a Monitor once a second with limit, as the kubelet does. It returns the first error and
// the time until then, or nil after the time during.
func Probe(m *liveness.Monitor, limit, during time.Duration) (after time.Duration, err error) {
	begun := time.Now()
	for time.Since(begun) < during {
		time.Sleep(time.Second)
		if err := m.Check(limit); err != nil {
			return time.Since(begun), err
		}
	}
	return during, nil
}
