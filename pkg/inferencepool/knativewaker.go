package inferencepool

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	netapis "knative.dev/networking/pkg/apis/networking"
	pkgnet "knative.dev/pkg/network"
	"knative.dev/serving/pkg/activator"
	palisters "knative.dev/serving/pkg/client/listers/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

// longestWake is the longest that one request waits for a revision's first pod; the next one
// follows while requests wait in the picker.
const longestWake = 5 * time.Minute

// KnativeWaker is the Waker of revisions that other autoscalers scale. All fields are required. It is
// safe for concurrent use.
type KnativeWaker struct {
	Autoscalers palisters.PodAutoscalerLister
	// Leading reports whether this replica acts for a revision.
	Leading   func(collector.Key) bool
	Transport http.RoundTripper
}

// Leads reports whether this replica acts for a revision.
func (w KnativeWaker) Leads(key collector.Key) bool { return w.Leading(key) }

// Wake sends a GET of /health to the Service that Knative has for the revision. At zero it
// leads to the activator, which holds the request; Knative's own autoscaler sees it there.
// A revision without a PodAutoscaler that names its Service cannot be woken.
func (w KnativeWaker) Wake(ctx context.Context, r collector.Key) error {
	pa, err := w.Autoscalers.PodAutoscalers(r.Namespace).Get(r.Name)
	if err != nil {
		return err
	}
	if pa.Status.ServiceName == "" {
		return fmt.Errorf("PodAutoscaler %s/%s names no Service yet", r.Namespace, r.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, longestWake)
	defer cancel()
	host := net.JoinHostPort(pkgnet.GetServiceHostname(pa.Status.ServiceName, r.Namespace),
		strconv.Itoa(netapis.ServicePort(pa.Spec.ProtocolType)))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/health", nil)
	if err != nil {
		return err
	}
	req.Header.Set(activator.RevisionHeaderNamespace, r.Namespace)
	req.Header.Set(activator.RevisionHeaderName, r.Name)
	res, err := w.Transport.RoundTrip(req) // follows no redirect
	if err != nil {
		return err
	}
	return res.Body.Close()
}
