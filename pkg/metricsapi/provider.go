package metricsapi

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/metrics/pkg/apis/custom_metrics"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"
)

// viewProvider answers the library's questions from a View.
type viewProvider struct {
	view       View
	discovered *discoveryCache
}

func newProvider(view View) viewProvider { return viewProvider{view, &discoveryCache{}} }

var _ provider.CustomMetricsProvider = viewProvider{}

// GetMetricByName answers 404 for an unknown object, metric or value.
func (p viewProvider) GetMetricByName(_ context.Context, name types.NamespacedName,
	info provider.CustomMetricInfo, metricSelector labels.Selector) (*custom_metrics.MetricValue, error) {
	gvk, err := check(info, metricSelector)
	if err != nil {
		return nil, err
	}
	notFound := provider.NewMetricNotFoundForError(info.GroupResource, info.Metric, name.String())
	if name.Namespace == "" { // every resource here is namespaced
		return nil, notFound
	}
	object, ok := p.view.Get(info.GroupResource, name.Namespace, name.Name)
	if !ok {
		return nil, notFound
	}
	sample, ok := object.sample(info.Metric)
	if !ok {
		return nil, notFound
	}
	value := metricValue(gvk, object, sample)
	return &value, nil
}

// GetMetricBySelector lists the objects whose value is known; an empty namespace is all of them.
func (p viewProvider) GetMetricBySelector(_ context.Context, namespace string, selector labels.Selector,
	info provider.CustomMetricInfo, metricSelector labels.Selector) (*custom_metrics.MetricValueList, error) {
	gvk, err := check(info, metricSelector)
	if err != nil {
		return nil, err
	}
	objects := p.view.List(Query{Resource: info.GroupResource, Namespace: namespace, Metric: info.Metric,
		Selector: selector}).Objects
	list := &custom_metrics.MetricValueList{Items: make([]custom_metrics.MetricValue, 0, len(objects))}
	for _, object := range objects {
		if !selector.Matches(labels.Set(object.Labels)) {
			continue
		}
		if sample, ok := object.sample(info.Metric); ok {
			list.Items = append(list.Items, metricValue(gvk, object, sample))
		}
	}
	return list, nil
}

// ListAllMetrics names each metric that at least one object had a value of
// within the last discoveryTTL.
func (p viewProvider) ListAllMetrics() []provider.CustomMetricInfo {
	return p.discovered.get(time.Now(), p.listAllMetrics)
}

func (p viewProvider) listAllMetrics() []provider.CustomMetricInfo {
	var infos []provider.CustomMetricInfo
	for _, resource := range resources() {
		known := knownMetrics(p.view.List(Query{Resource: resource}).Objects)
		for _, metric := range Metrics() {
			if known[metric] {
				infos = append(infos, metricInfo(resource, metric))
			}
		}
	}
	return infos
}

func knownMetrics(objects []Object) map[string]bool {
	known := make(map[string]bool)
	for _, object := range objects {
		for _, sample := range object.Samples {
			if isKnown(sample.Value) && !known[sample.Metric] {
				known[sample.Metric] = true
			}
		}
	}
	return known
}

func metricInfo(resource schema.GroupResource, metric string) provider.CustomMetricInfo {
	return provider.CustomMetricInfo{GroupResource: resource, Namespaced: true, Metric: metric}
}

// check refuses what this API never has: other resources, other metrics, and metric labels.
func check(info provider.CustomMetricInfo, metricSelector labels.Selector) (schema.GroupVersionKind, error) {
	gvk, ok := kindOf(info.GroupResource)
	if !ok || !isMetric(info.Metric) {
		return gvk, provider.NewMetricNotFoundError(info.GroupResource, info.Metric)
	}
	if metricSelector != nil && !metricSelector.Matches(labels.Set{}) {
		return gvk, apierrors.NewBadRequest("metricLabelSelector " + metricSelector.String() +
			" matches nothing: metrics of this API carry no labels; leave it out and select objects with labelSelector")
	}
	return gvk, nil
}

func metricValue(gvk schema.GroupVersionKind, o Object, s Sample) custom_metrics.MetricValue {
	return custom_metrics.MetricValue{
		DescribedObject: custom_metrics.ObjectReference{
			APIVersion: gvk.GroupVersion().String(),
			Kind:       gvk.Kind,
			Namespace:  o.Namespace,
			Name:       o.Name,
			UID:        o.UID,
		},
		Metric:        custom_metrics.MetricIdentifier{Name: s.Metric},
		Timestamp:     metav1.NewTime(s.Time),
		WindowSeconds: windowSeconds(s.Window),
		Value:         quantity(s.Value),
	}
}
