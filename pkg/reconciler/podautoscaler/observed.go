package podautoscaler

import (
	"slices"

	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

// Observed reports whether a PodAutoscaler's numbers are collected: those of
// our class, and those of Knative's hpa class whose metric our API serves.
func Observed(pa *v1alpha1.PodAutoscaler) bool {
	return pa.Class() == autoscaling.Class || servedToHPA(pa)
}

func servedToHPA(pa *v1alpha1.PodAutoscaler) bool {
	return pa.Class() == knautoscaling.HPA && servedMetric(pa.Metric())
}

// servedMetric reports whether the custom metrics API serves a metric by this name.
func servedMetric(name string) bool {
	return slices.ContainsFunc(decider.Metrics(), func(d decider.Description) bool { return d.API != "" && d.API == name })
}

// observe collects for a PodAutoscaler of Knative's hpa class: its decisions
// are the HPA controller's, its numbers are ours.
func (r *Reconciler) observe(pa *v1alpha1.PodAutoscaler) {
	target, err := r.scaleTarget(pa)
	if err != nil {
		return // the Deployment's own event comes back here
	}
	e, invalid := annotations.ReadEngine(pa.Annotations)
	if len(invalid) > 0 {
		r.log.Warn("cannot collect", "namespace", pa.Namespace, "revision", pa.Name, "annotation", invalid[0].Key, "error", invalid[0].Err)
		return
	}
	s := config.Settings{Engine: e, PanicWindow: window.KnativePanic}
	s.Spec.StableWindow = window.KnativeStable
	rev := revisionOf(pa)
	r.collector.Watch(collectionSpec(rev, s, target))
	r.collector.SetPods(rev, r.pods.of(rev))
}
