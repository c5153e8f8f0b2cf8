package rollup

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	corev1listers "k8s.io/client-go/listers/core/v1"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	"knative.dev/serving/pkg/apis/serving"
	palisters "knative.dev/serving/pkg/client/listers/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi/samples"
	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
)

// Snapshots is what the view reads from the collector.
type Snapshots interface {
	Snapshot(r collector.Key, now time.Time) (collector.Snapshot, bool)
	// Gauges is Snapshot without percentiles of latencies.
	Gauges(r collector.Key, now time.Time) (collector.Snapshot, bool)
}

// Decisions is what the view reads from the decision loops.
type Decisions interface {
	Last(r collector.Key) (multiscaler.Record, bool)
}

// Options are the parts of a View; all but Decisions and Pools required.
type Options struct {
	Collector   Snapshots
	Autoscalers palisters.PodAutoscalerLister
	// Pods lists pods of Knative revisions.
	Pods corev1listers.PodLister
	// Decisions has the newest decision of each revision; nil has none.
	Decisions Decisions
	Pools     Pools
	// Observed reports whether the revision of a PodAutoscaler is collected.
	Observed func(*v1alpha1.PodAutoscaler) bool
}

// New returns a View, which reads a snapshot of the collector at most every half second.
func New(o Options) View {
	return View{collector: newSnapshotCache(o.Collector), autoscalers: o.Autoscalers, pods: o.Pods,
		decisions: o.Decisions, pools: o.Pools, isObserved: o.Observed}
}

// View is what the metrics API serves, from memory. It is safe for concurrent use.
type View struct {
	collector   Snapshots
	autoscalers palisters.PodAutoscalerLister
	pods        corev1listers.PodLister
	decisions   Decisions
	pools       Pools
	isObserved  func(*v1alpha1.PodAutoscaler) bool
	// gauges is true while no percentile of a latency is asked for.
	gauges bool
}

// Get implements metricsapi.View.
func (v View) Get(resource schema.GroupResource, namespace, name string) (metricsapi.Object, bool) {
	switch resource {
	case metricsapi.Pods():
		pod, err := v.pods.Pods(namespace).Get(name)
		if err != nil {
			return find(v.otherPods(namespace), name)
		}
		return v.pod(pod)
	case metricsapi.Revisions():
		pa, err := v.autoscalers.PodAutoscalers(namespace).Get(name)
		if err != nil || !v.isObserved(pa) {
			return metricsapi.Object{}, false
		}
		return v.revision(pa), true
	case metricsapi.Services():
		ofService := labels.SelectorFromSet(labels.Set{serving.ServiceLabelKey: name})
		return find(v.services(v.observed(namespace, ofService)), name)
	case metricsapi.Pools():
		return find(v.poolsIn(namespace), name)
	}
	return metricsapi.Object{}, false
}

func find(objects []metricsapi.Object, name string) (metricsapi.Object, bool) {
	i := slices.IndexFunc(objects, func(o metricsapi.Object) bool { return o.Name == name })
	if i < 0 {
		return metricsapi.Object{}, false
	}
	return objects[i], true
}

// List implements metricsapi.View.
func (v View) List(q metricsapi.Query) metricsapi.Listing {
	v.gauges = q.Metric != "" && !isPercentile(q.Metric)
	if q.Resource == metricsapi.Pods() {
		return v.listPods(q)
	}
	return metricsapi.Listing{Objects: v.list(q)}
}

// list lists what is not a pod.
func (v View) list(q metricsapi.Query) []metricsapi.Object {
	switch q.Resource {
	case metricsapi.Revisions():
		observed := v.observed(q.Namespace, labels.Everything())
		objects := make([]metricsapi.Object, len(observed))
		for i, pa := range observed {
			objects[i] = v.revision(pa)
		}
		return objects
	case metricsapi.Services():
		return v.services(v.observed(q.Namespace, labels.Everything()))
	case metricsapi.Pools():
		return v.poolsIn(q.Namespace)
	}
	return nil
}

func (v View) observed(namespace string, selector labels.Selector) []*v1alpha1.PodAutoscaler {
	all, err := v.autoscalers.PodAutoscalers(namespace).List(selector)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(all, func(pa *v1alpha1.PodAutoscaler) bool { return !v.isObserved(pa) })
}

func (v View) revision(pa *v1alpha1.PodAutoscaler) metricsapi.Object {
	o := metricsapi.Object{Namespace: pa.Namespace, Name: pa.Name, Labels: pa.Labels}
	if s, ok := v.snapshot(revisionOf(pa)); ok {
		o.Samples = samples.OfValues(s.Values)
	}
	o.Samples = append(o.Samples, v.parts(revisionOf(pa))...)
	return o
}

// parts are those of a revision's newest decision.
func (v View) parts(r collector.Key) []metricsapi.Sample {
	if v.decisions == nil {
		return nil
	}
	record, _ := v.decisions.Last(r)
	return samples.OfParts(record.Decision.SLO, record.Time)
}

// revisionOf is the revision of a PodAutoscaler, which has its name.
func revisionOf(pa *v1alpha1.PodAutoscaler) collector.Key {
	return collector.Key{Namespace: pa.Namespace, Name: pa.Name}
}

