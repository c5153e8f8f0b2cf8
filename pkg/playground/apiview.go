package playground

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi"
)

// apiView serves what the collector has scraped as the custom metrics API does
// in a cluster.
type apiView struct{ w *World }

// Get implements metricsapi.View.
func (v apiView) Get(resource schema.GroupResource, namespace, name string) (metricsapi.Object, bool) {
	for _, o := range v.List(resource, namespace) {
		if o.Name == name {
			return o, true
		}
	}
	return metricsapi.Object{}, false
}

// List implements metricsapi.View.
func (v apiView) List(resource schema.GroupResource, namespace string) (out []metricsapi.Object) {
	if namespace != "" && namespace != revision.Namespace {
		return nil
	}
	s, ok := v.w.collector.Snapshot(revision, time.Now())
	if !ok {
		return nil
	}
	switch resource {
	case metricsapi.Revisions():
		return []metricsapi.Object{object(revision.Name, s.Values)}
	case metricsapi.Services():
		return []metricsapi.Object{object("playground", s.Values)}
	case metricsapi.Pods():
		for _, p := range s.Pods {
			out = append(out, object(p.Pod.Name, p.Values))
		}
	}
	return out
}

func object(name string, values map[decider.Metric]collector.Sample) metricsapi.Object {
	o := metricsapi.Object{Namespace: revision.Namespace, Name: name}
	for m, s := range values {
		metric := string(m)
		if m == decider.RPS {
			metric = autoscaling.RequestsPerSecond
		}
		o.Samples = append(o.Samples, metricsapi.Sample{Metric: metric, Value: float64(s.Value), Time: s.Time, Window: s.Window})
	}
	return o
}
