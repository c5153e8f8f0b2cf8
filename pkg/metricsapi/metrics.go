package metricsapi

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/request"
	genericapiserver "k8s.io/apiserver/pkg/server"
)

// otherResource is the label of every request that is not for a resource of ours:
// discovery, probes and mistakes; so callers cannot add series.
const otherResource = "other"

// latency observes how long requests take, authentication and authorisation included.
type latency struct {
	seconds *prometheus.HistogramVec
	info    request.RequestInfoResolver
}

// newLatency registers the histogram; registerer may be nil.
func newLatency(registerer prometheus.Registerer) (*latency, error) {
	l := &latency{info: genericapiserver.NewRequestInfoResolver(&genericapiserver.Config{}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ipa_metrics_api_request_duration_seconds",
			Help: "Time to answer a request to custom.metrics.k8s.io, by the resource asked for and the HTTP status code.",
			// From a read of one value in memory to a token review that times out.
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"resource", "code"})}
	if registerer == nil {
		return l, nil
	}
	return l, registerer.Register(l.seconds)
}

// registerOwnership registers the gauge that says whether clients of the API reach us;
// registerer may be nil.
func registerOwnership(registerer prometheus.Registerer, r *Registrar) error {
	if registerer == nil {
		return nil
	}
	return registerer.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ipa_metrics_api_registered",
		Help: "1 while custom.metrics.k8s.io leads to this program, 0 while another adapter has it or config-ipa leaves it to one.",
	}, func() float64 {
		if r.Registered() {
			return 1
		}
		return 0
	}))
}

// observe wraps a handler.
func (l *latency) observe(next http.Handler) http.Handler {
	byResource := make(map[string]http.Handler)
	for _, name := range append(resourceNames(), otherResource) {
		observer := l.seconds.MustCurryWith(prometheus.Labels{"resource": name})
		byResource[name] = promhttp.InstrumentHandlerDuration(observer, next)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		byResource[l.resource(r)].ServeHTTP(w, r)
	})
}

// resource returns one of resourceNames, or otherResource.
func (l *latency) resource(r *http.Request) string {
	info, err := l.info.NewRequestInfo(r)
	if err != nil || !info.IsResourceRequest || info.APIGroup != GroupName {
		return otherResource
	}
	resource := schema.ParseGroupResource(info.Resource)
	if _, ok := kindOf(resource); !ok {
		return otherResource
	}
	return resource.String() // and not what was asked for: "pods." is pods, too
}

func resourceNames() []string {
	var names []string
	for _, r := range resources() {
		names = append(names, r.String())
	}
	return names
}