func (v View) snapshot(key collector.Key) (collector.Snapshot, bool) {
	if v.gauges {
		return v.collector.Gauges(key, time.Now())
	}
	return v.collector.Snapshot(key, time.Now())
}

// isPercentile reports whether a metric of the API is a percentile of a latency.
func isPercentile(metric string) bool {
	d, ok := decider.Metric(metric).Describe()
	return ok && d.Kind == decider.Percentile
}

// pod looks one pod up in its revision's snapshot.
func (v View) pod(pod *corev1.Pod) (metricsapi.Object, bool) {
	s, ok := v.snapshot(collector.Key{Namespace: pod.Namespace, Name: pod.Labels[serving.RevisionLabelKey]})
	if !ok {
		return metricsapi.Object{}, false
	}
	for _, p := range s.Pods {
		if p.Pod.Name == pod.Name {
			return object(pod, p.Values), true
		}
	}
	return metricsapi.Object{}, false
}

// listPods lists pods of the observed revisions and of pools.
func (v View) listPods(q metricsapi.Query) metricsapi.Listing {
	l := v.podsOf(q)
	if others := v.otherPods(q.Namespace); len(others) > 0 {
		l = metricsapi.Listing{Objects: append(l.Objects, others...)}
	}
	return l
}

// podsOf lists pods of the observed revisions that q asks for. A selector that
// names one revision, as that of a HorizontalPodAutoscaler does, reads only that.
// The answer is the same until one of the snapshots that it is made from is taken anew.
func (v View) podsOf(q metricsapi.Query) (l metricsapi.Listing) {
	observed := v.observed(q.Namespace, labels.Everything())
	if name, ok := oneRevision(q.Selector); ok {
		observed = slices.DeleteFunc(observed, func(pa *v1alpha1.PodAutoscaler) bool { return pa.Name != name })
	}
	for i, pa := range observed {
		s, ok := v.snapshot(revisionOf(pa))
		if !ok {
			continue
		}
		if until := s.At.Add(snapshotTTL); l.Until.IsZero() || until.Before(l.Until) {
			l.Until = until
		}
		// Revisions of a namespace are often of one size.
		l.Objects = slices.Grow(l.Objects, max(len(s.Pods), min(len(s.Pods)*(len(observed)-i), firstRoom)))
		l.Objects = v.appendPods(l.Objects, pa.Namespace, s, q)
	}
	return l
}

// firstRoom is the number of objects that a list makes room for before it has seen them.
const firstRoom = 400

// appendPods appends the pods of one revision. Without a selector nothing asks for their
// labels, and the collector knows the rest.
func (v View) appendPods(
	objects []metricsapi.Object, namespace string, s collector.Snapshot, q metricsapi.Query,
) []metricsapi.Object {
	unlabelled := q.Metric != "" && (q.Selector == nil || q.Selector.Empty())
	found := make([]metricsapi.Sample, 0, len(s.Pods)) // one array for all
	pods := v.pods.Pods(namespace)
	for _, p := range s.Pods {
		o := metricsapi.Object{Namespace: namespace, Name: p.Pod.Name, UID: types.UID(p.Pod.UID)}
		if !unlabelled {
			pod, err := pods.Get(p.Pod.Name)
			if err != nil {
				continue
			}
			o.UID, o.Labels = pod.UID, pod.Labels
		}
		if q.Metric == "" {
			o.Samples = samples.OfValues(p.Values)
		} else if one, ok := samples.OfValue(p.Values, q.Metric); ok {
			found = append(found, one)
			o.Samples = found[len(found)-1 : len(found) : len(found)]
		}
		objects = append(objects, o)
	}
	return objects
}

// oneRevision returns the revision that a selector requires.
func oneRevision(selector labels.Selector) (name string, ok bool) {
	if selector == nil {
		return "", false
	}
	return selector.RequiresExactMatch(serving.RevisionLabelKey)
}

func object(pod *corev1.Pod, values map[decider.Metric]collector.Sample) metricsapi.Object {
	return metricsapi.Object{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, Labels: pod.Labels,
		Samples: samples.OfValues(values)}
}

// services folds revisions into their Services: sums, and the mean over pods of KV-cache usage.
func (v View) services(observed []*v1alpha1.PodAutoscaler) []metricsapi.Object {
	type key struct{ namespace, name string }
	folds := map[key]fold{}
	for _, pa := range observed {
		k := key{pa.Namespace, pa.Labels[serving.ServiceLabelKey]}
		s, ok := v.snapshot(revisionOf(pa))
		if k.name == "" || !ok {
			continue
		}
		if folds[k] == nil {
			folds[k] = fold{}
		}
		folds[k].add(s)
	}
	var objects []metricsapi.Object
	for k, f := range folds {
		objects = append(objects, metricsapi.Object{
			Namespace: k.namespace, Name: k.name, Labels: map[string]string{serving.ServiceLabelKey: k.name},
			Samples: samples.OfValues(f.values()),
		})
	}
	slices.SortFunc(objects, func(a, b metricsapi.Object) int {
		return cmpStrings(a.Namespace, b.Namespace, a.Name, b.Name)
	})
	return objects
}
