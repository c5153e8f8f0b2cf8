package collector

import (
	"mime"
	"time"

	netheader "knative.dev/networking/pkg/http/header"
)

// reportPeriod is how often a queue-proxy renews its report, and so the time
// that its values cover.
const reportPeriod = time.Second

// maxRequests is the largest concurrency and rate of one pod that is believed.
const maxRequests = 1e6

// requestSample is what a queue-proxy says of the last second.
type requestSample struct{ concurrency, rps float64 }

// decodeRequests reads Knative's Stat. Knative's autoscaler subtracts what came
// through the activator, because the activator reports that itself. Nobody
// reports it to this collector, so nothing is subtracted: twelve long requests
// that waited in the activator for the first pod are twelve requests in flight.
func decodeRequests(s *scratch, pod string) error {
	if kind, _, _ := mime.ParseMediaType(s.response.ContentType); kind != netheader.ProtobufMIMEType {
		return failed("content_type", "content type %.60q instead of %s", s.response.ContentType, netheader.ProtobufMIMEType)
	}
	s.report.Reset()
	if err := s.report.Unmarshal(s.body.Bytes()); err != nil {
		return failed("parse", "decoding the queue-proxy's report: %w", err)
	}
	r := &s.report
	if r.PodName != "" && r.PodName != pod {
		return failed(causeWrongPod, "the report is that of pod %.60q: its IP was given to another pod", r.PodName)
	}
	for _, v := range []float64{r.AverageConcurrentRequests, r.RequestCount} {
		if !(v >= 0 && v <= maxRequests) {
			return failed(causeImplausible, "the report has the value %v", v)
		}
	}
	s.requests = requestSample{
		concurrency: r.AverageConcurrentRequests,
		rps:         r.RequestCount,
	}
	return nil
}
