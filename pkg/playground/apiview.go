package playground

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi/samples"
)

// apiView serves what the collector has scraped as the custom metrics API does
// in a cluster.
type apiView struct{ w *World }

// Get implements metricsapi.View.
func (v apiView) Get(resource schema.GroupResource, namespace, name string) (metricsapi.Object, bool) {
	for _, o := range v.objects(metricsapi.Query{Resource: resource, Namespace: namespace}) {
		if o.Name == name {
			return o, true
		}
	}
	return metricsapi.Object{}, false
}

// List implements metricsapi.View.
func (v apiView) List(q metricsapi.Query) metricsapi.Listing {
	return metricsapi.Listing{Objects: v.objects(q)}
}

func (v apiView) objects(q metricsapi.Query) (out []metricsapi.Object) {
	if q.Namespace != "" && q.Namespace != revision.Namespace {
		return nil
	}
	s, ok := v.w.collector.Snapshot(revision, time.Now())
	if !ok {
		return nil
	}
	switch q.Resource {
	case metricsapi.Revisions():
		o := object(revision.Name, s.Values)
		o.Samples = append(o.Samples, v.w.parts()...)
		return []metricsapi.Object{o}
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
	return metricsapi.Object{Namespace: revision.Namespace, Name: name, Samples: samples.OfValues(values)}
}

// parts are those of the real loop's newest decision; no other policy has any.
func (w *World) parts() []metricsapi.Sample {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.policy != nil {
		return nil
	}
	return samples.OfParts(w.record.Decision.SLO, w.record.Time)
}
